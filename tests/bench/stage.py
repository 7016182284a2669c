"""A cluster, a Phase and resources from a template, and what is seen of a program that works on them from outside."""

import asyncio
import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from bench import fleet
from bench.candidate import Candidate, Failed
from bench.hands import Hands, New, changed, edited, every, holds, made_among, secret_path
from bench.processes import cpu_of_server, cpu_of_tree, memory_of_tree
from bench.table import Progress
from phase_dev.cluster import ControlPlane
from phase_dev.server import EmbeddedPhase
from support.api import api_of
from support.operator_process import end, leased_ports

_PATIENCE = 3600.0
# Seconds between counts, at first and for each that has passed, and at most; after looks so many times what these took.
_PAUSE, _LONGEST_PAUSE, _PAUSE_AFTER_ALL = 0.05, 0.5, 10.0
# With no target for so many seconds, the first resource is asked why.
_STUCK = 30.0
# So many targets are looked at one by one.
_FEW = 200
_NAMESPACES = [fleet.namespace(number) for number in range(fleet.NAMESPACES)]
_KEYS = {f"KEY_{key}" for key in range(fleet.KEYS)}
# The API server counts requests by these, and others that change nothing.
_LABEL = re.compile(r'(\w+)="([^"]*)"')
_READING = frozenset({"GET", "LIST", "WATCH", "CONNECT", "HEAD", "OPTIONS"})


@dataclass
class Program:
    """A program that runs."""

    process: subprocess.Popen[bytes]
    log: Path
    plane: ControlPlane
    server_before: float
    # By the monotonic clock.
    began: float

    def cpu(self) -> float:
        """Return the seconds of CPU that it and its children have used."""
        return cpu_of_tree(self.process.pid)

    def memory(self) -> float:
        """Return their resident memory in MiB."""
        return memory_of_tree(self.process.pid)

    def server_cpu(self) -> float:
        """Return the seconds of CPU that the API server and etcd have used since it started."""
        return cpu_of_server(self.plane) - self.server_before

    def raise_if_ended(self) -> None:
        """Raise if it has ended."""
        code = self.process.poll()
        if code is not None:
            raise Failed(f"the program ended with {code}; {self.end_of_log()}")

    def end_of_log(self) -> str:
        """Return the end of what it printed."""
        return f"the end of its log:\n{self.log.read_text(errors='replace')[-3000:]}"


@dataclass
class Stage:
    """The cluster of a program, its Phase and its resources."""

    plane: ControlPlane
    phase: EmbeddedPhase
    folder: Path
    candidate: Candidate
    size: int
    # Seconds between looks at Phase.
    interval: int
    _programs: int = field(default=0, init=False)
    _asked_why: bool = field(default=False, init=False)
    # Secrets that were there before.
    _others: int = field(default=0, init=False)

    def prepare(self) -> None:
        """Apply what the program needs, and what each namespace has."""
        for path in self.candidate.setup:
            how = "-k" if path.is_dir() else "-f"
            self.plane.kubectl("apply", "--server-side", how, path)
        if self.candidate.setup:
            self.plane.kubectl("wait", "--for=condition=Established", "crd", "--all", "--timeout=60s")
        for name in _NAMESPACES:
            fleet.make_namespace(self.plane, name)
            for document in self.candidate.documents(self._everywhere | {"namespace": name}):
                api_of(self.plane).apply(document, name, "bench")

    async def make(self) -> None:
        """Make the resources."""
        async with fleet.hands(self.plane) as admin:
            self._others = await _count(admin)
            await every(range(self.size), lambda number: admin.create(self._path(number), self._resource(number)))

    @contextmanager
    def program(self) -> Iterator[Program]:
        """Run the program until the block ends."""
        account = self.candidate.account
        kubeconfig = (
            self.plane.service_account_kubeconfig(*account, seconds=24 * 3600) if account else self.plane.kubeconfig
        )
        self._programs += 1
        log = self.folder / f"program-{self._programs}.log"
        with leased_ports(2) as ports:
            words = self.candidate.words(self._everywhere | self._of_command(kubeconfig, ports.numbers))
            variables = os.environ | {"KUBECONFIG": str(kubeconfig)}
            self.phase.reset_calls()
            before, began = cpu_of_server(self.plane), time.monotonic()
            with log.open("wb") as output:
                process = subprocess.Popen(words, stdout=output, stderr=subprocess.STDOUT, env=variables)
            try:
                yield Program(process, log, self.plane, before, began)
            finally:
                end(process, 30)

    async def until_ready(self, program: Program) -> float:
        """Wait until every target has its keys, and every resource its condition; return the seconds that it took.

        A number is asked for until there are as many Secrets more as there are resources, and only then is each of them
        looked at. So looks are no part of what is measured.
        """
        last, missing = program.began, set(range(self.size))
        progress = Progress("targets are there", self.size)
        async with fleet.hands(self.plane) as admin:
            while missing:
                # One that has done its work may end.
                ended = program.process.poll() is not None
                if await self._enough(admin, program, progress):
                    last = time.monotonic()
                    missing = await self._missing(admin, missing)
                    # A program that is slow to say that all is ready is not slowed down further.
                    await asyncio.sleep(max(_PAUSE, (time.monotonic() - last) * _PAUSE_AFTER_ALL) if missing else 0.0)
                if missing and ended:
                    program.raise_if_ended()
        return last - program.began

    async def _enough(self, admin: Hands, program: Program, progress: Progress) -> bool:
        """Say whether there are as many Secrets as resources; if not, after a pause."""
        there, passed = await _count(admin) - self._others, time.monotonic() - program.began
        if passed > _PATIENCE:
            raise Failed(f"{there} of {self.size} are there after {passed:.0f} s; {program.end_of_log()}")
        progress.tell(there)
        if there >= self.size:
            return True
        if not there and passed > _STUCK:
            await self._say_why(admin)
        await asyncio.sleep(min(max(_PAUSE, passed * _PAUSE), _LONGEST_PAUSE))
        return False

    async def _say_why(self, admin: Hands) -> None:
        """Show what the first resource says of itself: a template that cannot work is seen at once."""
        if not self._asked_why:
            found = await admin.get(f"{self._path(0)}/{fleet.name(0)}")
            conditions = json.dumps((found.get("status") or {}).get("conditions"))
            print(f"  none is there; {fleet.name(0)} says {conditions}", flush=True)
        self._asked_why = True

    async def _missing(self, admin: Hands, numbers: set[int]) -> set[int]:
        """Return which of these resources are not ready."""
        if len(numbers) > _FEW:
            ready = set().union(*await asyncio.gather(*(self._ready_in(admin, name) for name in _NAMESPACES)))
            return {number for number in numbers if fleet.name(number) not in ready}
        done = set()

        async def one(number: int) -> None:
            if await self._is_ready(admin, number):
                done.add(number)

        await every(numbers, one)
        return numbers - done

    async def _ready_in(self, admin: Hands, namespace: str) -> set[str]:
        """Return the names of the resources in a namespace that are ready."""
        numbers = [number for number in range(self.size) if fleet.namespace(number) == namespace]
        secrets = await admin.get(f"/api/v1/namespaces/{namespace}/secrets")
        full = {each["metadata"]["name"] for each in secrets["items"] if each.get("data", {}).keys() >= _KEYS}
        ready = {fleet.name(number) for number in numbers if self._secret(number) in full}
        if self.candidate.condition is None or not numbers:
            return ready
        found = await admin.get(self._path(numbers[0]))
        return ready & {each["metadata"]["name"] for each in found["items"] if self._says_ready(each)}

    async def _is_ready(self, admin: Hands, number: int) -> bool:
        data = await admin.data(self.target_path(number))
        if data is None or not data.keys() >= _KEYS:
            return False
        return self.candidate.condition is None or self._says_ready(
            await admin.get(f"{self._path(number)}/{fleet.name(number)}")
        )

    def _says_ready(self, found: Mapping[str, Any]) -> bool:
        conditions = (found.get("status") or {}).get("conditions") or []
        return any(each["type"] == self.candidate.condition and each["status"] == "True" for each in conditions)

    async def writes(self) -> int:
        """Return how many requests the API server has had that write Secrets, or what is of the resources' group."""
        async with fleet.hands(self.plane) as admin:
            text = await admin.text("/metrics")
        group, total = self._kind.partition(".")[2].rpartition("/")[0], 0.0
        for line in text.splitlines():
            if line.startswith("apiserver_request_total{"):
                labels = dict(_LABEL.findall(line))
                ours = labels["resource"] == "secrets" if not labels["group"] else labels["group"] == group
                if ours and labels["verb"] not in _READING:
                    total += float(line.rpartition(" ")[2])
        return round(total)

    async def changed(self, numbers: Sequence[int], key: str, text: str) -> list[float]:
        """Change a value in Phase; return the seconds until each Secret has it, for those that are in time.

        All of these resources read one environment.
        """
        wanted = {self.target_path(number): holds(key, text) for number in numbers}
        tell = Progress("have the value", len(wanted)).tell

        def change() -> None:
            self.phase.set(*fleet.source(numbers[0]), key, text)

        async with fleet.hands(self.plane) as admin:
            return await changed(admin, wanted, change, 60.0 + 10 * self.interval, tell)

    async def edited(self, numbers: Iterable[int]) -> list[float]:
        """Edit targets by hand; return the seconds until each is repaired, for those that are in time."""
        async with fleet.hands(self.plane) as admin:
            return await edited(admin, map(self.target_path, numbers), 60.0 + 2 * self.interval)

    async def made_among_others(self, number: int, key: str, text: str) -> list[float]:
        """Change a value in every environment, and make so many new resources while the others come to have it.

        Return the seconds from each one's creation to its Secret.
        """
        wanted = {self.target_path(each): holds(key, text) for each in range(self.size)}
        new = [
            New(self._path(each), self._resource(each), self.target_path(each))
            for each in range(self.size, self.size + number)
        ]

        def change() -> None:
            fleet.change_everywhere(self.phase, key, text)

        tell = Progress("have the value", len(wanted)).tell
        async with fleet.hands(self.plane) as admin:
            return await made_among(admin, wanted, change, new, _PATIENCE, tell)

    def target_path(self, number: int) -> str:
        """Return where the Secret of a resource is."""
        return secret_path(fleet.namespace(number), self._secret(number))

    def _secret(self, number: int) -> str:
        return self.candidate.secret(self._of_resource(number))

    def _path(self, number: int) -> str:
        """Return the collection in which a resource is."""
        return api_of(self.plane).resource(self._kind).path(fleet.namespace(number))

    @cached_property
    def _kind(self) -> str:
        found = self._resource(0)
        return f"{found['kind']}.{found['apiVersion']}"

    def _resource(self, number: int) -> dict[str, Any]:
        return self.candidate.resource(self._of_resource(number))

    @cached_property
    def _everywhere(self) -> dict[str, str]:
        return {
            "phase": self.phase.url,
            "token": self.phase.token("operator", form="pss"),
            "rest_token": self.phase.token("operator", form="hex"),
            "interval": str(self.interval),
            "size": str(self.size),
        }

    def _of_resource(self, number: int) -> dict[str, str]:
        app, environment = fleet.source(number)
        own = {"name": fleet.name(number), "namespace": fleet.namespace(number)}
        return self._everywhere | own | {"app": app, "app_id": self._apps[app], "environment": environment}

    @cached_property
    def _apps(self) -> dict[str, str]:
        return {name: self.phase.app_id(name) for name in (f"app-{number}" for number in range(fleet.APPS))}

    def _of_command(self, kubeconfig: Path, ports: Sequence[int]) -> dict[str, str]:
        return {
            "kubeconfig": str(kubeconfig),
            "namespaces": " ".join(_NAMESPACES),
            "python": sys.executable,
            "folder": str(self.folder),
            "port1": str(ports[0]),
            "port2": str(ports[1]),
        }


async def _count(admin: Hands) -> int:
    """Return how many Secrets there are in the namespaces of the resources; the API server counts them."""

    async def one(namespace: str) -> int:
        found = await admin.get(f"/api/v1/namespaces/{namespace}/secrets", limit="1")
        return len(found["items"]) + int(found["metadata"].get("remainingItemCount", 0))

    return sum(await asyncio.gather(*map(one, _NAMESPACES)))
