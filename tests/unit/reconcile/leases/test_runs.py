"""What a run does for the leases of a PhaseDynamicSecret, and what its status says, on fakes."""

from support.lease_house import LeaseHouse, dynamic_secret


async def test_a_lease_is_made_once_and_recorded_before_the_target_has_it() -> None:
    async with LeaseHouse() as house:
        await house.show_dynamic(dynamic_secret())

        assert house.states() == ["Active"], (house.cluster.statuses, house.leases.calls, house.faulty)
        (lease,) = house.ledger()
        assert house.held() == lease.id
        assert house.ready()[0] == "Synced"
        assert house.leases.calls == {"find": 1, "leases": 1, "lease": 1}
