"""A lease is given back when the pods that read it have restarted, and by nobody's guess."""

from typing import Any

import pytest

from phase_operator.api.reasons import Reason
from phase_operator.core.errors import Waiting
from phase_operator.core.rollout.progress import WorkloadKind
from support.lease_house import LeaseHouse, dynamic_secret
from support.workloads import Server, reads_all

# Half an hour until the next lease, and as long until its end.
FIELDS: dict[str, Any] = {"leaseTTL": 3600, "rolloverPercent": 50, "overlap": 0}
ROLLED_OVER = 1900


def target(**restart: Any) -> dict[str, Any]:
    return {"managedSecretReferences": [{"secretName": "uploads-aws", "restart": restart}]}


async def serving(house: LeaseHouse, server: Server, **restart: Any) -> str:
    """Let a workload read the target, and return the lease that it reads."""
    await house.show_dynamic(dynamic_secret(**FIELDS, **target(**restart)))
    house.workloads.add(server)
    await house.pass_time(60)
    return house.held()


def is_living(house: LeaseHouse, lease: str) -> bool:
    house.leases.phase.advance(house.leases.now)
    return lease in house.leases.phase.living()


def reader() -> Server:
    return Server(WorkloadKind.DEPLOYMENT, reads_all("uploads-aws"))


async def test_a_workload_is_restarted_before_the_lease_that_its_pods_have_is_given_back() -> None:
    async with LeaseHouse() as house:
        server = reader()
        first = await serving(house, server, workloads="All")
        roll_outs: list[int] = []
        revoke = house.leases.revoke

        async def revoked(*args: Any, **kwargs: Any) -> None:
            roll_outs.append(server.roll_outs)
            await revoke(*args, **kwargs)

        house.leases.revoke = revoked  # type: ignore[method-assign]  # it looks first
        await house.pass_time(ROLLED_OVER + 60)

        assert roll_outs == [1]
        assert not is_living(house, first)
        assert house.states() == ["Active"]


async def test_a_roll_out_that_hangs_keeps_the_lease_before_until_it_has_ended() -> None:
    async with LeaseHouse() as house:
        server = reader()
        first = await serving(house, server, workloads="All")
        server.hold = True

        await house.pass_time(ROLLED_OVER + 600)
        assert server.roll_outs == 1
        assert is_living(house, first)
        assert house.states() == ["Active", "Retiring"]
        server.hold = False
        server.settle()
        await house.pass_time(200)

        assert not is_living(house, first)


@pytest.mark.parametrize(
    "status",
    [
        pytest.param({"conditions": [{"type": "Progressing", "reason": "ProgressDeadlineExceeded"}]}, id="overdue"),
        pytest.param(
            {"replicas": 1, "updatedReplicas": 1, "availableReplicas": 1, "terminatingReplicas": 1}, id="finishing"
        ),
    ],
)
async def test_old_pods_that_are_left_keep_the_lease(status: dict[str, Any]) -> None:
    """The controller has given a roll-out up, and old pods serve on; or it has ended, and they finish their work."""
    async with LeaseHouse() as house:
        server = reader()
        first = await serving(house, server, workloads="All")
        server.hold = True
        await house.pass_time(ROLLED_OVER)
        assert server.roll_outs == 1
        server.set_status(observedGeneration=server.found["metadata"]["generation"], **status)

        await house.pass_time(300)
        assert is_living(house, first)
        server.hold = False
        server.set_status(conditions=[], terminatingReplicas=0)
        server.settle()
        await house.pass_time(200)

        assert not is_living(house, first)


@pytest.mark.parametrize("how", ["a reader that does not follow", "a paused workload", "workloads: None"])
async def test_a_reader_that_is_not_restarted_has_the_lease_to_its_end(how: str) -> None:
    async with LeaseHouse() as house:
        server = reader()
        restart = {"workloads": "All"}
        match how:
            case "a reader that does not follow":
                server.found["metadata"]["annotations"] = {}
                restart = {}
            case "a paused workload":
                server.found["spec"]["paused"] = True
            case _:
                restart = {"workloads": "None"}
        first = await serving(house, server, **restart)

        await house.pass_time(3300, step=20)
        assert house.held() != first
        assert is_living(house, first)
        await house.pass_time(600, step=20)

        assert server.roll_outs == 0
        assert not is_living(house, first)
        assert first not in [each.id for each in house.ledger()]


async def test_a_workload_that_cannot_be_looked_at_keeps_the_lease() -> None:
    async with LeaseHouse() as house:
        first = await serving(house, reader(), workloads="All")
        house.workloads.errors["each"] = Waiting(Reason.TARGET_REFUSED, "no right to list")

        await house.pass_time(ROLLED_OVER + 600)

        assert is_living(house, first)


async def test_nobody_looks_at_workloads_while_no_lease_waits_for_them() -> None:
    async with LeaseHouse() as house:
        server = reader()
        server.hold = True
        server.edit(reads_all("uploads-aws"), image="app:2")
        await serving(house, server, workloads="All")
        before = house.workloads.lists
        assert before

        await house.pass_time(1500)

        assert house.workloads.lists == before
