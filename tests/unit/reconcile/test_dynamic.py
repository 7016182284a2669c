"""Keys of dynamic secrets are in no target; a PhaseSecret that selects them says so, and one that names one fails."""

from typing import Any

import pytest

from phase_operator.api.reasons import Reason
from phase_operator.core.values import DynamicKey
from support.builders import config_entry, entry, secret_ref
from support.lying import PersistentWorld

LEASED = "AWS_ACCESS_KEY_ID"
DYNAMIC = DynamicKey(LEASED, "/")


async def settled(*more: DynamicKey, empty: bool = False, **fields: Any) -> PersistentWorld:
    found = PersistentWorld({"pollingInterval": 5, **fields})
    static = () if empty else (entry("A"), config_entry("B"))
    found.phase.is_honest(*static, *(more or (DYNAMIC,)))
    await found.start()
    await found.pass_time(1)
    return found


def message(world: PersistentWorld) -> str:
    return str(next(each["message"] for each in world.status["conditions"] if each["type"] == "Ready"))


def secret(**fields: Any) -> dict[str, Any]:
    return {"managedSecretReferences": [{"secretName": "shop", **fields}]}


async def test_a_resource_that_selects_a_dynamic_secret_reports_it_once_and_is_in_step() -> None:
    world = await settled()
    try:
        statuses = len(world.cluster.status_writes)
        for _ in range(20):
            await world.pass_time(5)

        assert world.reason == Reason.SYNCED
        assert f'not read by a PhaseSecret: "{LEASED}"' in message(world)
        assert world.keys(secret_ref()) == {"A", "B"}
        assert len(world.cluster.status_writes) == statuses

        world.phase.is_honest(entry("A"), config_entry("B"))
        for _ in range(14):
            await world.pass_time(0.5)
        assert LEASED not in message(world)
    finally:
        await world.stop()


async def test_of_thousands_a_few_are_named() -> None:
    world = await settled(*(DynamicKey(f"{number:04}{'K' * 500}") for number in range(3000)))
    try:
        assert '"0000K' in message(world)
        assert "and 2995 more" in message(world)
        assert len(message(world)) < 2000
    finally:
        await world.stop()


@pytest.mark.parametrize(
    "fields",
    [
        pytest.param({"keys": {"include": ["A"]}}, id="patterns of the whole"),
        pytest.param({"keys": {"exclude": ["AWS_*"]}}, id="patterns that leave it out"),
        pytest.param(secret(keys={"exclude": ["AWS_*"]}), id="patterns of the target"),
        pytest.param(secret(types=["secret", "config"]), id="types"),
        pytest.param({"phaseAppEnvPath": "/elsewhere"}, id="another folder"),
        pytest.param({"phaseAppEnvTags": ["db"]}, id="tags, which it has none of"),
    ],
)
async def test_a_resource_that_does_not_ask_for_a_dynamic_secret_reports_nothing(fields: dict[str, Any]) -> None:
    world = await settled(**fields)
    try:
        assert LEASED not in message(world)
    finally:
        await world.stop()


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        pytest.param({"keys": {"include": ["A", LEASED]}}, Reason.NO_ENTRIES, id="a key of the whole"),
        pytest.param(secret(keys={"include": ["A", LEASED]}), Reason.NO_ENTRIES, id="a key of the target"),
        pytest.param(secret(keys={"include": [LEASED]}), Reason.NO_ENTRIES, id="nothing but the key"),
        pytest.param(secret(processors={LEASED: {"asName": "k"}}), Reason.NO_ENTRIES, id="a processor"),
        pytest.param(secret(template={"data": {"t": "{{ " + LEASED + " }}"}}), Reason.TEMPLATE_FAILED, id="a template"),
    ],
)
async def test_a_resource_that_names_a_dynamic_secret_is_refused_and_loses_nothing(
    fields: dict[str, Any], reason: Reason
) -> None:
    world = await settled()
    try:
        held = world.keys(secret_ref())
        await world.edit(**fields)
        for _ in range(14):
            await world.pass_time(0.5)

        assert world.reason == reason
        assert f'not read by a PhaseSecret: "{LEASED}"' in message(world)
        assert world.keys(secret_ref()) == held
    finally:
        await world.stop()


async def test_a_resource_with_nothing_but_a_dynamic_secret_reports_it() -> None:
    world = await settled(empty=True)
    try:
        assert world.reason == Reason.NO_ENTRIES
        assert f'not read by a PhaseSecret: "{LEASED}"' in message(world)
    finally:
        await world.stop()
