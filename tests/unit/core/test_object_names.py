"""Which texts Kubernetes takes for names."""

import pytest

from phase_operator.core.object_names import is_namespace, is_object_name, is_path_segment

_NO_NAMES = ["", ".", "..", "a/b", "%2e", "a\n", " ", "\x1b[2J", "\ud800", "-a", "a-", "A", "a_b"]


@pytest.mark.parametrize("text", [*_NO_NAMES, "a.b", "a" * 64])
def test_a_namespace_is_a_label(text: str) -> None:
    assert not is_namespace(text)


@pytest.mark.parametrize("text", [*_NO_NAMES, "a..b", ".a", "a" * 254])
def test_an_object_name_is_a_subdomain(text: str) -> None:
    assert not is_object_name(text)


@pytest.mark.parametrize("text", ["a", "0", "a-b", "a" * 63])
def test_names_that_are_taken(text: str) -> None:
    assert is_namespace(text)
    assert is_object_name(f"{text}.{text}")
    assert is_path_segment(text)


@pytest.mark.parametrize("text", ["", ".", "..", "a/b", "../x", "%2e%2e", "a\n", "a b", "\x1b[2J", "\ud800"])
def test_a_path_segment_leads_nowhere_else(text: str) -> None:
    assert not is_path_segment(text)


@pytest.mark.parametrize("text", ["system:node", "pod:8080", "...", "A_b"])
def test_a_path_segment_may_be_a_name_of_another_kind(text: str) -> None:
    assert is_path_segment(text)
