"""What a diff says would be done in Phase for a PhasePushSecret."""

from typing import Any

import pytest

from phase_operator.api import names
from phase_operator.api.v1alpha1.phasepushsecret import PhasePushSecretSpec
from phase_operator.cli.diffing.changes import Sign
from phase_operator.cli.diffing.entries import EntryChange, entry_changes, own_mark, source_of, wanted_of
from phase_operator.core.push.ledger import Ledger
from phase_operator.core.push.looks import Look
from phase_operator.core.push.places import EntryPlace
from phase_operator.core.push.sources import Rule, Source
from phase_operator.core.push.spec import push_spec
from phase_operator.core.refs import Kind
from phase_operator.core.values import ObjectKey
from unit.core.push.builders import AT, OURS, THEIRS, ledger, listed, look, row

KEY = ObjectKey("shop", "to-phase")
A, B = EntryPlace("/cluster", "A"), EntryPlace("/cluster", "B")


def secret(name: str = "db", version: str = "7", **data: bytes) -> Source:
    return Source(Kind.SECRET, name, version, Rule("/cluster"), data or {"A": b"new"})


def changes(there: Look, known: Ledger, *sources: Source, refused: dict[str, str] | None = None, **fields: Any) -> Any:
    said = {"phaseApp": "shop", "phaseAppEnvPath": "/cluster", "sources": [{"secretName": "db"}]} | fields
    spec = push_spec(PhasePushSecretSpec.model_validate(said))
    return entry_changes(spec, KEY, wanted_of(spec, sources, refused or {}), known, there)


def test_an_entry_that_phase_lacks_is_made() -> None:
    assert changes(look(), ledger(), secret()) == [EntryChange(Sign.ADDED, "/cluster/A", "would be made")]


def test_an_entry_made_of_this_very_version_does_not_change() -> None:
    assert changes(look(listed(A)), ledger(row(A)), secret()) == []


def test_an_entry_made_of_an_older_version_is_changed() -> None:
    [found] = changes(look(listed(A)), ledger(row(A)), secret(version="8"))

    assert (found.sign, found.name, found.what) == (Sign.CHANGED, "/cluster/A", "would be changed")


@pytest.mark.parametrize(
    ("policy", "what"), [("Retain", "would be left in Phase, without the mark"), ("Delete", "would be deleted")]
)
def test_an_entry_whose_key_is_gone_goes_as_the_policy_says(policy: str, what: str) -> None:
    there, known = look(listed(A), listed(B, id="id-2")), ledger(row(A), row(B, id="id-2"))

    found = changes(there, known, secret(), deletionPolicy=policy)

    assert found == [EntryChange(Sign.REMOVED, "/cluster/B", what)]


def test_an_entry_of_others_stands_in_the_way() -> None:
    [found] = changes(look(listed(A, marks=())), ledger(), secret())

    assert found.sign is None
    assert "updatePolicy" in found.what


def test_an_entry_of_nobody_is_taken_over_under_replace() -> None:
    [found] = changes(look(listed(A, marks=())), ledger(), secret(), updatePolicy="Replace")

    assert (found.sign, found.what) == (Sign.CHANGED, "would be taken over and changed")


def test_a_source_that_is_not_there_holds_what_was_pushed_of_it() -> None:
    found = changes(look(listed(A)), ledger(row(A)), refused={"Secret/db": "it is not there"})

    assert found == [EntryChange(None, "", "Secret/db is not pushed: it is not there")]


def test_entries_of_the_environment_before_go_first() -> None:
    before = ledger(row(A), at=AT._replace(environment="staging"))

    found = changes(look(), before, secret(), deletionPolicy="Delete")

    assert found[0] == EntryChange(Sign.REMOVED, "/cluster/A", "in environment staging: would be deleted")


def test_a_value_that_is_not_made_yet_is_told() -> None:
    found = changes(look(), ledger(), sources=[], generate=[{"key": "TOKEN", "kind": "UUID"}], generateInto="made")

    assert found == [EntryChange(Sign.ADDED, "/cluster/TOKEN", "a new UUID would be made")]


def test_the_mark_is_that_of_the_entries_that_the_status_names() -> None:
    both = look(listed(A, id="id-1", marks=(OURS,)), listed(B, id="id-2", marks=(THEIRS,)))

    assert own_mark(KEY, ledger(row(A)), both) == OURS
    assert own_mark(KEY, ledger(row(B, id="id-2")), both) == THEIRS


@pytest.mark.parametrize(
    ("fields", "why"),
    [
        pytest.param({"type": "helm.sh/release.v1"}, "belong to the system", id="of the system"),
        pytest.param({"labels": {names.LABEL_TARGET: "true"}}, "would come back", id="a target"),
        pytest.param({"annotations": {names.ANNOTATION_OWNER: "a/b"}}, "would come back", id="an owned object"),
    ],
)
def test_a_source_that_is_never_pushed_is_told(fields: dict[str, Any], why: str) -> None:
    body = {"type": fields.pop("type", "Opaque"), "metadata": {"name": "db", **fields}, "data": {}}

    found = source_of(body, Kind.SECRET, Rule("/"), is_token=False, is_home=False)

    assert isinstance(found, str)
    assert why in found


def test_hostile_names_are_safe_to_print() -> None:
    place = EntryPlace("/cluster", "A\x1b[2J\nB")
    made: dict[str, Any] = {"sources": [], "generate": [{"key": "T", "kind": "UUID"}], "generateInto": "m"}

    found = changes(look(listed(place)), ledger(), **made)

    assert len(found) == 2
    assert all(each.name.isprintable() for each in found)
