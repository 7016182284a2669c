"""Two tenants: one does all that his rights allow to harm others, the other only wants his secrets."""

import threading
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import asdict, dataclass, field
from typing import Any, Self

import httpx
import psutil

from phase_dev.cluster import CommandFailed, ControlPlane
from phase_dev.cluster.client import Client
from phase_operator.api import names
from support import etcd
from support.accounts import Account, account_in
from support.api import Api, api_of
from support.bad_connections import BadConnections
from support.bad_phase import BadPhase
from support.operator_process import OperatorProcess, eventually
from support.world import World, phase_secret, secret

_NAME = "hostile"
# What the good tenant is promised, in seconds and MiB; his interval is 5 s.
INTERVAL, GRACE, READY, PROBE, MEMORY = 5.0, 5.0, 5.0, 1.0, 256.0
_PAUSE = 0.2


@dataclass
class Hostile:
    """A tenant with the built-in role `edit` and every right on PhaseSecrets, in one namespace."""

    plane: ControlPlane
    account: Account
    phase: BadPhase
    connections: BadConnections

    @property
    def namespace(self) -> str:
        """The namespace in which he has his rights."""
        return self.account.namespace

    @property
    def api(self) -> Api:
        """The API server with his rights."""
        return self.account.api

    def client(self) -> AbstractContextManager[Client]:
        """Talk to the API server with his rights, over a connection that no other thread of his uses."""
        return self.account.client()

    def apply(self, *documents: dict[str, Any], check: bool = True) -> None:
        """Apply documents with his rights, on the server's side and by force; unless `check`, some may be refused."""
        for each in documents:
            try:
                self.api.apply(each, self.namespace, _NAME)
            except CommandFailed:
                if check:
                    raise

    def asks(self, name: str, behaviour: str, number: int = 0, **spec: Any) -> dict[str, Any]:
        """Return a PhaseSecret of his that asks a host of his."""
        return phase_secret(name, self.phase.url(behaviour, number), **spec)


@contextmanager
def hostile_in(plane: ControlPlane, namespace: str, phase: BadPhase, connections: BadConnections) -> Iterator[Hostile]:
    """Give him a namespace, with a text that looks like a token; in the end, all his PhaseSecrets go at once."""
    rule = {"apiGroups": ["secrets.phase.dev"], "resources": ["phasesecrets", "phasesecrets/status"], "verbs": ["*"]}
    api_of(plane).create(secret("phase-service-token", {"token": "a1" * 32}), namespace)
    with account_in(plane, namespace, _NAME, rule, "edit") as account:
        try:
            yield Hostile(plane, account, phase, connections)
        finally:
            # In etcd: to delete one takes the API server and etcd 1.4 ms of a core, and there may be thousands.
            etcd.remove(plane, [f"{etcd.ALL}{names.GROUP}/phasesecrets/{namespace}/"])


@dataclass
class Figures:
    """What the good tenant saw, and what the operator took: seconds and MiB, each at its worst."""

    changed_after: float = 0.0
    ready_after: float = 0.0
    # The slowest answer of the API server while the new resource was waited for: a run of the operator asks it a few
    # times, so this shows whether the machine is too busy or the operator waits.
    answered_after: float = 0.0
    probe: float = 0.0
    memory: float = 0.0
    statuses: list[str] = field(default_factory=list)
    leads: bool = True
    rounds: int = 0

    def broken(self) -> list[str]:
        """Return the promises that were not kept."""
        found = []
        if self.changed_after > INTERVAL + GRACE:
            found.append(f"a change took {self.changed_after:.1f} s")
        if self.ready_after > READY:
            slow = f"the API server took up to {self.answered_after:.1f} s for an answer"
            found.append(f"a new resource took {self.ready_after:.1f} s; {slow}")
        if self.probe > PROBE:
            found.append(f"/healthz took {self.probe:.1f} s")
        if self.memory > MEMORY:
            found.append(f"the operator took {self.memory:.0f} MiB")
        if not self.leads:
            found.append("the leader went")
        return found + [f"a status said {each}" for each in self.statuses]

    def row(self, attack: str) -> dict[str, Any]:
        """Return the figures as a row of the table in docs/security.md."""
        return {"attack": attack, **asdict(self)}


class Watching:
    """Looks at the good tenant and at the operator all the time, in a thread of its own."""

    def __init__(self, good: World, operator: OperatorProcess) -> None:
        self.figures = Figures()
        self._good = good
        self._operator = operator
        self._process = psutil.Process(operator.process.pid)
        self._done = threading.Event()

    def __enter__(self) -> Self:
        self._thread = threading.Thread(target=self._look_again_and_again, name="watching")
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._done.set()
        self._thread.join()

    def round(self, number: int) -> None:
        """Let the good tenant change a value and make a resource, and note how long he waits."""
        good, value = self._good, f"round {number} of {id(self)}"
        began = self._own_time()
        good.phase.set("shop", "Production", "LOG_LEVEL", value)
        limit = INTERVAL + GRACE + 20
        eventually(lambda: (good.data() or {}).get("LOG_LEVEL") == value, within=limit, what="the change arrives")
        self.figures.changed_after = max(self.figures.changed_after, self._own_time() - began)
        # Every second one asks what nobody has asked yet.
        name, asks = f"new-{time.monotonic_ns()}", {"phaseAppEnvTags": [["db"], None][number % 2]}
        good.phase_secret(name, managedSecretReferences=[{"secretName": name}], **asks)
        began = self._own_time()
        eventually(lambda: self._is_ready(name), within=READY + 20, what="a new resource is ready")
        self.figures.ready_after = max(self.figures.ready_after, self._own_time() - began)
        self.figures.rounds += 1

    def _own_time(self) -> float:
        """Return seconds that pass unless the operator's loop could run and the machine had no core for it."""
        return time.monotonic() - self._operator.waited_for_a_core()

    def _is_ready(self, name: str) -> bool:
        asked = time.monotonic()
        is_ready = self._good.condition(name).get("status") == "True"
        self.figures.answered_after = max(self.figures.answered_after, time.monotonic() - asked)
        return is_ready

    def _look_again_and_again(self) -> None:
        # One client for all looks: each of its own would read the machine's certificates first, 20 ms of CPU a look.
        fresh = httpx.Limits(max_keepalive_connections=0)
        probing = httpx.Client(timeout=10, verify=False, trust_env=False, limits=fresh)
        with self._good.plane.client() as client, probing:
            path = f"/apis/secrets.phase.dev/v1alpha1/namespaces/{self._good.namespace}/phasesecrets"
            began = time.monotonic()
            while not self._done.wait(_PAUSE):
                # What this thread itself woke too late by: on a machine that does other work, everything is late.
                late = time.monotonic() - began - _PAUSE
                self._probe(probing, late)
                for each in client.get(path)["items"]:
                    self._judge(each)
                began = time.monotonic()

    def _probe(self, client: httpx.Client, late: float) -> None:
        figures, began = self.figures, self._own_time()
        try:
            status = client.get(f"http://127.0.0.1:{self._operator.health_port}/healthz").status_code
        except httpx.TransportError as error:
            figures.leads = figures.leads and self._operator.process.poll() is None
            figures.statuses.append(f"/healthz: {type(error).__name__}")
            return
        figures.probe = max(figures.probe, self._own_time() - began - late)
        if status != 200:
            figures.statuses.append(f"/healthz: {status}")
        figures.memory = max(figures.memory, self._process.memory_info().rss / 1024 / 1024)
        log = self._operator.log
        lost = "this process does not lead now" in log or "leadership lost" in log
        figures.leads = figures.leads and not lost and self._operator.process.poll() is None

    def _judge(self, found: dict[str, Any]) -> None:
        for condition in (found.get("status") or {}).get("conditions") or []:
            told = f"{found['metadata']['name']}: {condition['reason']}: {condition['message']}"
            is_bad = condition["type"] == "Ready" and condition["status"] != "True"
            if is_bad and told not in self.figures.statuses:
                self.figures.statuses.append(told)
