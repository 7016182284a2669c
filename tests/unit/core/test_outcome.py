import pytest

from phase_operator.api.reasons import Reason
from phase_operator.core.errors import Transient, Waiting
from phase_operator.core.outcome import (
    Confirmed,
    Failed,
    Gone,
    Outcome,
    Pending,
    Suspended,
    Synced,
    TargetResult,
    Verdict,
    Warned,
    verdict,
)
from support.builders import in_step, out_of_step, secret_ref, synced

WARNING = Warned(Reason.UNRESOLVED_REFERENCES, "references are left")


@pytest.mark.parametrize(
    ("outcome", "ready", "reason"),
    [
        pytest.param(synced(in_step()), True, Reason.SYNCED, id="one target in step"),
        pytest.param(synced(in_step("a"), in_step("b")), True, Reason.SYNCED, id="two targets in step"),
        pytest.param(synced(warning=WARNING), True, Reason.SYNCED, id="a warning stops nothing"),
        pytest.param(synced(in_step("a"), out_of_step("b")), False, Reason.TARGET_CONFLICT, id="one bad of two"),
        pytest.param(
            synced(out_of_step("a", reason=Reason.TOO_LARGE), out_of_step("b")),
            False,
            Reason.TOO_LARGE,
            id="two bad: the first says why",
        ),
        pytest.param(
            synced(out_of_step("a", reason=Reason.KUBERNETES_UNAVAILABLE, transient=True), out_of_step("b")),
            False,
            Reason.TARGET_CONFLICT,
            id="two bad: the one that waits for a person says why",
        ),
        pytest.param(Suspended(), True, Reason.SUSPENDED, id="suspended"),
        pytest.param(Failed(Reason.ACCESS_DENIED, "no"), False, Reason.ACCESS_DENIED, id="failed"),
        pytest.param(
            Failed(Reason.PHASE_UNAVAILABLE, "down", targets=(in_step(),)),
            False,
            Reason.PHASE_UNAVAILABLE,
            id="failed with targets in step",
        ),
    ],
)
def test_an_outcome_has_this_verdict(outcome: Synced | Suspended | Failed, ready: bool, reason: Reason) -> None:
    found = verdict(outcome)

    assert (found.ready, found.reason) == (ready, reason)


def test_a_failure_is_told_in_its_own_words() -> None:
    assert verdict(Failed(Reason.ACCESS_DENIED, "no")) == Verdict(False, Reason.ACCESS_DENIED, "no")


def test_a_bad_target_is_named_with_what_is_wrong() -> None:
    found = verdict(synced(in_step("good"), out_of_step("bad", message="it is theirs")))

    assert "team/bad: it is theirs" in found.message
    assert "team/good" not in found.message


def test_three_bad_targets_are_named_and_no_more() -> None:
    found = verdict(synced(*(out_of_step(name) for name in "abcd")))

    assert [name for name in "abcd" if f"team/{name}:" in found.message] == ["a", "b", "c"]


def test_a_warning_is_told_beside_the_verdict_and_not_beside_a_failure() -> None:
    assert WARNING.message in verdict(synced(warning=WARNING)).message
    assert WARNING.message not in verdict(synced(out_of_step(), warning=WARNING)).message


def test_the_message_does_not_tell_what_changes_from_run_to_run() -> None:
    quiet = verdict(synced(in_step(keys=3, written=False), entries=3))
    busy = verdict(synced(in_step(keys=4, written=True), entries=4))

    assert quiet == busy


@pytest.mark.parametrize("outcome", [Suspended(), Confirmed(), Pending(), Gone()], ids=lambda each: type(each).__name__)
def test_an_outcome_that_brought_no_target_in_step_has_none(outcome: Outcome) -> None:
    assert outcome.targets == ()


def test_a_failure_keeps_of_an_error_what_the_next_run_needs() -> None:
    busy, missing = Transient(Reason.RATE_LIMITED, "busy", after=30.0), Waiting(Reason.ACCESS_DENIED, "no")

    assert Failed.of(busy) == Failed(Reason.RATE_LIMITED, "busy", transient=True, after=30.0)
    assert Failed.of(missing) == Failed(Reason.ACCESS_DENIED, "no")


def test_a_failed_target_keeps_of_an_error_what_the_next_run_needs() -> None:
    busy = Transient(Reason.KUBERNETES_UNAVAILABLE, "busy", after=30.0)

    found = TargetResult.failed(secret_ref(), busy, version="shop-1")

    assert (found.ready, found.reason, found.message, found.version) == (False, busy.reason, "busy", "shop-1")
    assert (found.transient, found.after) == (True, 30.0)
