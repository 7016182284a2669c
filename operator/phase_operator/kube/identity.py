"""Who we are to the API server, asked of the library that knows how tokens are renewed.

Rule: it is asked once a second at most, since asking takes as long as writing all other headers of a request.
"""

import math
from collections.abc import Awaitable, Callable, Mapping

# For how many seconds an answer is used. A token that is renewed stays valid for longer.
_SECONDS = 1.0


class Identity:
    """The headers that say who we are."""

    def __init__(self, ask: Callable[[], Awaitable[Mapping[str, str]]]) -> None:
        self._ask = ask
        self._known: Mapping[str, str] = {}
        self._until = -math.inf

    async def headers(self, now: float) -> Mapping[str, str]:
        """Return them as they were within the last second; `now` is in seconds of any clock that does not go back."""
        if now >= self._until:
            self._known, self._until = await self._ask(), now + _SECONDS
        return self._known
