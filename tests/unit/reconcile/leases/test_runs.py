"""What a run does for the leases of a PhaseDynamicSecret, and what its status says, on fakes."""

import asyncio
import itertools
from typing import Any

import pytest

from phase_operator.api import names
from phase_operator.api.reasons import Reason
from phase_operator.core.access.grants import parse_grant
from phase_operator.core.access.hosts import parse_host
from phase_operator.core.access.tenancy import Tenancy
from phase_operator.core.errors import Transient, Waiting
from phase_operator.core.leases.facts import DynamicSecret
from phase_operator.core.leases.ledger import LeaseState
from phase_operator.core.values import ObjectKey
from support.builders import TOKEN
from support.lease_house import KEY, TARGET, UID, LeaseHouse, dynamic_secret

LOST = Transient(Reason.PHASE_UNAVAILABLE, "phase.example cannot be asked: the connection breaks")
AWAY = Transient(Reason.PHASE_UNAVAILABLE, "phase.example cannot be reached", had_no_effect=True)
OUTAGE = Transient(Reason.KUBERNETES_UNAVAILABLE, "the API server does not answer")
TOKEN_ELSEWHERE = {
    "authentication": {
        "serviceToken": {"serviceTokenSecretReference": {"secretName": "t", "secretNamespace": "another"}}
    }
}


async def served(house: LeaseHouse, **fields: Any) -> str:
    """Show a resource, and return the id of the lease that serves."""
    await house.show_dynamic(dynamic_secret(**fields))
    assert house.states() == ["Active"]
    return house.ledger()[0].id


async def edited(house: LeaseHouse, generation: int = 2, **fields: Any) -> None:
    await house.show_dynamic(dynamic_secret(generation=generation, **fields))


def happened(house: LeaseHouse) -> list[str]:
    return [each.reason for each in house.cluster.notices if each.reason.startswith("Lease")]


def living(house: LeaseHouse) -> set[str]:
    house.leases.phase.advance(house.leases.now)
    return house.leases.phase.living()


async def test_a_lease_is_made_once_and_recorded_before_the_target_has_it() -> None:
    async with LeaseHouse() as house:
        lease = await served(house)

        assert house.held() == lease
        assert house.ready()[0] == "Synced"
        assert "the lease ends 2030-01-01T" in house.ready()[1]
        assert house.leases.calls == {"find": 1, "leases": 1, "lease": 1}
        assert KEY in house.cluster.outside
        assert happened(house) == ["LeaseIssued"]
        status = house.cluster.statuses[KEY]
        assert (status["account"], status["source"]["dynamicSecretId"]) == ("account-1", "dynamic-1")
        calls = house.cluster.calls
        announced, recorded, written = (calls.index(each) for each in ("write_ledger", "make_record", "carry_out"))
        assert calls.index("set_finalizer") < announced < recorded < written


@pytest.mark.parametrize(
    "fields",
    [
        pytest.param({"managedSecretReferences": [{"secretName": "second"}]}, id="another target"),
        pytest.param({"managedSecretReferences": [{"secretName": "uploads-aws", "prefix": "X_"}]}, id="another name"),
        pytest.param({"leaseTTL": 900, "overlap": 1, "rolloverPercent": 90, "pollingInterval": 60}, id="timing"),
        pytest.param({"phaseAppEnvPath": "//"}, id="the same folder in other words"),
    ],
)
async def test_an_edit_of_targets_or_timing_asks_for_no_lease(fields: dict[str, Any]) -> None:
    async with LeaseHouse() as house:
        lease = await served(house)

        await edited(house, **fields)
        await house.pass_time(60)

        assert house.leases.calls["lease"] == 1
        assert [each.id for each in house.ledger()] == [lease]
        target = TARGET._replace(key=ObjectKey("team", "second")) if "second" in str(fields) else TARGET
        assert target in house.cluster.objects


async def test_an_edit_that_leads_to_another_secret_asks_for_one_and_keeps_the_one_before_until_then() -> None:
    async with LeaseHouse() as house:
        first = await served(house)
        house.leases.secret = DynamicSecret("dynamic-2", 3600, 86400)

        await edited(house, phaseAppEnvPath="/other")
        assert house.held() == first
        await house.pass_time(20)

        assert house.leases.calls["lease"] == 2
        assert house.held() not in ("", first)


async def test_a_deleted_target_comes_from_the_record() -> None:
    async with LeaseHouse() as house:
        lease = await served(house)
        house.cluster.delete(TARGET)

        await house.touched(TARGET)
        await house.rest()

        assert house.held() == lease
        assert house.leases.calls["lease"] == 1


async def test_a_new_process_reads_and_writes_nothing_and_calls_nobody() -> None:
    async with LeaseHouse() as house:
        lease = await served(house)
    house.leases.calls.clear()
    house.cluster.calls.clear()

    async with house.successor() as after:
        await after.pass_time(120)

        assert not after.leases.calls
        assert after.held() == lease
        written = {"write_ledger", "write_status", "carry_out", "make_record", "read_record"}
        assert not written & set(after.cluster.calls)


async def test_a_record_that_is_deleted_is_made_good_by_another_lease() -> None:
    async with LeaseHouse() as house:
        first = await served(house)
        house.cluster.kept.clear()

        house.triggers.record_changed(KEY)
        await house.rest(20)

        assert house.leases.calls["lease"] == 2
        assert house.held() not in ("", first)


class TestRollOver:
    """One lease after the other."""

    async def test_the_one_before_is_given_back_when_the_overlap_is_over_and_nobody_reads_the_old_one(self) -> None:
        async with LeaseHouse() as house:
            first = await served(house, leaseTTL=3600, overlap=300)

            await house.pass_time(2410)
            assert house.states() == ["Active", "Retiring"]
            assert house.held() not in ("", first)
            assert first in living(house)
            await house.pass_time(320)

            assert house.states() == ["Active"]
            assert first not in living(house)
            assert living(house) == {house.held()}
            assert happened(house) == ["LeaseIssued", "LeaseRolledOver", "LeaseGivenBack"]
            # Four calls a lease, and the list at each interval.
            looks = house.leases.calls["leases"] - 2
            assert house.leases.calls == {"find": 2, "leases": 2 + looks, "lease": 2, "revoke": 1}
            assert 3 <= looks <= 5

    @pytest.mark.parametrize("restart", [{"workloads": "None"}, None], ids=["nobody is restarted", "versions"])
    async def test_readers_that_are_not_known_to_have_restarted_keep_the_one_before_to_its_end(
        self, restart: Any
    ) -> None:
        target = {"secretName": "uploads-aws"} | ({"restart": restart} if restart else {"versioned": {"keep": 2}})
        async with LeaseHouse() as house:
            first = await served(house, leaseTTL=3600, overlap=0, managedSecretReferences=[target])

            await house.pass_time(3300, step=30)
            assert house.states() == ["Active", "Retiring"]
            assert first in living(house)
            await house.pass_time(600, step=30)

            assert house.states() == ["Active"]
            assert first not in living(house)

    async def test_knowledge_of_readers_from_before_a_write_does_not_count_after_it(self) -> None:
        async with LeaseHouse() as house:
            first = await served(house, leaseTTL=3600, overlap=0)
            await house.pass_time(60)
            assert house.restarts.have_rolled(TARGET)
            rolled: list[bool] = []
            revoke = house.leases.revoke

            async def revoked(*args: Any, **kwargs: Any) -> None:
                rolled.append(house.restarts.have_rolled(TARGET))
                await revoke(*args, **kwargs)

            house.leases.revoke = revoked  # type: ignore[method-assign]  # it looks first
            await house.pass_time(2500)

            assert first not in living(house)
            assert rolled == [True]


class TestWhatPhaseSays:
    """Refusals, lost answers, and Phase away."""

    async def test_a_refused_lease_is_told_in_the_words_of_phase_and_asked_for_again_later_and_later(self) -> None:
        refusal = Waiting(Reason.ACCESS_DENIED, "Phase answers 403: no permission to lease", had_no_effect=True)
        async with LeaseHouse() as house:
            house.leases.errors["lease"] = [refusal] * 100

            await house.show_dynamic(dynamic_secret())
            await house.pass_time(600)

            assert house.ready() == ("LeaseRefused", "Phase answers 403: no permission to lease")
            assert 3 <= house.leases.calls["lease"] <= 7
            assert not living(house)
            house.leases.errors.clear()
            await house.pass_time(1000)
            assert house.states() == ["Active"]
            assert house.ready()[0] == "Synced"

    async def test_a_life_that_phase_would_refuse_is_told_with_both_numbers_and_never_asked_for(self) -> None:
        async with LeaseHouse() as house:
            house.leases.secret = DynamicSecret("dynamic-1", 3600, 7200)

            await house.show_dynamic(dynamic_secret(leaseTTL=86400))
            await house.pass_time(60)

            reason, message = house.ready()
            assert reason == "LeaseRefused"
            assert "86400" in message
            assert "7200" in message
            assert house.leases.calls["lease"] == 0

    async def test_a_dynamic_secret_that_is_not_there_is_named(self) -> None:
        async with LeaseHouse() as house:
            await house.show_dynamic(dynamic_secret(dynamicSecret="bukket", phaseAppEnvPath="/aws"))

            reason, message = house.ready()
            assert reason == "DynamicSecretNotFound"
            assert '"bukket"' in message
            assert "/aws" in message
            await house.pass_time(300)
            assert house.leases.calls["find"] <= 8

    async def test_a_lease_whose_answer_is_lost_is_found_and_given_back_and_never_asked_for_again(self) -> None:
        async with LeaseHouse() as house:
            house.leases.lost = [LOST]

            await house.show_dynamic(dynamic_secret())
            assert house.ready()[0] == "LeaseUnclear"
            assert house.leases.calls["lease"] == 1
            await house.pass_time(60)

            assert house.counter.orphans == 1
            assert house.states() == ["Active"]
            assert living(house) == {house.held()}
            assert "LeaseOrphanRevoked" in happened(house)

    async def test_a_lease_is_known_not_to_have_been_made_after_the_last_look_alone(self) -> None:
        async with LeaseHouse() as house:
            house.leases.errors["lease"] = [LOST]

            await house.show_dynamic(dynamic_secret())
            await house.pass_time(120)
            assert house.states() == ["Asking"]
            assert house.leases.calls["lease"] == 1
            await house.pass_time(60)

            assert house.states() == ["Active"]
            assert house.leases.calls["lease"] == 2

    async def test_a_lease_without_an_id_is_a_lost_answer(self) -> None:
        async with LeaseHouse() as house:
            house.leases.is_nameless = True

            await house.show_dynamic(dynamic_secret())
            await house.rest()

            assert house.ready()[0] == "LeaseUnclear"
            assert house.leases.calls["lease"] == 1

    async def test_a_500_points_at_the_permissions_of_the_cloud(self) -> None:
        refusal = Transient(Reason.PHASE_UNAVAILABLE, "phase.example answers 500: An internal error occurred")
        async with LeaseHouse() as house:
            house.leases.errors["lease"] = [refusal]

            await house.show_dynamic(dynamic_secret())

            reason, message = house.ready()
            assert reason == "LeaseUnclear"
            assert "iam:TagUser" in message

    async def test_a_lease_that_is_revoked_elsewhere_is_replaced_within_the_interval(self) -> None:
        async with LeaseHouse() as house:
            first = await served(house, pollingInterval=60)
            house.leases.phase.find(first).is_revoked = True

            await house.pass_time(90)

            assert house.held() not in ("", first)
            assert "LeaseRevoked" in happened(house)
            assert house.counter.early == 1

    async def test_phase_away_at_the_end_keeps_the_target_and_says_that_the_lease_has_ended(self) -> None:
        async with LeaseHouse() as house:
            first = await served(house, leaseTTL=600, overlap=0)
            for call in ("find", "leases", "lease", "revoke"):
                house.leases.errors[call] = [AWAY] * 1000

            await house.pass_time(700)

            reason, message = house.ready()
            assert reason == "LeaseEnded"
            assert "cannot be reached" in message
            assert house.held() == first
            house.leases.errors.clear()
            await house.pass_time(400)
            assert house.held() not in ("", first)
            assert house.ready()[0] == "Synced"

    async def test_trouble_while_a_lease_serves_is_told_beside_it_and_goes_with_it(self) -> None:
        async with LeaseHouse() as house:
            await served(house, pollingInterval=60)
            house.leases.errors["leases"] = [AWAY] * 1000

            await house.pass_time(120)
            reason, message = house.ready()
            assert reason == "Synced"
            assert "cannot be reached" in message
            house.leases.errors.clear()
            await house.pass_time(600)

            assert "cannot be reached" not in house.ready()[1]

    async def test_the_lease_of_another_resource_is_never_taken_for_the_one_whose_answer_was_lost(self) -> None:
        async with LeaseHouse() as house:
            # Both ask for the same life: the attempts differ, and the seconds that are taken off do not.
            house.bits = itertools.count(7 << 32)
            house.leases.errors["lease"] = [LOST]
            await house.show_dynamic(dynamic_secret())
            await house.show_dynamic(dynamic_secret("other", uid="uid-of-other"))
            other = ObjectKey("team", "other", KEY.kind)
            (theirs,) = house.ledger(other)
            (lost,) = house.ledger()
            assert (theirs.ttl, theirs.state, lost.state) == (lost.ttl, LeaseState.ACTIVE, LeaseState.ASKING)

            await house.pass_time(100)

            assert theirs.id in living(house)
            assert house.counter.orphans == 0

    async def test_a_lease_that_another_resource_is_about_to_get_is_never_taken_for_a_lost_one(self) -> None:
        async with LeaseHouse() as house:
            house.bits = itertools.count(7 << 32)
            house.leases.errors["lease"] = [LOST]
            await house.show_dynamic(dynamic_secret())
            house.leases.may_answer.clear()
            await house.show_dynamic(dynamic_secret("other", uid="uid-of-other"))
            (theirs,) = living(house)

            # Phase lists it at the looks for the lost one, and its answer is not here yet.
            await house.pass_time(50)
            assert theirs in living(house)
            house.leases.may_answer.set()
            await house.pass_time(100)

            other = ObjectKey("team", "other", KEY.kind)
            assert [(each.id, each.state) for each in house.ledger(other)] == [(theirs, LeaseState.ACTIVE)]
            assert theirs in living(house)
            assert house.counter.orphans == 0
            assert house.states() == ["Active"]

    async def test_two_answers_that_are_lost_leave_no_lease(self) -> None:
        async with LeaseHouse() as house:
            house.bits = itertools.count(7 << 32)
            house.leases.lost = [LOST, LOST]
            await house.show_dynamic(dynamic_secret())
            await house.show_dynamic(dynamic_secret("other", uid="uid-of-other"))

            await house.pass_time(200)

            keys = (KEY, ObjectKey("team", "other", KEY.kind))
            assert living(house) == {each.id for key in keys for each in house.ledger(key)}
            assert house.counter.orphans == 2

    async def test_as_many_answers_as_resources_are_lost_and_each_lease_is_given_back_once(self) -> None:
        """They look for their leases in one list, at the same moment."""
        names = [f"bucket-{number}" for number in range(6)]
        async with LeaseHouse(per_minute=600) as house:
            house.bits = itertools.count(7 << 32)
            house.leases.lost = [LOST] * len(names)
            house.cluster.turns["write_ledger"] = 50
            await asyncio.gather(*(house.show_dynamic(dynamic_secret(each, uid=f"uid-of-{each}")) for each in names))

            await house.pass_time(200)

            keys = [ObjectKey("team", name, KEY.kind) for name in names]
            assert living(house) == {each.id for key in keys for each in house.ledger(key)}
            assert house.counter.orphans == len(names)

    async def test_nothing_is_looked_for_before_all_resources_are_known(self) -> None:
        async with LeaseHouse() as house:
            house.leases.lost = [LOST]
            await house.show_dynamic(dynamic_secret())
        house.leases.calls.clear()

        async with house.successor(all_seen=False) as after:
            await after.pass_time(60)
            assert not after.leases.calls
            after.all_seen = True
            await after.pass_time(60)

            assert after.counter.orphans == 1
            assert after.states() == ["Active"]


class TestTheCluster:
    """An API server that is away, and another process at the same resource."""

    async def test_credentials_outlive_an_outage_that_begins_after_the_answer(self) -> None:
        async with LeaseHouse() as house:
            house.cluster.errors["make_record"] = OUTAGE

            await house.show_dynamic(dynamic_secret())
            await house.pass_time(120)
            assert house.states() == ["Asking"]
            del house.cluster.errors["make_record"]
            await house.pass_time(60)

            assert house.states() == ["Active"]
            assert house.leases.calls["lease"] == 1
            assert not next(iter(house.subjects._subjects.values())).answers

    async def test_a_ledger_that_cannot_be_written_leads_to_no_call_for_a_lease(self) -> None:
        async with LeaseHouse() as house:
            house.cluster.errors["write_ledger"] = OUTAGE

            await house.show_dynamic(dynamic_secret())
            await house.pass_time(120)

            assert house.leases.calls["lease"] == 0

    async def test_a_ledger_that_another_process_has_written_is_read_again_and_not_overwritten(self) -> None:
        async with LeaseHouse() as house:
            lease = await served(house, leaseTTL=3600)
            theirs = dict(house.cluster.statuses[KEY])
            row = dict(theirs["leases"][0]) | {"attempt": "ffffffff", "state": "Retiring", "id": "lease-of-theirs"}
            house.cluster.statuses[KEY] = theirs | {"leases": [*theirs["leases"], row]}

            await house.pass_time(2500)

            assert "ffffffff" in [each.attempt for each in house.ledger()]
            assert lease in [each.id for each in house.ledger()]
            assert house.held() not in ("", lease)

    async def test_a_record_that_no_ledger_names_is_deleted_and_that_of_another_owner_is_not(self) -> None:
        async with LeaseHouse() as house:
            await served(house)
            (mine,) = house.cluster.kept[UID]
            kept = house.cluster.kept[UID][mine]
            stray = mine._replace(key=ObjectKey("team", "uploads-lease-00000000"))
            house.cluster.kept[UID][stray] = kept
            house.cluster.kept["another"] = {stray: kept}

            house.triggers.record_changed(KEY)
            await house.rest()

            assert list(house.cluster.kept[UID]) == [mine]

    async def test_a_target_that_cannot_be_written_lets_no_lease_end(self) -> None:
        async with LeaseHouse() as house:
            first = await served(house, leaseTTL=3600)
            house.cluster.errors["read_record"] = OUTAGE
            house.cluster.errors["carry_out"] = OUTAGE

            await house.pass_time(2600)

            assert house.leases.calls["lease"] == 2
            assert house.states() == ["Active", "Retiring"]
            assert first in living(house)


class TestTheEnd:
    """Deletion gives all leases back, and is over after a while in any case."""

    async def deleted(self, house: LeaseHouse, **fields: Any) -> None:
        now = house.clock.now()
        finalizers = [names.FINALIZER_OUTSIDE]
        await house.show_dynamic(dynamic_secret(deleted=now, finalizers=finalizers, **fields))

    async def test_all_leases_are_given_back_before_the_finalizer_goes(self) -> None:
        async with LeaseHouse() as house:
            await served(house, leaseTTL=3600)
            await house.pass_time(2410)
            assert len(living(house)) == 2

            await self.deleted(house, leaseTTL=3600)
            await house.rest()

            assert not living(house)
            assert KEY not in house.cluster.outside
            assert not house.cluster.kept[UID]
            # Nothing went wrong, so nothing is told as if it had.
            assert "RemovalPending" not in [each.reason for each in house.cluster.notices]

    async def test_a_deletion_ends_though_phase_stays_away_and_names_the_leases_that_are_left(self) -> None:
        async with LeaseHouse() as house:
            lease = await served(house)
            house.leases.errors["revoke"] = [AWAY] * 1000

            await self.deleted(house)
            await house.pass_time(540)
            assert KEY in house.cluster.outside
            assert house.ready()[0] == "RemovalPending"
            assert "cannot be reached" in house.ready()[1]
            await house.pass_time(120)

            assert KEY not in house.cluster.outside
            (event,) = [each for each in house.cluster.notices if each.reason == "LeaseNotRevoked"]
            assert lease in event.message

    async def test_the_token_may_go_before(self) -> None:
        async with LeaseHouse() as house:
            await served(house)
            del house.cluster.tokens[TOKEN]
            house.tokens.changed(TOKEN)
            await house.rest()
            assert house.ready()[0] == "Synced"
            assert "does not exist" in house.ready()[1]

            await self.deleted(house)
            await house.rest()

            assert not living(house)
            assert KEY not in house.cluster.outside

    async def test_a_token_whose_owner_refuses_the_host_gives_nothing_back(self) -> None:
        """The annotation on a token Secret binds whoever still knows the token."""
        async with LeaseHouse() as house:
            lease = await served(house)
            house.cluster.token_hosts[TOKEN] = "https://other.example"
            house.tokens.changed(TOKEN)
            await self.deleted(house)
            await house.rest()

            assert living(house) == {lease}
            assert house.ready()[0] == "RemovalPending"
            assert "does not list the host" in house.ready()[1]

    async def test_a_token_that_could_not_be_read_for_a_moment_is_read_again(self) -> None:
        """Nothing about the token Secret changes, so nobody wakes the resource."""
        async with LeaseHouse() as house:
            await served(house)
        house.cluster.errors["read_token"] = OUTAGE
        async with house.successor() as after:
            await self.deleted(after)
            await after.rest()
            assert living(after)
            after.cluster.errors.clear()
            await after.pass_time(60)

            assert not living(after)
            assert KEY not in after.cluster.outside

    async def test_with_revoke_false_leases_are_left_to_their_ends(self) -> None:
        async with LeaseHouse() as house:
            lease = await served(house, revoke=False)

            await self.deleted(house, revoke=False)
            await house.rest()

            assert living(house) == {lease}
            assert KEY not in house.cluster.outside

    async def test_an_attempt_is_settled_first(self) -> None:
        async with LeaseHouse() as house:
            house.leases.may_answer.clear()
            await house.show_dynamic(dynamic_secret())
            assert house.states() == ["Asking"]

            await self.deleted(house)
            assert KEY in house.cluster.outside
            house.leases.may_answer.set()
            await house.pass_time(30)

            assert not living(house)
            assert KEY not in house.cluster.outside


class TestNeighbours:
    """What one resource may cost another: nothing."""

    @pytest.mark.parametrize(
        ("tenancy", "fields"),
        [
            pytest.param(Tenancy(hosts=(parse_host("https://allowed.example"),)), {}, id="a host that is not allowed"),
            pytest.param(
                Tenancy(),
                TOKEN_ELSEWHERE,
                id="a token of another namespace",
            ),
            pytest.param(
                Tenancy(),
                {"managedSecretReferences": [{"secretName": "x", "secretNamespace": "another"}]},
                id="a target in another namespace",
            ),
            pytest.param(
                Tenancy(grants=(parse_grant("from=team,to=another,what=push+replace"),)),
                TOKEN_ELSEWHERE,
                id="a token that is granted to push with",
            ),
        ],
    )
    async def test_a_resource_that_tenancy_refuses_makes_no_call_and_reads_no_token(
        self, tenancy: Tenancy, fields: dict[str, Any]
    ) -> None:
        async with LeaseHouse(tenancy=tenancy) as house:
            await house.show_dynamic(dynamic_secret(**fields))
            await house.pass_time(60)

            assert not house.leases.calls
            assert house.phase.lists == 0
            assert not house.cluster.token_reads
            assert not house.ledger()
            assert house.ready()[0] in ("HostRefused", "CrossNamespaceRefused")

    async def test_a_lease_that_takes_long_holds_up_nobody_else(self) -> None:
        async with LeaseHouse() as house:
            house.leases.may_answer.clear()
            for name in ("one", "two", "three", "four", "five"):
                await house.show_dynamic(dynamic_secret(name, uid=name, namespace="slow"))
            house.cluster.tokens[ObjectKey("slow", TOKEN.name)] = "slow-token"
            house.cluster.tokens[ObjectKey("quick", TOKEN.name)] = "quick-token"
            await house.pass_time(60)
            asked = house.leases.calls["lease"]
            house.leases.may_answer.set()
            await house.pass_time(60)

            assert asked == 3, "a quarter of the places"
            assert house.leases.calls["lease"] == 5

    async def test_at_the_end_what_is_being_made_is_recorded_and_nothing_else_begins(self) -> None:
        async with LeaseHouse() as house:
            house.leases.may_answer.clear()
            await house.show_dynamic(dynamic_secret("one", uid="one"))
            was_settled = house.subjects.are_settled()
            house.rate.close()
            house.errands.close()
            await house.show_dynamic(dynamic_secret("two", uid="two"))
            house.leases.may_answer.set()
            await house.pass_time(30)

            assert not was_settled
            assert house.subjects.are_settled()
            assert house.states(ObjectKey("team", "one", KEY.kind)) == ["Active"]
            assert house.states(ObjectKey("team", "two", KEY.kind)) == []
            assert house.leases.calls["lease"] == 1

    async def test_one_list_serves_all_resources_of_a_dynamic_secret(self) -> None:
        async with LeaseHouse() as house:
            for number in range(5):
                await house.show_dynamic(dynamic_secret(f"n{number}", uid=f"uid-{number}", pollingInterval=600))
            await house.pass_time(120)
            assert house.leases.calls["lease"] == 5
            before = house.leases.calls["leases"]

            await house.pass_time(2100)

            assert 3 <= house.leases.calls["leases"] - before <= 5

    async def test_a_mass_start_is_spread_over_time(self) -> None:
        async with LeaseHouse(per_minute=6) as house:
            for number in range(12):
                await house.show_dynamic(dynamic_secret(f"n{number}", uid=f"uid-{number}"))

            assert house.leases.calls["lease"] <= 5
            await house.pass_time(180)

            assert house.leases.calls["lease"] == 12
            # Who waits for its turn has asked nobody for anything.
            assert house.leases.calls["find"] == 12

    async def test_suspended_resources_repair_their_targets_and_call_nobody(self) -> None:
        async with LeaseHouse() as house:
            lease = await served(house, leaseTTL=600, overlap=0)
            await edited(house, leaseTTL=600, overlap=0, suspend=True)
            assert house.ready()[0] == "Suspended"
            house.leases.calls.clear()
            house.cluster.delete(TARGET)

            await house.touched(TARGET)
            await house.rest()
            assert house.held() == lease
            await house.pass_time(700)

            assert not house.leases.calls
            assert house.ready()[0] == "LeaseEnded"
            assert house.held() == lease


async def test_credentials_are_in_no_status_event_or_repr() -> None:
    async with LeaseHouse() as house:
        house.cluster.errors["make_record"] = OUTAGE
        await house.show_dynamic(dynamic_secret())
        shown = str(vars(house.subjects)) + repr(house.subjects._subjects[KEY])
        del house.cluster.errors["make_record"]
        await house.pass_time(60)

        assert house.held()
        assert "key of" not in shown + str(house.cluster.statuses) + str(house.cluster.notices)


async def test_a_process_that_dies_before_any_of_its_writes_leaves_nothing_behind() -> None:
    """The bug that this looks for: a lease that lives in no ledger, or one in use that is given back."""
    for fuse in range(14):
        async with LeaseHouse() as house:
            house.cluster.fuse = fuse
            await house.show_dynamic(dynamic_secret(leaseTTL=600, overlap=30))
            await house.pass_time(500)
        house.cluster.fuse = None

        async with house.successor() as after:
            await after.pass_time(900)

            ids = {each.id for each in after.ledger()}
            assert living(after) == ids, fuse
            assert after.held() in ids, fuse
            assert after.ready()[0] == "Synced", fuse
            assert len(after.cluster.kept[UID]) == len(ids), fuse


async def test_figures_of_this_moment_are_counted_for_metrics() -> None:
    async with LeaseHouse() as house:
        assert house.subjects.soonest_end() == 0.0
        await served(house, leaseTTL=3600)

        assert house.subjects.states()[LeaseState.ACTIVE] == 1
        assert house.subjects.soonest_end() == house.ledger()[0].ends_at
        await house.bury_dynamic()
        assert house.subjects.states()[LeaseState.ACTIVE] == 0
        assert not vars(house.poller._scheduler.gates)["_kept"]
