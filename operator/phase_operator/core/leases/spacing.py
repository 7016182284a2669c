"""How long a lease is asked for, and how soon after the one before."""

from math import inf

from phase_operator.core.flow.backoff import doubled
from phase_operator.core.leases.facts import Resolved, Wanted
from phase_operator.core.leases.ledger import Ledger

# The shortest life that Phase accepts, in seconds.
SHORTEST = 60
# The most seconds that a fingerprint takes off, and the least part of the life that is left.
_MOST_OFF = 599
_PART_OFF = 20
_FIRST_PAUSE = 15.0
# Seconds before the end of the lease that serves in which attempts do not get rarer, and the pause between them then.
_LAST_CHANCE = 20.0
_SHORT_PAUSE = 5.0


def wanted_life(wanted: Wanted, resolved: Resolved) -> int:
    """Return how long a lease is wanted for, in seconds."""
    return wanted.ttl or resolved.secret.default_ttl


def fingerprint(life: int, bits: int) -> int:
    """Return the life to ask for: up to a twentieth shorter, so that the list shows which attempt it came of.

    The life is all that a client may choose of a lease and find in the list again.
    """
    most = min(_MOST_OFF, life // _PART_OFF, life - SHORTEST)
    return life - (1 + bits % most if most > 0 else 0)


def earliest(ledger: Ledger, life: int, ends_at: float = inf) -> float:
    """Return when the next attempt may begin, in seconds since 1970: after setbacks in a row later and later.

    A failed attempt may leave a user at the cloud provider that nobody takes away, so failures must not come in rows.
    But no pause lasts until the lease that serves has ended: pauses begin with a part of a short life, and shortly
    before `ends_at` a few attempts may follow.
    """
    if not ledger.setbacks:
        return 0.0
    first = max(_SHORT_PAUSE, min(_FIRST_PAUSE, life / 12)) if life else _FIRST_PAUSE
    pause = doubled(first, max(_FIRST_PAUSE, life / 4), ledger.setbacks - 1)
    return ledger.last_attempt + max(_SHORT_PAUSE, min(pause, ends_at - _LAST_CHANCE - ledger.last_attempt))
