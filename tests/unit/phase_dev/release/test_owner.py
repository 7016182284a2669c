"""Who publishes: what a field takes, and the sentence for each that is empty or wrong."""

from dataclasses import fields, replace

import pytest

from manifests.objects import ROOT
from phase_dev.release import owner
from phase_dev.release.owner import Maintainer, Owner
from phase_dev.shell.errors import ToolError
from unit.phase_dev.release.owners import GOOD


def test_a_complete_owner_has_no_faults() -> None:
    assert owner.faults(GOOD) == []
    assert (GOOD.image, GOOD.charts) == ("ghcr.io/example/phase-operator", "oci://ghcr.io/example/charts")


@pytest.mark.parametrize("field", [each.name for each in fields(Owner)])
def test_an_empty_field_is_named_in_a_sentence(field: str) -> None:
    empty = replace(GOOD, **{field: () if field == "maintainers" else ""})  # type: ignore[arg-type]  # by name

    [sentence] = owner.faults(empty)

    assert sentence.startswith(f"release/owner.toml: {field} is empty; it takes ")


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("registry", "https://ghcr.io/example"),
        ("registry", "ghcr.io/Example"),
        ("registry", "ghcr.io/OWNER"),
        ("repository", "github.com/example/phase-operator"),
        ("repository", "https://github.com/example/phase-operator/"),
        ("docs", "http://example.com"),
        ("vendor", " "),
        ("security_contact", "security@example.com"),
    ],
)
def test_a_misformed_field_is_named_with_its_value(field: str, value: str) -> None:
    [sentence] = owner.faults(replace(GOOD, **{field: value}))  # type: ignore[arg-type]  # by name

    assert sentence.startswith(f'release/owner.toml: {field} is "{value}"; it takes ')


def test_a_maintainer_has_a_name_and_an_account() -> None:
    for person in (Maintainer("", "a"), Maintainer("a", "")):
        [sentence] = owner.faults(replace(GOOD, maintainers=(person,)))
        assert "without a name" in sentence


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("registry =", "is no TOML"),
        ('registry = "a"', "missing"),
        ("colour = 1", "colour"),
    ],
)
def test_a_file_that_cannot_be_read_is_refused_with_its_name(text: str, said: str) -> None:
    with pytest.raises(ToolError, match=r"release/owner\.toml") as caught:
        owner.read(text)

    assert said in str(caught.value)


@pytest.mark.parametrize(
    ("old", "new"), [('vendor = ""', "vendor = 1"), ("maintainers = []", 'maintainers = [{nick = "a"}]')]
)
def test_a_value_of_another_kind_is_refused(old: str, new: str) -> None:
    text = (ROOT / owner.FILE).read_text()
    assert old in text, "the shipped file is filled in: take a text of the test's own"

    with pytest.raises(ToolError, match=r"release/owner\.toml"):
        owner.read(text.replace(old, new))


def test_the_shipped_file_has_every_field_and_is_complete_or_refused() -> None:
    found = owner.read((ROOT / owner.FILE).read_text())

    assert (found.registry == "") == any("registry is empty" in each for each in owner.faults(found))


def test_a_rehearsal_is_nobodys_and_complete() -> None:
    found = owner.stand_in("127.0.0.1:5000/rehearsal")

    assert owner.faults(found) == []
    assert ".invalid/" in found.repository
