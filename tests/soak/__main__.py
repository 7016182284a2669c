"""Let two replicas work while everything around them fails now and then, and count what went wrong: `make soak`.

One request in a hundred fails at both edges, the leader is killed again and again, values change in Phase, Secrets are
edited by hand, PhaseSecrets are edited, deleted and made anew. Every minute the changes pause until everything is in
step; then each Secret is compared with Phase, each status with its Secret, and each workload with the number of times
that its Secret changed. All counts have to be zero.
"""

import argparse
import asyncio
import random
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from statistics import linear_regression
from typing import Any

import psutil

from bench import fleet, hands
from phase_dev.cluster import ControlPlane, start_control_plane
from phase_dev.server import EmbeddedPhase
from soak import leases, pushes
from soak.replica import Replica
from support.api_proxy import ApiProxy
from support.operator_process import install
from support.world import phase_secret

_INTERVAL = 10
# Seconds in which everything has to be in step once the changes pause: a Lease that runs out, an interval, and faults.
_IN_STEP = 90.0
_FAULTS = 0.01
_FOLLOWERS = 20
_LIST = "/apis/secrets.phase.dev/v1alpha1/phasesecrets"
# MiB an hour that no trend is seen in, for a process of this size.
_FLAT = 4.0

# What may go wrong, as Counts names it.
WRONG = ("missed_updates", "wrong_entries", "wrong_statuses", "double_restarts", "missed_restarts")


@dataclass
class Counts:
    """What went wrong, and how much was done."""

    missed_updates: int = 0
    # In Phase, of what is pushed: missing, old, there twice, or made a second time.
    wrong_entries: int = 0
    wrong_statuses: int = 0
    double_restarts: int = 0
    missed_restarts: int = 0
    done: dict[str, int] = field(default_factory=dict)
    examples: list[str] = field(default_factory=list)
    # Seconds since the start and MiB, by replica.
    memory: dict[int, list[tuple[float, float]]] = field(default_factory=dict)

    def did(self, what: str) -> None:
        """Count something that was done."""
        self.done[what] = self.done.get(what, 0) + 1

    def wrong(self, what: str, example: str) -> None:
        """Count something that went wrong, and keep the first examples of it."""
        setattr(self, what, getattr(self, what) + 1)
        if len(self.examples) < 20:
            self.examples.append(f"{what}: {example}")

    def slope(self) -> float:
        """Return the steepest trend of a replica's memory in its later half, in MiB an hour."""
        found = [0.0]
        for samples in self.memory.values():
            late = samples[len(samples) // 2 :]
            if len(late) >= 10 and late[-1][0] - late[0][0] > 600:
                slope, _ = linear_regression([at for at, _ in late], [size for _, size in late])
                found.append(slope * 3600)
        return max(found)

    def line(self) -> str:
        """Return in one line what was done and what went wrong so far."""
        done = ", ".join(f"{number} {what}" for what, number in sorted(self.done.items()))
        wrong = {what: getattr(self, what) for what in WRONG}
        found = ", ".join(f"{number} {what.replace('_', ' ')}" for what, number in wrong.items() if number)
        return f"{done or 'nothing done yet'}; {found or 'nothing wrong'}"

    def rows(self) -> list[tuple[str, str]]:
        """Return the table."""
        memory = max((size for samples in self.memory.values() for _, size in samples), default=0.0)
        return [
            *((what, str(number)) for what, number in sorted(self.done.items())),
            *((what.replace("_", " "), str(getattr(self, what))) for what in WRONG),
            ("memory at most", f"{memory:.0f} MiB"),
            ("memory's trend", f"{self.slope():.1f} MiB an hour"),
        ]

    def failed(self) -> bool:
        """Say whether anything went wrong."""
        return any(getattr(self, what) for what in WRONG) or self.slope() > _FLAT


class Soak:
    """The world, what it should hold, and the counts."""

    def __init__(
        self, plane: ControlPlane, phase: EmbeddedPhase, size: int, replicas: list[Replica], seed: int
    ) -> None:
        self._plane, self._phase, self._size, self._replicas = plane, phase, size, replicas
        self._chance = random.Random(seed)
        self._values: dict[tuple[str, str], dict[str, str]] = {
            (app["name"], environment["name"]): {each["key"]: each["value"] for each in environment["secrets"]}
            for app in fleet.seed()["apps"]
            for environment in app["environments"]
        }
        self._pushed = pushes.Pushed(phase, self._chance)
        self._gone: set[int] = set()
        self._restarts = 0
        self._generations: dict[str, int] = {}
        self.counts = Counts()
        self._began = time.monotonic()

    async def run(self, seconds: float, kill_every: float, pause: float) -> None:
        """Work until the time is over; compare at the end of every minute, or sooner in a short run."""
        period = min(60.0, seconds / 2)
        next_kill = time.monotonic() + kill_every
        async with fleet.hands(self._plane) as admin:
            self._say(f"waiting until {self._size} PhaseSecrets are synced")
            await self._pushed.make(admin)
            if (missing := await self._until_in_step(admin)) is not None:
                raise AssertionError(f"not in step after {_IN_STEP:g} s: {missing[:5]} of {len(missing)}")
            self._generations = await self._workloads(admin)
            while time.monotonic() - self._began < seconds:
                until = time.monotonic() + period
                self._change_followed()
                while time.monotonic() < until:
                    await self._one_change(admin)
                    if time.monotonic() > next_kill:
                        self._kill()
                        next_kill += kill_every
                    await asyncio.sleep(pause)
                await self._compare(admin)
                self._remember()
                self._say(self.counts.line())

    def _say(self, what: str) -> None:
        """Print a line, so that a person who waits for an hour sees the progress."""
        print(f"minute {(time.monotonic() - self._began) / 60:5.1f}: {what}", flush=True)

    async def _one_change(self, admin: hands.Hands) -> None:
        number = self._chance.randrange(self._size)
        match self._chance.randrange(6):
            case 5:
                self.counts.did(await self._pushed.change(admin))
            case 0 | 1:
                self._change_value(number)
            case 2:
                body = {"data": {"KEY_0": hands.encoded("by hand")}}
                if number not in self._gone:
                    await admin.merge(fleet.target_path(number), body)
                    self.counts.did("edits of Secrets")
            case 3:
                interval = _INTERVAL + self._chance.randrange(3)
                if number not in self._gone:
                    path = f"{fleet.resource_path(number)}/cr-{number}"
                    await admin.merge(path, {"spec": {"pollingInterval": interval}})
                    self.counts.did("edits of PhaseSecrets")
            case _:
                await self._come_or_go(admin, number)

    def _change_value(self, number: int) -> None:
        app, environment = fleet.source(number)
        key, value = f"KEY_{self._chance.randrange(fleet.KEYS)}", f"value {time.monotonic_ns()}"
        self._phase.set(app, environment, key, value)
        self._values[app, environment][key] = value
        self.counts.did("changes in Phase")

    async def _come_or_go(self, admin: hands.Hands, number: int) -> None:
        path = fleet.resource_path(number)
        if number in self._gone:
            await admin.create(path, fleet.resource(number, self._phase.url, _INTERVAL))
            self._gone.discard(number)
            self.counts.did("PhaseSecrets made anew")
        else:
            await admin.clear(f"{path}/cr-{number}")
            self._gone.add(number)
            self.counts.did("PhaseSecrets deleted")

    def _change_followed(self) -> None:
        """Change what the workloads read: each has to be restarted once."""
        self._phase.set(fleet.FOLLOWED, "Production", "A", f"value {time.monotonic_ns()}")
        self._restarts += 1
        self.counts.did("changes that restart")

    def _kill(self) -> None:
        leader = next((each for each in self._replicas if each.leads()), self._replicas[0])
        leader.kill()
        self.counts.did("leaders killed")

    def _remember(self) -> None:
        for each in self._replicas:
            process = each.operator.process
            size = psutil.Process(process.pid).memory_info().rss / 1024 / 1024
            self.counts.memory.setdefault(process.pid, []).append((time.monotonic(), size))

    # What is so, beside what should be.

    async def _compare(self, admin: hands.Hands) -> None:
        for what, example in await self._until_in_step(admin) or ():
            self.counts.wrong(what, example)
        now = await self._workloads(admin)
        for name, generation in now.items():
            restarts = generation - self._generations.get(name, generation)
            if restarts > self._restarts:
                self.counts.wrong("double_restarts", f"{name}: {restarts} instead of {self._restarts}")
            if restarts < self._restarts:
                self.counts.wrong("missed_restarts", f"{name}: {restarts} instead of {self._restarts}")
        self._generations, self._restarts = now, 0
        self.counts.did("comparisons")

    async def _until_in_step(self, admin: hands.Hands) -> list[tuple[str, str]] | None:
        """Wait until everything is in step; if it is not in time, return what is wrong, each with an example."""

        async def is_so() -> bool:
            return not [each async for each in self._differences(admin)] and await self._restarted(admin)

        try:
            await hands.until(is_so, _IN_STEP, pause=1.0)
        except AssertionError:
            return [each async for each in self._differences(admin)]
        return None

    async def _restarted(self, admin: hands.Hands) -> bool:
        now = await self._workloads(admin)
        return all(now[name] - before >= self._restarts for name, before in self._generations.items())

    async def _differences(self, admin: hands.Hands) -> AsyncIterator[tuple[str, str]]:
        for each in self._pushed.differences():
            yield "wrong_entries", each
        statuses = {each["metadata"]["name"]: each for each in (await admin.all(_LIST))}
        for number in range(self._size):
            if number in self._gone:
                continue
            wanted = {key: hands.encoded(value) for key, value in self._values[fleet.source(number)].items()}
            if await admin.data(fleet.target_path(number)) != wanted:
                yield "missed_updates", f"Secret cr-{number}"
            found = statuses.get(fleet.name(number))
            if found is None or not _is_synced(found):
                yield "wrong_statuses", f"PhaseSecret cr-{number}: {_ready(found or {})}"

    async def _workloads(self, admin: hands.Hands) -> dict[str, int]:
        found = await admin.all(fleet.DEPLOYMENTS)
        return {each["metadata"]["name"]: each["metadata"]["generation"] for each in found}


def _ready(found: dict[str, Any]) -> dict[str, Any]:
    conditions = (found.get("status") or {}).get("conditions") or []
    return next((each for each in conditions if each["type"] == "Ready"), {})


def _is_synced(found: dict[str, Any]) -> bool:
    is_now = (found.get("status") or {}).get("observedGeneration") == found["metadata"]["generation"]
    return is_now and _ready(found).get("reason") == "Synced"


@contextmanager
def own_plane() -> Iterator[ControlPlane]:
    """Start a cluster and install the operator there."""
    with start_control_plane(controllers=True) as plane:
        install(plane)
        yield plane


@contextmanager
def world(plane: ControlPlane, size: int) -> Iterator[tuple[EmbeddedPhase, ApiProxy]]:
    """Make PhaseSecrets and workloads, and give both edges with their faults."""
    with EmbeddedPhase(fleet.seed()) as phase:
        fleet.prepare(plane, phase)
        asyncio.run(fleet.make(plane, phase.url, _INTERVAL, range(size)))
        asyncio.run(_follow(plane, phase))
        with ApiProxy(plane) as proxy:
            yield phase, proxy
        pushes.let_go(plane)


async def _follow(plane: ControlPlane, phase: EmbeddedPhase) -> None:
    path = f"/apis/secrets.phase.dev/v1alpha1/namespaces/{fleet.FOLLOWED}/phasesecrets"
    async with fleet.hands(plane) as admin:
        await admin.create(path, phase_secret(fleet.FOLLOWED, phase.url, phaseApp=fleet.FOLLOWED))
        await hands.every(range(_FOLLOWERS), lambda number: admin.create(fleet.DEPLOYMENTS, fleet.follower(number)))


def soak(plane: ControlPlane, options: argparse.Namespace) -> Counts:
    """Run it on a cluster where the operator is installed, and return the counts."""
    chance, size = random.Random(options.seed), options.resources
    with tempfile.TemporaryDirectory() as folder, world(plane, size) as (phase, proxy):
        flags = pushes.flags(phase)
        replicas = [Replica(plane, proxy.url, Path(folder), options.python, flags) for _ in range(2)]
        try:
            running = Soak(plane, phase, size, replicas, options.seed)
            phase.fail("status", status=503, share=_FAULTS)
            proxy.answer(500, "InternalError", scope=lambda _: chance.random() < _FAULTS)
            pause = options.pause or max(0.2, 100 / size)
            asyncio.run(running.run(options.minutes * 60, options.kill_every, pause))
        finally:
            for each in replicas:
                each.close()
        return running.counts


def main(arguments: list[str] | None = None, plane: ControlPlane | None = None) -> int:
    """Print the table; return 1 if anything went wrong. With `leases`, it is about PhaseDynamicSecrets.

    It starts a cluster of its own, unless it is given one where the operator is installed.
    """
    said = sys.argv[1:] if arguments is None else arguments
    if "leases" in said:
        # `make soak` has an option in front of what it was told.
        return leases.main([each for each in said if each != "leases"])
    parser = argparse.ArgumentParser(prog="soak", description=__doc__.partition("\n")[0])
    parser.add_argument("--minutes", type=float, default=60.0)
    parser.add_argument("--resources", type=int, default=1000)
    parser.add_argument("--kill-every", type=float, default=300.0, help="seconds")
    parser.add_argument("--pause", type=float, help="seconds between changes; 100 / resources by itself")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument(
        "--python",
        type=lambda path: Path(path).absolute(),
        help="with the product's packages; without it, replicas are copies of a process",
    )
    options = parser.parse_args(said)
    with own_plane() if plane is None else nullcontext(plane) as found:
        counts = soak(found, options)
    for what, number in counts.rows():
        print(f"{what:28} {number}")
    for example in counts.examples:
        print(example)
    return int(counts.failed())


if __name__ == "__main__":
    sys.exit(main())
