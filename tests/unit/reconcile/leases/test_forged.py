"""Whoever may write statuses and Secrets in a namespace has no lease of others revoked, and hides none of them.

The neighbour leases the same dynamic secret with the same account, so Phase itself would not refuse.
"""

from collections.abc import Callable
from typing import Any

import pytest

from phase_operator.api.reasons import Reason
from phase_operator.core.errors import Transient
from phase_operator.core.leases.facts import Record
from phase_operator.core.leases.record import record_ref
from phase_operator.core.refs import Kind, Owner, TargetRef
from phase_operator.core.values import ObjectKey, SecretValue
from support.lease_house import KEY, UID, LeaseHouse, dynamic_secret

NEIGHBOUR = ObjectKey("team", "theirs", KEY.kind)
THEIRS = TargetRef(Kind.SECRET, ObjectKey("team", "theirs-aws"))
LOST = Transient(Reason.PHASE_UNAVAILABLE, "phase.example cannot be asked: the connection breaks")

Row = dict[str, Any]


async def neighbours(house: LeaseHouse) -> Row:
    """Have the neighbour lease something, and return the row of its ledger."""
    await house.show_dynamic(dynamic_secret("theirs", uid="uid-of-neighbour"))
    (row,) = house.cluster.statuses[NEIGHBOUR]["leases"]
    return dict(row)


async def deleted(house: LeaseHouse) -> None:
    """Delete the resource of the one who forges, and let everything come to its end."""
    finalizers = ["secrets.phase.dev/outside"]
    await house.show_dynamic(dynamic_secret(deleted=house.clock.now(), finalizers=finalizers))
    await house.pass_time(700)


def asking(row: Row) -> Row:
    """Return an attempt that a look would find the neighbour's lease by."""
    return {key: each for key, each in row.items() if key not in ("id", "endsAt", "after", "proof")} | {
        "attempt": "00000000",
        "state": "Asking",
    }


@pytest.mark.parametrize(
    "forge",
    [
        pytest.param(lambda row: row | {"state": "Revoking"}, id="to be given back"),
        pytest.param(lambda row: row | {"state": "Retiring", "endsAt": "2020-01-01T00:00:00Z"}, id="ended long ago"),
        pytest.param(lambda row: row | {"state": "Ended"}, id="void"),
        pytest.param(lambda row: row, id="in use"),
        pytest.param(lambda row: row | {"proof": ""}, id="without a proof"),
        pytest.param(asking, id="asked for"),
    ],
)
async def test_a_status_that_names_a_lease_of_others_has_it_neither_revoked_nor_hidden(
    forge: Callable[[Row], Row],
) -> None:
    async with LeaseHouse() as house:
        victim = await neighbours(house)
        await house.show_dynamic(dynamic_secret())
        (own,) = house.cluster.statuses[KEY]["leases"]
        house.cluster.statuses[KEY]["leases"] = [forge(victim), own]

    async with house.successor() as after:
        await after.pass_time(300)
        await deleted(after)

        assert not after.leases.phase.find(victim["id"]).is_revoked
        assert after.leases.phase.find(own["id"]).is_revoked
        assert after.held(THEIRS) == victim["id"]


@pytest.mark.parametrize("is_lost", [True, False])
async def test_a_forged_record_names_no_lease_of_an_attempt(is_lost: bool) -> None:
    async with LeaseHouse() as house:
        victim = await neighbours(house)
        house.leases.may_answer.clear()
        house.leases.lost.extend([LOST] * is_lost)
        await house.show_dynamic(dynamic_secret())
        (row,) = house.cluster.statuses[KEY]["leases"]
        forged = Record(victim["id"], house.leases.now + 900)
        await house.cluster.make_record(Owner(KEY, UID), row["attempt"], forged, [("KEY", SecretValue("forged"))])
        house.triggers.record_changed(KEY)
        await house.rest()

        assert house.states() == ["Asking"]
        house.leases.may_answer.set()
        await house.pass_time(200)
        await deleted(house)

        phase = house.leases.phase
        assert not phase.find(victim["id"]).is_revoked
        assert phase.living() == {victim["id"]}


async def test_a_status_that_claims_an_orphan_of_others_hides_it_from_nobody() -> None:
    async with LeaseHouse() as house:
        await house.show_dynamic(dynamic_secret())
        house.leases.lost.append(LOST)
        await house.show_dynamic(dynamic_secret("theirs", uid="uid-of-neighbour"))
        (orphan,) = house.leases.phase.living() - {house.ledger()[0].id}
        (own,) = house.cluster.statuses[KEY]["leases"]
        house.cluster.statuses[KEY]["leases"] = [own | {"id": orphan}]

    async with house.successor() as after:
        await after.pass_time(300)

        assert after.leases.phase.find(orphan).is_revoked
        assert after.states(NEIGHBOUR) == ["Active"]


async def test_records_of_other_namespaces_are_no_work_of_a_resource() -> None:
    async with LeaseHouse() as house:
        await house.show_dynamic(dynamic_secret())
        for number in range(50):
            stranger = ObjectKey("hostile", "uploads", KEY.kind)
            await house.cluster.make_record(Owner(stranger, UID), f"{number:08x}", Record("any", house.leases.now), [])
        house.cluster.calls.clear()
        house.triggers.record_changed(KEY)
        await house.rest()

        assert "drop_record" not in house.cluster.calls
        assert record_ref(KEY, house.ledger()[0].attempt) in house.cluster.kept[UID]


async def test_an_operator_that_has_lost_its_digest_key_serves_on_and_revokes_nothing_of_before() -> None:
    async with LeaseHouse() as house:
        await house.show_dynamic(dynamic_secret(leaseTTL=3600))
        (lease,) = house.ledger()

    async with house.successor(lease_key=b"another key") as after:
        await after.pass_time(600)
        assert after.leases.calls["lease"] == 1
        assert after.held() == lease.id

        await after.pass_time(2400, step=60)

        assert after.held() != lease.id
        assert after.leases.calls["revoke"] == 0
        await after.pass_time(1200, step=60)
        assert after.states() == ["Active"]
        assert [each.reason for each in after.cluster.notices if each.reason == "LeaseNotRevoked"]
