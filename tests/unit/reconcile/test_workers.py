"""Events of the watches, the runs that they cause, and when a run is tried again."""

import asyncio
from typing import Any

import pytest

from phase_operator.api import names
from phase_operator.api.reasons import Reason
from phase_operator.core.errors import Transient, Waiting
from phase_operator.core.outcome import Failed, Gone, Outcome, Pending, Suspended
from phase_operator.core.values import ObjectKey
from phase_operator.reconcile.polling.calls import Call
from phase_operator.reconcile.retries import retry_wanted
from phase_operator.reconcile.store import Resource
from support.builders import KEY, TOKEN, entry, in_step, out_of_step, phase_secret, secret_ref, synced
from support.canary import Canary
from support.clock import settle
from support.fakes import Loop

SHOP = secret_ref()
OTHER = ObjectKey("team", "other")
DOWN = Transient(Reason.KUBERNETES_UNAVAILABLE, "down")
REFUSED = Waiting(Reason.TARGET_REFUSED, "no")


def other(**fields: Any) -> dict[str, Any]:
    """Make a second PhaseSecret with a target of its own."""
    return phase_secret(OTHER, managedSecretReferences=[{"secretName": "other"}], **fields)


async def started(loop: Loop, value: str = "1", **fields: Any) -> None:
    """Let Phase hold A, and a PhaseSecret be in step with it."""
    loop.phase.holds(entry("A", value))
    await loop.show(phase_secret(**fields))
    assert loop.reason == Reason.SYNCED


async def gone(loop: Loop, key: ObjectKey = KEY) -> None:
    loop.triggers.resource_gone(key)
    await settle()


# New, edited, suspended, deleted.


async def test_a_new_resource_is_brought_in_step(loop: Loop) -> None:
    loop.phase.holds(entry("A", "1"), entry("B", "2"))

    await loop.show(phase_secret(generation=3))

    assert loop.cluster.secret(SHOP) == {"A": "1", "B": "2"}
    assert loop.reason == Reason.SYNCED
    assert loop.cluster.statuses[KEY]["observedGeneration"] == 3
    assert [each.reason for each in loop.cluster.notices] == ["TargetWritten", "Synced"]
    assert (len(loop.phase.reads), len(loop.cluster.status_writes)) == (1, 1)


async def test_a_change_in_phase_arrives_with_the_next_look(loop: Loop) -> None:
    loop.phase.holds(entry("A", "1"), entry("GOES", "x"))
    await loop.show(phase_secret())

    loop.phase.holds(entry("A", "2"), entry("COMES", "y"))
    await loop.refresh()

    assert loop.cluster.secret(SHOP) == {"A": "2", "COMES": "y"}


async def test_an_edit_that_asks_the_same_is_done_without_a_read(loop: Loop) -> None:
    await started(loop)

    await loop.show(
        phase_secret(generation=2, managedSecretReferences=[{"secretName": "shop", "nameTransformer": "tf-var"}])
    )

    assert loop.cluster.secret(SHOP) == {"TF_VAR_a": "1"}
    assert loop.cluster.statuses[KEY]["observedGeneration"] == 2
    assert len(loop.phase.reads) == 1


async def test_an_edit_that_asks_anew_leaves_target_and_status_until_the_answer_is_there(loop: Loop) -> None:
    await started(loop)
    loop.phase.holds(entry("A", "staged"), environment="staging")

    loop.phase.defer_event()
    await loop.show(phase_secret(generation=2, phaseAppEnv="staging"))
    assert (loop.cluster.secret(SHOP), len(loop.cluster.status_writes)) == ({"A": "1"}, 1)
    loop.phase.let_go()
    await settle()

    assert loop.cluster.secret(SHOP) == {"A": "staged"}
    assert loop.cluster.statuses[KEY]["source"]["environment"] == "staging"


async def test_an_edit_during_a_run_starts_another(loop: Loop) -> None:
    await started(loop)

    for generation in (2, 3):
        loop.resources.upsert(phase_secret(generation=generation, phaseAppEnv=f"e{generation}"))
        loop.triggers.resource_changed(KEY)
        await settle(1)
    await settle()

    assert loop.cluster.statuses[KEY]["observedGeneration"] == 3
    assert loop.phase.reads[-1][0] == "e3"


async def test_a_target_that_is_no_longer_named_stays_and_is_not_mended(loop: Loop) -> None:
    await started(loop)

    await loop.show(phase_secret(generation=2, managedSecretReferences=[{"secretName": "other"}]))
    loop.cluster.edit(SHOP, {"A": "eA=="})
    await loop.touched(SHOP)

    assert loop.cluster.secret(SHOP) == {"A": "x"}
    assert loop.cluster.secret(secret_ref("other")) == {"A": "1"}


async def test_a_suspended_resource_reads_and_writes_nothing_until_it_is_resumed(loop: Loop) -> None:
    await started(loop)

    await loop.show(phase_secret(generation=2, suspend=True))
    loop.phase.holds(entry("A", "2"))
    loop.cluster.edit(SHOP, {"A": "eA=="})
    await loop.touched(SHOP)
    await loop.refresh()
    assert (loop.reason, loop.cluster.secret(SHOP), len(loop.phase.reads)) == (Reason.SUSPENDED, {"A": "x"}, 1)
    assert TOKEN not in loop.admissions.tokens

    await loop.show(phase_secret(generation=3))

    assert (loop.reason, loop.cluster.secret(SHOP), len(loop.phase.reads)) == (Reason.SYNCED, {"A": "2"}, 2)


async def test_a_resource_that_is_deleted_leaves_its_target_and_no_work(loop: Loop) -> None:
    await started(loop)
    writes = len(loop.cluster.status_writes)

    await gone(loop)
    loop.phase.holds(entry("A", "2"))
    loop.cluster.edit(SHOP, {"A": "eA=="})
    await loop.touched(SHOP)
    await loop.refresh()

    assert (loop.cluster.secret(SHOP), len(loop.phase.reads)) == ({"A": "x"}, 1)
    assert len(loop.cluster.status_writes) == writes
    assert (loop.queue.depth(), loop.admissions.tokens.things(), loop.admissions.targets.things()) == (0, [], [])


async def test_a_failing_resource_that_is_deleted_is_not_tried_again(loop: Loop) -> None:
    loop.cluster.errors["observe"] = DOWN
    loop.phase.holds(entry("A"))
    await loop.show(phase_secret())

    await gone(loop)
    looks = len(loop.cluster.observed)
    await loop.refresh()

    assert (len(loop.cluster.observed), loop.queue.depth()) == (looks, 0)


async def test_a_resource_that_is_made_anew_takes_up_its_target(loop: Loop) -> None:
    await started(loop)
    await gone(loop)

    await loop.show(phase_secret(uid="another"))

    assert loop.reason == Reason.SYNCED
    assert len(loop.cluster.applied) == 1


async def test_an_edit_that_cannot_be_done_ends_the_work_and_leaves_the_target(loop: Loop) -> None:
    await started(loop)

    await loop.show(phase_secret(generation=2, pollingInterval=1))
    loop.phase.holds(entry("A", "2"))
    await loop.refresh()

    assert (loop.reason, loop.cluster.secret(SHOP), len(loop.phase.reads)) == (Reason.INVALID_SPEC, {"A": "1"}, 1)


# Drift.


@pytest.mark.parametrize(
    "drift",
    [
        pytest.param({"data": {"A": "eA=="}}, id="a value"),
        pytest.param({"data": {"A": None}}, id="a key less"),
        pytest.param({"data": {"X": "eA=="}}, id="a key more"),
        pytest.param({"labels": {names.LABEL_TARGET: None}}, id="a mark less"),
        pytest.param({"annotations": {names.ANNOTATION_OWNER: None}}, id="the owner's mark less"),
        pytest.param({"annotations": {names.ANNOTATION_DIGEST: "other"}}, id="another digest"),
        pytest.param({"data": {"A": None}, "annotations": {names.ANNOTATION_OWNER: None}}, id="several at once"),
    ],
)
async def test_a_target_that_was_edited_is_mended_at_once_without_a_read(loop: Loop, drift: dict[str, Any]) -> None:
    await started(loop)
    before = loop.cluster.objects[SHOP].fields.copy()

    loop.cluster.edit(SHOP, **drift)
    await loop.touched(SHOP)

    assert loop.cluster.objects[SHOP].fields == before
    assert (len(loop.phase.reads), len(loop.cluster.token_reads)) == (1, 1)


async def test_a_target_that_was_deleted_is_made_again_without_a_read(loop: Loop) -> None:
    await started(loop)

    loop.cluster.delete(SHOP)
    await loop.touched(SHOP)

    assert loop.cluster.secret(SHOP) == {"A": "1"}
    assert len(loop.phase.reads) == 1


async def test_metadata_that_others_add_is_left_alone(loop: Loop) -> None:
    await started(loop)

    loop.cluster.edit(SHOP, labels={"theirs": "x"}, annotations={"theirs": "y"})
    await loop.touched(SHOP)

    assert len(loop.cluster.applied) == 1
    assert loop.cluster.objects[SHOP].part("metadata", "labels")["theirs"] == "x"


async def test_a_target_that_stands_in_the_way_is_replaced_when_it_is_gone(loop: Loop) -> None:
    loop.cluster.edit(SHOP, {"THEIRS": "eA=="})
    loop.phase.holds(entry("A", "1"))
    await loop.show(phase_secret())
    assert loop.reason == Reason.TARGET_CONFLICT

    loop.cluster.delete(SHOP)
    await loop.touched(SHOP)

    assert (loop.reason, loop.cluster.secret(SHOP)) == (Reason.SYNCED, {"A": "1"})


async def test_somebody_who_fights_for_a_target_does_not_make_us_spin(loop: Loop) -> None:
    await started(loop)
    for _ in range(20):
        loop.cluster.edit(SHOP, {"A": "eA=="})
        await loop.touched(SHOP)

    assert len(loop.cluster.applied) == 1 + 5
    await loop.turn(60)
    assert loop.cluster.secret(SHOP) == {"A": "1"}
    assert [each.reason for each in loop.cluster.notices].count("TargetContested") == 1


async def test_somebody_who_edits_what_is_not_ours_again_and_again_is_no_fight(loop: Loop) -> None:
    await started(loop)
    for _ in range(20):
        loop.cluster.edit(SHOP, annotations={"example.com/beat": "x"})
        await loop.touched(SHOP)
    await loop.turn(60)

    assert "TargetContested" not in {each.reason for each in loop.cluster.notices}


async def test_an_object_that_nobody_wants_starts_no_run(loop: Loop) -> None:
    await started(loop)
    looks = len(loop.cluster.observed)

    await loop.touched(secret_ref("unknown"))

    assert len(loop.cluster.observed) == looks


# Tokens.


async def test_a_rotated_token_is_taken_up_at_once_and_nothing_is_reported(loop: Loop) -> None:
    await started(loop)

    loop.cluster.tokens[TOKEN] = "rotated"
    loop.tokens.changed(TOKEN)
    await settle()

    assert len(loop.phase.accounts) == 2
    assert len(loop.phase.reads) == 1
    assert (loop.reason, len(loop.cluster.applied), len(loop.cluster.status_writes)) == (Reason.SYNCED, 1, 1)


async def test_a_token_secret_that_somebody_edits_all_the_time_is_read_slowly(loop: Loop) -> None:
    await started(loop)
    reads = len(loop.cluster.token_reads)

    for _ in range(50):
        loop.tokens.changed(TOKEN)
        await settle()

    assert len(loop.cluster.token_reads) - reads <= 6
    loop.cluster.tokens[TOKEN] = "rotated"
    loop.tokens.changed(TOKEN)
    await loop.turn(60)
    assert len(loop.phase.accounts) == 2


async def test_a_namespace_whose_labels_change_all_the_time_runs_its_resources_slowly(loop: Loop) -> None:
    await started(loop)
    looks = len(loop.cluster.observed)

    for _ in range(50):
        loop.triggers.namespace_changed(KEY.namespace)
        await settle()

    assert len(loop.cluster.observed) - looks <= 6


async def test_a_phase_secret_that_is_edited_all_the_time_runs_slowly(loop: Loop) -> None:
    await started(loop)
    statuses = len(loop.cluster.status_writes)

    for generation in range(2, 52):
        await loop.show(phase_secret(generation=generation, suspend=generation % 2 == 0))
    assert len(loop.cluster.status_writes) - statuses <= 5
    await loop.turn(5.0)

    assert loop.cluster.statuses[KEY]["observedGeneration"] == 51


async def test_a_phase_secret_that_comes_and_goes_all_the_time_runs_slowly(loop: Loop) -> None:
    await started(loop)
    tokens = len(loop.cluster.token_reads)

    for number in range(50):
        await loop.bury()
        await loop.show(phase_secret(uid=f"again-{number}"))
    assert len(loop.cluster.token_reads) - tokens <= 5
    await loop.turn(5.0)

    assert KEY in loop.cluster.statuses


@pytest.mark.parametrize("before", [None, "not a token"], ids=["no Secret", "no token in it"])
async def test_a_token_that_appears_is_taken_up_at_once(loop: Loop, before: str | None) -> None:
    loop.cluster.tokens = {} if before is None else {TOKEN: before}
    loop.phase.holds(entry("A", "1"))
    await loop.show(phase_secret())
    assert loop.reason in {Reason.TOKEN_SECRET_NOT_FOUND, Reason.TOKEN_INVALID}

    loop.cluster.tokens[TOKEN] = "token-text"
    loop.tokens.changed(TOKEN)
    await settle()

    assert (loop.reason, loop.cluster.secret(SHOP)) == (Reason.SYNCED, {"A": "1"})


async def test_a_token_that_is_deleted_is_told_and_the_target_stays(loop: Loop) -> None:
    await started(loop)

    loop.cluster.tokens.clear()
    loop.tokens.changed(TOKEN)
    await settle()

    assert (loop.reason, loop.cluster.secret(SHOP)) == (Reason.TOKEN_SECRET_NOT_FOUND, {"A": "1"})


async def test_a_secret_that_holds_nobodys_token_starts_no_read(loop: Loop) -> None:
    await started(loop)

    loop.tokens.changed(OTHER)
    await settle()

    assert loop.cluster.token_reads == [TOKEN]


async def test_every_token_is_read_again_when_changes_may_have_been_missed(loop: Loop) -> None:
    await started(loop)
    own = {"serviceToken": {"serviceTokenSecretReference": {"secretName": "own"}}}
    loop.cluster.tokens[ObjectKey("team", "own")] = "own"
    await loop.show(other(authentication=own))
    loop.cluster.token_reads.clear()

    loop.tokens.all_changed()
    await settle()

    assert sorted(loop.cluster.token_reads) == [ObjectKey("team", "own"), TOKEN]
    assert len(loop.cluster.applied) == 2


# What is reported.


async def test_nothing_new_writes_nothing_and_tells_nothing(loop: Loop) -> None:
    await started(loop)
    told = len(loop.cluster.notices)

    for _ in range(3):
        await loop.refresh()
        await loop.touched(SHOP)

    assert len(loop.phase.reads) == 1
    assert loop.phase.probes >= 4
    assert (len(loop.cluster.applied), len(loop.cluster.status_writes), len(loop.cluster.notices)) == (1, 1, told)
    assert loop.observer.statuses == 1


async def test_a_failure_that_lasts_is_told_once_and_its_end_once(loop: Loop) -> None:
    await started(loop)
    loop.cluster.notices.clear()

    loop.phase.fails(Waiting(Reason.ACCESS_DENIED, "no"))
    for _ in range(5):
        await loop.refresh()
    loop.phase.holds(entry("A", "1"))
    await loop.refresh()

    assert [(each.type, each.reason) for each in loop.cluster.notices] == [
        ("Warning", "ProbeUnavailable"),
        ("Warning", "AccessDenied"),
        ("Normal", "Synced"),
    ]
    assert len(loop.cluster.status_writes) == 3


async def test_after_a_restart_what_stands_is_neither_written_nor_told_again(loop: Loop) -> None:
    await started(loop)
    again = Loop()
    again.cluster.objects = loop.cluster.objects
    again.phase.holds(entry("A", "1"))

    again.clock.turn(1000)
    again.resources.upsert(phase_secret(status=loop.cluster.statuses[KEY]))
    again.triggers.resource_changed(KEY)
    work = asyncio.create_task(again.workers.run(1, 1))
    await settle()
    again.workers.stop()
    await work

    assert (again.phase.reads, again.phase.probes) == ([], 1)
    assert (again.cluster.applied, again.cluster.status_writes, again.cluster.notices) == ([], [], [])


async def test_a_status_that_could_not_be_written_is_written_soon(loop: Loop) -> None:
    loop.cluster.errors["write_status"] = DOWN
    loop.phase.holds(entry("A", "1"))
    await loop.show(phase_secret())
    assert (loop.cluster.statuses, loop.cluster.secret(SHOP)) == ({}, {"A": "1"})

    loop.cluster.errors.clear()
    await loop.turn(1)

    assert loop.reason == Reason.SYNCED
    assert len(loop.cluster.applied) == 1


async def test_runs_and_writes_are_counted(loop: Loop) -> None:
    await started(loop)
    await gone(loop)

    assert loop.observer.outcomes == {("Pending", ""): 1, ("Synced", "Synced"): 1, ("Gone", ""): 1}
    assert (loop.observer.written, loop.observer.statuses) == ({"Secret": 1}, 1)
    assert loop.observer.entries == 1


# The sync annotation.


async def test_a_new_sync_annotation_forces_one_read_and_is_acknowledged(loop: Loop) -> None:
    await started(loop)
    loop.phase.holds(entry("A", "2"))

    await loop.show(phase_secret(sync="1"))
    await loop.touched(SHOP)

    assert loop.cluster.secret(SHOP) == {"A": "2"}
    assert loop.cluster.statuses[KEY]["lastForcedSync"] == "1"
    assert len(loop.phase.reads) == 2


async def test_a_sync_annotation_is_acknowledged_when_the_answer_is_there_even_if_nothing_changed(loop: Loop) -> None:
    await started(loop)

    loop.phase.defer_event()
    await loop.show(phase_secret(sync="1"))
    assert "lastForcedSync" not in loop.cluster.statuses[KEY]
    loop.phase.let_go()
    await settle()

    assert loop.cluster.statuses[KEY]["lastForcedSync"] == "1"


async def test_a_sync_annotation_that_was_acknowledged_before_a_restart_forces_nothing(loop: Loop) -> None:
    loop.phase.holds(entry("A", "1"))

    await loop.show(phase_secret(sync="1", status={"lastForcedSync": "1"}))

    assert len(loop.phase.reads) == 1
    assert loop.cluster.statuses[KEY]["lastForcedSync"] == "1"


# When it is tried again.


@pytest.mark.parametrize(
    ("outcome", "soon"),
    [
        pytest.param(Gone(), None, id="gone"),
        pytest.param(Pending(), None, id="pending"),
        pytest.param(Suspended(), None, id="suspended"),
        pytest.param(synced(), None, id="in step"),
        pytest.param(Failed(Reason.ACCESS_DENIED, "no"), False, id="failed"),
        pytest.param(Failed(Reason.PHASE_UNAVAILABLE, "down", transient=True), True, id="failed in passing"),
        pytest.param(synced(in_step("a"), out_of_step("b")), False, id="a target out of step"),
        pytest.param(synced(out_of_step("a"), out_of_step("b", transient=True)), True, id="one of them in passing"),
    ],
)
def test_an_outcome_says_whether_and_how_soon_it_is_tried_again(outcome: Outcome, soon: bool | None) -> None:
    assert retry_wanted(outcome) is soon


async def test_a_transient_error_is_tried_again_at_growing_distances(loop: Loop) -> None:
    loop.cluster.errors["observe"] = Transient(Reason.INTERNAL_ERROR, "again")
    loop.phase.holds(entry("A", "1"))
    await loop.show(phase_secret())

    for tries, most in ((1, 1), (2, 2), (3, 4), (4, 8)):
        await loop.turn(0.69 * most)
        assert len(loop.cluster.observed) == tries
        await loop.turn(0.31 * most)
        assert len(loop.cluster.observed) == tries + 1

    loop.cluster.errors.clear()
    await loop.turn(16)
    assert (loop.reason, loop.cluster.secret(SHOP)) == (Reason.SYNCED, {"A": "1"})
    assert loop.queue.depth() == 0


async def test_a_refused_target_is_tried_again_slowly(loop: Loop) -> None:
    loop.cluster.errors["carry_out"] = REFUSED
    loop.phase.holds(entry("A", "1"))
    await loop.show(phase_secret())

    loop.cluster.errors.clear()
    await loop.turn(31)
    assert loop.reason == Reason.TARGET_REFUSED
    await loop.turn(14)

    assert loop.reason == Reason.SYNCED


@pytest.mark.parametrize("success", [False, True], ids=["an edit", "a success"])
async def test_the_distance_is_short_again_after(loop: Loop, success: bool) -> None:
    loop.cluster.errors["observe"] = DOWN
    loop.phase.holds(entry("A", "1"))
    await loop.show(phase_secret())
    for _ in range(4):
        await loop.turn(8)

    if success:
        loop.cluster.errors.clear()
        await loop.touched(SHOP)
        loop.cluster.errors["observe"] = DOWN
        await loop.touched(SHOP)
    else:
        await loop.show(phase_secret(generation=2))
    loop.cluster.errors.clear()
    assert loop.reason == Reason.KUBERNETES_UNAVAILABLE
    await loop.turn(1)

    assert loop.reason == Reason.SYNCED


async def test_an_event_does_not_wait_for_a_planned_retry(loop: Loop) -> None:
    loop.cluster.errors["carry_out"] = REFUSED
    loop.phase.holds(entry("A", "1"))
    await loop.show(phase_secret())

    loop.cluster.errors.clear()
    await loop.touched(SHOP)

    assert loop.reason == Reason.SYNCED


@pytest.mark.parametrize("method", ["carry_out", "read_token"])
async def test_the_pause_that_the_api_server_asks_for_is_kept(loop: Loop, method: str) -> None:
    loop.cluster.errors[method] = Transient(Reason.KUBERNETES_UNAVAILABLE, "busy", after=20.0)
    loop.phase.holds(entry("A", "1"))
    await loop.show(phase_secret())

    loop.cluster.errors.clear()
    await loop.turn(15)
    assert loop.reason == Reason.KUBERNETES_UNAVAILABLE

    await loop.turn(10)
    assert loop.reason == Reason.SYNCED


IN_STEP = {"conditions": [{"type": "Ready", "status": "True"}]}
WAITS = {"conditions": [{"type": "Ready", "status": "False", "reason": "TokenNotFound"}]}


@pytest.mark.parametrize("status", [{}, WAITS], ids=["not judged", "waits"])
async def test_resources_that_were_never_in_step_go_first(status: dict[str, Any]) -> None:
    loop = Loop()
    loop.resources.upsert(phase_secret(status=IN_STEP))
    loop.resources.upsert(other(status=status))

    loop.triggers.resource_changed(KEY)
    loop.triggers.resource_changed(OTHER)

    assert [await loop.queue.take(), await loop.queue.take()] == [OTHER, KEY]


async def test_resources_that_were_never_in_step_go_first_when_their_answer_comes() -> None:
    loop = Loop()
    loop.phase.holds(entry("A", "1"))
    loop.resources.upsert(other(status=IN_STEP))
    loop.resources.upsert(phase_secret())
    for key in (OTHER, KEY):
        assert isinstance(await loop.reconciler.reconcile(key, loop.resources.get(key)), Pending)

    while not loop.queue.depth():
        await loop.poller.make(await loop.poller.take())

    assert [await loop.queue.take(), await loop.queue.take()] == [KEY, OTHER]


# What nobody expected.


@pytest.mark.parametrize("method", ["read_token", "observe", "carry_out", "write_status"])
async def test_a_bug_in_a_run_is_outlived_and_the_run_repeated(loop: Loop, method: str, canary: Canary) -> None:
    loop.cluster.errors[method] = RuntimeError(canary.value("quoted"))
    loop.phase.holds(entry("A", "1"))
    await loop.show(phase_secret())
    assert loop.reason == (Reason.INTERNAL_ERROR if method != "write_status" else "")
    canary.watch(lambda: (loop.cluster.statuses, loop.cluster.notices))

    loop.cluster.errors.clear()
    await loop.turn(1)

    assert (loop.reason, loop.cluster.secret(SHOP)) == (Reason.SYNCED, {"A": "1"})


async def test_a_bug_in_a_read_is_outlived_and_the_read_repeated(loop: Loop, canary: Canary) -> None:
    loop.phase.fails(RuntimeError(canary.value("quoted")))
    await loop.show(phase_secret())

    loop.phase.holds(entry("A", "1"))
    await loop.refresh()

    assert (loop.reason, loop.cluster.secret(SHOP)) == (Reason.SYNCED, {"A": "1"})


async def test_a_bug_before_a_call_keeps_no_later_call_from_being_made() -> None:
    loop = Loop()
    take, bugs = loop.poller.take, [KeyError("one"), KeyError("two")]

    async def fail_twice() -> Call:
        if bugs:
            raise bugs.pop()
        return await take()

    loop.poller.take = fail_twice  # type: ignore[method-assign]  # a bug, as nobody foresees it
    loop.phase.holds(entry("A", "1"))
    with loop.clock.driving():
        work = asyncio.create_task(loop.workers.run(workers=1, phase_workers=1))
        await loop.show(phase_secret())
        await loop.turn(5)
        await loop.turn(5)

        assert loop.faulty == ["sources", "sources"]
        assert loop.cluster.secret(SHOP) == {"A": "1"}
        loop.workers.stop()
        await work


async def test_a_bug_that_meets_one_resource_keeps_no_other_from_its_work(loop: Loop) -> None:
    loop.phase.breaks("bad", RuntimeError("text"))
    loop.phase.holds(entry("A", "1"), environment="good")
    for number in range(9):
        await loop.show(
            phase_secret(ObjectKey("team", f"bad-{number}"), phaseAppEnv="bad", phaseAppEnvPath=f"/{number}")
        )

    await loop.show(other(phaseAppEnv="good"))

    assert loop.cluster.secret(secret_ref("other")) == {"A": "1"}


async def test_stop_lets_runs_end_and_begins_none() -> None:
    loop = Loop()
    loop.phase.holds(entry("A"))
    loop.phase.defer_event()
    work = asyncio.create_task(loop.workers.run(1, 1))
    await loop.show(phase_secret())
    assert loop.phase.lists == 1

    loop.workers.stop()
    loop.triggers.resource_changed(KEY)
    await settle()
    assert not work.done()
    loop.phase.let_go()
    await work

    assert loop.cluster.objects == {}


# The API server goes and comes.


async def many(loop: Loop, count: int = 100) -> list[ObjectKey]:
    """Show so many PhaseSecrets."""
    keys = [ObjectKey("team", f"shop-{number}") for number in range(count)]
    loop.phase.holds(entry("A", "1"))
    for key in keys:
        await loop.show(phase_secret(key, managedSecretReferences=[{"secretName": key.name}]))
    return keys


@pytest.mark.thorough
async def test_a_resource_that_succeeds_after_an_outage_wakes_the_others(loop: Loop) -> None:
    loop.cluster.errors["carry_out"] = DOWN
    keys = await many(loop)
    for _ in range(100):
        await loop.turn(1)
    loop.cluster.errors.clear()

    await loop.turn(2)
    await loop.turn(0)

    assert {str(loop.condition(key=key)["reason"]) for key in keys} == {Reason.SYNCED}


async def test_few_resources_are_tried_in_an_outage(loop: Loop) -> None:
    loop.cluster.errors["observe"] = DOWN
    await many(loop)
    for _ in range(100):
        await loop.turn(1)
    before = len(loop.cluster.observed)

    for _ in range(40):
        await loop.turn(1)

    # Each within 45 s as ever, and one every 2 s.
    assert 20 <= len(loop.cluster.observed) - before <= 100 * 2 + 20


async def test_a_watch_that_is_back_runs_who_was_refused(loop: Loop) -> None:
    loop.cluster.errors["carry_out"] = REFUSED
    loop.phase.holds(entry("A", "1"))
    await loop.show(phase_secret())
    loop.cluster.errors.clear()
    await loop.turn(5)
    assert loop.reason == Reason.TARGET_REFUSED

    loop.workers.kubernetes_is_back()
    await settle()

    assert loop.reason == Reason.SYNCED


async def test_a_watch_that_is_back_runs_nobody_else(loop: Loop) -> None:
    await started(loop)
    runs = len(loop.cluster.observed)

    loop.workers.kubernetes_is_back()
    await settle()

    assert len(loop.cluster.observed) == runs


# Kinds.


class Ran:
    """Runs of another kind, which do nothing."""

    def __init__(self) -> None:
        self.keys: list[ObjectKey] = []

    async def reconcile(self, key: ObjectKey, resource: Resource | None) -> Outcome:
        self.keys.append(key)
        return Gone()

    def forced(self, key: ObjectKey) -> str | None:
        assert key in self.keys
        return None


async def test_a_resource_is_run_by_its_kind_and_its_namesake_is_another_one(loop: Loop) -> None:
    thing = ObjectKey(KEY.namespace, KEY.name, "PhaseThing")
    ran = loop.runs["PhaseThing"] = Ran()
    await started(loop)
    runs = len(loop.observer.outcomes)

    loop.queue.add(thing)
    await settle()

    assert ran.keys == [thing]
    assert len(loop.observer.outcomes) == runs + 1
    assert loop.resources.keys() == {KEY}
