"""A Phase without a network, and a scheduler that a test drives against it."""

from collections.abc import Iterable
from dataclasses import dataclass, field, replace

from phase_operator.api.reasons import Reason
from phase_operator.core.errors import ExpectedError, Transient, Waiting
from phase_operator.core.source.apps import App, Environment
from phase_operator.core.source.damage import Damage, DamagedEntry, DamagedPlace
from phase_operator.core.source.keyring import (
    Decrypted,
    EnvironmentId,
    KeyedApp,
    KeyedEnvironment,
    Keyring,
    Keys,
    environment_named,
)
from phase_operator.core.source.query import Account, SourceQuery
from phase_operator.core.values import Entry, ObjectKey
from phase_operator.reconcile.polling.calls import (
    Broken,
    Call,
    Fresh,
    ListApps,
    Policy,
    Probe,
    Read,
    ReadKeyring,
    SourceState,
    Subscription,
)
from phase_operator.reconcile.polling.keyrings import KeyringIndex
from phase_operator.reconcile.polling.scheduler import PollScheduler
from phase_operator.reconcile.polling.shared_answer import SharedAnswer
from support.builders import entry

Answer = list[App] | list[Environment] | list[Entry] | Keyring | Decrypted
DOWN = Transient(Reason.PHASE_UNAVAILABLE, "Phase answers 503")
DENIED = Waiting(Reason.ACCESS_DENIED, "Phase answers 403: no")
NO_LIST = Waiting(Reason.ACCESS_DENIED, "Phase answers 403: You don't have permission to read apps.")
ENCRYPTED = Waiting(Reason.APP_ENCRYPTED, "the app is end-to-end encrypted")


@dataclass
class Place:
    """An environment: what it holds and how often it moved."""

    entries: tuple[Entry, ...] = ()
    moves: int = 1
    # The environments that values here refer to, by app id and name: each is one more entry, which shows its moves.
    refers: tuple[tuple[str, str], ...] = ()
    # Made anew, it has another id.
    made: int = 1


@dataclass
class SimPhase:
    """Apps, environments and the ways in which Phase fails; every account sees everything."""

    apps: dict[str, str] = field(default_factory=lambda: {"shop": "app-1"})
    places: dict[tuple[str, str], Place] = field(default_factory=lambda: {("app-1", "production"): Place()})
    # Kind of call -> the error it ends in.
    errors: dict[str, ExpectedError] = field(default_factory=dict)
    dates: bool = True
    # The ids of end-to-end encrypted apps, and whether keyrings show which are.
    encrypted: set[str] = field(default_factory=set)
    tells_modes: bool = True
    # Places that hold an entry which nobody can decrypt.
    undecryptable: list[Place] = field(default_factory=list)
    # Folders of which one entry cannot be decrypted.
    damaged: set[str] = field(default_factory=set)
    # Environments of a keyring have the names that they have here, not titles of them.
    names_as_they_are: bool = False
    # Stands for all keys; another object means that they were made anew.
    keys: Keys = field(default_factory=Keys)

    def holds(self, *entries: Entry, app: str = "app-1", environment: str = "production") -> None:
        """Let these be the entries of an environment: it moves."""
        place = self.places.setdefault((app, environment), Place(moves=0))
        place.entries, place.moves = entries, place.moves + 1

    def writes(self, environment: str = "production", app: str = "app-1") -> None:
        """Let an environment move, and hold the same."""
        self.holds(*self.places[app, environment].entries, app=app, environment=environment)

    def answer(self, call: Call) -> "Answer":
        """Answer a call, or raise."""
        if error := self.errors.get(kind(call)):
            raise error
        match call:
            case ListApps():
                return [App(ident, name, ident in self.encrypted) for name, ident in self.apps.items()]
            case ReadKeyring():
                return self.keyring()
            case Probe(app_id=app_id) | Read(app_id=app_id, keys=None) if app_id in self.encrypted:
                raise ENCRYPTED
            case Probe(app_id=app_id):
                return [
                    Environment(name.title(), self._revision(place))
                    for (app, name), place in self.places.items()
                    if app == app_id
                ]
            case Read(app_id=app_id, environment=environment, path=path, tags=tags):
                if call.keys is not None:
                    app = call.keys.keyring.app(app_id)
                    environment = environment_named(app, call.exact).name
                    environment = environment if self.names_as_they_are else environment.casefold()
                found = self.places.get((app_id, environment))
                if found is None:
                    raise Waiting(Reason.ENVIRONMENT_NOT_FOUND, "Phase answers 404: Environment not found")
                if call.keys is not None:
                    return self._decrypted(call.keys.keyring, app_id, environment, found)
                return [
                    entry
                    for entry in self.content(found)
                    if path in (None, entry.path) and (not tags or set(tags) & entry.tags)
                ]

    def keyring(self) -> Keyring:
        """Return the keys of everything."""
        return Keyring(
            tuple(
                KeyedApp(
                    ident,
                    name,
                    ident in self.encrypted if self.tells_modes else None,
                    tuple(
                        KeyedEnvironment(
                            _ident(environment, place),
                            environment if self.names_as_they_are else environment.title(),
                            self._revision(place),
                            self.keys,
                        )
                        for (app, environment), place in self.places.items()
                        if app == ident
                    ),
                )
                for name, ident in self.apps.items()
            ),
            self.keys,
        )

    def content(self, place: Place) -> tuple[Entry, ...]:
        """Return what an environment holds, with its references resolved."""
        found = [(name, self.places.get((app, name))) for app, name in place.refers]
        referred = [entry(f"REF_{name}", f"{other.moves}") for name, other in found if other is not None]
        return (*place.entries, *referred)

    def _decrypted(self, keyring: Keyring, app_id: str, environment: str, place: Place) -> Decrypted:
        folded = str if self.names_as_they_are else str.casefold
        ids = {(app.id, folded(each.name)): each.id for app in keyring.apps for each in app.environments}
        if ids.get((app_id, environment)) != _ident(environment, place):
            raise Waiting(Reason.ACCESS_DENIED, "Phase answers 401: Environment not found")
        if place in self.undecryptable:
            raise Waiting(Reason.DECRYPTION_FAILED, "entry x cannot be decrypted")
        there = {each: ids[each] for each in place.refers if each in ids}
        referenced = frozenset(EnvironmentId(app, ident) for (app, _), ident in there.items())
        found = Decrypted(self.content(place), referenced, len(there) < len(place.refers))
        if not self.damaged:
            return found
        bad = tuple(DamagedEntry(entry("", path=path), f"{path}/BAD") for path in sorted(self.damaged))
        good = tuple(each for each in found.entries if each.path not in self.damaged)
        return replace(found, entries=good, damage=Damage(DamagedPlace("shop/production", bad), (), ()))

    def _revision(self, place: Place) -> str | None:
        return f"moved {place.moves}" if self.dates else None


def _ident(environment: str, place: Place) -> str:
    return f"{environment}-{place.made}"


class Driver:
    """Time, a scheduler and a Phase; every call is answered in the moment in which it begins."""

    def __init__(self, policy: Policy | None = None, phase: SimPhase | None = None) -> None:
        self.scheduler = PollScheduler(policy or Policy())
        self.phase = phase or SimPhase()
        self.now = 1000.0
        self.calls: list[tuple[float, Call]] = []
        self.woken: list[tuple[float, ObjectKey]] = []

    def ask(self, name: str, query: SourceQuery, *, interval: float = 60.0, **fields: object) -> SourceState:
        """Let a PhaseSecret subscribe; `a/x` is PhaseSecret x of namespace a. Accounts called `full...` have keys."""
        subscription = Subscription(interval, **fields)  # type: ignore[arg-type]  # fields by name
        has_keys = query.account.name.startswith("full")
        return self.scheduler.subscribe(key(name), query, subscription, self.now, has_keys=has_keys)

    def view(self, name: str) -> SourceState:
        """Return what is known of a PhaseSecret's question."""
        return self.scheduler.view(key(name))

    def run(self, seconds: float = 0.0) -> list[str]:
        """Let time pass, answer every call on the way, and return the kinds of the calls."""
        end = self.now + seconds
        before = len(self.calls)
        while True:
            call = self.scheduler.next(self.now)
            self.take(self.scheduler.awakened())
            if call is not None:
                self.end(call)
                continue
            due = self.scheduler.next_due()
            if due is None or due > end:
                break
            self.now = max(self.now, due)
        self.now = end
        return [kind(call) for _, call in self.calls[before:]]

    def until(self, wanted: str) -> None:
        """Let time pass up to the next call of a kind, and answer it as well."""
        while True:
            call = self.scheduler.next(self.now)
            if call is not None:
                self.end(call)
                if kind(call) == wanted:
                    return
                continue
            due = self.scheduler.next_due()
            assert due is not None, f"no {wanted} is planned"
            self.now = max(self.now, due)

    def end(self, call: Call) -> None:
        """Answer a call."""
        self.calls.append((self.now, call))
        self.take(tell(self.scheduler, self.phase, call, self.now))

    def take(self, woken: Iterable[ObjectKey]) -> None:
        """Remember who was woken."""
        self.woken += [(self.now, each) for each in sorted(woken)]

    def woken_now(self) -> set[str]:
        """Return who was woken since the last time this was asked."""
        names = {each.name for _, each in self.woken}
        self.woken = []
        return names


def fresh(driver: Driver, name: str = "x") -> list[str]:
    """Return the keys of the answer that a PhaseSecret is shown, which has to be good."""
    state = driver.view(name)
    assert isinstance(state, Fresh), state
    return [each.key for each in state.answer.entries]


def broken(driver: Driver, name: str = "x") -> Reason:
    """Return why a PhaseSecret is shown a failure, which there has to be."""
    state = driver.view(name)
    assert isinstance(state, Broken), state
    return state.error.reason


def tell(scheduler: PollScheduler, phase: SimPhase, call: Call, now: float) -> set[ObjectKey]:
    """Answer a call as Phase would, and record its end in the scheduler."""
    try:
        answer = phase.answer(call)
    except ExpectedError as error:
        return scheduler.failed(call, error, now)
    match call:
        case ListApps():
            return scheduler.apps_listed(call, answer, now)  # type: ignore[arg-type]  # an answer of this call
        case ReadKeyring():
            return scheduler.keyring_read(call, KeyringIndex(answer), now)  # type: ignore[arg-type]  # its answer
        case Probe():
            return scheduler.probed(call, answer, now)  # type: ignore[arg-type]  # an answer of this call
        case Read():
            decrypted = answer if isinstance(answer, Decrypted) else None
            entries = decrypted.entries if decrypted is not None else answer
            damage = decrypted.damage if decrypted is not None else None
            shared_answer = SharedAnswer(call.app_id, entries, damage=damage)  # type: ignore[arg-type]  # its answer
            for _ in decrypted.referenced if decrypted is not None else ():
                scheduler.goes_on(call, now)
            return scheduler.was_read(call, shared_answer, now, decrypted)


def kind(call: Call) -> str:
    """Return apps, keyring, probe or read."""
    return {ListApps: "apps", ReadKeyring: "keyring", Probe: "probe", Read: "read"}[type(call)]


def key(name: str) -> ObjectKey:
    """Return the key of `namespace/name`, in namespace `team` if there is none."""
    namespace, _, rest = name.rpartition("/")
    return ObjectKey(namespace or "team", rest)


def account(name: str = "account", base_url: str = "https://phase.example/service/public") -> Account:
    """Return an account."""
    return Account(base_url, name)
