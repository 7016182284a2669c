"""What was declared secret leaves its ConfigMap, whatever else is wrong: every failure that has an answer at hand.

Invariant: once Phase says that an entry is no `config` entry any more, its value stands in no ConfigMap, and what is
still of type `config` stays there.
"""

import base64
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

import pytest

from phase_operator.api.reasons import Reason
from phase_operator.core.errors import ExpectedError, Transient, Waiting
from phase_operator.core.values import Entry
from support.builders import config_entry, config_map_ref, entry, secret_ref
from support.lying import PersistentWorld

# More than a thousand million comparisons, of so few patterns and keys that the loop itself does what there is to do.
COSTLY = {"exclude": [f"{n:02}*{'X' * 250}" for n in range(60)]}
MANY = [entry(f"{n:03}{'L' * 1997}") for n in range(40)]
MANY_CONFIG = [config_entry(f"{n:03}{'L' * 1997}") for n in range(40)]
LONG = "the value that was declared secret"
SECRET: dict[str, Any] = {"secretName": "shop"}


@dataclass(frozen=True)
class Fault:
    """What is wrong: with the spec, with a target's part of it, with what Phase holds, or with the API server."""

    reason: Reason
    # Whether the ConfigMap's own entries could be rendered: then it can be made anew where no key can be taken out.
    is_elsewhere: bool = True
    spec: dict[str, Any] = field(default_factory=dict)
    secret: dict[str, Any] = field(default_factory=dict)
    config_map: dict[str, Any] = field(default_factory=dict)
    holds: tuple[Entry, ...] = ()
    refused: dict[str, ExpectedError] = field(default_factory=dict)
    # Nothing is said of it when the ConfigMap is the only one that suffers.
    stranger: bool = False


DOWN = Transient(Reason.KUBERNETES_UNAVAILABLE, "down")
MERGING = {"secretName": "merged", "creationPolicy": "Merge"}
FAULTS = {
    "patterns of the whole": Fault(Reason.INVALID_SPEC, spec={"keys": COSTLY}, holds=tuple(MANY)),
    "patterns of the whole, by config entries": Fault(
        Reason.INVALID_SPEC, False, spec={"keys": COSTLY}, holds=tuple(MANY_CONFIG)
    ),
    "patterns of its own": Fault(Reason.INVALID_SPEC, False, config_map={"keys": COSTLY}, holds=tuple(MANY_CONFIG)),
    "patterns of another target": Fault(Reason.INVALID_SPEC, secret={"keys": COSTLY}, holds=tuple(MANY)),
    "references elsewhere": Fault(Reason.UNRESOLVED_REFERENCES, holds=(entry("URL", "${nowhere.X}"),)),
    "references of its own": Fault(Reason.UNRESOLVED_REFERENCES, False, holds=(config_entry("URL", "${nowhere.X}"),)),
    "a key of its own": Fault(Reason.KEY_INVALID, False, holds=(config_entry("b b"),)),
    "a key of another target": Fault(Reason.KEY_INVALID, holds=(entry("b b"),)),
    "a collision of its own": Fault(
        Reason.KEY_COLLISION,
        False,
        config_map={"processors": {"C": {"asName": "same"}, "D": {"asName": "same"}}},
        holds=(config_entry("C"), config_entry("D")),
    ),
    "a value of its own": Fault(Reason.VALUE_INVALID, False, config_map={"processors": {"B": {"type": "base64"}}}),
    "a value of another target": Fault(Reason.VALUE_INVALID, secret={"processors": {"Z": {"type": "base64"}}}),
    "a template of its own": Fault(
        Reason.TEMPLATE_INVALID, False, config_map={"template": {"data": {"t": "{{ no no }}"}, "mergePolicy": "Merge"}}
    ),
    "a template's missing key": Fault(
        Reason.TEMPLATE_FAILED, False, config_map={"template": {"data": {"t": "{{ NO }}"}, "mergePolicy": "Merge"}}
    ),
    "a template of another target": Fault(Reason.TEMPLATE_INVALID, secret={"template": {"data": {"t": "{{ no no }}"}}}),
    "a type that is refused": Fault(
        Reason.TYPE_NOT_SUPPORTED, secret={"secretName": "x", "secretType": "bootstrap.kubernetes.io/token"}
    ),
    "a type that does not fit": Fault(
        Reason.TYPE_MISMATCH, secret={"secretName": "x", "secretType": "kubernetes.io/tls"}
    ),
    "another target that is somebody else's": Fault(Reason.TARGET_CONFLICT, secret={"secretName": "x"}, stranger=True),
    "the finalizer, by a policy": Fault(
        Reason.TARGET_REFUSED,
        spec={"managedSecretReferences": [SECRET, MERGING]},
        refused={"set_finalizer": Waiting(Reason.TARGET_REFUSED, "no")},
    ),
    "the finalizer, for now": Fault(
        Reason.KUBERNETES_UNAVAILABLE,
        spec={"managedSecretReferences": [SECRET, MERGING]},
        refused={"set_finalizer": DOWN},
    ),
    "its own apply": Fault(
        Reason.TARGET_REFUSED, False, refused={"carry_out": Waiting(Reason.TARGET_REFUSED, "a policy")},
        holds=(config_entry("D"),),
    ),
}  # fmt: skip
SHAPES: dict[str, dict[str, Any]] = {
    "keys": {},
    "keys beside others": {"creationPolicy": "Merge"},
    "renamed keys": {"nameTransformer": "lower-kebab", "prefix": "x-"},
    "a file": {"format": "dotenv"},
    "versions": {"versioned": {"keep": 3}},
}
# The others can only be made anew, which takes what is the ConfigMap's own to be in order.
KEPT_BY_KEY = {"keys", "keys beside others", "renamed keys"}
TIMES = ("afterwards", "with the fault", "after a restart")
# Who merges has the finalizer already.
HAS_FINALIZER = {"the finalizer, by a policy", "the finalizer, for now"}
CASES = [
    pytest.param(fault, shape, comes, id=f"{fault}: {shape} {comes}")
    for number, fault in enumerate(FAULTS)
    for other, shape in enumerate(SHAPES)
    if (FAULTS[fault].is_elsewhere or shape in KEPT_BY_KEY)
    and not (fault in HAS_FINALIZER and shape == "keys beside others")
    # Each fault at each time, each shape with each fault.
    for comes in (TIMES if shape == "keys" else (TIMES[(number + other) % len(TIMES)],))
]
MAKE = Callable[..., Awaitable[PersistentWorld]]


@pytest.fixture
async def world() -> AsyncIterator[MAKE]:
    """Give a PhaseSecret in step with what Phase holds."""
    made: list[PersistentWorld] = []

    async def make(**fields: Any) -> PersistentWorld:
        found = PersistentWorld({"pollingInterval": 5, **fields})
        found.phase.is_honest(*truth())
        made.append(found)
        await found.start()
        await found.pass_time(1)
        return found

    yield make
    for each in made:
        await each.stop()


def truth(*more: Entry, declared: bool = False) -> list[Entry]:
    first = entry("A", LONG) if declared else config_entry("A", LONG)
    return [first, config_entry("B", "a config value!"), entry("Z", "no base64!"), *more]


def readable(world: PersistentWorld) -> str:
    """Return all that anybody reads in ConfigMaps."""
    held = [stored for ref, stored in world.cluster.objects.items() if ref.kind is config_map_ref().kind]
    texts = [text for stored in held for part in ("data", "binaryData") for text in stored.part(part).values()]
    return "\n".join([*texts, *(_decoded(text) for text in texts)])


def _decoded(text: str) -> str:
    try:
        return base64.b64decode(text, validate=True).decode()
    except ValueError:
        return ""


async def go_wrong(world: PersistentWorld, fault: Fault, shape: dict[str, Any]) -> None:
    secret, config_map = SECRET | fault.secret, {"configMapName": "shop"} | shape | fault.config_map
    if fault.stranger:
        world.cluster.edit(secret_ref("x"), {"K": "theirs"})
    world.cluster.errors.update(fault.refused)
    fields = {"managedSecretReferences": [secret], "managedConfigMapReferences": [config_map]} | fault.spec
    await world.edit(**fields)


async def pass_an_interval(world: PersistentWorld) -> None:
    for _ in range(8):
        await world.pass_time(1)


@pytest.mark.parametrize(("fault", "shape", "comes"), CASES)
async def test_an_entry_that_is_declared_secret_leaves_whatever_else_is_wrong(
    world: MAKE, fault: str, shape: str, comes: str
) -> None:
    what, how = FAULTS[fault], SHAPES[shape]
    found = await world(managedConfigMapReferences=[{"configMapName": "shop"} | how])
    assert (found.reason, LONG in readable(found)) == (Reason.SYNCED, True)

    if comes == "with the fault":
        found.phase.is_honest(*truth(*what.holds, declared=True))
        await go_wrong(found, what, how)
    else:
        found.phase.is_honest(*truth(*what.holds))
        await go_wrong(found, what, how)
        await pass_an_interval(found)
        assert found.reason == what.reason
        found.phase.is_honest(*truth(*what.holds, declared=True))
        if comes == "after a restart":
            await found.start()
    await pass_an_interval(found)

    assert LONG not in readable(found)
    assert "a config value" in readable(found)
    assert found.reason == what.reason
    # And then there is rest: nothing is written for what cannot be repaired.
    writes, statuses = list(found.cluster.writes), len(found.cluster.status_writes)
    await pass_an_interval(found)
    assert (found.cluster.writes, len(found.cluster.status_writes)) == (writes, statuses)
