"""A tenant's spec or answer is too large for the operator: his status says so, and no other tenant notices."""

import itertools
import json
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from phase_dev.cluster import ControlPlane
from support.cluster_fixture import new_namespace
from support.large_answers import MIB, apps, bomb, permutations, row, rows, twice
from support.operator_process import OWN_INTERPRETER, OperatorProcess, eventually, meanwhile, running_operator
from support.raw_server import Answer, Raw, serving
from support.world import World, phase_secret, secret

# Seconds; other tests may share the machine. A loop that is kept from its turn was kept for 25 of them.
HEALTHY = 2.0
WITHIN = 5.0 + 5.0
# MiB, as the manifests have it.
MOST = 256
GZIP = "Content-Encoding: gzip"

PATTERNS = [f"*{number}A*B*" for number in range(64)]
TEXTS = {f"text-{number}": "{% if KEY_0|quote|json|url == '' %}{% endif %}" * 8 for number in range(60)}


def phase(secrets: Callable[[], Raw], names: list[str] | None = None) -> Answer:
    """Return a Phase whose environment moves with every probe, so that it is always read again."""
    moved = itertools.count()
    # Made once: it takes this process longer to make them than the operator to refuse them.
    parts, headers = secrets()
    made = list(parts)

    def answer(route: str) -> Raw:
        if route == "apps":
            return Raw(apps(["shop"] if names is None else names))
        if route == "environments":
            at = f"2030-01-01T00:00:00.{next(moved):06}Z"
            return Raw([json.dumps({"data": [{"id": "e", "name": "Production", "updatedAt": at}]}).encode()])
        return Raw(made, headers)

    return answer


def one(value: str) -> Raw:
    return Raw([b"[" + row(0, value=value) + b"]"])


# What is answered, which names there are, what the spec adds, and what the status says at last.
Attack = tuple[Callable[[], Raw], Callable[[], list[str]] | None, dict[str, Any], str]
ATTACKS: dict[str, Attack] = {
    "two-layers": (
        lambda: Raw(twice(b" " * MIB, 512), ("Content-Encoding: gzip, gzip",)),
        None,
        {},
        "UnexpectedAnswer",
    ),
    "one-layer": (lambda: Raw(bomb(b" " * MIB, 512), ("Content-Encoding: gzip",)), None, {}, "AnswerTooLarge"),
    "many-entries": (lambda: Raw(rows(300_000)), None, {}, "AnswerTooLarge"),
    "long-value": (lambda: Raw([b'[{"value":"', *[b"x" * MIB] * 64]), None, {}, "AnswerTooLarge"),
    "just-allowed": (lambda: Raw(rows(9_000, value="x" * 500)), None, {"keys": {"include": ["KEY_1"]}}, "Synced"),
    "names": (lambda: one("x"), lambda: permutations(4_000), {"phaseApp": "A" * 100 + "B" * 99}, "AppNotFound"),
    "patterns": (lambda: Raw(rows(10_000, key="AB" * 500)), None, {"keys": {"include": PATTERNS}}, "InvalidSpec"),
    "templates": (
        lambda: one("x" * 200_000),
        None,
        {"managedSecretReferences": [{"secretName": f"t-{n}", "template": {"data": TEXTS}} for n in range(8)]},
        "TemplateFailed",
    ),
}


@pytest.fixture
def hosts() -> Iterator[dict[str, str]]:
    """Let every attack have a host."""
    with ExitStack() as stack:
        yield {
            name: stack.enter_context(serving(phase(secrets, names and names())))
            for name, (secrets, names, _, _) in ATTACKS.items()
        }


class Watched:
    """What was seen of the operator meanwhile."""

    def __init__(self, running: OperatorProcess) -> None:
        self._running = running
        self.slowest = 0.0
        self.largest = 0.0

    def look(self) -> None:
        began = time.monotonic()
        assert self._running.get("/healthz").status_code == 200
        self.slowest = max(self.slowest, time.monotonic() - began)
        status = Path(f"/proc/{self._running.process.pid}/status").read_text()
        [peak] = [line for line in status.splitlines() if line.startswith("VmHWM:")]
        self.largest = int(peak.split()[1]) / 1024


def test_the_sizes_that_one_tenant_chooses_cost_no_other(
    stage: World, hosts: dict[str, str], installed: ControlPlane, tmp_path: Path
) -> None:
    stage.phase_secret()
    with (
        new_namespace(installed) as own,
        running_operator(installed, tmp_path, elects=True, python=OWN_INTERPRETER) as running,
    ):
        stage.operator = running
        stage.until_ready()
        before = stage.condition()
        watched = Watched(running)

        with meanwhile(watched.look, every=0.3):
            installed.kubectl("-n", own, "apply", "-f", "-", stdin=json.dumps(attacks(hosts)))
            for name, (_, _, _, reason) in ATTACKS.items():
                eventually(
                    lambda name=name, reason=reason: said(stage, own, name).startswith(f"{reason}: "),  # type: ignore[misc]
                    within=60,
                    what=f"{name} is told {reason}; last: {said(stage, own, name)}",
                )
            for number in range(3):
                good_goes_on(stage, f"new-{number}", f"value-{number}")

        assert stage.condition() == before
        assert running.process.poll() is None
        assert running.metric("phase_operator_internal_errors_total") == 0
        assert running.metric("phase_operator_leader") == 1
        refused = sum(reason == "AnswerTooLarge" for *_, reason in ATTACKS.values())
        assert running.metric("phase_operator_answers_refused_total", limit="answer") >= refused
        assert 0 < running.metric("phase_operator_answers_bytes") < running.metric("phase_operator_answers_limit_bytes")
        assert watched.slowest < HEALTHY, watched.slowest
        assert watched.largest < MOST, watched.largest


def attacks(hosts: dict[str, str]) -> dict[str, Any]:
    made = [secret("phase-service-token", {"token": "ab" * 32})]
    for name, (_, _, spec, _) in ATTACKS.items():
        made.append(phase_secret(name, hosts[name], **spec))
    return {"apiVersion": "v1", "kind": "List", "items": made}


def said(world: World, namespace: str, name: str) -> str:
    """Return reason and message of Ready."""
    status = (world.api.get("phasesecret", name, namespace) or {}).get("status") or {}
    ready = {each["type"]: each for each in status.get("conditions") or []}.get("Ready") or {}
    return f"{ready.get('reason')}: {ready.get('message')}"


def good_goes_on(world: World, name: str, value: str) -> None:
    """Fail unless a change arrives and a new resource becomes ready in time."""
    began = time.monotonic()
    world.phase.set("shop", "Production", "LOG_LEVEL", value)
    world.phase_secret(name, managedSecretReferences=[{"secretName": name}])
    world.until_ready(name)
    world.until_data(["shop", name], LOG_LEVEL=value)
    assert time.monotonic() - began < 2 * WITHIN
