"""Processes that push from a cluster: what the API server keeps outlives them, and all else dies with them."""

import heapq
import itertools
import random
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from phase_operator.core.errors import ExpectedError
from phase_operator.core.outcome import Gone, Pushed
from phase_operator.core.push.ledger import FIELDS, Ledger, PushPlace
from phase_operator.core.push.marks import Mark
from phase_operator.core.push.places import EntryPlace
from phase_operator.core.push.readers import PushReaders
from phase_operator.core.push.sources import Rule
from phase_operator.core.push.spec import PushSpec, SpecSource
from phase_operator.core.refs import Kind
from phase_operator.core.source.answer_memory import MIB, AnswerMemory
from phase_operator.core.source.query import Account, AppRef, Ask
from phase_operator.core.timestamps import moment_of
from phase_operator.core.values import ObjectKey, SecretValue
from phase_operator.reconcile.errands.asker import Asker
from phase_operator.reconcile.errands.errands import Errands
from phase_operator.reconcile.errands.removal import Removal
from phase_operator.reconcile.polling.gates import CallFacts, Gates, InFlightCall
from phase_operator.reconcile.polling.other_calls import OtherCalls
from phase_operator.reconcile.polling.watches import Watch
from phase_operator.reconcile.ports import Credential, Wake
from phase_operator.reconcile.pushes.calls import PushCalls
from phase_operator.reconcile.pushes.driver import PushDriver
from phase_operator.reconcile.pushes.ending import PushEnding
from phase_operator.reconcile.pushes.gathered import SourceGatherer
from phase_operator.reconcile.pushes.generating import GeneratedValues
from phase_operator.reconcile.pushes.ports import Spec
from phase_operator.reconcile.pushes.runs import PushOutcome, PushRuns
from phase_operator.reconcile.pushes.subjects import PushSubjects
from phase_operator.reconcile.retries import retry_wanted
from phase_operator.reconcile.store import PhaseSecretStore, Resource, Stores
from support.clock import HandClock, settle
from support.fakes import AwaitedThread, FakeCluster
from support.push_api import FakeSources, Fuse, KilledError, PushPhase, PushServer, Stock
from support.push_world import Stored

KIND = "PhasePushSecret"
# Seconds after which a run that failed is repeated; the operator's pauses grow.
_RETRIED = 30.0
HOST = "https://phase.example/service/public"
AT = PushPlace(HOST, "app", "production")
KEY = ObjectKey("shop", "to-phase", KIND)


def ask_of(**fields: Any) -> Ask:
    """Return what names the app and the environment."""
    found: dict[str, Any] = {
        "base_url": HOST,
        "token_key": ObjectKey("shop", "token"),
        "foreign": False,
        "app": AppRef(id="app"),
        "environment": "production",
        "spelled": "Production",
        "path": "/",
        "tags": (),
    } | fields
    return Ask(**found)


def named(*names: str, **fields: Any) -> PushSpec:
    """Return a spec of Secrets by their names."""
    return PushSpec("/", tuple(SpecSource(Kind.SECRET, Rule("/"), each) for each in names), **fields)


class PushCluster(FakeCluster):
    """The API server: it outlives every process."""

    def __init__(self, server: PushServer, clock: HandClock, name: str = "east") -> None:
        super().__init__()
        self.server = server
        self.clock = clock
        self.name = name
        self.stock = Stock()
        self.specs: dict[ObjectKey, Spec] = {}
        self.asker_errors: dict[ObjectKey, ExpectedError] = {}
        self.refusals: dict[ObjectKey, ExpectedError] = {}
        self.ledgers_written = 0
        self._uids: dict[ObjectKey, str] = {}
        self._made = itertools.count(1)
        self.left: list[ObjectKey] = []

    def resource(self, push: PushSpec, key: ObjectKey = KEY, **fields: Any) -> None:
        """Write a resource; one that is not there is made."""
        if key not in self.specs:
            self._uids[key] = f"uid-{next(self._made)}"
        self.specs[key] = replace(Spec(push, ask_of()), **fields)
        self.bodies[key] = self.body(key)

    def body(self, key: ObjectKey, deleted: str = "") -> Mapping[str, Any]:
        """Return a resource as a watch shows it."""
        metadata = {"namespace": key.namespace, "name": key.name, "uid": self._uids[key], "generation": 1}
        if deleted:
            metadata["deletionTimestamp"] = deleted
        if key in self.outside:
            metadata["finalizers"] = ["secrets.phase.dev/outside"]
        return {"metadata": metadata, "spec": {}, "status": self.statuses.get(key, {})}

    def remake(self, key: ObjectKey = KEY) -> None:
        """Make a resource anew that is gone: nothing of its status is left."""
        self.statuses.pop(key, None)
        self._uids[key] = f"uid-{next(self._made)}"
        self.bodies[key] = self.body(key)

    async def write_ledger(self, key: ObjectKey, uid: str, before: Mapping[str, Any], after: Mapping[str, Any]) -> bool:
        """Replace the ledger in the status, unless it has moved."""
        there = self.statuses.get(key, {})
        if self._uids.get(key) != uid or any(there.get(each) != before.get(each) for each in FIELDS):
            return False
        self.statuses[key] = {name: each for name, each in there.items() if name not in FIELDS} | dict(after)
        self.ledgers_written += 1
        return True

    def ledger(self, key: ObjectKey = KEY) -> Ledger:
        """Return the ledger of a resource."""
        return Ledger.read(self.statuses.get(key, {}))

    def there(self, at: PushPlace = AT) -> dict[str, str]:
        """Return the entries of an environment that have the mark of this cluster, by key; none comes twice."""
        found = [each for each in self.server.sync().living() if each.of == at and self._is_ours(each)]
        assert len({each.place for each in found}) == len(found), "a twin"
        return {each.place.key: each.value for each in found}

    def _is_ours(self, stored: Stored) -> bool:
        return stored.holder is not None and stored.holder.installation == self.name


class _BurningCluster:
    """A process's connection to the API server: the process dies after a write."""

    def __init__(self, cluster: PushCluster, fuse: Fuse) -> None:
        self._cluster = cluster
        self._fuse = fuse

    async def write_ledger(self, key: ObjectKey, uid: str, before: Mapping[str, Any], after: Mapping[str, Any]) -> bool:
        done = await self._cluster.write_ledger(key, uid, before, after)
        self._fuse.burn("ledger")
        return done

    async def set_finalizer(self, *args: Any, **fields: Any) -> None:
        await self._cluster.set_finalizer(*args, **fields)
        self._fuse.burn("finalizer")

    def __getattr__(self, name: str) -> Any:
        return getattr(self._cluster, name)


@dataclass
class Places:
    """The gates of accounts, and what probes have shown."""

    clock: HandClock
    server: PushServer
    gates: Gates = field(default_factory=lambda: Gates(None))
    probed: str | None = None
    kept: Counter[Account] = field(default_factory=Counter)
    watched: dict[ObjectKey, tuple[Watch, float, Wake]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Connect them."""
        self.others = OtherCalls(self.gates, lambda *_: None, lambda *_: set())

    def probe(self) -> None:
        """See what a probe shows now, and wake those who watch if that is another revision."""
        self.server.sync()
        before, self.probed = self.probed, self.server.revision
        for key, (_, _, wake) in self.watched.items():
            if self.probed != before:
                wake(key)

    def watch(self, key: ObjectKey, watch: Watch, interval: float, credential: Credential, wake: Wake) -> None:
        """Have it probed."""
        self.watched[key] = (watch, interval, wake)

    def unwatch(self, key: ObjectKey) -> None:
        """Have it probed no more."""
        self.watched.pop(key, None)

    def revision(self, account: Account, at: PushPlace) -> str | None:
        """Return what was seen."""
        return self.probed

    def other_allowed_at(self, account: Account, now: float) -> float:
        """Return when a call may be made."""
        return self.others.allowed_at(account, now)

    def other_begins(self, account: Account, requests: int = 1) -> InFlightCall:
        """Begin one."""
        return self.others.begin(account, self.clock.monotonic(), requests)

    def other_is_let_in(self, account: Account, begun: InFlightCall) -> None:
        """Count it as passed."""
        self.others.let_in(account, begun, self.clock.monotonic())

    def other_ended(self, account: Account, begun: InFlightCall, asked: CallFacts, error: ExpectedError | None) -> None:
        """End it."""
        self.others.end(account, begun, asked, error, self.clock.monotonic())

    def keep_account(self, account: Account) -> None:
        """Keep it."""
        self.kept[account] += 1
        self.others.keep(account)

    def let_account_go(self, account: Account) -> None:
        """Let it go."""
        self.kept[account] -= 1
        self.others.let_go(account)


class _Specs:
    def __init__(self, cluster: PushCluster) -> None:
        self._cluster = cluster

    def read(self, resource: Resource) -> Spec:
        if error := self._cluster.refusals.get(resource.key):
            raise error
        return self._cluster.specs[resource.key]

    def leave(self, key: ObjectKey) -> None:
        self._cluster.left.append(key)

    async def asker(self, resource: Resource, spec: Spec) -> Asker:
        if error := self._cluster.asker_errors.get(resource.key):
            return Asker(error=error)
        account = f"account of {resource.key.namespace}"
        return Asker(Account(spec.ask.base_url, account), Credential(account, SecretValue("Bearer x")))


class _Counted(Counter[str]):
    def pushed(self, kind: str, number: int) -> None:
        self[kind] += number


class PushHouse:
    """One process. A step that kills it raises KilledError: make another house on the same cluster then."""

    def __init__(self, cluster: PushCluster, *, dies_after: int | None = None, memory: int = 80 * MIB) -> None:
        self.cluster = cluster
        self.clock = cluster.clock
        self.fuse = Fuse(dies_after)
        self.server = cluster.server
        self.places = Places(self.clock, self.server)
        self.pushed = _Counted()
        self.store = PhaseSecretStore(KIND)
        self.outcomes: dict[ObjectKey, PushOutcome] = {}
        self.sources = FakeSources(cluster.stock, self.fuse)
        self.memory = AnswerMemory(memory)
        self._due: list[tuple[float, ObjectKey]] = []
        self.runs_made = 0
        chance = random.Random(id(self))
        api, burning = PushPhase(self.server, self.fuse), _BurningCluster(cluster, self.fuse)
        background = self.background = AwaitedThread()
        self.errands = Errands(self.places, self.clock, self.wake, lambda errand, result: None, 16)
        calls = PushCalls(
            api=api,
            phase=api,  # type: ignore[arg-type]
            errands=self.errands,
            cluster=burning,
            counter=self.pushed,
            memory=self.memory,
            clock=self.clock,
        )
        self.readers = PushReaders()
        self.subjects = PushSubjects(
            errands=self.errands,
            readers=self.readers,
            clock=self.clock,
            memory_key=lambda: chance.randbytes(32),
        )
        self.driver = PushDriver(
            cluster=burning,
            resources=Stores(PhaseSecretStore(), self.store),
            errands=self.errands,
            calls=calls,
            gatherer=SourceGatherer(self.sources, self.memory),
            readers=self.readers,
            generated=GeneratedValues(self.sources, burning, background, chance.randbytes),
            gates=self.places,
            background=background,
            clock=self.clock,
            bits=lambda: chance.getrandbits(32),
        )
        self.runs = PushRuns(
            subjects=self.subjects,
            driver=self.driver,
            calls=calls,
            errands=self.errands,
            ending=PushEnding(burning, Removal(burning, self.clock, 600.0)),
            specs=_Specs(cluster),
            probes=self.places,
            installation=lambda: cluster.name,
            wake_in=lambda key, delay: heapq.heappush(self._due, (self.clock.monotonic() + delay, key)),
        )
        for key in cluster.specs:
            self.show(key)

    def show(self, key: ObjectKey = KEY, deleted: str = "") -> None:
        """Let the watch show a resource as it is."""
        body = self.cluster.body(key, deleted)
        self.cluster.bodies[key] = body
        self.store.remove(key)
        self.store.upsert(body)
        self.wake(key)

    def wake(self, key: ObjectKey) -> None:
        """Have a resource run at once."""
        heapq.heappush(self._due, (self.clock.monotonic(), key))

    async def rest(self, most: int = 2000) -> None:
        """Do all that is due now, with the calls that it plans."""
        for _ in range(most):
            now = self.clock.monotonic()
            ready = {key for at, key in self._due if at <= now}
            self._due = [each for each in self._due if each[0] > now]
            heapq.heapify(self._due)
            for key in sorted(ready):
                self.runs_made += 1
                resource = self.store.get(key)
                outcome = self.outcomes[key] = await self.runs.reconcile(key, resource)
                if isinstance(outcome, Gone):
                    self.store.remove(key)
                elif retry_wanted(outcome):
                    heapq.heappush(self._due, (self.clock.monotonic() + _RETRIED, key))
            if not await self._make_errands() and not ready:
                return
        raise AssertionError("it never comes to rest")

    async def _make_errands(self) -> bool:
        """Make the calls that may be made now."""
        made = False
        while True:
            errand, _ = self.errands._look(self.clock.monotonic())
            if errand is None:
                return made
            made = True
            await self.errands.make(errand)

    async def pass_time(self, seconds: float, step: float = 5.0) -> None:
        """Let time pass, and do what is due meanwhile."""
        for _ in range(int(seconds / step)):
            self.clock.turn(step)
            await self.rest()

    def kept(self) -> int:
        """Return how many bytes the looks of all resources take."""
        looks = [each.look for each in self.subjects._subjects.values() if each.look is not None]
        return sum(each.weight for look in looks for several in look.entries.values() for each in several)

    async def probe(self) -> None:
        """Let a probe show what there is, and those run who watch it."""
        self.places.probe()
        await self.rest()


def world(*names: str) -> tuple[PushServer, list[PushCluster]]:
    """Return a Phase, and clusters of these names."""
    clock = HandClock()
    server = PushServer(lambda: moment_of(clock.now()) or 0.0)
    return server, [PushCluster(server, clock, each) for each in names or ("east",)]


def person_makes(server: PushServer, key: str, value: str, comment: str = "") -> Stored:
    """Let a person make an entry in the Console."""
    return server.sync().add(AT, EntryPlace("/", key), value, "secret", comment)


__all__ = ["AT", "HOST", "KEY", "KIND", "KilledError", "Mark", "PushHouse", "named", "settle", "world"]


def data(number: int, value: str = "v") -> dict[str, bytes]:
    """Return so many keys with values of their own."""
    return {f"K{each:04d}": f"{value}-{each}".encode() for each in range(number)}


def said(house: PushHouse) -> Pushed:
    """Return what the last run came to, which has pushed."""
    found = house.outcomes[KEY]
    assert isinstance(found, Pushed), found
    return found


async def pushing(number: int = 2) -> PushHouse:
    """Return a process that has pushed a Secret of so many keys, and rests."""
    _, [cluster] = world()
    cluster.stock.put("db", data(number))
    cluster.resource(named("db"))
    house = PushHouse(cluster)
    await house.rest()
    return house
