import json
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from phase_operator.api.reasons import Reason
from phase_operator.api.v1alpha1 import PhaseSecretStatus
from phase_operator.api.v1alpha1.phasesecret import LeftOutWhy
from phase_operator.core.errors import Waiting
from phase_operator.core.outcome import (
    Failed,
    LeftOut,
    StatusDocument,
    Suspended,
    Synced,
    TargetResult,
    Warned,
    verdict,
)
from phase_operator.core.status.document import change_events, status_document
from support.builders import fullest_status, in_step, out_of_step, secret_ref, synced

BEFORE, NOW = "2030-01-01T00:00:00Z", "2030-01-01T00:01:00Z"
DENIED = Failed(Reason.ACCESS_DENIED, "no")
WARNING = Warned(Reason.UNRESOLVED_REFERENCES, "references are left")

Reported = Synced | Suspended | Failed

REASONS = st.sampled_from(list(Reason))
TEXTS = st.text(max_size=9)
LEFT_OUT = st.lists(
    st.builds(
        LeftOut,
        why=st.sampled_from(LeftOutWhy),
        count=st.integers(1, 20),
        keys=st.lists(TEXTS, max_size=10, unique=True).map(tuple),
    ),
    max_size=3,
).map(tuple)
TARGETS = st.lists(
    st.builds(
        TargetResult,
        ref=st.sampled_from("abc").map(secret_ref),
        ready=st.booleans(),
        reason=REASONS,
        keys=st.none() | st.integers(0, 9),
        message=st.none() | TEXTS,
        transient=st.booleans(),
        left_out=LEFT_OUT,
    ),
    max_size=3,
).map(tuple)
OUTCOMES: st.SearchStrategy[Reported] = st.one_of(
    st.builds(lambda targets, warning: synced(*targets, warning=warning), TARGETS, st.sampled_from([None, WARNING])),
    st.just(Suspended()),
    st.builds(Failed, reason=REASONS, message=TEXTS, transient=st.booleans(), targets=TARGETS),
)


def document(outcome: Reported, previous: StatusDocument | None = None, **fields: Any) -> StatusDocument:
    return status_document(outcome, previous or {}, **({"generation": 1, "forced": None, "now": NOW} | fields))


def after(*outcomes: Reported) -> StatusDocument:
    """Make the status that some runs in the past have left."""
    status: StatusDocument = {}
    for outcome in outcomes:
        status = document(outcome, status, now=BEFORE)
    return status


def at(minute: int) -> str:
    return f"2030-01-01T{minute // 60:02}:{minute % 60:02}:00Z"


def since(status: StatusDocument) -> dict[str, tuple[str, str]]:
    """Return each condition's status and since when it is."""
    return {each["type"]: (each["status"], each["lastTransitionTime"]) for each in status.get("conditions") or []}


@given(st.lists(OUTCOMES, max_size=2), OUTCOMES, st.sampled_from([None, "once"]))
def test_the_same_outcome_says_the_same_however_late_it_is(
    past: list[Reported], outcome: Reported, forced: str | None
) -> None:
    first = document(outcome, after(*past), forced=forced, now=BEFORE)

    assert document(outcome, first, forced=forced, now=NOW) == first
    assert document(outcome, first, forced=None, now=NOW) == first
    assert change_events(outcome, first) == ()


@given(st.lists(OUTCOMES, max_size=6), st.integers(1, 2))
def test_a_status_never_flaps(outcomes: list[Reported], edits: int) -> None:
    """Runs minute after minute: what is said again is not written, and a time moves only with what it is about."""
    status: StatusDocument = {}
    for minute, outcome in enumerate(outcomes):
        generation = 1 + minute // edits
        before, status = status, document(outcome, status, generation=generation, now=at(2 * minute))

        assert since(status) == {
            kind: old if old is not None and old[0] == new[0] else (new[0], at(2 * minute))
            for kind, new in since(status).items()
            for old in [since(before).get(kind)]
        }
        assert document(outcome, status, generation=generation, now=at(2 * minute + 1)) == status
        assert change_events(outcome, status) == ()
        assert {each["message"] for each in status["conditions"]} == {verdict(outcome).message}


@given(OUTCOMES)
def test_a_run_that_changes_nothing_keeps_the_status_as_it_was(outcome: Reported) -> None:
    first = outcome
    if isinstance(outcome, Synced | Failed):
        first = replace(outcome, targets=tuple(replace(target, written=True) for target in outcome.targets))
    written = document(first, {}, now=BEFORE)

    assert document(outcome, written, now=NOW) == written


@given(st.lists(OUTCOMES, max_size=2), OUTCOMES)
def test_a_status_fits_the_schema(past: list[Reported], outcome: Reported) -> None:
    found = document(outcome, after(*past), forced="once")

    parsed = PhaseSecretStatus.model_validate(found)
    assert parsed.model_dump(by_alias=True, exclude_unset=True) == found


def test_the_longest_message_fits_the_schema() -> None:
    message = Waiting(Reason.TARGET_REFUSED, "far too long " * 10_000).message

    found = document(synced(*(out_of_step(name * 250, message=message) for name in "abcd")))

    assert PhaseSecretStatus.model_validate(found).targets[0].message == message


@pytest.mark.parametrize("letter", ["x", "\u00e4", "\N{PILE OF POO}"], ids=["one byte", "two bytes", "four bytes"])
@pytest.mark.parametrize("fail", [False, True], ids=["each target fails", "the whole fails"])
def test_as_many_targets_as_may_be_with_as_much_to_tell_fit_the_schema_and_etcd(letter: str, fail: bool) -> None:
    found = fullest_status(letter, fail=fail)

    # What the API server holds on to is UTF-8, and etcd takes 1.5 MiB of it: the spec has to fit in, too.
    assert len(json.dumps(found, ensure_ascii=False).encode()) < 1.2 * 1024 * 1024
    parsed = PhaseSecretStatus.model_validate(found)
    assert len(parsed.targets) == 128
    assert all(each.left_out[0].count == 10**6 for each in parsed.targets)


def test_a_status_names_the_keys_that_a_target_leaves_out() -> None:
    lost = (LeftOut(LeftOutWhy.TYPE, 12, ("A", "B")), LeftOut(LeftOutWhy.KEYS, 1, ("C",)))

    [target] = document(synced(replace(in_step(), left_out=lost)))["targets"]

    assert target["leftOut"] == [
        {"why": "Type", "count": 12, "keys": ["A", "B"]},
        {"why": "Keys", "count": 1, "keys": ["C"]},
    ]


def test_a_status_names_left_out_keys_of_the_first_targets_and_counts_those_of_all() -> None:
    lost = (LeftOut(LeftOutWhy.KEYS, 10, tuple("ABCDEFGHIJ")),)
    targets = [replace(in_step(str(number)), left_out=lost) for number in range(60)]

    found = document(synced(*targets))["targets"]

    assert [len(each["leftOut"][0].get("keys", ())) for each in found] == [10] * 50 + [0] * 10
    assert {each["leftOut"][0]["count"] for each in found} == {10}


def test_an_entry_more_that_a_target_leaves_out_is_told_and_moves_no_time() -> None:
    before = after(synced(replace(in_step(), left_out=(LeftOut(LeftOutWhy.KEYS, 1, ("A",)),))))

    found = document(synced(replace(in_step(), left_out=(LeftOut(LeftOutWhy.KEYS, 2, ("A", "B")),))), before)

    assert found != before
    assert found["lastSyncedTime"] == BEFORE


def test_a_status_shows_the_source_and_the_targets() -> None:
    found = document(synced(in_step("a", keys=2), in_step("b", keys=3), entries=4), generation=7)

    assert found["observedGeneration"] == 7
    assert found["source"] == {"appId": "app-1", "environment": "production", "path": "/", "entries": 4}
    assert [(each["kind"], each["namespace"], each["name"]) for each in found["targets"]] == [
        ("Secret", "team", "a"),
        ("Secret", "team", "b"),
    ]
    assert [each["keys"] for each in found["targets"]] == [2, 3]
    assert found["keys"] == 5


def test_each_target_says_for_itself_how_it_stands() -> None:
    found = document(synced(in_step("a"), out_of_step("b", message="it is theirs")))

    good, bad = found["targets"]
    assert (good["ready"], good["reason"], good.get("message")) == (True, "Synced", None)
    assert (bad["ready"], bad["reason"], bad["message"]) == (False, "TargetConflict", "it is theirs")


def test_a_failure_keeps_what_is_known_and_doubts_every_target() -> None:
    before = after(synced(in_step(keys=3), entries=3))

    found = document(DENIED, before)

    [target] = found["targets"]
    assert (target["ready"], target["reason"], target["keys"]) == (False, "AccessDenied", 3)
    assert found["source"] == before["source"]
    assert found["keys"] == 3


def test_a_failure_that_kept_its_targets_in_step_tells_of_these() -> None:
    outcome = Failed(Reason.PHASE_UNAVAILABLE, "down", targets=(in_step("new", keys=1),))

    [target] = document(outcome, after(synced(in_step("old"))))["targets"]

    assert (target["name"], target["ready"], target["reason"]) == ("new", False, "PhaseUnavailable")


def test_a_targets_own_message_is_not_told_beside_another_reason() -> None:
    [target] = document(DENIED, after(synced(out_of_step(message="it is theirs"))))["targets"]

    assert (target["reason"], target.get("message")) == ("AccessDenied", None)


def test_a_suspended_resource_keeps_what_is_known() -> None:
    before = after(synced(in_step(keys=3)))

    found = document(Suspended(), before)

    assert (found["targets"], found["source"]) == (before["targets"], before["source"])


def test_the_first_failure_names_no_targets_and_no_source() -> None:
    found = document(DENIED)

    assert set(found) == {"observedGeneration", "conditions"}


@pytest.mark.parametrize(
    ("before", "outcome", "moves"),
    [
        pytest.param([], synced(), True, id="the first time"),
        pytest.param([synced()], synced(), False, id="nothing new"),
        pytest.param([synced()], synced(in_step(written=True)), True, id="a target was written"),
        pytest.param([synced()], synced(in_step(), in_step("b")), True, id="a target more"),
        pytest.param([synced()], Suspended(), True, id="another verdict"),
        pytest.param([synced(), DENIED], synced(), True, id="bad to good"),
        pytest.param([synced()], DENIED, False, id="good to bad"),
        pytest.param([synced()], synced(entries=9), False, id="entries that no target takes"),
    ],
)
def test_last_synced_time_moves_with_a_target_or_the_verdict(
    before: list[Reported], outcome: Reported, moves: bool
) -> None:
    found = document(outcome, after(*before))

    assert found["lastSyncedTime"] == (NOW if moves else BEFORE)


@pytest.mark.parametrize(
    ("before", "forced", "kept", "since"),
    [
        pytest.param(None, None, None, BEFORE, id="never"),
        pytest.param(None, "1", "1", NOW, id="the first time"),
        pytest.param("1", None, "1", BEFORE, id="once, and kept"),
        pytest.param("1", "1", "1", BEFORE, id="the same again"),
        pytest.param("1", "2", "2", NOW, id="anew"),
    ],
)
def test_a_forced_sync_is_told(before: str | None, forced: str | None, kept: str | None, since: str) -> None:
    previous = document(synced(), forced=before, now=BEFORE)

    found = document(synced(), previous, forced=forced)

    assert found.get("lastForcedSync") == kept
    assert found["lastSyncedTime"] == since


@pytest.mark.parametrize(
    ("before", "outcome", "events"),
    [
        pytest.param([], synced(), [("Normal", "Synced")], id="the first time"),
        pytest.param([synced()], synced(), [], id="nothing new"),
        pytest.param([synced()], synced(in_step(written=True)), [("Normal", "TargetWritten")], id="a target written"),
        pytest.param(
            [],
            synced(in_step("a", written=True), in_step("b", written=True)),
            [("Normal", "TargetWritten"), ("Normal", "TargetWritten"), ("Normal", "Synced")],
            id="targets written the first time",
        ),
        pytest.param([synced()], DENIED, [("Warning", "AccessDenied")], id="good to bad"),
        pytest.param([], DENIED, [("Warning", "AccessDenied")], id="bad from the start"),
        pytest.param([DENIED], DENIED, [], id="bad as before"),
        pytest.param(
            [DENIED], Failed(Reason.ACCESS_DENIED, "no, really"), [("Warning", "AccessDenied")], id="bad in other words"
        ),
        pytest.param(
            [DENIED], Failed(Reason.APP_NOT_FOUND, "no"), [("Warning", "AppNotFound")], id="bad for another reason"
        ),
        pytest.param([DENIED], synced(), [("Normal", "Synced")], id="bad to good"),
        pytest.param([synced()], synced(out_of_step()), [("Warning", "TargetConflict")], id="a target out of step"),
        pytest.param([synced()], synced(warning=WARNING), [("Warning", "UnresolvedReferences")], id="a warning"),
        pytest.param([synced(warning=WARNING)], synced(warning=WARNING), [], id="a warning as before"),
        pytest.param([synced(warning=WARNING)], synced(), [], id="a warning less"),
        pytest.param([synced()], Suspended(), [("Normal", "Suspended")], id="suspended"),
        pytest.param([synced(), Suspended()], Suspended(), [], id="suspended as before"),
    ],
)
def test_an_event_marks_a_change(before: list[Reported], outcome: Reported, events: list[tuple[str, str]]) -> None:
    found = change_events(outcome, after(*before))

    assert [(each.type, each.reason) for each in found] == events


def test_an_event_about_a_target_names_it_and_counts_its_keys() -> None:
    [one, two, _] = change_events(synced(in_step("a", keys=1, written=True), in_step("b", keys=2, written=True)), {})

    assert (one.message, two.message) == ("Secret team/a: 1 key", "Secret team/b: 2 keys")
