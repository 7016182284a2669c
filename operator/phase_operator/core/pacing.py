"""When to run next: intervals, spread, backoff, as seconds.

Rule: no clock and no dice. The spread of a source is a property of its question, so it is the same after a restart.
"""

import hashlib

from phase_operator.core.errors import ExpectedError, Transient

DEFAULT_INTERVAL = 60
_FIRST_RETRY = 1.0
# Access that is granted, an app that appears: seen within a minute, without hammering Phase meanwhile.
_SLOW_RETRY_MIN = 15.0
_SLOW_RETRY_MAX = 45.0
_TRANSIENT_MAX = 60.0
_SPREAD = 0.1


def spread(identity: str) -> float:
    """Return a fixed number in [0, 1) for a name."""
    return int.from_bytes(hashlib.blake2b(identity.encode(), digest_size=4).digest(), "big") / 2**32


def next_look(interval: float, identity: str) -> float:
    """Return seconds to the next regular look: the interval, up to a tenth shorter so that sources drift apart."""
    return interval * (1 - _SPREAD * spread(identity))


def retry_source(error: ExpectedError, failures: int, interval: float, identity: str) -> float:
    """Return seconds to the next try after `failures` failures in a row (1 for the first)."""
    fraction = spread(f"{identity}#{failures}")
    if isinstance(error, Transient):
        if error.after is not None:
            return error.after + fraction
        return min(_FIRST_RETRY * 2.0 ** min(failures - 1, 16), _TRANSIENT_MAX) * (1 - 0.3 * fraction)
    return min(max(interval, _SLOW_RETRY_MIN), _SLOW_RETRY_MAX) * (1 - 0.1 * fraction)


def retry_resource(*, transient: bool, failures: int, identity: str) -> float:
    """Return seconds to the next try of a resource after `failures` failed runs in a row (1 for the first).

    What has a watch (edits, token Secrets, targets, answers of Phase) wakes the resource sooner.
    """
    fraction = spread(f"{identity}#{failures}")
    if not transient:
        return _SLOW_RETRY_MAX * (1 - 0.3 * fraction)
    return min(_FIRST_RETRY * 2.0 ** min(failures - 1, 16), _SLOW_RETRY_MAX) * (1 - 0.3 * fraction)
