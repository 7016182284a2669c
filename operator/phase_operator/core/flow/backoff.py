"""When to run next: intervals, spread and back-off, in seconds.

Rule: no clock and no random numbers. The spread of a source follows from its query, so it is the same after a restart.
"""

import hashlib

from phase_operator.core.errors import ExpectedError, Transient

DEFAULT_INTERVAL = 60
_FIRST_RETRY = 1.0
# Granted access or a new app is seen within a minute, without many calls to Phase.
_SLOW_RETRY_MIN = 15.0
_SLOW_RETRY_MAX = 45.0
_TRANSIENT_MAX = 60.0
_RESTART_MAX = 60.0
# The longest pause before a broken watch is reopened: all is caught up 5 s after the API server is back.
_FIRST_REOPEN = 0.25
_REOPEN_MAX = 2.0
# The longest wait until a namespace is served that appears or grants us access.
_REFUSED_MAX = 15.0
# The longest pause that the API server can ask a watch for.
_ASKED_MAX = 60.0
# A time this share of an interval before a beat counts as on the beat, because floats are not exact.
_EARLY = 0.001


def spread(identity: str) -> float:
    """Return a fixed number in [0, 1) for a name."""
    return int.from_bytes(hashlib.blake2b(identity.encode(), digest_size=4).digest(), "big") / 2**32


def doubled(first: float, longest: float, times: int) -> float:
    """Return `first` doubled `times` times, at most `longest`."""
    return min(first * 2.0 ** min(times, 16), longest)


def next_look(interval: float, identity: str, now: float) -> float:
    """Return when the next regular check is due: on the source's own beat, at most one interval away.

    Each source has one beat an interval, at a time of its own. After a start or an outage, all are checked at once, off
    their beats. Then a source's checks are less than an interval apart, but at least half of one, until it is on its
    beat; from then on they are exactly one interval apart.
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

    An event (an edit, a token Secret, a target, an answer of Phase) starts the run sooner.
    """
    fraction = spread(f"{identity}#{failures}")
    if not transient:
        return _SLOW_RETRY_MAX * (1 - 0.3 * fraction)
    return doubled(_FIRST_RETRY, _SLOW_RETRY_MAX, failures - 1) * (1 - 0.3 * fraction)


def reopen_watch(*, failures: int, identity: str, asked: float | None = None) -> float:
    """Return seconds until a watch is opened again, after `failures` failures in a row (1 for the first).

    `asked` is the pause that the API server asked for, if any.
    """
    fraction = spread(f"{identity}#{failures}")
    pause = doubled(_FIRST_REOPEN, _REOPEN_MAX, failures - 1) * (1 - 0.3 * fraction)
    return max(pause, min(asked or 0.0, _ASKED_MAX))


def after_bug(failures: int) -> float:
    """Return seconds until a task is started again that a bug of ours ended `failures` times in a row."""
    return doubled(_FIRST_RETRY, _RESTART_MAX, failures - 1)


def look_again(*, failures: int, identity: str) -> float:
    """Return seconds until a namespace that refuses us is tried again, after `failures` refusals in a row.

    It may refuse for ever, and there may be many such namespaces.
    """
    return doubled(_FIRST_RETRY, _REFUSED_MAX, failures - 1) * (1 - 0.3 * spread(f"{identity}#{failures}"))
