"""When workloads are looked at, what is done then, and what the status says of it."""

import asyncio
from collections.abc import Iterable
from typing import Any

import pytest

from phase_operator.api import names
from phase_operator.api.reasons import Reason
from phase_operator.core.errors import Transient, Waiting
from phase_operator.core.rollout.decision import Restart, SaveBaseline
from phase_operator.core.rollout.progress import WorkloadKind
from phase_operator.core.rollout.workload import Workload
from phase_operator.core.targets.desired import Desired
from phase_operator.core.targets.plan import Apply
from phase_operator.core.values import ObjectKey
from phase_operator.reconcile.queue.work_queue import QueueClosedError
from phase_operator.reconcile.restarts.disabled import NoRestarts
from phase_operator.reconcile.restarts.report import EVENT_DELAYED, EVENT_RESTARTED
from support.builders import DIGEST_KEY, KEY, TOKEN, entry, phase_secret, secret_ref
from support.clock import settle
from support.fakes import AT_ONCE, WINDOW, Loop
from support.workloads import Server, content, reads_all, reads_key

SHOP = secret_ref()
DOWN = Transient(Reason.KUBERNETES_UNAVAILABLE, "down")
# So many roll-outs has a namespace at once, as long as no other one wants any.
ALONE = AT_ONCE - 1
REFUSED = Waiting(Reason.TARGET_REFUSED, "no")


def web(
    *containers: dict[str, Any],
    kind: WorkloadKind = WorkloadKind.DEPLOYMENT,
    name: str = "web",
    namespace: str = "team",
) -> Server:
    """Make a workload that reads the target."""
    return Server(kind, *(containers or [reads_all("shop")]), name=name, namespace=namespace)


def target(loop: Loop, key: ObjectKey = KEY) -> dict[str, Any]:
    """Return what the status says of the first target."""
    return dict(loop.cluster.statuses[key]["targets"][0])


def events(loop: Loop, reason: str) -> list[str]:
    return [each.message for each in loop.cluster.notices if each.reason == reason]


async def quiet(loop: Loop, gets_on: Iterable[Server] = ()) -> None:
    """Let the settle window pass, and one more for what is looked at again."""
    for _ in range(4):
        for server in gets_on:
            server.get_on()
        await loop.turn(WINDOW / 2)


async def synced(loop: Loop, *servers: Server, **fields: Any) -> None:
    """Let a PhaseSecret be in step, with workloads whose pods run with its content, which is noted."""
    loop.workloads.add(*servers)
    loop.phase.holds(entry("A", "one"), entry("B", "one"))
    await loop.show(phase_secret(**fields))
    await quiet(loop)


async def changed(loop: Loop, text: str = "two", *, key: str = "A", gets_on: Iterable[Server] = ()) -> None:
    """Let a value change in Phase, and its target be written."""
    rest = [entry(each, "one") for each in ("A", "B") if each != key]
    loop.phase.holds(entry(key, text), *rest)
    for _ in range(15):
        for server in gets_on:
            server.get_on()
        await loop.turn(5)


def again(loop: Loop, digest_key: bytes = DIGEST_KEY) -> Loop:
    """Start the operator anew, in the same world."""
    return Loop(
        lambda: loop.phase, cluster=loop.cluster, workloads=loop.workloads, clock=loop.clock, digest_key=digest_key
    )


async def test_the_first_sight_is_noted_and_restarts_nothing(loop: Loop) -> None:
    server = web()

    await synced(loop, server)

    assert server.running is not None
    assert (server.roll_outs, server.marks) == (0, {})
    assert "restarted" not in target(loop)


async def test_a_change_restarts_once_and_is_told(loop: Loop) -> None:
    server = web()
    await synced(loop, server)

    await changed(loop)
    await quiet(loop)

    assert server.roll_outs == 1
    assert set(server.marks) == {names.ANNOTATION_CONTENT}
    assert target(loop)["restarted"] == ["Deployment web"]
    assert "notRestarted" not in target(loop)
    assert events(loop, EVENT_RESTARTED) == ["Secret team/shop: restarted Deployment web"]
    assert [(ref, notice.reason) for ref, notice in loop.workloads.notices] == [(server.ref, EVENT_RESTARTED)]
    assert loop.observer.restarts == {"Deployment": 1}
    assert loop.condition()["status"] == "True"


async def test_a_report_of_restarts_does_not_move_the_time_of_the_last_sync(loop: Loop) -> None:
    await synced(loop, web())
    await changed(loop)
    before = loop.cluster.statuses[KEY]["lastSyncedTime"]

    await quiet(loop)

    assert target(loop)["restarted"]
    assert loop.cluster.statuses[KEY]["lastSyncedTime"] == before


async def test_nothing_is_looked_at_while_nothing_changes(loop: Loop) -> None:
    await synced(loop, web())
    lists, statuses = loop.workloads.lists, len(loop.cluster.status_writes)

    for _ in range(40):
        await loop.turn(15)

    assert loop.workloads.lists == lists
    assert len(loop.cluster.status_writes) == statuses


async def test_a_workload_that_reads_another_key_is_left_alone(loop: Loop) -> None:
    other, reader = web(reads_key("B", "shop"), name="other"), web(reads_key("A", "shop"))
    await synced(loop, other, reader)

    await changed(loop)
    await quiet(loop)

    assert (other.roll_outs, reader.roll_outs) == (0, 1)


@pytest.mark.parametrize(
    ("annotated", "restart", "restarted"),
    [
        pytest.param(True, {}, True, id="annotated"),
        pytest.param(False, {}, False, id="not annotated"),
        pytest.param(False, {"workloads": "All"}, True, id="all"),
        pytest.param(True, {"workloads": "None"}, False, id="none"),
        pytest.param(True, {"selector": "app=web"}, True, id="selected"),
        pytest.param(True, {"selector": "app!=web"}, False, id="not selected"),
    ],
)
async def test_the_target_says_who_follows(
    loop: Loop, annotated: bool, restart: dict[str, str], restarted: bool
) -> None:
    server = web()
    if not annotated:
        server.found["metadata"]["annotations"].pop(names.ANNOTATION_REDEPLOY)
    await synced(loop, server, managedSecretReferences=[{"secretName": "shop", "restart": restart}])

    await changed(loop)
    await quiet(loop)

    assert server.roll_outs == restarted


async def test_the_official_selector_narrows_all_targets(loop: Loop) -> None:
    server = web()
    await synced(loop, server, redeployLabelSelector="app in (api, worker)")

    await changed(loop)
    await quiet(loop)

    assert server.roll_outs == 0


@pytest.mark.parametrize(
    ("fields", "told"),
    [
        pytest.param({"redeployLabelSelector": "a in ("}, "spec.redeployLabelSelector: ", id="the official one"),
        pytest.param(
            {"managedSecretReferences": [{"secretName": "a"}, {"secretName": "shop", "restart": {"selector": "=b"}}]},
            "spec.managedSecretReferences[1].restart.selector: ",
            id="the target's own",
        ),
    ],
)
async def test_a_selector_that_cannot_be_read_waits_for_an_edit(loop: Loop, fields: dict[str, Any], told: str) -> None:
    await loop.show(phase_secret(**fields))

    assert loop.reason == Reason.INVALID_SPEC
    assert loop.condition()["message"].startswith(told)


async def test_targets_that_change_together_cause_one_restart(loop: Loop) -> None:
    server = web(reads_all("shop"), reads_all("other"))
    loop.workloads.add(server)
    loop.phase.holds(entry("A", "one"))
    keys = [KEY, ObjectKey("team", "other")]
    for key in keys:
        await loop.show(phase_secret(key, managedSecretReferences=[{"secretName": key.name}]))
    await quiet(loop)

    loop.phase.holds(entry("A", "two"))
    await loop.refresh()
    await quiet(loop)

    assert server.roll_outs == 1
    for key in keys:
        assert target(loop, key)["restarted"] == ["Deployment web"]


async def test_fifty_changes_in_a_minute_are_a_few_restarts(loop: Loop) -> None:
    server = web()
    await synced(loop, server, pollingInterval=5)

    for number in range(50):
        loop.phase.holds(entry("A", f"value {number}"), entry("B", "one"))
        await loop.turn(1.2)
    await loop.refresh()
    await quiet(loop)

    assert 1 <= server.roll_outs <= 4
    assert loop.cluster.secret(SHOP)["A"] == "value 49"


async def test_a_write_of_metadata_restarts_nothing(loop: Loop) -> None:
    server = web()
    await synced(loop, server)
    labelled = {"secretName": "shop", "template": {"metadata": {"labels": {"tier": "api"}}}}

    await loop.show(phase_secret(generation=2, managedSecretReferences=[labelled]))
    await quiet(loop)

    assert loop.cluster.objects[SHOP].part("metadata", "labels")["tier"] == "api"
    assert server.roll_outs == 0


async def test_the_repair_of_an_edit_restarts_nothing(loop: Loop) -> None:
    server = web()
    await synced(loop, server)
    await quiet(loop)
    lists = loop.workloads.lists

    loop.cluster.edit(SHOP, {"A": "aGFuZA=="})
    await loop.touched(SHOP)
    await quiet(loop)

    assert loop.cluster.secret(SHOP)["A"] == "one"
    assert server.roll_outs == 0
    assert loop.workloads.lists == lists, "it costs no look at workloads"


async def test_a_target_that_was_deleted_and_is_made_again_restarts_nothing(loop: Loop) -> None:
    server = web()
    await synced(loop, server)

    loop.cluster.delete(SHOP)
    await loop.touched(SHOP)
    await quiet(loop)

    assert loop.cluster.secret(SHOP)["A"] == "one"
    assert server.roll_outs == 0


async def test_a_start_restarts_nothing_and_writes_nothing(loop: Loop) -> None:
    server = web()
    await synced(loop, server)
    version, writes = server.version, len(loop.cluster.writes)

    async with again(loop) as fresh:
        await fresh.show(phase_secret(status=loop.cluster.statuses[KEY]))
        await quiet(fresh)

        assert fresh.workloads.lists > 0
    assert (server.roll_outs, server.version, len(loop.cluster.writes)) == (0, version, writes)


async def test_a_process_that_dies_between_the_two_writes_restarts_the_workload_after_its_start() -> None:
    async with Loop() as loop:
        server = web()
        await synced(loop, server)
        loop.workloads.fuse = 0
        await changed(loop)
        await quiet(loop)
        assert loop.cluster.secret(SHOP)["A"] == "two"
        assert server.roll_outs == 0
    loop.workloads.fuse = None

    async with again(loop) as fresh:
        await fresh.show(phase_secret(status=loop.cluster.statuses[KEY]))
        await quiet(fresh)

        assert server.roll_outs == 1
        assert target(fresh)["restarted"] == ["Deployment web"]
    async with again(fresh) as third:
        await third.show(phase_secret(status=fresh.cluster.statuses[KEY]))
        await quiet(third)

    assert server.roll_outs == 1


async def test_a_lost_digest_key_restarts_nothing() -> None:
    async with Loop() as loop:
        server = web()
        await synced(loop, server)

    async with again(loop, digest_key=b"another" * 5) as fresh:
        await fresh.show(phase_secret(status=loop.cluster.statuses[KEY]))
        await fresh.refresh()
        await quiet(fresh)
        assert len(fresh.cluster.applied) == 2
        assert server.roll_outs == 0

        await changed(fresh)
        await quiet(fresh)

    assert server.roll_outs == 1


async def test_two_leaders_for_a_moment_restart_once() -> None:
    async with Loop() as loop:
        server = web()
        await synced(loop, server)
        async with again(loop) as other:
            await other.show(phase_secret(status=loop.cluster.statuses[KEY]))
            await changed(loop)
            await asyncio.gather(loop.restarts.look("team"), other.restarts.look("team"))
            await quiet(loop)

    assert server.roll_outs == 1


async def test_a_secret_that_appears_restarts_pods_that_could_begin_without(loop: Loop) -> None:
    server = web(reads_all("shop", optional=True))

    await synced(loop, server)

    assert server.roll_outs == 1


async def test_a_secret_that_appears_restarts_no_pods_that_wait_for_it(loop: Loop) -> None:
    server = web()

    await synced(loop, server)

    assert server.roll_outs == 0


async def test_targets_that_nobody_reads_are_made_after_one_look() -> None:
    async with Loop() as loop:
        loop.phase.holds(entry("A", "one"))

        for number in range(50):
            await loop.show(
                phase_secret(
                    ObjectKey("team", f"shop-{number}"), managedSecretReferences=[{"secretName": f"s{number}"}]
                )
            )

        assert len(loop.cluster.applied) == 50
        assert loop.workloads.lists == 1


async def test_targets_that_are_written_together_share_a_look(loop: Loop) -> None:
    loop.phase.holds(entry("A", "one"))
    for number in range(50):
        key = ObjectKey("team", f"shop-{number}")
        await loop.show(phase_secret(key, managedSecretReferences=[{"secretName": f"s{number}"}]))
    await quiet(loop)
    lists = loop.workloads.lists

    loop.phase.holds(entry("A", "two"))
    await loop.refresh()
    await quiet(loop)

    assert loop.cluster.secret(secret_ref("s49"))["A"] == "two"
    assert loop.workloads.lists - lists <= 30


async def prepared(loop: Loop, *names_of_secrets: str) -> int:
    """Prepare for a write of each Secret, which exists; return how many looks that took."""
    lists = loop.workloads.lists
    for name in names_of_secrets:
        target = secret_ref(name)
        await loop.restarts.prepare(target, content(target, A="two"), is_new=False, is_followed=True)
    return loop.workloads.lists - lists


async def test_targets_that_no_workload_reads_share_a_look_for_a_second(loop: Loop) -> None:
    await synced(loop, web())

    looks = []
    for _ in range(3):
        looks.append(await prepared(loop, "one", "two", "three"))
        await loop.turn(0.4)

    assert looks == [1, 0, 0]
    await loop.turn(0.1)
    assert await prepared(loop, "one") == 1


async def test_a_target_that_workloads_read_is_looked_at_before_each_write(loop: Loop) -> None:
    await synced(loop, web())

    assert await prepared(loop, "shop", "shop", "shop") == 3


async def test_a_workload_created_a_second_after_a_look_is_noted_before_the_write(loop: Loop) -> None:
    await synced(loop)
    await prepared(loop, "other")
    server = web()
    await loop.turn(1.1)
    loop.workloads.add(server)

    await prepared(loop, "shop")

    assert server.running is not None


async def test_so_many_roll_outs_go_on_at_once_and_the_rest_wait_for_their_turn(loop: Loop) -> None:
    servers = [web(name=f"web-{number}") for number in range(ALONE + 1)]
    await synced(loop, *servers)
    for server in servers:
        server.hold = True

    await changed(loop, gets_on=servers)
    await quiet(loop, gets_on=servers)

    begun = [server for server in servers if server.roll_outs]
    assert len(begun) == ALONE
    assert target(loop)["notRestarted"] == [
        f"Deployment web-{ALONE}: its turn has not come; {AT_ONCE} roll-outs at once"
    ]
    assert loop.restarts.under_way() == ALONE
    for server in begun:
        server.hold = False
        server.settle()
    await quiet(loop)
    assert sum(server.roll_outs for server in servers) == ALONE + 1
    assert target(loop)["restarted"] == sorted(f"Deployment {server.ref.key.name}" for server in servers)
    assert "notRestarted" not in target(loop)


async def test_cron_jobs_take_nobodys_turn(loop: Loop) -> None:
    servers = [web(name=f"web-{number}", kind=WorkloadKind.CRON_JOB) for number in range(AT_ONCE + 1)]
    await synced(loop, *servers)

    await changed(loop)
    await quiet(loop)

    assert [server.roll_outs for server in servers] == [1] * len(servers)
    assert loop.restarts.under_way() == 0


async def test_a_pause_is_waited_for_and_told_once(loop: Loop) -> None:
    server = web()
    await synced(loop, server)
    server.found["spec"]["paused"] = True

    await changed(loop)
    for _ in range(5):
        await quiet(loop)

    why = "it is paused: it is restarted when it is resumed"
    assert target(loop)["notRestarted"] == [f"Deployment web: {why}"]
    assert events(loop, EVENT_DELAYED) == [f"Secret team/shop: Deployment web: {why}"]
    assert [notice.message for _, notice in loop.workloads.notices] == [why]
    assert loop.condition()["status"] == "True"
    server.found["spec"]["paused"] = False
    for _ in range(4):
        await quiet(loop)
    assert server.roll_outs == 1
    assert "notRestarted" not in target(loop)


async def test_a_postponed_restart_from_before_a_start_leaves_the_status_after_it() -> None:
    async with Loop() as loop:
        server = web()
        await synced(loop, server)
        server.found["spec"]["paused"] = True
        await changed(loop)
        await quiet(loop)
        assert target(loop)["notRestarted"]
    server.found["spec"]["paused"] = False

    async with again(loop) as fresh:
        await fresh.show(phase_secret(status=loop.cluster.statuses[KEY]))
        await quiet(fresh)

        assert "notRestarted" not in target(fresh)
        assert server.roll_outs == 1


@pytest.mark.parametrize("kind", [WorkloadKind.STATEFUL_SET, WorkloadKind.DAEMON_SET])
async def test_on_delete_is_marked_and_told_until_the_pods_are_gone(loop: Loop, kind: WorkloadKind) -> None:
    server = web(kind=kind)
    server.found["spec"]["updateStrategy"] = {"type": "OnDelete"}
    await synced(loop, server)
    server.hold = True
    server.set_status(updatedReplicas=0, updatedNumberScheduled=0)

    await changed(loop)
    for _ in range(3):
        await quiet(loop)

    assert server.marks
    assert "OnDelete" in target(loop)["notRestarted"][0]
    assert loop.restarts.under_way() == 0
    server.set_status(updatedReplicas=1, updatedNumberScheduled=1)
    for _ in range(4):
        await quiet(loop)
    assert "notRestarted" not in target(loop)


async def test_a_patch_that_is_refused_is_told_and_tried_again(loop: Loop) -> None:
    server = web()
    await synced(loop, server)
    loop.workloads.errors["apply"] = REFUSED

    await changed(loop)
    await quiet(loop)

    assert target(loop)["notRestarted"] == ["Deployment web: it cannot be restarted: no"]
    assert loop.observer.restart_failures
    assert loop.restarts.under_way() == 0
    lists = loop.workloads.lists
    for _ in range(30):
        await quiet(loop)
    assert loop.workloads.lists - lists <= 15, "ever more slowly"
    del loop.workloads.errors["apply"]
    for _ in range(4):
        await quiet(loop)
    assert server.roll_outs == 1
    assert "notRestarted" not in target(loop)


async def test_a_restart_before_the_api_server_went_away_is_reported(loop: Loop) -> None:
    first, second = web(name="first"), web(name="second")
    await synced(loop, first, second)
    before = loop.workloads.apply

    async def apply(workload: Workload, action: SaveBaseline | Restart) -> bool:
        if workload.ref == second.ref:
            raise DOWN
        return await before(workload, action)

    loop.workloads.apply = apply  # type: ignore[method-assign]  # it fails for one workload only
    await changed(loop)
    await quiet(loop)

    assert (first.roll_outs, second.roll_outs) == (1, 0)
    assert target(loop)["restarted"] == ["Deployment first"]


async def test_a_write_whose_answer_was_lost_is_followed(loop: Loop) -> None:
    server = web()
    await synced(loop, server)
    before = loop.cluster.apply_target

    async def apply_target(desired: Desired, action: Apply) -> bool:
        await before(desired, action)
        raise DOWN

    loop.cluster.apply_target = apply_target  # type: ignore[method-assign]  # the object is written, and nobody hears of it
    await changed(loop)
    loop.cluster.apply_target = before  # type: ignore[method-assign]
    await quiet(loop)

    assert (loop.cluster.secret(SHOP)["A"], server.roll_outs) == ("two", 1)


async def test_an_api_server_that_is_away_is_asked_again(loop: Loop) -> None:
    server = web()
    await synced(loop, server)
    loop.workloads.errors["apply"] = DOWN

    await changed(loop)
    await quiet(loop)
    assert (loop.cluster.secret(SHOP)["A"], server.roll_outs) == ("two", 0)
    del loop.workloads.errors["apply"]
    for _ in range(3):
        await quiet(loop)

    assert server.roll_outs == 1


async def test_a_workload_waits_no_longer_than_the_api_server_is_away(loop: Loop) -> None:
    server = web()
    await synced(loop, server)
    loop.workloads.errors["apply"] = DOWN
    await changed(loop)
    for _ in range(6):
        await quiet(loop)
    del loop.workloads.errors["apply"]

    loop.workers.kubernetes_is_back()
    await settle()

    assert server.roll_outs == 1


@pytest.mark.parametrize(
    "broken", ["each", "apply", WorkloadKind.ROLLOUT], ids=["no list", "no note", "one kind cannot be listed"]
)
async def test_a_target_waits_for_its_readers_for_seconds_and_no_longer(loop: Loop, broken: str) -> None:
    server = web()
    await synced(loop, server, pollingInterval=5)
    # What was not noted before would have to be now.
    server.edit(reads_all("shop"), reads_all("other"))
    loop.workloads.errors[broken] = DOWN

    loop.phase.holds(entry("A", "two"), entry("B", "one"))
    for _ in range(20):
        await loop.turn(1)

    assert loop.cluster.secret(SHOP)["A"] == "two"
    assert loop.observer.restart_failures


async def test_a_workload_that_keeps_changing_holds_up_no_target(loop: Loop) -> None:
    restless, server = web(name="restless"), web()
    await synced(loop, restless, server, pollingInterval=5)
    restless.edit(reads_all("shop"), image="app:2")
    loop.workloads.restless = restless.ref

    loop.phase.holds(entry("A", "two"), entry("B", "one"))
    await loop.turn(6)

    assert loop.cluster.secret(SHOP)["A"] == "two"
    assert target(loop)["notRestarted"] == [
        "workloads cannot be looked at: Deployment team/restless keeps changing while it is noted"
    ]
    await quiet(loop)
    assert server.roll_outs == 1
    loop.workloads.restless = None
    await quiet(loop)
    assert "notRestarted" not in target(loop)


async def test_a_kind_that_cannot_be_listed_holds_up_its_own_restarts_and_is_told(loop: Loop) -> None:
    rollout, server = web(kind=WorkloadKind.ROLLOUT, name="canary"), web()
    await synced(loop, rollout, server)
    loop.workloads.errors[WorkloadKind.ROLLOUT] = DOWN

    await changed(loop)
    for _ in range(3):
        await quiet(loop)

    assert (rollout.roll_outs, server.roll_outs) == (0, 1)
    assert target(loop)["restarted"] == ["Deployment web"]
    assert target(loop)["notRestarted"] == ["workloads cannot be looked at: Rollouts: down"]
    assert len(events(loop, EVENT_DELAYED)) == 1
    del loop.workloads.errors[WorkloadKind.ROLLOUT]
    for _ in range(4):
        await quiet(loop)
    assert rollout.roll_outs == 1
    assert "notRestarted" not in target(loop)


async def test_an_unlucky_answer_to_a_list_is_not_worth_a_word(loop: Loop) -> None:
    server = web()
    await synced(loop, server)
    await changed(loop)
    statuses = len(loop.cluster.status_writes)
    loop.restarts.written(SHOP)
    loop.workloads.errors["each"] = DOWN

    await loop.turn(WINDOW)
    del loop.workloads.errors["each"]
    await quiet(loop)

    assert len(loop.cluster.status_writes) == statuses
    assert not events(loop, EVENT_DELAYED)


async def test_a_list_without_an_end_holds_up_a_target_for_seconds(loop: Loop) -> None:
    server = web()
    await synced(loop, server, pollingInterval=5)
    loop.workloads.hangs.clear()

    loop.phase.holds(entry("A", "two"), entry("B", "one"))
    for _ in range(60):
        await loop.turn(1)

    assert loop.cluster.secret(SHOP)["A"] == "two"
    loop.workloads.hangs.set()


async def test_a_target_that_nobody_may_follow_needs_no_look(loop: Loop) -> None:
    await synced(loop, web(), managedSecretReferences=[{"secretName": "shop", "restart": {"workloads": "None"}}])
    loop.workloads.errors["each"] = DOWN
    lists = loop.workloads.lists

    loop.phase.holds(entry("A", "two"), entry("B", "one"))
    await loop.turn(60)

    assert loop.cluster.secret(SHOP)["A"] == "two"
    assert loop.workloads.lists == lists


async def test_a_workload_that_cannot_be_written_holds_up_no_other(loop: Loop) -> None:
    first, second = web(name="first"), web(name="second")
    await synced(loop, first, second)
    loop.workloads.unwritable = first.ref

    await changed(loop)
    await quiet(loop)

    assert (first.roll_outs, second.roll_outs) == (0, 1)
    assert target(loop)["notRestarted"] == ["Deployment first: it cannot be restarted: down"]


# Roll-outs with content that is broken.


@pytest.mark.parametrize("kind", [kind for kind in WorkloadKind if kind is not WorkloadKind.CRON_JOB])
async def test_the_cure_is_rolled_over_what_it_cures(loop: Loop, kind: WorkloadKind) -> None:
    server = web(kind=kind)
    server.found["spec"]["progressDeadlineSeconds"] = 2**31 - 1
    await synced(loop, server, pollingInterval=5)
    server.hold = True
    await changed(loop, "broken")
    server.get_stuck()
    assert server.roll_outs == 1

    loop.phase.holds(entry("A", "cure"), entry("B", "one"))
    await loop.turn(6)
    await loop.turn(WINDOW)

    assert loop.cluster.secret(SHOP)["A"] == "cure"
    assert server.roll_outs == 2


async def test_an_ordered_stateful_set_is_marked_and_told_until_its_pod_is_well(loop: Loop) -> None:
    server = web(kind=WorkloadKind.STATEFUL_SET)
    await synced(loop, server, pollingInterval=5)
    server.hold = True
    await changed(loop, "broken")
    server.get_stuck()

    await changed(loop, "cure")

    assert server.roll_outs == 2
    assert "OrderedReady" in target(loop)["notRestarted"][0]
    server.hold = False
    server.settle()
    for _ in range(4):
        await quiet(loop)
    assert server.roll_outs == 2
    assert "notRestarted" not in target(loop)


async def test_nobody_waits_for_the_stuck_roll_outs_of_another_namespace(loop: Loop) -> None:
    stuck = [web(name=f"stuck-{number}") for number in range(2 * AT_ONCE)]
    await synced(loop, *stuck, pollingInterval=5)
    good = web(namespace="zoo")
    loop.workloads.add(good)
    key = ObjectKey("zoo", "shop")
    loop.cluster.tokens[ObjectKey("zoo", TOKEN.name)] = "another-token"
    await loop.show(phase_secret(key, pollingInterval=5))
    await quiet(loop)
    for server in stuck:
        server.hold = True
        server.found["spec"]["progressDeadlineSeconds"] = 2**31 - 1

    await changed(loop)

    assert good.roll_outs == 1
    assert sum(server.roll_outs for server in stuck) < len(stuck)


async def test_labels_like_ours_that_a_hand_wrote_cost_no_restart_and_no_write(loop: Loop) -> None:
    server = web()
    await synced(loop, server)
    for number in range(1, 40):
        server.found["metadata"]["labels"][f"{names.LABEL_RUNNING_PREFIX}{number}"] = "x" * 63
    server.settle()
    version = server.version
    loop.restarts.written(SHOP)
    await quiet(loop)
    assert server.version == version

    await changed(loop)
    await quiet(loop)

    assert server.roll_outs == 1


async def test_one_that_is_being_deleted_is_left_alone(loop: Loop) -> None:
    server = web()
    await synced(loop, server)
    server.found["metadata"]["deletionTimestamp"] = "2030-01-01T00:00:09Z"

    await changed(loop)
    await quiet(loop)

    assert server.roll_outs == 0
    assert "notRestarted" not in target(loop)


# The status of one that is gone.


async def test_a_namesake_is_told_nothing_that_never_happened_for_it(loop: Loop) -> None:
    server = web()
    await synced(loop, server)
    await changed(loop)
    await quiet(loop)
    assert target(loop)["restarted"]

    await loop.bury()
    del loop.workloads.servers[server.ref]
    await loop.show(phase_secret(uid="another"))
    await quiet(loop)

    assert "restarted" not in target(loop)


async def test_a_suspended_one_keeps_what_its_status_tells_of_restarts(loop: Loop) -> None:
    await synced(loop, web())
    await changed(loop)
    await quiet(loop)

    await loop.show(phase_secret(suspend=True, generation=2, status=loop.cluster.statuses[KEY]))
    await quiet(loop)

    assert target(loop)["restarted"] == ["Deployment web"]


async def test_nothing_grows_while_phase_secrets_and_workloads_come_and_go(loop: Loop) -> None:
    loop.phase.holds(entry("A", "one"))
    sizes = []
    for number in range(12):
        key, server = ObjectKey("team", f"shop-{number}"), web(reads_all(f"shop-{number}"), name=f"web-{number}")
        loop.workloads.add(server)
        await loop.show(phase_secret(key, managedSecretReferences=[{"secretName": key.name}], pollingInterval=5))
        await quiet(loop)
        server.hold = True
        await changed(loop, f"broken-{number}")
        server.get_stuck()
        await changed(loop, f"cure-{number}")
        server.found["spec"]["paused"] = True
        await changed(loop, f"again-{number}")
        await loop.bury(key)
        del loop.workloads.servers[server.ref]
        for _ in range(14):
            await quiet(loop)
        sizes.append(size(loop.restarts))

    assert len(set(sizes[1:])) == 1, sizes


def size(thing: object, seen: set[int] | None = None) -> int:
    """Return how many entries all collections of the restarts' own objects have."""
    seen = set() if seen is None else seen
    if id(thing) in seen:
        return 0
    seen.add(id(thing))
    if isinstance(thing, dict | list | set | frozenset | tuple):
        members = [*thing.keys(), *thing.values()] if isinstance(thing, dict) else [*thing]
        return len(thing) + sum(size(each, seen) for each in members)
    module = type(thing).__module__
    if not module.startswith("phase_operator.") or module.endswith((".resources", ".dependents")):
        return 0
    slots = [name for kind in type(thing).__mro__ for name in getattr(kind, "__slots__", ())]
    fields = [*vars(thing).values()] if hasattr(thing, "__dict__") else [getattr(thing, name) for name in slots]
    return sum(size(each, seen) for each in fields)


# Turns.


async def test_a_namespace_with_many_workloads_lets_others_pass(loop: Loop) -> None:
    many = [web(name=f"web-{number}") for number in range(40)]
    small = web(namespace="small")
    await synced(loop, *many)
    loop.workloads.add(small)
    loop.cluster.tokens[ObjectKey("small", TOKEN.name)] = "another-token"
    await loop.show(phase_secret(ObjectKey("small", "shop")))
    await quiet(loop)
    # Each look at one of them takes a second.
    loop.workloads.pace = lambda: loop.clock.turn(1.0)
    order = []
    loop.workloads.applied = lambda workload: order.append(workload.ref.key.namespace)

    await changed(loop)
    await quiet(loop)

    assert small.roll_outs == 1
    assert order.index("small") < 10, order


async def test_without_the_right_to_list_targets_are_written_and_that_is_told(loop: Loop) -> None:
    loop.workloads.errors["each"] = REFUSED

    await synced(loop, web())
    await changed(loop)

    assert loop.cluster.secret(SHOP)["A"] == "two"
    assert loop.condition()["status"] == "True"
    assert target(loop)["notRestarted"] == ["workloads cannot be looked at: no"]


async def test_a_workload_that_changes_under_our_hands_is_judged_again(loop: Loop) -> None:
    server = web()
    await synced(loop, server)
    loop.workloads.conflicts = 2

    await changed(loop)
    await quiet(loop)

    assert server.roll_outs == 1


async def test_keys_that_are_merged_into_a_released_object_restart_its_readers(loop: Loop) -> None:
    server = web(reads_key("B", "shop"))
    await synced(loop, server, keys={"include": ["A"]})
    await loop.show(phase_secret(generation=2, managedSecretReferences=[{"secretName": "new"}]))
    merged = {"secretName": "shop", "creationPolicy": "Merge", "keys": {"include": ["B"]}}
    await loop.show(phase_secret(ObjectKey("team", "other"), uid="other", managedSecretReferences=[merged]))
    await quiet(loop)
    assert loop.cluster.secret(SHOP) == {"A": "one", "B": "one"}
    before = server.roll_outs

    await changed(loop, key="B")
    await quiet(loop)

    assert server.roll_outs == before + 1


async def test_two_that_merge_into_one_secret_are_one_object_to_its_readers(loop: Loop) -> None:
    server = web(reads_key("A", "shop"), reads_key("FOREIGN", "shop"))
    loop.workloads.add(server)
    loop.cluster.edit(SHOP, {"FOREIGN": "eA=="})
    loop.phase.holds(entry("A", "one"), entry("B", "one"))
    for key, name in ((KEY, "A"), (ObjectKey("team", "other"), "B")):
        merged = {"secretName": "shop", "creationPolicy": "Merge", "keys": {"include": [name]}}
        await loop.show(phase_secret(key, managedSecretReferences=[merged]))
    await quiet(loop)

    await changed(loop, key="B")
    await quiet(loop)
    assert server.roll_outs == 0
    loop.phase.holds(entry("A", "two"), entry("B", "two"))
    await loop.refresh()
    await quiet(loop)

    assert server.roll_outs == 1


async def test_forbidden_restarts_read_nothing() -> None:
    restarts = NoRestarts()

    restarts.expect(KEY, [SHOP], {})
    await restarts.prepare(SHOP, content(SHOP, A="1"), is_new=False, is_followed=True)
    restarts.written(SHOP)
    waiting = asyncio.create_task(restarts.take())
    await settle()
    assert not waiting.done()
    restarts.close()

    with pytest.raises(QueueClosedError):
        await waiting
