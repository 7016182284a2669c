"""Requests per minute and account, in a sliding window.

Rule: a refused call is not counted, so the window opens again when the oldest counted call leaves it.
"""

import math
from collections import defaultdict, deque
from datetime import datetime

from phase_dev.server.responses import ApiError

WINDOW_SECONDS = 60


class Quota:
    """The counted calls of every account."""

    def __init__(self) -> None:
        self._calls: defaultdict[str, deque[datetime]] = defaultdict(deque)

    def take(self, account: str, limit: int | None, now: datetime) -> None:
        """Count one call, or refuse it and say how long to wait."""
        if limit is None:
            return
        calls = self._calls[account]
        while calls and (now - calls[0]).total_seconds() >= WINDOW_SECONDS:
            calls.popleft()
        if len(calls) >= limit:
            oldest = (now - calls[0]).total_seconds() if calls else 0.0
            raise throttled(math.ceil(WINDOW_SECONDS - oldest))
        calls.append(now)

    def reset(self) -> None:
        """Forget all calls."""
        self._calls.clear()


def throttled(seconds: int) -> ApiError:
    """Return the 429 that asks to wait for so many seconds."""
    unit = "second" if seconds == 1 else "seconds"
    text = f"Request was throttled. Expected available in {seconds} {unit}."
    return ApiError(429, text, headers={"Retry-After": str(seconds)})
