"""An API server that is too old is named; one that says nothing is trusted."""

import pytest

from phase_operator.kube.version import too_old


@pytest.mark.parametrize(
    ("major", "minor", "refused"),
    [
        pytest.param("1", "31", False, id="the oldest"),
        pytest.param("1", "36", False, id="newer"),
        pytest.param("2", "0", False, id="the next major"),
        pytest.param("1", "31+", False, id="as vendors write it"),
        pytest.param("1", "30", True, id="too old"),
        pytest.param("1", "9+", True, id="far too old"),
        pytest.param("", "", False, id="says nothing"),
        pytest.param("one", "two", False, id="says nonsense"),
    ],
)
def test_an_old_version_of_kubernetes_is_refused(major: str, minor: str, refused: bool) -> None:
    assert (too_old({"major": major, "minor": minor}) is not None) is refused


def test_the_sentence_names_both_versions() -> None:
    assert too_old({"major": "1", "minor": "28"}) == "Kubernetes 1.28 is too old: 1.31 or newer is needed"


def test_an_unreadable_version_is_trusted() -> None:
    assert too_old({"major": None}) is None
    assert too_old({}) is None
