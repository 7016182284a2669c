"""Bad input for leases: each has its reason, a message that names what to change, and costs no target and no lease."""

from collections.abc import Callable, Iterator
from itertools import groupby
from typing import Any

import pytest

from phase_operator.api.reasons import Reason
from phase_operator.core.errors import ExpectedError, Transient, Waiting
from phase_operator.core.leases.facts import DynamicSecret
from phase_operator.core.source.apps import App
from support.lease_house import KEY, TARGET, LeaseHouse, dynamic_secret

NO_READING = Waiting(
    Reason.ACCESS_DENIED, "Phase answers 403: You don't have permission to read secrets.", had_no_effect=True
)
NO_ACCESS = Waiting(
    Reason.ACCESS_DENIED,
    "Phase answers 401: Service account cannot access this environment",
    had_no_effect=True,
)
NO_LEASING = Waiting(
    Reason.ACCESS_DENIED,
    "Phase answers 403: You don't have permission to create dynamic secret leases.",
    had_no_effect=True,
)
NO_REVOKING = Waiting(
    Reason.ACCESS_DENIED,
    "Phase answers 403: You don't have permission to delete leases for other accounts.",
    had_no_effect=True,
)
NO_PLAN = Waiting(
    Reason.REQUEST_REFUSED,
    "Phase answers 400: Dynamic secrets are only available on the Enterprise plan.",
    had_no_effect=True,
)
# What the server says of a plan, a provider and a permission at the provider, on the route that leases exactly one.
NO_CAUSE = Transient(
    Reason.PHASE_UNAVAILABLE, "phase.example answers 500: An internal error occurred while creating the lease"
)
TWICE = Waiting(Reason.DYNAMIC_SECRET_NOT_FOUND, 'folder "/" has 2 dynamic secrets "bucket"')
HOUR = 3600.0
AN_HOUR: dict[str, Any] = {"leaseTTL": 3600, "overlap": 300, "pollingInterval": 600}
TEMPLATE = {"secretName": "uploads-aws", "template": {"data": {"file": "{{ KEY }}"}}}


def events(house: LeaseHouse) -> list[tuple[str, str]]:
    return [(each.reason, each.message) for each in house.cluster.notices]


def repeated(house: LeaseHouse) -> Iterator[tuple[str, str]]:
    """Yield the Events that came twice."""
    for event, times in groupby(sorted(events(house))):
        if len(list(times)) > 1:
            yield event


def living(house: LeaseHouse) -> set[str]:
    house.leases.phase.advance(house.leases.now)
    return house.leases.phase.living()


def renamed(house: LeaseHouse) -> None:
    house.leases.name = "pail"


def shortened(house: LeaseHouse) -> None:
    house.leases.secret = DynamicSecret("dynamic-1", 300, 600)


def fails(call: str, error: ExpectedError) -> Callable[[LeaseHouse], None]:
    def prepare(house: LeaseHouse) -> None:
        house.leases.errors[call] = [error] * 1000

    return prepare


BAD = [
    pytest.param(
        renamed,
        Reason.DYNAMIC_SECRET_NOT_FOUND,
        ['"bucket"', "folder /", "spec.dynamicSecret"],
        id="renamed or missing",
    ),
    pytest.param(fails("find", TWICE), Reason.DYNAMIC_SECRET_NOT_FOUND, ["2 dynamic secrets"], id="name twice"),
    pytest.param(shortened, Reason.LEASE_REFUSED, ["spec.leaseTTL", "3600", "600"], id="above the maximum"),
    pytest.param(fails("find", NO_READING), Reason.ACCESS_DENIED, ["permission to read"], id="no right to read"),
    pytest.param(fails("find", NO_ACCESS), Reason.ACCESS_DENIED, ["cannot access"], id="no access"),
    pytest.param(fails("leases", NO_ACCESS), Reason.ACCESS_DENIED, ["cannot access"], id="no right to list"),
    pytest.param(fails("lease", NO_LEASING), Reason.LEASE_REFUSED, ["permission to create"], id="no right to lease"),
    pytest.param(fails("lease", NO_PLAN), Reason.LEASE_REFUSED, ["Enterprise plan"], id="no plan, and told"),
    pytest.param(
        fails("lease", NO_CAUSE), Reason.PHASE_UNAVAILABLE, ["500", "Enterprise", "iam:CreateUser"], id="no cause told"
    ),
]


@pytest.mark.parametrize(("prepare", "reason", "told"), BAD)
async def test_a_fault_from_the_beginning_is_told_once_and_heals_by_itself(
    prepare: Callable[[LeaseHouse], None], reason: Reason, told: list[str]
) -> None:
    async with LeaseHouse() as house:
        good = house.leases.secret
        prepare(house)
        await house.show_dynamic(dynamic_secret(**AN_HOUR))
        await house.pass_time(2 * HOUR, step=30)

        said, message = house.ready()
        assert said == reason
        assert [each for each in told if each not in message] == []
        assert not living(house)
        assert TARGET not in house.cluster.objects
        assert list(repeated(house)) == []
        assert len(events(house)) <= 4, events(house)
        house.leases.errors.clear()
        house.leases.name, house.leases.secret = "bucket", good
        await house.pass_time(HOUR, step=30)

        assert house.ready()[0] == "Synced"
        assert living(house) == {house.held()}


@pytest.mark.parametrize(("prepare", "reason", "told"), BAD)
async def test_a_fault_while_a_lease_serves_is_told_beside_it_and_empties_nothing(
    prepare: Callable[[LeaseHouse], None], reason: Reason, told: list[str]
) -> None:
    async with LeaseHouse() as house:
        await house.show_dynamic(dynamic_secret(**AN_HOUR))
        first = house.held()
        prepare(house)

        await house.pass_time(0.9 * HOUR, step=10)
        said, message = house.ready()
        assert said == "Synced"
        assert [each for each in told if each not in message] == []
        assert house.held() == first
        await house.pass_time(2 * HOUR, step=30)

        said, message = house.ready()
        assert said == "LeaseEnded"
        assert [each for each in told if each not in message] == []
        assert house.held() == first
        assert house.cluster.secret(TARGET)
        assert list(repeated(house)) == []
        assert len(events(house)) <= 8, events(house)


async def test_an_app_whose_name_others_have_is_not_guessed() -> None:
    async with LeaseHouse() as house:

        async def two(*_: object) -> list[App]:
            return [App("app-1", "shop", False), App("app-2", "shop", False)]

        house.phase.apps = two  # type: ignore[method-assign, assignment]  # an account that sees two
        await house.show_dynamic(dynamic_secret())
        await house.pass_time(HOUR, step=30)

        reason, message = house.ready()
        assert reason == "AppAmbiguous"
        assert "spec.phaseAppId" in message
        assert not house.leases.calls
        assert list(repeated(house)) == []


async def test_a_default_life_that_phase_would_refuse_points_at_the_field_that_sets_another() -> None:
    async with LeaseHouse() as house:
        house.leases.secret = DynamicSecret("dynamic-1", 30, 7200)
        await house.show_dynamic(dynamic_secret())
        await house.pass_time(60)

        reason, message = house.ready()
        assert reason == "LeaseRefused"
        assert "set spec.leaseTTL" in message
        assert "30" in message
        assert house.leases.calls["lease"] == 0


async def test_an_overlap_longer_than_the_life_leaves_the_one_before_to_its_end() -> None:
    async with LeaseHouse() as house:
        house.leases.secret = DynamicSecret("dynamic-1", 120, 7200)
        await house.show_dynamic(dynamic_secret(overlap=86400))
        for _ in range(60):
            await house.pass_time(10)

            assert house.held() in living(house)
            assert len(living(house)) <= 3
        assert house.ready()[0] == "Synced"


@pytest.mark.parametrize("error", [NO_LEASING, NO_CAUSE], ids=["refused", "no cause told"])
async def test_attempts_that_fail_at_a_roll_over_come_less_and_less_often(error: ExpectedError) -> None:
    """Each of them may leave a user behind at the provider, and the lease that serves has hours left."""
    async with LeaseHouse() as house:
        await house.show_dynamic(dynamic_secret(leaseTTL=86_400, overlap=300))
        house.leases.errors["lease"] = [error] * 10_000

        await house.pass_time(0.95 * 86_400, step=60)

        assert 5 <= house.leases.calls["lease"] <= 13


async def test_a_right_to_revoke_that_is_missing_is_told_beside_and_the_lease_named_at_last() -> None:
    async with LeaseHouse() as house:
        await house.show_dynamic(dynamic_secret(leaseTTL=3600, overlap=30))
        house.leases.errors["revoke"] = [NO_REVOKING] * 1000
        await house.pass_time(0.8 * HOUR, step=10)

        assert house.states() == ["Active", "Revoking"]
        reason, message = house.ready()
        assert reason == "Synced"
        assert "permission to delete" in message
        await house.pass_time(2 * HOUR, step=30)

        told = [reason for reason, _ in events(house)]
        assert "LeaseNotRevoked" in told
        assert told.count("AccessDenied") <= told.count("LeaseRolledOver")
        assert house.leases.calls["lease"] <= 5


async def test_an_operator_that_was_away_at_a_deletion_gives_the_leases_back_nevertheless() -> None:
    async with LeaseHouse() as house:
        await house.show_dynamic(dynamic_secret())
    deleted, outside = house.clock.right(), ["secrets.phase.dev/outside"]
    house.clock.turn(2 * HOUR)
    house.leases.phase.issued[0].ttl = 86_400

    async with house.successor() as after:
        await after.show_dynamic(dynamic_secret(deleted=deleted, finalizers=outside))
        await after.pass_time(60)

        assert not living(after)
        assert KEY not in after.cluster.outside


async def test_a_lease_that_was_revoked_elsewhere_is_not_said_to_be_beyond_help() -> None:
    async with LeaseHouse() as house:
        await house.show_dynamic(dynamic_secret(**AN_HOUR | {"pollingInterval": 60}))
        house.leases.phase.find(house.held()).is_revoked = True

        await house.pass_time(90)

        (message,) = (each.message for each in house.cluster.notices if each.reason == "LeaseEnded")
        assert "another one is asked for" in message
        assert house.ready()[0] == "Synced"


class TestAnotherProvider:
    """The dynamic secret is of another provider by the time of a roll-over: its credentials have other names."""

    async def test_a_target_that_cannot_be_made_of_them_keeps_the_lease_before_which_lives_to_its_end(self) -> None:
        async with LeaseHouse() as house:
            fields = AN_HOUR | {"managedSecretReferences": [TEMPLATE]}
            await house.show_dynamic(dynamic_secret(**fields))
            first = house.ledger()[0].id
            good = house.cluster.secret(TARGET)
            house.leases.keys = ("CONNECTION_STRING",)

            await house.pass_time(0.9 * HOUR, step=10)

            assert house.states() == ["Active", "Retiring"]
            reason, message = house.ready()
            assert reason == "TemplateFailed"
            assert "KEY" in message
            assert house.cluster.secret(TARGET) == good
            assert first in living(house)
            assert house.leases.calls["lease"] == 2
            assert list(repeated(house)) == []

    async def test_an_edit_heals_it_with_the_lease_that_is_there(self) -> None:
        async with LeaseHouse() as house:
            fields = AN_HOUR | {"managedSecretReferences": [TEMPLATE]}
            await house.show_dynamic(dynamic_secret(**fields))
            house.leases.keys = ("CONNECTION_STRING",)
            await house.pass_time(0.9 * HOUR, step=10)

            await house.show_dynamic(dynamic_secret(generation=2, **AN_HOUR))

            assert house.ready()[0] == "Synced"
            assert set(house.cluster.secret(TARGET)) == {"CONNECTION_STRING"}
            assert house.leases.calls["lease"] == 2

    async def test_the_provider_is_named_where_phase_tells_no_cause(self) -> None:
        async with LeaseHouse() as house:
            house.leases.secret = DynamicSecret("dynamic-1", 3600, 86400, "azure")
            house.leases.errors["lease"] = [NO_CAUSE] * 1000

            await house.show_dynamic(dynamic_secret())

            message = house.ready()[1]
            assert '"azure"' in message
            assert "Enterprise" in message
            assert "iam:" not in message

    @pytest.mark.parametrize("keys", [("AWS KEY",), ("KEY", "KEY")], ids=["no key of a Secret", "the same key twice"])
    async def test_credentials_that_no_target_can_hold_cost_one_lease_and_keep_the_target(
        self, keys: tuple[str, ...]
    ) -> None:
        async with LeaseHouse() as house:
            await house.show_dynamic(dynamic_secret(**AN_HOUR))
            first = house.held()
            house.leases.keys = keys

            await house.pass_time(0.9 * HOUR, step=10)

            assert house.ready()[0] in ("KeyInvalid", "KeyCollision")
            assert house.held() == first
            assert first in living(house)
            assert house.leases.calls["lease"] == 2
            assert list(repeated(house)) == []

    async def test_a_lease_without_credentials_empties_no_target(self) -> None:
        async with LeaseHouse() as house:
            await house.show_dynamic(dynamic_secret(**AN_HOUR))
            first = house.held()
            house.leases.keys = ()

            await house.pass_time(0.9 * HOUR, step=10)

            assert house.held() == first


class TestAClockThatJumps:
    """The wall clock is set while leases live: no time has passed, so nothing about them has changed."""

    JUMPS = pytest.mark.parametrize("jump", [3 * HOUR, -3 * HOUR, 400 * 24 * HOUR, 40.0], ids=str)

    @JUMPS
    async def test_no_second_lease_no_early_end_and_no_gap(self, jump: float) -> None:
        async with LeaseHouse() as house:
            await house.show_dynamic(dynamic_secret(**AN_HOUR))
            first = house.held()
            await house.pass_time(600, step=10)

            house.clock.jump(jump)
            house.triggers.record_changed(KEY)
            await house.pass_time(1500, step=10)
            assert house.leases.calls["lease"] == 1
            assert house.held() == first
            assert living(house) == {first}
            await self.until_rolled(house, first)

    @JUMPS
    async def test_in_the_overlap_the_one_before_is_not_given_back_early(self, jump: float) -> None:
        async with LeaseHouse() as house:
            await house.show_dynamic(dynamic_secret(**AN_HOUR))
            first = house.held()
            await house.pass_time(2430, step=10)
            assert house.states() == ["Active", "Retiring"]

            house.clock.jump(jump)
            house.triggers.record_changed(KEY)
            await house.pass_time(200, step=10)

            assert first in living(house)
            await house.pass_time(300, step=10)
            assert living(house) == {house.held()}

    @JUMPS
    async def test_an_answer_that_is_lost_is_looked_for_as_long_as_before(self, jump: float) -> None:
        lost = Transient(Reason.PHASE_UNAVAILABLE, "phase.example cannot be asked: the connection breaks")
        async with LeaseHouse() as house:
            house.leases.errors["lease"] = [lost]
            await house.show_dynamic(dynamic_secret(**AN_HOUR))

            house.clock.jump(jump)
            await house.pass_time(100)
            assert house.states() == ["Asking"]
            await house.pass_time(90)

            assert house.states() == ["Active"]

    @JUMPS
    async def test_a_new_process_goes_by_the_clock_of_the_cluster(self, jump: float) -> None:
        """A restart, or another replica on a machine whose clock is wrong."""
        async with LeaseHouse() as house:
            await house.show_dynamic(dynamic_secret(**AN_HOUR))
            first = house.held()
            await house.pass_time(600, step=10)
        house.clock.jump(jump)
        house.leases.calls.clear()

        async with house.successor() as after:
            await after.pass_time(300, step=10)
            assert not after.leases.calls
            await after.pass_time(1200, step=10)
            assert after.leases.calls["lease"] == 0
            assert after.held() == first
            await self.until_rolled(after, first)

    @JUMPS
    async def test_a_deletion_gives_leases_back_and_is_over_in_time(self, jump: float) -> None:
        async with LeaseHouse() as house:
            await house.show_dynamic(dynamic_secret(**AN_HOUR))
        house.clock.jump(jump)

        async with house.successor() as after:
            away = Transient(Reason.PHASE_UNAVAILABLE, "phase.example cannot be reached", had_no_effect=True)
            after.leases.errors["revoke"] = [away] * 2
            deleted = after.clock.right()
            outside = ["secrets.phase.dev/outside"]
            await after.show_dynamic(dynamic_secret(deleted=deleted, finalizers=outside, **AN_HOUR))
            await after.pass_time(120)

            assert not living(after)
            assert KEY not in after.cluster.outside

    async def until_rolled(self, house: LeaseHouse, first: str) -> None:
        """Let the roll-over come, at its time and with its overlap."""
        for _ in range(90):
            await house.pass_time(10)
            assert house.held() in living(house)
        assert house.held() != first
        assert house.leases.calls["lease"] <= 2
        assert house.ready()[0] == "Synced"
