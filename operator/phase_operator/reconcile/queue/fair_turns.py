"""Start-time fair queueing: owners take turns, however many items each of them has.

Rule: the next turn of an owner comes after its last one, and not before the turn that is served now. So an owner that
was away gets no turns for that time, and one that comes and goes does not get ahead.
"""

# Owners whose last turn no longer counts are forgotten when so many are known, or twice as many as still count.
_MOST = 1000


class FairTurns:
    """Numbers the turns of owners; the lowest number is next."""

    def __init__(self, most: int = _MOST) -> None:
        self._least = self._most = most
        self._served = 0
        # The first turn that an owner may have next.
        self._next: dict[str, int] = {}

    def give(self, owner: str) -> int:
        """Return the number of the owner's next turn, and count it as given."""
        turn = max(self._served, self._next.get(owner, 0))
        self._next[owner] = turn + 1
        if len(self._next) > self._most:
            self._next = {each: first for each, first in self._next.items() if first > self._served}
            self._most = max(self._least, 2 * len(self._next))
        return turn

    def serve(self, turn: int) -> None:
        """Count a turn as begun: no turn that is given from now on has a lower number."""
        self._served = max(self._served, turn)
