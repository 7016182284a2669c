"""What is known of a list of leases between two looks at it."""

import itertools

from phase_operator.api.reasons import Reason
from phase_operator.core.errors import Transient
from phase_operator.core.leases.facts import ListedLease
from phase_operator.core.leases.ledger import LeaseState
from support.lease_house import LeaseHouse, dynamic_secret

LOST = Transient(Reason.PHASE_UNAVAILABLE, "phase.example cannot be asked: the connection breaks")


async def test_a_lease_that_is_given_back_is_shown_as_revoked_before_the_next_list() -> None:
    """Else a resource that looks for its own lost lease takes this one, which no ledger names any more."""
    async with LeaseHouse() as house:
        house.bits = itertools.count(7 << 32)
        house.leases.lost = [LOST]
        await house.show_dynamic(dynamic_secret())
        (row,) = house.ledger()
        assert row.state is LeaseState.ASKING
        (made,) = house.leases.phase.issued

        await house.pass_time(10, step=1)

        subject = next(iter(house.subjects._subjects.values()))
        assert subject.account is not None
        (listed,) = house.lists.newest(subject.account, [row.place])[row.place].leases
        assert listed == ListedLease(made.id, made.ttl, is_revoked=True, owner=made.owner)
        assert house.leases.calls["leases"] == 2
