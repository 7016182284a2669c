"""What leases cost over a day, and what a restart costs: `python -m bench.leases --resources 1000`.

The loop of the operator runs on the fakes of the unit tests and on a clock that is turned by hand, so a day takes
minutes. Phase leases as the real server does: its lists never shrink, and a lease ends when its life is over. Counts
are those of the fakes. The namespaces share an account, as with one token for all.
"""

import argparse
import asyncio
import heapq
import time
from collections import Counter, deque
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from phase_operator.core.leases.facts import DynamicSecret, IssuedLease, ListedLease
from phase_operator.core.leases.ledger import LeasePlace
from phase_operator.core.refs import Kind, TargetRef
from phase_operator.core.source.answer_memory import Reservation
from phase_operator.core.targets.observed import Observed, observe
from phase_operator.core.timestamps import moment_of
from phase_operator.core.values import ObjectKey, SecretValue
from phase_operator.reconcile.ports import Credential
from support.builders import TOKEN
from support.clock import HandClock
from support.fakes import FakeCluster
from support.lease_house import KEY, LeaseHouse, dynamic_secret

# Bytes of one lease in Phase's list.
_LISTED = 560
# Seconds after its end at which Phase takes a lease away.
_LAG = 1.5
# Seconds that are less than the shortest interval.
_MOMENT = 50.0
DAY = 86_400.0
WRITES = ("write_ledger", "make_record", "drop_record", "carry_out", "write_status", "set_finalizer")


@dataclass(slots=True)
class Held:
    """A lease at Phase."""

    id: str
    ttl: int
    ends_at: float
    revoked_at: float | None = None


class Phase:
    """Leases of many dynamic secrets, as fast as counting them allows."""

    def __init__(self, clock: HandClock, ttl: int) -> None:
        self._clock = clock
        self._ttl = ttl
        self._lists: dict[str, deque[Held]] = {}
        self._by_id: dict[str, Held] = {}
        self._ends: list[tuple[float, str]] = []
        self.calls: Counter[str] = Counter()
        # How many leases a list had, and how many lived at once.
        self.longest = self.most = 0
        self._living: set[str] = set()
        # Lists that were asked for though one had come a moment before, and no lease is about to be asked for.
        self.repeated = 0
        self._resolving: Counter[str] = Counter()
        self._listed_at: dict[str, float] = {}

    async def find(self, base_url: str, credential: Credential, *, name: str, **_: Any) -> DynamicSecret | None:
        """Return a dynamic secret of any name."""
        await self._begin("find")
        self._resolving[f"id-of-{name}"] += 1
        return DynamicSecret(f"id-of-{name}", self._ttl, 10 * self._ttl)

    async def leases(
        self, base_url: str, credential: Credential, place: LeasePlace, memory: Reservation
    ) -> Sequence[ListedLease]:
        """List the leases of a dynamic secret, the newest first."""
        await self._begin("list")
        self._count(place.secret_id)
        found = self._lists.get(place.secret_id, ())
        memory.resize(_LISTED * len(found))
        self.longest = max(self.longest, len(found))
        return [ListedLease(each.id, each.ttl, each.revoked_at is not None, "account-1") for each in found]

    async def lease(
        self,
        base_url: str,
        credential: Credential,
        place: LeasePlace,
        ttl: int,
        memory: Reservation,
        *,
        sent_within: float,
    ) -> IssuedLease:
        """Make a lease."""
        await self._begin("lease")
        made = Held(f"lease-{len(self._by_id)}", ttl, self._now() + ttl)
        self._lists.setdefault(place.secret_id, deque()).appendleft(made)
        self._by_id[made.id] = made
        heapq.heappush(self._ends, (made.ends_at + _LAG, made.id))
        self._living.add(made.id)
        self.most = max(self.most, len(self._living))
        return IssuedLease(made.id, ttl, "account-1", (("KEY", SecretValue(f"key of {made.id}")),))

    async def revoke(
        self, base_url: str, credential: Credential, place: LeasePlace, lease_id: str, memory: Reservation
    ) -> None:
        """End a lease."""
        await self._begin("revoke")
        self._end(lease_id)

    def living(self) -> set[str]:
        """Return the ids of the leases that live."""
        self._expire()
        return set(self._living)

    def _count(self, secret_id: str) -> None:
        if self._resolving[secret_id]:
            self._resolving[secret_id] -= 1
        elif self._now() - self._listed_at.get(secret_id, 0.0) < _MOMENT:
            self.repeated += 1
        self._listed_at[secret_id] = self._now()

    async def _begin(self, call: str) -> None:
        self.calls[call] += 1
        self._expire()
        await asyncio.sleep(0)

    def _expire(self) -> None:
        while self._ends and self._ends[0][0] <= self._now():
            self._end(heapq.heappop(self._ends)[1])

    def _end(self, lease_id: str) -> None:
        self._by_id[lease_id].revoked_at = self._by_id[lease_id].revoked_at or self._now()
        self._living.discard(lease_id)

    def _now(self) -> float:
        return moment_of(self._clock.right()) or 0.0


class Cluster(FakeCluster):
    """The fake, without its way of finding the objects of a resource: it looks at all there are."""

    def marked(self, owner: ObjectKey) -> Mapping[TargetRef, Observed]:
        """Return what has a mark of a resource; here a target has its resource's name in front."""
        ref = TargetRef(Kind.SECRET, ObjectKey(owner.namespace, f"{owner.name}-aws"))
        found = self.objects.get(ref)
        return {} if found is None else {ref: observe(found.metadata())}


@dataclass(frozen=True)
class Size:
    """How much there is, and for how long."""

    resources: int = 1000
    # Dynamic secrets, which the resources share equally.
    secrets: int = 20
    namespaces: int = 10
    # Seconds of a life, of the overlap, from one list to the next, and of the whole.
    ttl: int = 28_800
    overlap: int = 600
    interval: int = 600
    seconds: float = DAY
    per_minute: int = 20
    # Seconds that the clock is turned by at once.
    step: float = 30.0

    def bodies(self) -> Iterator[dict[str, Any]]:
        """Yield the resources."""
        timing: dict[str, Any] = {"leaseTTL": self.ttl, "overlap": self.overlap, "pollingInterval": self.interval}
        for number in range(self.resources):
            name, namespace = f"uploads-{number}", f"team-{number % self.namespaces}"
            secret = f"bucket-{number % self.secrets}"
            yield dynamic_secret(name, namespace=namespace, uid=f"uid-{number}", dynamicSecret=secret, **timing)


@dataclass
class Cost:
    """What some time has cost."""

    # Calls to Phase by kind; writes and reads of the cluster by kind.
    calls: Counter[str] = field(default_factory=Counter)
    cluster: Counter[str] = field(default_factory=Counter)
    apps: int = 0
    ready: int = 0
    living: int = 0
    # Seconds of this machine.
    took: float = 0.0


class Fleet:
    """Many PhaseDynamicSecrets, and the processes that serve them."""

    def __init__(self, size: Size) -> None:
        self.size = size
        # What all processes have in common.
        self.clock = HandClock()
        self.phase = Phase(self.clock, size.ttl)
        self.house = self._process()

    def _process(self, before: LeaseHouse | None = None) -> LeaseHouse:
        cluster = before.cluster if before is not None else Cluster()
        # What is asked for is a part of the fake of the unit tests.
        house = LeaseHouse(clock=self.clock, cluster=cluster, leases=self.phase, per_minute=self.size.per_minute)  # type: ignore[arg-type]  # the calls about leases are all that is used
        for number in range(self.size.namespaces):
            house.cluster.tokens[ObjectKey(f"team-{number}", TOKEN.name)] = "the one token"
        return house

    async def day(self) -> Cost:
        """Show all resources and let the time pass."""
        began = time.monotonic()
        async with self.house as house:
            await self._show(house, list(self.size.bodies()))
            await house.pass_time(self.size.seconds, step=self.size.step)
            return self._cost(house, time.monotonic() - began)

    async def restart(self, seconds: float = 600.0) -> Cost:
        """Start another process at the same cluster, and let a while pass in it."""
        self.phase.calls.clear()
        self.house.cluster.calls.clear()
        began = time.monotonic()
        self.house = self._process(self.house)
        async with self.house as house:
            shown = [dict(body) | {"status": house.cluster.statuses[key]} for key, body in house.cluster.bodies.items()]
            await self._show(house, shown)
            await house.pass_time(seconds, step=10.0)
            return self._cost(house, time.monotonic() - began)

    async def _show(self, house: LeaseHouse, bodies: list[dict[str, Any]]) -> None:
        """Let the watch show resources, those of a process before with their finalizer, all at once."""
        for body in bodies:
            key = house.dynamic.key_of(body["metadata"])
            finalizers = ["secrets.phase.dev/outside"] if key in house.cluster.outside else []
            house.cluster.bodies[key] = body
            if house.dynamic.upsert(dict(body) | {"metadata": dict(body["metadata"]) | {"finalizers": finalizers}}):
                house.triggers.resource_changed(key)
        await house.rest()

    def _cost(self, house: LeaseHouse, took: float) -> Cost:
        keys = [key for key in house.cluster.bodies if key.kind == KEY.kind]
        ready = sum(house.ready(key)[0] == "Synced" for key in keys)
        cluster = Counter(house.cluster.calls)
        return Cost(Counter(self.phase.calls), cluster, house.phase.lists, ready, len(self.phase.living()), took)

    def ledgers(self) -> set[str]:
        """Return the ids of the leases in all ledgers."""
        return {row.id for key in self.house.cluster.bodies for row in self.house.ledger(key)}


def told(size: Size, day: Cost, restart: Cost, fleet: Fleet) -> str:
    """Return the figures as a table."""
    calls, made = day.calls, day.calls["lease"]
    looks, hours = calls["list"] - calls["find"], size.seconds / 3600
    writes = sum(day.cluster[each] for each in WRITES)
    most = size.secrets * size.seconds / size.interval
    calls_again, written_again = restart.calls, sum(restart.cluster[each] for each in WRITES)
    again = (calls_again.total(), calls_again["lease"], written_again, restart.cluster["read_record"])
    rows = [
        ("leases made, given back", f"{made}, {calls['revoke']}"),
        ("most that lived at once, and at the end", f"{fleet.phase.most}, {day.living}"),
        (
            "calls to find a secret, list its leases, lease, revoke",
            f"{calls['find']}, {calls['find']}, {made}, {calls['revoke']}",
        ),
        (f"further lists, at most {most:.0f} ({size.secrets} secrets, one each {size.interval} s)", f"{looks}"),
        ("lists of apps", f"{day.apps}"),
        ("the longest list", f"{fleet.phase.longest} leases"),
        ("writes to the cluster for each lease", f"{writes / max(made, 1):.1f}"),
        ("ready at the end", f"{day.ready} of {size.resources}"),
        (
            "a restart: calls to Phase, leases, writes, reads of records",
            ", ".join(map(str, again)),
        ),
        ("this machine", f"{day.took:.0f} s for the day, {restart.took:.0f} s for the restart"),
    ]
    head = f"| {size.resources} resources, lives of {size.ttl / 3600:g} h, {hours:g} h | |\n|---|---|"
    return "\n".join([head, *(f"| {what} | {figure} |" for what, figure in rows)])


async def measured(size: Size) -> tuple[Fleet, Cost, Cost]:
    """Return what a day and a restart at its end cost."""
    fleet = Fleet(size)
    day = await fleet.day()
    return fleet, day, await fleet.restart(size.interval / 2)


def main() -> None:
    """Measure and print."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--resources", type=int, default=1000)
    arguments.add_argument("--secrets", type=int, default=20)
    arguments.add_argument("--ttl", type=int, default=28_800, help="seconds that a lease lives")
    arguments.add_argument("--hours", type=float, default=24.0)
    options = arguments.parse_args()
    size = Size(options.resources, options.secrets, ttl=options.ttl, seconds=options.hours * 3600)
    fleet, day, restart = asyncio.run(measured(size))
    print(told(size, day, restart, fleet))


if __name__ == "__main__":
    main()
