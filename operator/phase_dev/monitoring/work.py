"""Work for the operator that a dashboard can show: a fleet, and a quarter of an hour's troubles in a few minutes.

Rule: all is real but the pods, which are processes on this machine under the ServiceAccount that we ship.
"""

import json
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from itertools import count, product
from pathlib import Path
from typing import Any

from phase_dev.cluster.catalog import PROMETHEUS
from phase_dev.cluster.plane import ControlPlane, start_control_plane
from phase_dev.cluster.programs import obtain
from phase_dev.demo.operator import ACCOUNT, HOME, operator_process
from phase_dev.demo.stage import CHECKOUT, MANIFESTS
from phase_dev.monitoring import prometheus
from phase_dev.monitoring.prometheus import Prometheus
from phase_dev.server import EmbeddedPhase
from phase_dev.shell.folders import Folders
from phase_dev.shell.guard import Guard
from phase_dev.shell.ports import Ports
from phase_dev.shell.processes import Patience, Process, answers, sane_environment, wait_until
from phase_dev.shell.terminal import Progress

EVERY = 5.0
APPS = ("shop", "billing", "search", "mail", "media", "orders", "users", "stock", "prices", "reviews", "audit", "maps")
ENVIRONMENTS = ("Development", "Staging", "Production")
TEAMS = ("team-a", "team-b", "team-c", "team-d", "team-e", "team-f")
SIZE, MORE, KEYS, POLLING, EDITED, FOLLOWERS, QUOTA = 200, 40, 10, 10, 12, 12, 90
# Nothing but the restarts changes its values.
_FOLLOWED = "website"
# Dynamic secrets, and the life in seconds of their leases: several are rolled over in the time that a dashboard shows.
LEASED, _LIFE = 6, 120
_LEASING = "uploads"
_CHANGE_EVERY = 5.0


@dataclass(frozen=True, slots=True)
class World:
    """All that runs."""

    plane: ControlPlane
    phase: EmbeddedPhase
    # The last one starts when the first one is asked to stop.
    pods: Sequence[Process]
    health: Sequence[int]
    prometheus: Prometheus


@dataclass(frozen=True, slots=True)
class Happening:
    """Something that happens once, at a share of the time."""

    at: float
    what: str
    do: Callable[[World], None]


def seed() -> dict[str, Any]:
    """Return what Phase holds."""
    apps = [
        {"name": app, "environments": [{"name": each, "secrets": _entries(app)} for each in ENVIRONMENTS]}
        for app in APPS
    ]
    apps.append({"name": _FOLLOWED, "environments": [{"name": "Production", "secrets": _entries(_FOLLOWED)}]})
    return {"apps": apps, "accounts": [{"name": "operator", "access": {each["name"]: ["*"] for each in apps}}]}


def phase_secret(number: int, url: str) -> dict[str, Any]:
    """Return one of the fleet."""
    app, environment = APPS[number % len(APPS)], ENVIRONMENTS[number // len(APPS) % len(ENVIRONMENTS)]
    return _phase_secret(f"{app}-{number}", TEAMS[number % len(TEAMS)], url, phaseApp=app, phaseAppEnv=environment)


@contextmanager
def world(env: Mapping[str, str], progress: Progress) -> Iterator[World]:
    """Put everything up, two replicas of the operator with a Prometheus, and take it down again."""
    programs = obtain([PROMETHEUS], env, progress)
    with ExitStack() as closing:
        folder = Path(tempfile.mkdtemp(prefix="phase-dev-dashboard-"))
        guard = closing.enter_context(Guard(folder))
        with progress.step("a cluster with a node, and Phase"):
            plane = closing.enter_context(start_control_plane(nodes=1, env=env, progress=progress))
            phase = closing.enter_context(EmbeddedPhase(seed()))
        with progress.step("CRDs, ServiceAccount, RBAC and namespaces"):
            _install(plane, phase)
        ports = Ports(7, Folders.of(env).ports)
        closing.callback(ports.release)
        health, metrics, port = ports.numbers[:3], ports.numbers[3:6], ports.numbers[6]
        names = {f"phase-operator-{number}": each for number, each in enumerate(metrics, start=1)}
        config = prometheus.configuration(HOME, names, EVERY)
        own_env = sane_environment(env, folder)
        server = prometheus.process(programs["prometheus"].path, folder, port, config, guard.group, own_env)
        kubeconfig = plane.service_account_kubeconfig(HOME, ACCOUNT)
        pods = [
            operator_process(name, kubeconfig, folder, guard.group, each, env, "--resource-metrics=true")
            for name, each in zip(names, zip(health, metrics, strict=True), strict=True)
        ]
        for process in (server, *pods):
            closing.callback(process.stop)
        made = World(plane, phase, pods, health, Prometheus(f"http://127.0.0.1:{port}"))
        with progress.step("Prometheus, and two replicas of the operator"):
            server.start()
            wait_until(
                lambda: answers(f"{made.prometheus.url}/-/ready"),
                "Prometheus is ready",
                [server],
                Patience(check=progress.check),
            )
            for number in (0, 1):
                _start_pod(made, number)
        yield made


def live(at: World, seconds: float, progress: Progress) -> None:
    """Let everything happen that a dashboard can show, spread over so many seconds."""
    began = time.monotonic()
    due = list(STORY)
    changes = ((app, environment, number) for number, (environment, app) in enumerate(_cycle(ENVIRONMENTS, APPS)))
    next_change = began + _CHANGE_EVERY
    while (passed := time.monotonic() - began) < seconds:
        progress.check()
        while due and passed >= due[0].at * seconds:
            happening = due.pop(0)
            with progress.step(f"after {passed:.0f} s: {happening.what}"):
                happening.do(at)
        if time.monotonic() >= next_change:
            app, environment, number = next(changes)
            at.phase.set(app, environment, "KEY_0", f"changed {number}")
            next_change += _CHANGE_EVERY
        time.sleep(0.2)


def _make(numbers: range) -> Callable[[World], None]:
    def make(at: World) -> None:
        _create(at.plane, *(phase_secret(number, at.phase.url) for number in numbers))

    return make


def _edit(at: World) -> None:
    for number in range(EDITED):
        made = phase_secret(number, at.phase.url)["metadata"]
        patch = json.dumps({"stringData": {"KEY_1": "edited by hand"}})
        at.plane.kubectl("-n", made["namespace"], "patch", "secret", made["name"], "-p", patch)


def _fail(at: World) -> None:
    at.phase.fail("status", status=503)


def _recover(at: World) -> None:
    at.phase.clear()


def _rotate(at: World) -> None:
    at.phase.set(_FOLLOWED, "Production", "KEY_0", f"rotated at {time.monotonic()}")


def _hand_over(at: World) -> None:
    at.pods[0].stop()
    _start_pod(at, 2)


def _flood(at: World) -> None:
    at.phase.set_quota(QUOTA)
    for app, environment in product(APPS, ENVIRONMENTS):
        at.phase.set(app, environment, "KEY_2", "changed everywhere")


def _restart_api_server(at: World) -> None:
    at.plane.program("kube-apiserver").restart()
    at.plane.ready()


def _withdraw(at: World) -> None:
    at.phase.withdraw("operator", APPS[-1], ENVIRONMENTS[0])


STORY = (
    Happening(0.02, f"{SIZE} PhaseSecrets, and {FOLLOWERS} Deployments", _make(range(SIZE))),
    Happening(0.12, f"{MORE} more", _make(range(SIZE, SIZE + MORE))),
    Happening(0.18, f"{EDITED} Secrets are edited by hand", _edit),
    Happening(0.26, "Phase answers 503", _fail),
    Happening(0.34, "Phase answers again", _recover),
    Happening(0.42, "a value changes that the Deployments read", _rotate),
    Happening(0.52, "the leader is asked to stop, and another replica starts", _hand_over),
    Happening(0.62, f"Phase has a quota of {QUOTA} calls a minute, and a value changes in every environment", _flood),
    Happening(0.78, "the API server is started again", _restart_api_server),
    Happening(0.84, "a value changes that the Deployments read", _rotate),
    Happening(0.90, "the account loses an environment", _withdraw),
)


def _install(plane: ControlPlane, phase: EmbeddedPhase) -> None:
    plane.kubectl("apply", "--server-side", *(f"--filename={CHECKOUT / name}" for name in MANIFESTS))
    plane.kubectl("wait", "--for=condition=Established", "crd", "--all", "--timeout=30s")
    token = {"name": "phase-service-token"}
    for team in TEAMS:
        _create(plane, {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": team}})
        data = {"token": phase.token("operator", form="pss")}
        _create(
            plane, {"apiVersion": "v1", "kind": "Secret", "metadata": {**token, "namespace": team}, "stringData": data}
        )
    followed = _phase_secret(_FOLLOWED, TEAMS[0], phase.url, phaseApp=_FOLLOWED, phaseAppEnv="Production")
    _create(plane, followed, *map(_follower, range(FOLLOWERS)))
    phase.add_dynamic(_FOLLOWED, "Production", _LEASING)
    _create(plane, *(_phase_dynamic_secret(number, phase.url) for number in range(LEASED)))


def _create(plane: ControlPlane, *documents: Mapping[str, Any]) -> None:
    body = json.dumps({"apiVersion": "v1", "kind": "List", "items": documents})
    plane.kubectl("create", "-f", "-", stdin=body)


def _phase_secret(name: str, namespace: str, url: str, **spec: Any) -> dict[str, Any]:
    targets = [{"secretName": name}]
    return {
        "apiVersion": "secrets.phase.dev/v1alpha1",
        "kind": "PhaseSecret",
        "metadata": {"name": name, "namespace": namespace},
        "spec": {"phaseHost": url, "pollingInterval": POLLING, "managedSecretReferences": targets, **spec},
    }


def _phase_dynamic_secret(number: int, url: str) -> dict[str, Any]:
    name = f"{_LEASING}-{number}"
    asks = {"phaseApp": _FOLLOWED, "phaseAppEnv": "Production", "dynamicSecret": _LEASING}
    made = _phase_secret(name, TEAMS[number % len(TEAMS)], url, **asks, leaseTTL=_LIFE, overlap=0, pollingInterval=60)
    return made | {"kind": "PhaseDynamicSecret"}


def _follower(number: int) -> dict[str, Any]:
    labels = {"app": f"{_FOLLOWED}-{number}"}
    # No container runs on a simulated node.
    container = {"name": "main", "image": "none", "envFrom": [{"secretRef": {"name": _FOLLOWED}}]}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {
            "name": f"{_FOLLOWED}-{number}",
            "namespace": TEAMS[0],
            "annotations": {"secrets.phase.dev/redeploy": "true"},
        },
        "spec": {
            "replicas": 2,
            "selector": {"matchLabels": labels},
            "template": {"metadata": {"labels": labels}, "spec": {"containers": [container]}},
        },
    }


def _start_pod(at: World, number: int) -> None:
    pod, port = at.pods[number], at.health[number]
    pod.start()
    wait_until(lambda: answers(f"http://127.0.0.1:{port}/readyz"), f"{pod.name} is ready", [pod], Patience())


def _entries(app: str) -> list[dict[str, str]]:
    return [{"key": f"KEY_{key}", "value": f"{app} {key} {'x' * 40}"} for key in range(KEYS)]


def _cycle(*choices: Sequence[str]) -> Iterator[tuple[str, ...]]:
    for _ in count():
        yield from product(*choices)
