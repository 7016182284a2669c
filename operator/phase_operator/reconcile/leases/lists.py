"""The lists of leases that Phase has shown: one for each account and dynamic secret, whoever asked for it."""

from collections.abc import Iterable, Mapping, Set
from dataclasses import dataclass, field, replace

from phase_operator.core.leases.facts import ListedLease, Listing
from phase_operator.core.leases.ledger import LeasePlace
from phase_operator.core.source.answer_memory import MIB
from phase_operator.core.source.query import Account
from phase_operator.core.values import ObjectKey
from phase_operator.reconcile.leases.subject import Subject

# Phase never takes a lease off its list. Of those that have ended, so many of the newest are kept.
_MOST_ENDED = 1000
_MOST = 10_000
# Seconds after which whoever waits for the list of another one asks himself: longer than such a call takes.
PATIENCE = 30
# Seconds between two lists, for each MiB that one takes.
_PER_MIB = 60.0


@dataclass(slots=True)
class _Lists:
    newest: Listing | None = None
    before: Listing | None = None
    # Bytes of the newest.
    size: int = 0
    # Leases that were given back, and that no list has shown as revoked yet.
    given_back: set[str] = field(default_factory=set)
    # Who waits for the list that comes.
    waiting: dict[ObjectKey, Subject] = field(default_factory=dict)
    # Whose call it is, and since when, in seconds since 1970; None if nobody has planned one.
    asker: ObjectKey | None = None
    asks_since: float = 0.0


class Lists:
    """What all resources know of the leases at Phase."""

    def __init__(self) -> None:
        self._lists: dict[Account, dict[LeasePlace, _Lists]] = {}

    def take(self, account: Account, listing: Listing, size: int) -> None:
        """Take over a list that an account was shown, of so many bytes."""
        found = self._of(account, listing.place)
        # A list may be older than what was given back while it was read.
        found.given_back &= {each.id for each in listing.leases if not each.is_revoked}
        found.before, found.newest = found.newest, _without(_bounded(listing), found.given_back)
        found.size = size

    def given_back(self, account: Account, place: LeasePlace, lease_id: str) -> None:
        """Show a lease as revoked: no ledger names it soon, and a list from before must not show it as nobody's."""
        found = self._of(account, place)
        found.given_back.add(lease_id)
        if found.newest is not None:
            found.newest = _without(found.newest, {lease_id})

    def newest(self, account: Account, places: Iterable[LeasePlace]) -> Mapping[LeasePlace, Listing]:
        """Return the newest list of each place that has one."""
        known = self._lists.get(account, {})
        return {each: listing for each in places if each in known and (listing := known[each].newest) is not None}

    def before(self, account: Account, places: Iterable[LeasePlace]) -> Mapping[LeasePlace, Listing]:
        """Return the list before the newest of each place that has one."""
        known = self._lists.get(account, {})
        return {each: listing for each in places if each in known and (listing := known[each].before) is not None}

    def least_interval(self, account: Account, places: Iterable[LeasePlace]) -> float:
        """Return how many seconds have to be between two lists, since a list never gets shorter."""
        known = self._lists.get(account, {})
        return max((_PER_MIB * known[each].size / MIB for each in places if each in known), default=0.0)

    def join(self, account: Account, place: LeasePlace, subject: Subject) -> None:
        """Have a resource wait for the list that comes next.

        It joins when it decides that it needs one: a list that comes before it asks is the one that it waits for.
        """
        self._of(account, place).waiting[subject.key] = subject

    def asks(self, account: Account, place: LeasePlace, key: ObjectKey, now: float) -> bool:
        """Return whether a resource is the one of those who wait that has to ask; if so, it has to plan the call.

        That is the first that comes to plan one: who has joined before may never get there. The call of another one
        may wait for a share of its namespace, so nobody waits for it for ever.
        """
        found = self._of(account, place)
        is_others = found.asker not in (None, key) and now < found.asks_since + PATIENCE
        if key not in found.waiting or is_others:
            return False
        found.asker, found.asks_since = key, now
        return True

    def withdraw(self, account: Account, key: ObjectKey) -> list[ObjectKey]:
        """Let a resource ask for no list; return those that have waited for it and have to ask themselves."""
        left: list[ObjectKey] = []
        for lists in self._lists.get(account, {}).values():
            lists.waiting.pop(key, None)
            if lists.asker == key:
                left += lists.waiting
                lists.waiting, lists.asker = {}, None
        return left

    def came(self, account: Account, place: LeasePlace) -> list[Subject]:
        """Return who has waited for a list, which has come or has failed to."""
        found = self._of(account, place)
        waiting, found.waiting, found.asker = found.waiting, {}, None
        return list(waiting.values())

    def forget(self, account: Account) -> None:
        """Forget the lists of an account that is used no more."""
        self._lists.pop(account, None)

    def _of(self, account: Account, place: LeasePlace) -> _Lists:
        return self._lists.setdefault(account, {}).setdefault(place, _Lists())


def _without(listing: Listing, given_back: Set[str]) -> Listing:
    """Return a list that shows these leases as revoked."""
    if not given_back:
        return listing
    leases = (replace(each, is_revoked=True) if each.id in given_back else each for each in listing.leases)
    return replace(listing, leases=tuple(leases))


def _bounded(listing: Listing) -> Listing:
    """Return a list without what has ended long ago."""
    kept: list[ListedLease] = []
    for number, each in enumerate(listing.leases):
        if (number < _MOST_ENDED or not each.is_revoked) and len(kept) < _MOST:
            kept.append(each)
    return Listing(listing.place, listing.at, tuple(kept))
