"""A PhaseSecret that is refused or suspended leaves no trace elsewhere, whatever it says, and learns nothing there."""

import asyncio
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from phase_operator.api import names
from phase_operator.api.reasons import Reason
from phase_operator.core.access.grants import parse_grant
from phase_operator.core.access.tenancy import Tenancy
from phase_operator.core.errors import Transient
from phase_operator.core.rollout.progress import WorkloadKind
from phase_operator.core.targets.type_change import copy_ref
from phase_operator.core.values import ObjectKey
from support.builders import KEY, TOKEN, entry, phase_secret, secret_ref
from support.clock import settle
from support.examples import examples
from support.fakes import NO_TOKEN, WINDOW, FakePhase, Loop
from support.workloads import Server, reads_all

SPY = ObjectKey("mallory", "spy")
SHOP = secret_ref()
DOWN = Transient(Reason.KUBERNETES_UNAVAILABLE, "down")


def holding() -> FakePhase:
    """Make a Phase with one entry."""
    phase = FakePhase()
    phase.holds(entry("A", "one"))
    return phase


def loop_with(*grants: str) -> Loop:
    """Put a loop together whose operator gives these grants."""
    return Loop(holding, tenancy=Tenancy(tuple(map(parse_grant, grants)), operator_namespace="phase-system"))


def quiet_web() -> Server:
    """Make a workload that reads the target and does not ask to follow."""
    server = Server(WorkloadKind.DEPLOYMENT, reads_all("shop"))
    server.found["metadata"]["annotations"].pop(names.ANNOTATION_REDEPLOY)
    return server


async def rest(loop: Loop) -> None:
    """Let so much time pass that everything that is tried again was tried again."""
    for _ in range(24):
        await loop.turn(WINDOW / 2)


def statuses(loop: Loop, key: ObjectKey) -> list[ObjectKey]:
    return [each for each in loop.cluster.status_writes if each == key]


# Whatever it says.

_PLACES = st.sampled_from(["mallory", "team", "other", "phase-system"])
_NAMES = st.sampled_from(["shop", "spied", "shop-0123456789"])
_TARGETS = st.fixed_dictionaries(
    {},
    optional={
        "creationPolicy": st.sampled_from(["Owner", "Merge", "Orphan"]),
        "deletionPolicy": st.sampled_from(["Retain", "Delete"]),
        "adopt": st.booleans(),
        "restart": st.fixed_dictionaries({"workloads": st.sampled_from(["All", "None", "Annotated"])}),
    },
)
_SECRETS = st.builds(
    lambda name, place, rest, replace: {"secretName": name, "secretNamespace": place, **rest, **replace},
    _NAMES,
    _PLACES,
    _TARGETS,
    st.sampled_from([{}, {"onTypeChange": "Replace"}, {"versioned": {"keep": 1}}]),
)
_CONFIG_MAPS = st.builds(
    lambda name, place, rest: {"configMapName": name, "configMapNamespace": place, **rest}, _NAMES, _PLACES, _TARGETS
)
_SPECS = st.builds(
    lambda suspend, token, secrets, maps: {
        "suspend": suspend,
        "authentication": {"serviceToken": {"serviceTokenSecretReference": token}},
        "managedSecretReferences": secrets,
        "managedConfigMapReferences": maps,
    },
    st.booleans(),
    st.builds(
        lambda name, place: {"secretName": name, "secretNamespace": place},
        st.sampled_from([TOKEN.name, "shop", names.DIGEST_KEY_SECRET]),
        _PLACES,
    ),
    st.lists(_SECRETS, min_size=1, max_size=3),
    st.lists(_CONFIG_MAPS, max_size=2),
)
_STATUSES = st.sampled_from(
    [
        None,
        {
            "conditions": [{"type": "Ready", "status": "True", "reason": "Synced"}],
            "targets": [
                {"kind": "Secret", "namespace": "team", "name": "shop", "ready": True, "reason": "Synced", "keys": 1}
                | {"restarted": ["Deployment invented"], "version": "shop-0123456789"}
            ],
        },
    ]
)


def is_own(spec: dict[str, Any]) -> bool:
    """Say whether a spec stays in its own namespace and is not suspended: then it may act."""
    token = spec["authentication"]["serviceToken"]["serviceTokenSecretReference"]
    places = [token["secretNamespace"]]
    places += [each["secretNamespace"] for each in spec["managedSecretReferences"]]
    places += [each["configMapNamespace"] for each in spec["managedConfigMapReferences"]]
    return not spec["suspend"] and set(places) == {SPY.namespace}


@given(_SPECS.filter(lambda spec: not is_own(spec)), _STATUSES)
@settings(max_examples=examples(150), deadline=None)
def test_a_refused_or_suspended_resource_leaves_no_trace(spec: dict[str, Any], status: dict[str, Any] | None) -> None:
    async def scenario() -> None:
        server = quiet_web()
        async with loop_with() as loop:
            loop.workloads.add(server)
            loop.cluster.tokens[ObjectKey("mallory", TOKEN.name)] = "his-token"
            await loop.show(phase_secret())
            await rest(loop)
            calls, reads, lists = len(loop.cluster.calls), len(loop.phase.reads), loop.workloads.lists
            runs = loop.observer.outcomes.total()
            theirs = statuses(loop, KEY)

            await loop.show(phase_secret(SPY, uid="spy", status=status, **spec))
            # One that was suspended is never run again; one that was refused is, slowly.
            await rest(loop)

            assert set(loop.cluster.calls[calls:]) <= {"write_status"}
            assert loop.workloads.lists == lists
            assert (len(loop.phase.reads), statuses(loop, KEY)) == (reads, theirs)
            assert (loop.admissions.targets.uses(SPY), loop.admissions.tokens.uses(SPY)) == ((), ())
            assert loop.poller.stats().queries == 1
            assert loop.condition(key=SPY)["reason"] in {"Suspended", "CrossNamespaceRefused", "InvalidSpec"}
            assert (server.running, server.roll_outs) == (None, 0)
            runs_of_his = loop.observer.outcomes.total() - runs
            assert runs_of_his <= 12, "nobody else was woken"

            loop.phase.holds(entry("A", "two"))
            await loop.refresh()
            await rest(loop)

            assert loop.cluster.secret(SHOP) == {"A": "two"}
            assert (server.running, server.roll_outs) == (None, 0)
            assert "invented" not in str(loop.cluster.statuses[KEY])

    asyncio.run(scenario())


# One by one.


async def test_a_suspended_one_makes_no_workload_of_another_namespace_follow() -> None:
    server = quiet_web()
    spied = {"secretNamespace": "team", "secretName": "shop", "restart": {"workloads": "All"}}
    async with loop_with() as loop:
        loop.workloads.add(server)
        await loop.show(phase_secret())
        await loop.show(phase_secret(SPY, uid="spy", suspend=True, managedSecretReferences=[spied]))
        await rest(loop)
        loop.phase.holds(entry("A", "two"))
        await loop.refresh()
        await rest(loop)

        assert loop.condition(key=SPY)["reason"] == Reason.CROSS_NAMESPACE
        assert (server.running, server.roll_outs, loop.workloads.notices) == (None, 0, [])
        assert not [each for each in loop.cluster.notices if "web" in each.message]


@pytest.mark.parametrize(
    "fields",
    [
        pytest.param({"managedSecretReferences": [{"secretName": "x", "secretNamespace": "team"}]}, id="namespace"),
        pytest.param({"managedSecretReferences": [{"secretName": TOKEN.name}]}, id="its own token"),
        pytest.param({"redeployLabelSelector": "a in ("}, id="a selector"),
        pytest.param({"suspend": True}, id="suspended"),
    ],
)
async def test_a_refusal_that_is_tried_again_lists_no_workloads(fields: dict[str, Any]) -> None:
    async with loop_with() as loop:
        await loop.show(phase_secret(SPY, uid="spy", **fields))
        await rest(loop)

        assert loop.workloads.lists == 0


async def test_a_refusal_lets_go_of_what_was_allowed_before() -> None:
    async with loop_with("from=mallory,to=team,what=token+target") as loop:
        token = {"serviceToken": {"serviceTokenSecretReference": {"secretNamespace": "team"}}}
        spec: dict[str, Any] = {"phaseHost": names.DEFAULT_HOST, "authentication": token}
        spec["managedSecretReferences"] = [{"secretName": "spied", "secretNamespace": "team"}]
        await loop.show(phase_secret(SPY, uid="spy", **spec))
        assert loop.condition(key=SPY)["reason"] == Reason.SYNCED

        spec["managedSecretReferences"].append({"secretName": "x", "secretNamespace": "elsewhere"})
        await loop.show(phase_secret(SPY, uid="spy", generation=2, **spec))

        assert (loop.admissions.targets.things(), loop.admissions.tokens.things()) == ([], [])
        assert loop.poller.stats().queries == 0


# A token that cannot be used any more.


@pytest.mark.parametrize("text", [None, NO_TOKEN], ids=["deleted", "no token"])
async def test_a_token_that_cannot_be_used_any_more_is_not_used(text: str | None) -> None:
    async with loop_with() as loop:
        await loop.show(phase_secret())
        await rest(loop)
        if text is None:
            del loop.cluster.tokens[TOKEN]
        else:
            loop.cluster.tokens[TOKEN] = text
        loop.tokens.changed(TOKEN)
        await settle()
        asked = (loop.phase.probes, len(loop.phase.reads))
        await rest(loop)

        assert loop.reason == (Reason.TOKEN_SECRET_NOT_FOUND if text is None else Reason.TOKEN_INVALID)
        assert (loop.phase.probes, len(loop.phase.reads)) == asked
        assert (loop.poller.stats().queries, loop.poller.stats().entries) == (0, 0)
        assert loop.cluster.secret(SHOP) == {"A": "one"}

        loop.cluster.tokens[TOKEN] = "a-new-one"
        loop.tokens.changed(TOKEN)
        await rest(loop)
        assert loop.reason == Reason.SYNCED


async def test_a_token_that_cannot_be_read_for_a_while_goes_on_being_used() -> None:
    async with loop_with() as loop:
        await loop.show(phase_secret())
        loop.cluster.errors["read_token"] = DOWN
        loop.tokens.changed(TOKEN)
        await settle()
        probes = loop.phase.probes
        await rest(loop)

        assert loop.reason == Reason.KUBERNETES_UNAVAILABLE
        assert loop.phase.probes > probes


# One target's unfinished replacement.


async def test_an_unfinished_replacement_that_cannot_be_finished_is_its_targets_own_trouble() -> None:
    async with loop_with() as loop:
        replaced = {"secretName": "a", "onTypeChange": "Replace"}
        observe = loop.cluster.observe

        async def refusing(target: Any, *, live: bool) -> Any:
            if target == copy_ref(secret_ref("a")):
                raise DOWN
            return await observe(target, live=live)

        loop.cluster.observe = refusing  # type: ignore[method-assign]  # one object that cannot be read
        await loop.show(phase_secret(managedSecretReferences=[replaced, {"secretName": "b"}]))

        told = {each["name"]: each for each in loop.cluster.statuses[KEY]["targets"]}
        assert loop.cluster.secret(secret_ref("b")) == {"A": "one"}
        assert (told["b"]["ready"], told["a"]["reason"]) == (True, Reason.KUBERNETES_UNAVAILABLE)


# Who was admitted and writes nothing.

RIVAL = ObjectKey("team", "rival")
ALL = {"restart": {"workloads": "All"}}


async def changed(loop: Loop, text: str = "two") -> None:
    """Let a value change in Phase, its target be written, and everything come to rest."""
    loop.phase.holds(entry("A", text))
    await loop.refresh()
    await rest(loop)


def told_of_web(loop: Loop, key: ObjectKey) -> bool:
    """Say whether the status of a PhaseSecret names the workload."""
    return "Deployment web" in str(loop.cluster.statuses[key])


@pytest.mark.parametrize(
    "fields",
    [
        pytest.param({}, id="the same target"),
        pytest.param({"versioned": {}}, id="as versioned"),
        pytest.param({"creationPolicy": "Merge"}, id="merged"),
    ],
)
@pytest.mark.parametrize("key", [RIVAL, SPY], ids=["of the namespace", "by a grant"])
async def test_a_resource_that_is_refused_the_object_imposes_no_followers_and_learns_of_none(
    key: ObjectKey, fields: dict[str, Any]
) -> None:
    server = quiet_web()
    async with loop_with("from=mallory,to=team,what=token+target") as loop:
        loop.workloads.add(server)
        loop.cluster.tokens[ObjectKey("mallory", TOKEN.name)] = "token-text"
        await loop.show(phase_secret())
        await loop.show(
            phase_secret(
                key,
                uid="another",
                managedSecretReferences=[{"secretName": "shop", "secretNamespace": "team", **ALL, **fields}],
            )
        )
        await rest(loop)
        await changed(loop)

        if "versioned" not in fields:
            assert loop.condition(key=key)["reason"] == Reason.TARGET_CONFLICT
        assert (server.running, server.roll_outs, loop.workloads.notices) == (None, 0, [])
        assert not told_of_web(loop, key)


@pytest.mark.parametrize("fields", [{"versioned": {}}, ALL, {"restart": {"workloads": "None"}}], ids=str)
async def test_a_rival_keeps_no_restart_from_happening_and_is_not_told_of_it(fields: dict[str, Any]) -> None:
    server = Server(WorkloadKind.DEPLOYMENT, reads_all("shop"))
    async with loop_with("from=mallory,to=team,what=target") as loop:
        loop.workloads.add(server)
        loop.cluster.tokens[ObjectKey("mallory", TOKEN.name)] = "token-text"
        await loop.show(phase_secret())
        reference = {"secretName": "shop", "secretNamespace": "team", **fields}
        await loop.show(phase_secret(SPY, uid="spy", managedSecretReferences=[reference]))
        await rest(loop)
        await changed(loop)

        assert server.roll_outs == 1
        assert (told_of_web(loop, KEY), told_of_web(loop, SPY)) == (True, False)
        told = [message for message in map(str, loop.cluster.notices) if "Deployment web" in message]
        assert len(told) == 1


async def test_a_status_that_somebody_wrote_by_hand_is_not_repeated_to_others() -> None:
    invented = {"kind": "Secret", "namespace": "team", "name": "shop", "ready": True, "reason": "Synced", "keys": 1}
    invented |= {"restarted": ["Deployment invented"], "notRestarted": ["Deployment invented: for ever"]}
    async with loop_with() as before:
        await before.show(phase_secret())
        status = before.cluster.statuses[KEY]

    async with loop_with("from=mallory,to=team,what=target") as loop:
        loop.cluster.objects = before.cluster.objects
        spied = [{"secretName": "shop", "secretNamespace": "team"}]
        await loop.show(phase_secret(SPY, uid="spy", status={"targets": [invented]}, managedSecretReferences=spied))
        await loop.show(phase_secret(status=status))
        await rest(loop)
        await changed(loop)

        assert "invented" not in str(loop.cluster.statuses[KEY])


async def test_the_restarts_of_a_namesake_are_not_reported_to_the_next() -> None:
    async with loop_with() as loop:
        loop.workloads.add(Server(WorkloadKind.DEPLOYMENT, reads_all("shop")))
        await loop.show(phase_secret())
        await rest(loop)
        await changed(loop)
        assert told_of_web(loop, KEY)

        await loop.bury()
        await loop.show(phase_secret(uid="another"))
        await rest(loop)

        assert not told_of_web(loop, KEY)


async def test_a_change_from_before_a_suspension_still_reaches_the_pods() -> None:
    server = Server(WorkloadKind.DEPLOYMENT, reads_all("shop"), reads_all("other"))
    async with loop_with() as loop:
        loop.workloads.add(server)
        await loop.show(phase_secret())
        await loop.show(phase_secret(RIVAL, uid="b", managedSecretReferences=[{"secretName": "other"}]))
        await rest(loop)
        server.found["spec"]["paused"] = True
        loop.phase.holds(entry("A", "two"))
        await loop.refresh()
        assert server.roll_outs == 0

        await loop.show(phase_secret(generation=2, suspend=True))
        server.found["spec"]["paused"] = False
        await rest(loop)
        assert server.roll_outs == 1

        loop.phase.holds(entry("A", "three"))
        await loop.refresh()
        await rest(loop)
        assert loop.cluster.secret(SHOP) == {"A": "two"}
        assert server.roll_outs == 2, "for the other one alone, and the note on this one was kept"

        await loop.show(phase_secret(generation=3))
        await rest(loop)
        assert (loop.cluster.secret(SHOP), server.roll_outs) == ({"A": "three"}, 3)
