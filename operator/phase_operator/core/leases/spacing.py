"""How long a lease is asked for, and how soon after the one before."""

from phase_operator.core.flow.backoff import doubled
from phase_operator.core.leases.facts import Resolved, Wanted
from phase_operator.core.leases.ledger import Ledger

# The shortest life that Phase accepts, in seconds.
SHORTEST = 60
# The most seconds that a fingerprint takes off, and the least part of the life that is left.
_MOST_OFF = 599
_PART_OFF = 20
_FIRST_PAUSE = 15.0


def wanted_life(wanted: Wanted, resolved: Resolved) -> int:
    """Return how long a lease is wanted for, in seconds."""
    return wanted.ttl or resolved.secret.default_ttl


def fingerprint(life: int, bits: int) -> int:
    """Return the life to ask for: up to a twentieth shorter, so that the list shows which attempt it came of.

    The life is all that a client may choose of a lease and find in the list again.
    """
    most = min(_MOST_OFF, life // _PART_OFF, life - SHORTEST)
    return life - (1 + bits % most if most > 0 else 0)


def earliest(ledger: Ledger, life: int) -> float:
    """Return when the next attempt may begin, in seconds since 1970: after setbacks in a row later and later.

    A failed attempt may leave a user at the cloud provider that nobody takes away, so failures must not come in rows.
    """
    if not ledger.setbacks:
        return 0.0
    return ledger.last_attempt + doubled(_FIRST_PAUSE, max(_FIRST_PAUSE, life / 4), ledger.setbacks - 1)
