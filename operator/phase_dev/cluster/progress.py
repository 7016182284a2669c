"""Show that a long step is alive.

Rule: one line per step; on a terminal it is rewritten in place, elsewhere a line is added now and then.
"""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TextIO

Clock = Callable[[], float]


class Progress:
    """Tells a person, or a CI log, what is going on and for how long."""

    def __init__(
        self,
        stream: TextIO,
        *,
        clock: Clock = time.monotonic,
        every: float = 30.0,
        check: Callable[[], None] = lambda: None,
    ) -> None:
        """Write to the stream; `check` is called at every tick, and what it raises ends the step."""
        self._stream = stream
        self._clock = clock
        self.check = check
        self._live = stream.isatty()
        self._every = 1.0 if self._live else every

    def say(self, line: str) -> None:
        """Write one line."""
        self._stream.write(f"{line}\n")
        self._stream.flush()

    @contextmanager
    def step(self, what: str, left: Callable[[], str] = lambda: "") -> Iterator[Callable[[], None]]:
        """Announce a step; call what it yields as often as you like, and the elapsed time is shown when it is due.

        `left` says in words what is left to do, or "".
        """
        begun = last = self._clock()

        def tick() -> None:
            nonlocal last
            self.check()
            now = self._clock()
            if now - last >= self._every:
                last = now
                self._show(f"{what} ... {', '.join(filter(None, [spell(now - begun), left()]))}", final=False)

        self._show(f"{what} ...", final=False)
        try:
            yield tick
        except BaseException:
            self._show(f"{what}: stopped after {spell(self._clock() - begun)}", final=True)
            raise
        self._show(f"{what}: done in {spell(self._clock() - begun)}", final=True)

    def _show(self, line: str, *, final: bool) -> None:
        if not self._live:
            self.say(line)
            return
        self._stream.write(f"\r\x1b[K{line}" + ("\n" if final else ""))
        self._stream.flush()


def spell(seconds: float) -> str:
    """Write a duration as minutes and seconds."""
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes}m{rest:02}s" if minutes else f"{rest}s"
