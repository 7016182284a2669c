"""The status of any run fits the CRD, and no old status, even a forged one, keeps a new one from being made."""

from typing import Any

import jsonschema  # type: ignore[import-untyped]  # it ships no types; kubernetes-validate brings it
from hypothesis import example, given
from hypothesis import strategies as st

from phase_operator.api.crd import PHASE_SECRET, document
from phase_operator.api.reasons import Reason
from phase_operator.api.v1alpha1.phasesecret import LeftOutWhy
from phase_operator.core.outcome import Failed, LeftOut, SourceFacts, Suspended, Synced, TargetResult, Warned
from phase_operator.core.refs import Kind, TargetRef
from phase_operator.core.status.document import change_events, change_warnings, status_document
from phase_operator.core.status.recorded import newest_versions, recorded_refs, removed_targets, written_before
from phase_operator.core.status.restarts import RestartReport, listed, recorded_restarts, with_restarts
from phase_operator.core.values import ObjectKey
from phase_operator.reconcile.store import PhaseSecretStore, version_of
from support.any_json import any_metadata, anything, shallow
from support.builders import phase_secret, synced

NOW = "2030-01-01T00:01:00Z"
[VERSION] = document(PHASE_SECRET)["spec"]["versions"]
SCHEMA = VERSION["schema"]["openAPIV3Schema"]["properties"]["status"]
STATUS = jsonschema.Draft7Validator(SCHEMA)
TARGETS = jsonschema.Draft7Validator({**SCHEMA["properties"]["targets"], "items": {}})


def check(status: dict[str, Any]) -> None:
    """Fail if a status does not fit the CRD: each target that differs from those before it, and the list of all."""
    targets: list[Any] = []
    for each in status.get("targets", ()):
        if each not in targets[-1:]:
            targets.append(each)
    STATUS.validate({**status, "targets": targets} if targets else status)
    TARGETS.validate(status.get("targets", []))


# Names of Kubernetes are judged before a run; names of Phase, messages and what others ask for are as they come.
_names = st.from_regex(r"[a-z0-9]([-a-z0-9]{0,20}[a-z0-9])?", fullmatch=True)
_texts = st.one_of(st.text(max_size=40), st.integers(0, 5000).map("x".__mul__), st.integers(0, 3000).map("é".__mul__))
_left_out = st.builds(
    LeftOut,
    why=st.sampled_from(LeftOutWhy),
    count=st.integers(0, 2**31),
    keys=st.lists(st.text(max_size=253), max_size=10).map(tuple),
)
_results = st.builds(
    TargetResult,
    ref=st.builds(TargetRef, st.sampled_from(Kind), st.builds(ObjectKey, _names, _names)),
    ready=st.booleans(),
    reason=st.sampled_from(Reason),
    keys=st.none() | st.integers(0, 2**31),
    message=st.none() | _texts,
    version=st.none() | _names,
    written=st.booleans(),
    left_out=st.lists(_left_out, max_size=3).map(tuple),
)
_many = st.one_of(st.lists(_results, max_size=5).map(tuple), _results.map(lambda each: (each,) * 300))
_outcomes = st.one_of(
    st.builds(
        Synced,
        st.builds(SourceFacts, _texts, _texts, _texts, st.integers(0, 2**31)),
        _many,
        st.none() | st.builds(Warned, st.sampled_from(Reason), _texts),
    ),
    st.just(Suspended()),
    st.builds(Failed, st.sampled_from(Reason), _texts, targets=_many),
)
_told = st.builds(
    RestartReport,
    st.lists(_texts, max_size=40).map(lambda found: listed(found, 20)),
    st.lists(_texts, max_size=40).map(lambda found: listed(found, 10)),
)


@given(st.lists(_outcomes, min_size=1, max_size=3), st.none() | _texts, _told)
def test_the_status_of_any_run_fits_the_crd(outcomes: list[Any], sync: str | None, told: RestartReport) -> None:
    status: dict[str, Any] = {}
    forced = version_of({"annotations": {"secrets.phase.dev/sync": sync} if sync is not None else {}})[2]
    for outcome in outcomes:
        status = status_document(outcome, status, generation=1, forced=forced, now=NOW)
        status = with_restarts(status, lambda _: told)

        check(status)


@given(shallow, _outcomes)
@example(
    {"targets": [{"kind": "CloudSecret", "namespace": "a", "name": "b", "ready": True, "reason": "Synced"}]}, synced()
)
def test_no_old_status_keeps_a_new_one_from_being_made(found: Any, outcome: Any) -> None:
    previous = found if isinstance(found, dict) else {"targets": found, "conditions": found, "source": found}

    new = with_restarts(
        status_document(outcome, previous, generation=1, forced=None, now=NOW), lambda _: RestartReport(("x",))
    )

    assert new["conditions"]
    change_events(outcome, previous)
    recorded_restarts(previous)
    refs = list(recorded_refs(previous))
    assert removed_targets(previous, ()) == refs
    for ref in refs:
        written_before(previous, ref)
    newest_versions(previous)


@given(st.lists(_outcomes, min_size=1, max_size=3))
def test_the_warnings_of_a_change_are_those_among_its_events(outcomes: list[Any]) -> None:
    status: dict[str, Any] = {}
    for outcome in outcomes:
        events = change_events(outcome, status)

        assert change_warnings(outcome, status) == tuple(each for each in events if each.type == "Warning")
        status = status_document(outcome, status, generation=1, forced=None, now=NOW)


def test_a_target_that_a_later_version_told_of_is_kept_as_it_is() -> None:
    later = {"kind": "CloudSecret", "namespace": "a", "name": "b", "ready": True, "reason": "Synced", "keys": 3}
    status: dict[str, Any] = {"targets": [later]}

    for outcome in (synced(), Failed(Reason.PHASE_UNAVAILABLE, "down"), Suspended(), synced()):
        status = with_restarts(
            status_document(outcome, status, generation=1, forced=None, now=NOW), lambda _: RestartReport()
        )

        assert later in status["targets"]
    assert len(status["targets"]) == 2


@given(any_metadata(), anything, shallow)
def test_any_phase_secret_can_be_looked_at(metadata: Any, spec: Any, status: Any) -> None:
    resources = PhaseSecretStore()
    body = {"metadata": {**metadata, "namespace": "team", "name": "shop"}, "spec": {"x": 1}, "status": status}
    resources.needs_reconcile(metadata)
    version_of(metadata)

    resources.upsert(body)
    resources.upsert(phase_secret(ObjectKey("team", "shop")))

    assert ObjectKey("team", "shop") in resources
    assert resources.ready_summaries()


def test_two_long_texts_that_ask_for_a_sync_are_told_apart() -> None:
    one, other = ({"annotations": {"secrets.phase.dev/sync": "x" * 5000 + end}} for end in "ab")

    assert version_of(one)[2] != version_of(other)[2]
    assert version_of(one) == version_of(one)


@given(st.sampled_from(Reason), _texts, _results)
def test_every_message_is_a_line_that_prints(reason: Reason, message: str, result: TargetResult) -> None:
    found = status_document(Failed(reason, message, targets=(result,)), {}, generation=1, forced=None, now=NOW)
    synced = status_document(
        Synced(SourceFacts("", "", "", 0), (result,), Warned(reason, message)), {}, generation=1, forced=None, now=NOW
    )

    shown = [each["message"] for each in found["conditions"]]
    shown += [each["message"] for each in synced["targets"] if "message" in each]
    assert all(map(str.isprintable, shown))
