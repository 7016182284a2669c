"""How often an account may be asked for leases: each makes a user at a cloud provider.

Rule: namespaces that share an account have equal parts of its rate. Who has to wait is told when its turn is, once, and
asks again then.
"""

from dataclasses import dataclass, field
from math import inf

from phase_operator.core.source.query import Account
from phase_operator.core.values import ObjectKey

_WINDOW = 60.0


@dataclass(slots=True)
class _Turns:
    # Resource -> its turn, of those that have one and have not asked yet.
    given: dict[ObjectKey, float] = field(default_factory=dict)
    # Namespace -> when its next turn may be.
    following: dict[str, float] = field(default_factory=dict)
    # When leases were asked for lately.
    asked: list[float] = field(default_factory=list)


class LeaseRate:
    """The turns of resources that want a lease; times are in seconds of one monotonic clock."""

    def __init__(self, per_minute: int) -> None:
        self._most = per_minute
        self._accounts: dict[Account, _Turns] = {}
        self._is_closed = False

    def close(self) -> None:
        """Give no more turns: what begins now could not end."""
        self._is_closed = True

    def allowed_at(self, account: Account, key: ObjectKey, now: float) -> float:
        """Return when a resource may ask for a lease; its turn is kept for it until `asked` or `forget`."""
        if self._is_closed:
            return inf
        turns = self._accounts.setdefault(account, _Turns())
        if key not in turns.given:
            following = {each: at for each, at in turns.following.items() if at > now}
            turn = max(now, following.get(key.namespace, now))
            following[key.namespace] = turn + _WINDOW * len(following.keys() | {key.namespace}) / self._most
            turns.following, turns.given[key] = following, turn
        turns.asked = [each for each in turns.asked if now - each < _WINDOW]
        # Namespaces that came later may have had turns meanwhile.
        is_full = len(turns.asked) >= self._most
        return max(turns.given[key], turns.asked[0] + _WINDOW if is_full else now)

    def asked(self, account: Account, key: ObjectKey, now: float) -> None:
        """Count a lease that is asked for."""
        turns = self._accounts.setdefault(account, _Turns())
        turns.given.pop(key, None)
        turns.asked.append(now)

    def forget(self, account: Account, key: ObjectKey) -> None:
        """Forget a resource that wants no lease any more, or wants it with another account."""
        turns = self._accounts.get(account)
        if turns is not None:
            turns.given.pop(key, None)

    def prune(self, now: float) -> None:
        """Forget accounts with nothing to remember."""
        self._accounts = {account: turns for account, turns in self._accounts.items() if _counts(turns, now)}


def _counts(turns: _Turns, now: float) -> bool:
    later = (*turns.following.values(), *(each + _WINDOW for each in turns.asked))
    return bool(turns.given) or any(each > now for each in later)
