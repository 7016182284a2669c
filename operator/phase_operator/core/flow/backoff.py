"""When to run next: intervals, spread, back-off, as seconds.

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
# A watch that broke is opened again at least so often: all is to be caught up 5 s after the API server is back.
_FIRST_REOPEN = 0.25
_REOPEN_MAX = 2.0
# A namespace that appears, or lets us in, is served so soon.
_REFUSED_MAX = 15.0
# Longer than this no wish of the API server makes a watch wait.
_ASKED_MAX = 60.0
# This share of an interval before a beat counts as on it: floats do not add up.
_EARLY = 0.001


def spread(identity: str) -> float:
    """Return a fixed number in [0, 1) for a name."""
    return int.from_bytes(hashlib.blake2b(identity.encode(), digest_size=4).digest(), "big") / 2**32


def doubled(first: float, longest: float, times: int) -> float:
    """Return a pause that was doubled so many times, at most the longest."""
    return min(first * 2.0 ** min(times, 16), longest)


def next_look(interval: float, identity: str, now: float) -> float:
    """Return when the next regular look is due: on the source's own beat, at most the interval away.

    Each source beats once an interval, at a time of its own. A look that was off the beat (after a start or an outage
    all look at once) is followed by shorter ones, not shorter than half, until it is on the beat; from then on looks
    are exactly one interval apart.
    """
    early = interval * _EARLY
    since_beat = max(0.0, (now - interval * spread(identity) + early) % interval - early)
    return now + interval - min(since_beat, interval / 2)


def retry_source(error: ExpectedError, failures: int, interval: float, identity: str) -> float:
    """Return seconds to the next try after `failures` failures in a row (1 for the first)."""
    fraction = spread(f"{identity}#{failures}")
    if isinstance(error, Transient):
        if error.after is not None:
            return error.after + fraction
        return doubled(_FIRST_RETRY, _TRANSIENT_MAX, failures - 1) * (1 - 0.3 * fraction)
    return min(max(interval, _SLOW_RETRY_MIN), _SLOW_RETRY_MAX) * (1 - 0.1 * fraction)


def retry_resource(*, transient: bool, failures: int, identity: str) -> float:
    """Return seconds to the next try of a resource after `failures` failed runs in a row (1 for the first).

    What has a watch (edits, token Secrets, targets, answers of Phase) wakes the resource sooner.
    """
    fraction = spread(f"{identity}#{failures}")
    if not transient:
        return _SLOW_RETRY_MAX * (1 - 0.3 * fraction)
    return doubled(_FIRST_RETRY, _SLOW_RETRY_MAX, failures - 1) * (1 - 0.3 * fraction)


def reopen_watch(*, failures: int, identity: str, asked: float | None = None) -> float:
    """Return seconds until a watch is opened again, after `failures` failures in a row (1 for the first).

    `asked` is what the API server asked for, if it did.
    """
    fraction = spread(f"{identity}#{failures}")
    pause = doubled(_FIRST_REOPEN, _REOPEN_MAX, failures - 1) * (1 - 0.3 * fraction)
    return max(pause, min(asked or 0.0, _ASKED_MAX))


def look_again(*, failures: int, identity: str) -> float:
    """Return seconds until a namespace that refuses us is asked again, after so many refusals in a row.

    It may stay away for good, and there may be many of them.
    """
    return doubled(_FIRST_RETRY, _REFUSED_MAX, failures - 1) * (1 - 0.3 * spread(f"{identity}#{failures}"))
