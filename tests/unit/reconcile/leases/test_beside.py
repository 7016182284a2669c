"""The leases of all other resources are known to a resource that looks for its own."""

from phase_operator.core.values import ObjectKey
from support.lease_house import KEY, LeaseHouse, dynamic_secret

NEIGHBOUR = ObjectKey("team", "theirs", KEY.kind)
THEIR_UID = "uid-of-neighbour"


async def test_a_lease_is_known_before_a_run_has_served_its_resource() -> None:
    async with LeaseHouse() as house:
        await house.show_dynamic(dynamic_secret("theirs", uid=THEIR_UID))
        (lease,) = house.ledger(NEIGHBOUR)
        assert house.subjects.leases_beside(KEY)[0] == {lease.id}
        status = house.cluster.statuses[NEIGHBOUR]

    async with LeaseHouse() as after:
        after.dynamic.upsert(dynamic_secret("theirs", uid=THEIR_UID, status=status))

        assert after.subjects.leases_beside(KEY)[0] == {lease.id}
        assert after.subjects.leases_beside(NEIGHBOUR)[0] == set()


async def test_a_lease_is_known_if_the_first_run_of_its_resource_cannot_read_its_ledger() -> None:
    async with LeaseHouse() as house:
        await house.show_dynamic(dynamic_secret("theirs", uid=THEIR_UID))
        (lease,) = house.ledger(NEIGHBOUR)
        status = house.cluster.statuses[NEIGHBOUR]

    async with LeaseHouse() as after:
        after.cluster.statuses[NEIGHBOUR] = status
        edited = dynamic_secret("theirs", uid=THEIR_UID, generation=2, status=status, phaseHost="no host")
        await after.show_dynamic(edited)

        assert after.ready(NEIGHBOUR)[0] == "InvalidSpec"
        assert after.subjects.leases_beside(KEY)[0] == {lease.id}


async def test_a_ledger_without_a_proof_names_no_lease_whoever_has_served_its_resource() -> None:
    async with LeaseHouse() as house:
        await house.show_dynamic(dynamic_secret("theirs", uid=THEIR_UID))
        status = house.cluster.statuses[NEIGHBOUR]

    async with LeaseHouse() as after:
        forged = dynamic_secret("theirs", uid="uid-of-another", status=status)
        after.dynamic.upsert(forged)
        assert after.subjects.leases_beside(KEY)[0] == set()

        await after.show_dynamic(forged | {"spec": forged["spec"] | {"suspend": True}})
        assert after.subjects.leases_beside(KEY)[0] == set()
