"""Let leases of a minute roll over while answers get lost and leaders are killed: `make soak SOAK_ARGS=leases`.

Two replicas hold the leases of a few PhaseDynamicSecrets, the shortest that Phase gives. Of the calls to Phase, one in
twenty does what was asked, and its answer is lost or cut. Each minute the leader is killed, at a random moment. All
the time, a watcher tries the credentials that each target holds, and notes which leases the ledgers name. At the end
all is left in peace, and what lives at Phase is compared with the ledgers. Two counts have to be zero: leases that were
leaked, and gaps, which are times at which a target held credentials that open nothing.
"""

import argparse
import random
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from phase_dev.cluster import ControlPlane, start_control_plane
from phase_dev.server import EmbeddedPhase
from phase_dev.server.model import Lease
from soak.replica import Replica
from support.canary import Canary
from support.lease_stage import LeaseStage
from support.operator_process import eventually, install
from support.world import deployment

NAMESPACE = "leases"
# Of all calls to Phase: the half of them is not answered, the other half is answered in part.
_LOST = 0.05
# Seconds from one look of the watcher to the next.
_EVERY = 0.5
# Seconds that the cloud provider takes to make a user.
_MAKING = 0.3
# A resource rolls over each 20 seconds: six of them need 18 leases a minute, and all at once after a failover.
_FLAGS = ("--leases-per-minute", "60")
_SHORT: dict[str, Any] = {"leaseTTL": 60, "rolloverPercent": 34, "pollingInterval": 60}
_ARCHIVE: dict[str, Any] = {"name": "archive", "path": "/archive", "default_ttl": 3600}
_ARCHIVED: dict[str, Any] = {"dynamicSecret": "archive", "phaseAppEnvPath": "/archive"}
_QUIET: dict[str, Any] = {"leaseTTL": 3600, "rolloverPercent": 67, "overlap": 0, "revoke": True}
# Seconds in which all is quiet once nothing fails: a lost answer is looked for during 130 of them.
_SETTLED = 300.0


@dataclass(frozen=True, slots=True)
class Holder:
    """A PhaseDynamicSecret of the soak."""

    name: str
    fields: dict[str, Any]
    is_followed: bool = False

    @property
    def target(self) -> str:
        """The Secret that it writes."""
        return f"{self.name}-aws"

    @property
    def workload(self) -> str:
        """The Deployment that follows it."""
        return f"reads-{self.name}"

    def spec(self, timing: dict[str, Any]) -> dict[str, Any]:
        """Return its spec with times, which win."""
        restart = {"restart": {"workloads": "All"}} if self.is_followed else {}
        return self.fields | timing | {"managedSecretReferences": [{"secretName": self.target} | restart]}


HOLDERS = (
    Holder("at-once", {"overlap": 0}),
    Holder("overlaps", {"overlap": 10}),
    Holder("followed", {"overlap": 0}, is_followed=True),
    Holder("followed-overlaps", {"overlap": 10}, is_followed=True),
    Holder("elsewhere", _ARCHIVED | {"overlap": 5}, is_followed=True),
    Holder("keeps", _ARCHIVED | {"overlap": 5, "revoke": False}),
)


@dataclass
class Gap:
    """A time at which a target held credentials that open nothing, in seconds since the start."""

    target: str
    began: float
    ended: float


@dataclass
class Seen:
    """What the watcher saw."""

    looks: int = 0
    gaps: list[Gap] = field(default_factory=list)
    # The least that the credentials of a target had left to live, in seconds.
    closest: float = float("inf")
    # Ids of leases that a ledger named, and of those that were active in one.
    named: set[str] = field(default_factory=set)
    served: set[str] = field(default_factory=set)
    # Lease -> when it was first seen alive without a ledger that names it; and the longest such time.
    nameless: dict[str, float] = field(default_factory=dict)
    longest_nameless: float = 0.0
    most_alive: int = 0


class Watcher:
    """Looks at the targets, the ledgers and what lives at Phase."""

    def __init__(self, stage: LeaseStage) -> None:
        self._stage, self._began = stage, time.monotonic()
        self._open: dict[str, Gap] = {}
        self.seen = Seen()

    def look(self) -> None:
        """Look once, at everything."""
        now = time.monotonic() - self._began
        for holder in HOLDERS:
            self._look_at(holder.target, now)
        # In this order: what lives is announced before it is made, but named only after it.
        live = self._stage.live()
        self._note_ledgers()
        self._note_nameless(live, now)
        self.seen.looks += 1
        self.seen.most_alive = max(self.seen.most_alive, len(live))

    def _look_at(self, target: str, now: float) -> None:
        """Try the credentials of a target; what changed while they were tried is tried again."""
        left = self._life_left(target)
        if left is None:
            left = self._life_left(target)
        if left is not None:
            self._open.pop(target, None)
            self.seen.closest = min(self.seen.closest, left)
        elif target in self._open:
            self._open[target].ended = now
        else:
            self._open[target] = Gap(target, now, now)
            self.seen.gaps.append(self._open[target])
            print(f"gap: {target}; {self._stage.ledger(target.removesuffix('-aws'))}", flush=True)

    def _life_left(self, target: str) -> float | None:
        """Return for how many seconds the credentials of a target will open the account; None if they do not."""
        held = self._stage.held(target)
        return _left(self._stage.phase.leases.find(held), self._stage.phase.now()) if held else None

    def _note_ledgers(self) -> None:
        for resource in self._stage.api.items("phasedynamicsecrets", NAMESPACE):
            for row in (resource.get("status") or {}).get("leases") or []:
                if "id" in row:
                    self.seen.named.add(row["id"])
                if row["state"] == "Active":
                    self.seen.served.add(row["id"])

    def _note_nameless(self, live: list[Lease], now: float) -> None:
        unnamed = {each.id for each in live} - self.seen.named
        self.seen.nameless = {each: self.seen.nameless.get(each, now) for each in unnamed}
        since = min(self.seen.nameless.values(), default=now)
        self.seen.longest_nameless = max(self.seen.longest_nameless, now - since)


def _left(lease: Lease, now: datetime) -> float:
    return (lease.expires_at - now).total_seconds()


@dataclass
class Counts:
    """What was done, and what went wrong."""

    seen: Seen
    done: Counter[str] = field(default_factory=Counter)
    made: int = 0
    given_back: int = 0
    # That ended by the clock: named by a ledger, and by none.
    ran_out: int = 0
    leaked: list[str] = field(default_factory=list)

    def rows(self) -> list[tuple[str, str]]:
        """Return the table."""
        gaps = self.seen.gaps
        longest = max((each.ended - each.began for each in gaps), default=0.0)
        return [
            ("PhaseDynamicSecrets", str(len(HOLDERS))),
            *((what, str(number)) for what, number in sorted(self.done.items())),
            ("leases made", str(self.made)),
            ("of them needed: in a target", str(len(self.seen.served))),
            ("given back", str(self.given_back)),
            ("ended by the clock", str(self.ran_out)),
            ("alive at once, at most", str(self.seen.most_alive)),
            ("alive without a ledger", f"{self.seen.longest_nameless:.0f} s at most"),
            ("looks at all targets", str(self.seen.looks)),
            ("life left in a target", f"{self.seen.closest:.1f} s at least"),
            ("gaps in a target", f"{len(gaps)}" + (f", {longest:.0f} s at most" if gaps else "")),
            ("leases leaked", str(len(self.leaked))),
        ]

    def line(self) -> str:
        """Return in one line what was done and what went wrong so far."""
        seen = self.seen
        done = ", ".join(f"{number} {what}" for what, number in sorted(self.done.items()))
        left = f"{seen.closest:.1f} s left at least"
        return f"{done}; {len(seen.served)} leases served, {left}; {len(seen.gaps)} gaps"

    def failed(self) -> bool:
        """Say whether anything went wrong, or nothing was seen."""
        return bool(self.seen.gaps or self.leaked) or not self.seen.looks


class LeaseSoak:
    """The world, and the counts."""

    def __init__(self, stage: LeaseStage, replicas: list[Replica], seed: int) -> None:
        self._stage, self._replicas, self._chance = stage, replicas, random.Random(seed)
        self._began = time.monotonic()
        self._watcher = Watcher(stage)
        self.counts = Counts(self._watcher.seen)

    def run(self, seconds: float, kill_every: float) -> None:
        """Work until the time is over, then see what is left."""
        self._apply(_SHORT)
        for holder in HOLDERS:
            self._stage.until_serving(holder.name, within=90)
        self._say("all serve; from now on answers are lost and leaders killed")
        self._stage.phase.fail("lost", share=_LOST / 2)
        self._stage.phase.fail("cut", share=_LOST / 2)
        self._work(seconds, kill_every)
        self._stage.phase.clear()
        self._settle()
        self._judge()
        self._stage.no_leases()
        self.counts.leaked += [f"user {each.name} is there after all" for each in self._stage.phase.leases.users()]

    def _apply(self, timing: dict[str, Any]) -> None:
        for holder in HOLDERS:
            self._stage.dynamic_secret(holder.name, **holder.spec(timing))

    def _work(self, seconds: float, kill_every: float) -> None:
        until, told = time.monotonic() + seconds, time.monotonic() + 60
        kills = self._moments(kill_every)
        next_kill = next(kills)
        while (now := time.monotonic()) < until:
            self._watcher.look()
            if now >= next_kill:
                self._kill()
                next_kill = next(kills)
            if now >= told:
                told += 60
                self._say(self.counts.line())
            time.sleep(max(0.0, now + _EVERY - time.monotonic()))

    def _moments(self, every: float) -> Iterator[float]:
        """Yield when a leader is killed: once in every period, at a random moment of its middle half."""
        period = time.monotonic()
        while True:
            yield period + every * self._chance.uniform(0.25, 0.75)
            period += every

    def _kill(self) -> None:
        leader = next((each for each in self._replicas if each.leads()), None)
        if leader is not None:
            leader.kill()
            self.counts.done["leaders killed"] += 1

    def _settle(self) -> None:
        """Ask for long leases, and wait until each resource has one and no other: then nothing happens any more."""
        self._say("no more faults; waiting until all is quiet")
        self._apply(_QUIET)
        names = [holder.name for holder in HOLDERS]

        def is_quiet() -> bool:
            self._watcher.look()
            ledgers = [self._stage.ledger(name) for name in names]
            return all([row["state"] for row in rows] == ["Active"] and rows[0]["ttl"] > 60 for rows in ledgers)

        eventually(is_quiet, within=_SETTLED, pause=_EVERY, what="each has one lease, of an hour")
        self._stage.until_quiet(*names)

    def _judge(self) -> None:
        """Count what became of all leases."""
        counts, named = self.counts, self._watcher.seen.named
        leases = self._stage.phase.leases.all()
        counts.made = len(leases)
        counts.given_back = sum(each.status == "revoked" for each in leases)
        counts.ran_out = sum(each.status == "expired" for each in leases)
        calls = self._stage.phase
        counts.done["calls to Phase"] = calls.calls()
        counts.leaked += [
            f"lease {each.id} ended by the clock, and no ledger ever named it"
            for each in leases
            if each.status == "expired" and each.id not in named
        ]
        rows = {row["id"] for holder in HOLDERS for row in self._stage.ledger(holder.name)}
        counts.leaked += [f"lease {each.id} lives in no ledger" for each in self._stage.live() if each.id not in rows]
        counts.leaked += [f"user {each.name} lives for ever" for each in calls.leases.leaked()]

    def _say(self, what: str) -> None:
        print(f"minute {(time.monotonic() - self._began) / 60:5.1f}: {what}", flush=True)


@contextmanager
def world() -> Iterator[tuple[ControlPlane, LeaseStage]]:
    """Give a cluster whose workloads roll out, and a Phase with two dynamic secrets."""
    with start_control_plane(controllers=True, nodes=1) as plane, EmbeddedPhase() as phase:
        install(plane)
        phase.add_dynamic("shop", "Production", **_ARCHIVE)
        phase.leases.fail("delay", "CreateUser", delay=_MAKING)
        plane.kubectl("create", "namespace", NAMESPACE)
        stage = LeaseStage(plane, NAMESPACE, phase, Canary())
        stage.token()
        yield plane, stage


def soak(seconds: float, kill_every: float, python: Path | None, folder: Path, seed: int) -> Counts:
    """Run it and return the counts."""
    with world() as (plane, stage):
        replicas = [Replica(plane, plane.url, folder, python, _FLAGS) for _ in range(2)]
        try:
            running = LeaseSoak(stage, replicas, seed)
            stage.apply(*(deployment(each.workload, each.target, replicas=2) for each in HOLDERS if each.is_followed))
            running.run(seconds, kill_every)
        finally:
            for each in replicas:
                each.close()
        return running.counts


def main(arguments: list[str]) -> int:
    """Print the table; return 1 if anything went wrong."""
    parser = argparse.ArgumentParser(prog="soak leases", description=__doc__.partition("\n")[0])
    parser.add_argument("--minutes", type=float, default=60.0)
    parser.add_argument("--kill-every", type=float, default=60.0, help="seconds")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument(
        "--python",
        type=lambda path: Path(path).absolute(),
        help="with the product's packages; without it, replicas are copies of a process",
    )
    parser.add_argument("--logs", type=Path, help="a folder in which the logs of the replicas stay")
    options = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as temporary:
        folder = options.logs or Path(temporary)
        seconds = options.minutes * 60
        counts = soak(seconds, options.kill_every, options.python, folder.absolute(), options.seed)
    for what, number in counts.rows():
        print(f"{what:28} {number}")
    for gap in counts.seen.gaps:
        print(f"gap: {gap.target} from second {gap.began:.0f} to {gap.ended:.0f}")
    for each in counts.leaked:
        print(f"leaked: {each}")
    return int(counts.failed())
