"""What is told of leases that are unclear or near their ends: the reason in the status, and a number, on fakes."""

from phase_operator.api.reasons import Reason
from phase_operator.core.errors import Transient
from support.lease_house import LeaseHouse, dynamic_secret


async def test_a_lost_answer_is_unclear_until_phase_shows_the_lease_which_is_given_back() -> None:
    async with LeaseHouse() as house:
        house.leases.lost = [Transient(Reason.PHASE_UNAVAILABLE, "phase.example does not answer in time")]

        await house.show_dynamic(dynamic_secret())

        assert house.states() == ["Asking"]
        reason, message = house.ready()
        assert reason == "LeaseUnclear"
        assert "does not answer in time" in message

        await house.pass_time(60)

        assert house.states() == ["Active"]
        assert house.ready()[0] == "Synced"
        assert house.counter.orphans == 1


async def test_a_server_error_is_unclear_until_the_last_look_shows_no_lease() -> None:
    async with LeaseHouse() as house:
        house.leases.errors["lease"] = [Transient(Reason.PHASE_UNAVAILABLE, "phase.example answers 500")]
        await house.show_dynamic(dynamic_secret())
        assert house.ready()[0] == "LeaseUnclear"

        await house.pass_time(120)
        assert house.ready()[0] == "LeaseUnclear"
        assert house.leases.calls["lease"] == 1

        await house.pass_time(30)
        assert house.ready()[0] == "Synced"
        assert house.leases.calls["lease"] == 2


async def test_a_lease_near_its_end_is_counted_only_if_its_successor_is_overdue() -> None:
    async with LeaseHouse() as house:
        await house.show_dynamic(dynamic_secret(leaseTTL=3600))
        (lease,) = house.ledger()
        house.leases.errors["lease"] = [Transient(Reason.PHASE_UNAVAILABLE, "phase.example answers 500")] * 100

        await house.pass_time(0.8 * 3600, step=60)
        assert house.subjects.ending() == 0
        assert house.subjects.soonest_end() == lease.ends_at

        await house.pass_time(0.1 * 3600, step=60)
        assert house.leases.calls["lease"] > 1
        assert house.subjects.ending() == 1

        house.leases.errors.clear()
        await house.pass_time(300)
        assert house.subjects.ending() == 0
