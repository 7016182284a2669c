"""What a run refuses before it reads or writes anything, and what a grant opens."""

from typing import Any

import pytest

from phase_operator.api import names
from phase_operator.api.reasons import Reason
from phase_operator.core.access.grants import parse_grant
from phase_operator.core.access.hosts import parse_host
from phase_operator.core.access.tenancy import Tenancy
from phase_operator.core.values import ObjectKey
from support.builders import KEY, TOKEN, entry, phase_secret, secret_ref
from support.clock import settle
from support.fakes import FakePhase, Loop

SHARED = ObjectKey("shared", "phase-service-token")
PHASE = "https://phase.example"
OTHER = ObjectKey("team", "other")
SERVICE_ACCOUNT = {"template": {"metadata": {"annotations": {"kubernetes.io/service-account.name": "robot"}}}}


def loop_with(*grants: str, hosts: tuple[str, ...] = (), **fields: Any) -> Loop:
    """Put a loop together whose operator allows this."""
    found = Loop(
        lambda: holding(entry("A", "1")),
        tenancy=Tenancy(tuple(map(parse_grant, grants)), tuple(map(parse_host, hosts)), "phase-system", **fields),
    )
    found.cluster.tokens[SHARED] = "shared-token"
    return found


def holding(*entries: Any) -> FakePhase:
    phase = FakePhase()
    phase.holds(*entries)
    return phase


def token_in(namespace: str, name: str = names.DEFAULT_TOKEN_SECRET) -> dict[str, Any]:
    reference = {"secretNamespace": namespace, "secretName": name}
    return {"authentication": {"serviceToken": {"serviceTokenSecretReference": reference}}}


def to(name: str, **fields: Any) -> dict[str, Any]:
    return {"managedSecretReferences": [{"secretName": name, **fields}]}


def untouched(loop: Loop) -> bool:
    """Say whether neither Phase nor a token nor a target was asked for, and nothing written."""
    asked = [loop.phase.lists, loop.phase.probes, *loop.phase.reads]
    return not any(asked) and not [*loop.cluster.token_reads, *loop.cluster.observed, *loop.cluster.applied]


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        pytest.param(token_in("shared"), Reason.CROSS_NAMESPACE, id="another namespace's token"),
        pytest.param(to("shop", secretNamespace="shared"), Reason.CROSS_NAMESPACE, id="another namespace's Secret"),
        pytest.param(token_in("phase-system", names.DIGEST_KEY_SECRET), Reason.INVALID_SPEC, id="the operator's key"),
        pytest.param(to(names.DIGEST_KEY_SECRET), Reason.INVALID_SPEC, id="a Secret of the name of that key"),
    ],
)
async def test_without_a_grant_nothing_is_read_or_written(fields: dict[str, Any], reason: Reason) -> None:
    async with loop_with() as loop:
        await loop.show(phase_secret(**fields))

        assert loop.reason == reason
        assert loop.condition("Stalled")["status"] == "True"
        assert untouched(loop)


async def test_a_granted_token_is_read_and_used() -> None:
    async with loop_with("from=team,to=shared,what=token", hosts=(PHASE,)) as loop:
        await loop.show(phase_secret(**token_in("shared")))

        assert loop.reason == Reason.SYNCED
        assert loop.cluster.token_reads == [SHARED]


async def test_a_token_that_is_granted_to_push_with_is_not_read_with() -> None:
    async with loop_with("from=team,to=shared,what=push+replace", hosts=(PHASE,)) as loop:
        await loop.show(phase_secret(**token_in("shared")))

        assert loop.reason == Reason.CROSS_NAMESPACE
        assert "what=token" in loop.condition()["message"]
        assert untouched(loop)


async def test_a_granted_target_is_written_marked_and_mended() -> None:
    place = secret_ref("shop", "shared")
    async with loop_with("from=team,to=shared,what=target") as loop:
        await loop.show(phase_secret(**to("shop", secretNamespace="shared")))
        loop.cluster.delete(place)
        await loop.touched(place)

        assert loop.reason == Reason.SYNCED
        assert loop.cluster.secret(place) == {"A": "1"}
        assert loop.cluster.objects[place].part("metadata", "annotations")[names.ANNOTATION_OWNER] == str(KEY)


async def test_a_granted_token_is_not_sent_to_a_host_that_only_the_phase_secret_names() -> None:
    async with loop_with("from=team,to=shared,what=token") as loop:
        await loop.show(phase_secret(**token_in("shared")))

        assert loop.reason == Reason.HOST_REFUSED
        assert untouched(loop)


async def test_an_own_token_is_not_sent_to_a_host_that_the_operator_does_not_allow() -> None:
    async with loop_with(hosts=("https://other.example",)) as loop:
        await loop.show(phase_secret())

        assert loop.reason == Reason.HOST_REFUSED
        assert "https://other.example" in loop.condition()["message"]
        assert untouched(loop)


async def test_a_token_stays_away_from_hosts_that_its_secret_does_not_name() -> None:
    async with loop_with() as loop:
        loop.cluster.token_hosts[TOKEN] = "https://other.example"
        await loop.show(phase_secret())

        assert loop.reason == Reason.HOST_REFUSED
        assert loop.condition("Stalled")["status"] == "True"
        assert (loop.phase.lists, loop.phase.probes, loop.phase.reads) == (0, 0, [])


async def test_a_token_whose_secret_begins_to_name_hosts_is_not_sent_elsewhere_any_more() -> None:
    async with loop_with() as loop:
        await loop.show(phase_secret())
        assert loop.reason == Reason.SYNCED

        loop.cluster.token_hosts[TOKEN] = "https://other.example"
        loop.tokens.changed(TOKEN)
        await settle()
        before = loop.phase.probes
        await loop.refresh()

        assert loop.reason == Reason.HOST_REFUSED
        assert loop.phase.probes == before
        assert loop.cluster.secret(secret_ref()) == {"A": "1"}


async def test_a_host_that_is_added_to_the_annotation_is_used_at_once() -> None:
    async with loop_with() as loop:
        loop.cluster.token_hosts[TOKEN] = "https://other.example"
        await loop.show(phase_secret())

        loop.cluster.token_hosts[TOKEN] = f"https://other.example, {PHASE}"
        loop.tokens.changed(TOKEN)
        await settle()

        assert loop.reason == Reason.SYNCED


async def test_a_label_that_comes_and_goes_takes_its_grant_along() -> None:
    async with loop_with("fromLabel=team=a,to=shared,what=token", hosts=(PHASE,)) as loop:
        await loop.show(phase_secret(**token_in("shared")))
        assert loop.reason == Reason.CROSS_NAMESPACE

        loop.labels["team"] = {"team": "a"}
        loop.triggers.namespace_changed("team")
        await settle()
        assert loop.reason == Reason.SYNCED

        loop.labels["team"] = {}
        loop.triggers.namespace_changed("team")
        await settle()
        assert loop.reason == Reason.CROSS_NAMESPACE
        assert loop.cluster.secret(secret_ref()) == {"A": "1"}


async def test_a_label_of_another_namespace_wakes_nobody() -> None:
    async with loop_with("fromLabel=team=a,to=shared,what=token") as loop:
        await loop.show(phase_secret())
        runs = loop.observer.outcomes.total()

        loop.triggers.namespace_changed("shared")
        await settle()

        assert loop.observer.outcomes.total() == runs


# A target is nobody's token.


async def test_a_target_that_another_reads_its_token_from_is_refused_and_stops_no_other() -> None:
    async with loop_with() as loop:
        await loop.show(phase_secret(OTHER, uid="other", **token_in("team", "wanted"), **to("other")))
        await loop.show(phase_secret(managedSecretReferences=[{"secretName": "wanted"}, {"secretName": "good"}]))

        assert loop.reason == Reason.TARGET_IS_TOKEN
        assert str(OTHER) in loop.condition()["message"]
        assert list(loop.cluster.objects) == [secret_ref("good")]


async def test_nobody_stops_a_target_by_naming_it_as_his_token() -> None:
    async with loop_with() as loop:
        await loop.show(phase_secret())
        await loop.show(phase_secret(OTHER, uid="other", **token_in("team", "shop"), **to("other")))

        loop.phase.holds(entry("A", "2"))
        await loop.refresh()
        assert loop.cluster.secret(secret_ref()) == {"A": "2"}

        loop.cluster.delete(secret_ref())
        await loop.touched(secret_ref())
        assert loop.cluster.secret(secret_ref()) == {"A": "2"}
        assert loop.reason == Reason.SYNCED


async def test_a_token_that_was_made_where_a_target_stood_is_left_alone() -> None:
    async with loop_with() as loop:
        await loop.show(phase_secret())
        loop.cluster.delete(secret_ref())
        loop.cluster.edit(secret_ref(), {"token": "eA=="}, manager="kubectl-create")
        await loop.show(phase_secret(OTHER, uid="other", **token_in("team", "shop"), **to("other")))
        await loop.touched(secret_ref())

        assert loop.reason == Reason.TARGET_IS_TOKEN
        assert loop.cluster.objects[secret_ref()].part("data") == {"token": "eA=="}


async def test_a_refused_token_of_another_namespace_stops_no_target_there() -> None:
    place = ObjectKey("other", "thief")
    async with loop_with() as loop:
        await loop.show(phase_secret(place, uid="thief", **token_in("team", "shop"), **to("x")))
        await loop.show(phase_secret())

        assert loop.condition(key=place)["reason"] == Reason.CROSS_NAMESPACE
        assert loop.reason == Reason.SYNCED


async def test_a_target_is_written_when_nobody_reads_his_token_there_any_more() -> None:
    async with loop_with() as loop:
        await loop.show(phase_secret(OTHER, uid="other", **token_in("team", "shop"), **to("other")))
        await loop.show(phase_secret())
        assert loop.reason == Reason.TARGET_IS_TOKEN

        loop.triggers.resource_gone(OTHER)
        await loop.turn(60)

        assert loop.reason == Reason.SYNCED


async def test_a_missing_token_of_another_namespace_stops_no_new_target_there() -> None:
    thief = ObjectKey("mallory", "thief")
    async with loop_with("from=mallory,to=team,what=token", hosts=(PHASE,)) as loop:
        await loop.show(phase_secret(thief, uid="thief", **token_in("team", "shop"), **to("x")))
        assert loop.condition(key=thief)["reason"] == Reason.TOKEN_SECRET_NOT_FOUND
        await loop.show(phase_secret())

        assert loop.reason == Reason.SYNCED


async def test_a_token_that_another_namespace_uses_is_no_target() -> None:
    user = ObjectKey("app", "shop")
    async with loop_with("from=app,to=team,what=token", hosts=(PHASE,)) as loop:
        loop.cluster.tokens[ObjectKey("team", "shop")] = "shared-token"
        loop.cluster.edit(secret_ref(), {"token": "eA=="}, manager="kubectl-create")
        await loop.show(phase_secret(user, uid="user", **token_in("team", "shop"), **to("x")))
        await loop.show(phase_secret(**to("shop", adopt=True)))

        assert loop.reason == Reason.TARGET_IS_TOKEN
        assert loop.cluster.objects[secret_ref()].part("data") == {"token": "eA=="}


async def test_nobody_stops_what_is_merged_into_an_object_by_naming_it_as_his_token() -> None:
    async with loop_with() as loop:
        await loop.show(phase_secret(**to("shop", creationPolicy="Merge")))
        await loop.show(phase_secret(OTHER, uid="other", **token_in("team", "shop"), **to("other")))

        loop.phase.holds(entry("A", "2"))
        await loop.refresh()

        assert loop.cluster.secret(secret_ref()) == {"A": "2"}
        assert loop.reason == Reason.SYNCED


# Types that impersonate.


async def test_a_type_that_impersonates_is_refused_and_written_if_the_operator_allows_it() -> None:
    body = phase_secret(**to("shop", secretType="kubernetes.io/service-account-token", **SERVICE_ACCOUNT))
    async with loop_with() as loop:
        await loop.show(body)
        assert loop.reason == Reason.TYPE_NOT_SUPPORTED
        assert loop.cluster.objects == {}

    async with loop_with(impersonation=True) as loop:
        await loop.show(body)
        assert loop.reason == Reason.SYNCED


async def test_a_type_that_is_not_allowed_any_more_is_told_after_a_restart() -> None:
    fields = to("shop", secretType="kubernetes.io/service-account-token", **SERVICE_ACCOUNT)
    async with loop_with(impersonation=True) as before:
        await before.show(phase_secret(**fields))
        status = before.cluster.statuses[KEY]

    async with loop_with() as after:
        after.cluster.objects = before.cluster.objects
        await after.show(phase_secret(status=status, **fields))

        assert after.reason == Reason.TYPE_NOT_SUPPORTED
        assert after.cluster.secret(secret_ref()) == {"A": "1"}


# What others made in another namespace.

THERE = secret_ref("shop", "shared")
TARGET, ADOPT = "from=team,to=shared,what=target", "from=team,to=shared,what=target+adopt"
TAKING = [
    pytest.param({"adopt": True}, id="adopt"),
    pytest.param({"creationPolicy": "Merge"}, id="Merge"),
    pytest.param({"creationPolicy": "Merge", "adopt": True}, id="Merge and adopt"),
    pytest.param({"creationPolicy": "Orphan", "adopt": True}, id="Orphan and adopt"),
]


@pytest.mark.parametrize("fields", TAKING)
async def test_a_grant_of_targets_takes_over_nothing_that_others_made(fields: dict[str, Any]) -> None:
    async with loop_with(TARGET) as loop:
        loop.cluster.edit(THERE, {"THEIRS": "eA=="}, manager="helm")
        before = dict(loop.cluster.objects[THERE].fields)
        await loop.show(phase_secret(**to("shop", secretNamespace="shared", **fields)))
        await loop.refresh()

        assert loop.reason == Reason.TARGET_CONFLICT
        assert ADOPT in loop.condition()["message"]
        assert loop.cluster.objects[THERE].fields == before


@pytest.mark.parametrize("fields", TAKING)
async def test_a_grant_that_says_adopt_takes_over_what_others_made(fields: dict[str, Any]) -> None:
    async with loop_with(ADOPT) as loop:
        loop.cluster.edit(THERE, {"THEIRS": "eA=="}, manager="helm")
        await loop.show(phase_secret(**to("shop", secretNamespace="shared", **fields)))

        assert loop.reason == Reason.SYNCED
        assert loop.cluster.secret(THERE)["A"] == "1"


@pytest.mark.parametrize("fields", [{}, *TAKING])
async def test_a_grant_of_targets_makes_what_is_free_and_keeps_it(fields: dict[str, Any]) -> None:
    async with loop_with(TARGET) as loop:
        await loop.show(phase_secret(**to("shop", secretNamespace="shared", **fields)))
        loop.phase.holds(entry("A", "2"))
        await loop.refresh()

        assert loop.reason == Reason.SYNCED
        assert loop.cluster.secret(THERE) == {"A": "2"}


@pytest.mark.parametrize("fields", TAKING)
async def test_an_adopted_target_stays_when_a_grant_does_not_say_adopt_any_more(fields: dict[str, Any]) -> None:
    body = phase_secret(**to("shop", secretNamespace="shared", **fields))
    async with loop_with(ADOPT) as before:
        before.cluster.edit(THERE, {"THEIRS": "eA=="}, manager="helm")
        await before.show(body)

    async with loop_with(TARGET) as loop:
        loop.cluster.objects = before.cluster.objects
        await loop.show(body | {"status": before.cluster.statuses[KEY]})
        loop.phase.holds(entry("A", "2"))
        await loop.refresh()

        assert loop.reason == Reason.SYNCED
        assert loop.cluster.secret(THERE)["A"] == "2"


@pytest.mark.parametrize("fields", TAKING)
async def test_in_its_own_namespace_nobody_needs_the_word(fields: dict[str, Any]) -> None:
    async with loop_with() as loop:
        loop.cluster.edit(secret_ref(), {"THEIRS": "eA=="}, manager="helm")
        await loop.show(phase_secret(**to("shop", **fields)))

        assert loop.reason == Reason.SYNCED
