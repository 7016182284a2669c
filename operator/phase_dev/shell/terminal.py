"""The person at the terminal: what is going on, what went wrong, and the signal that ends it.

Rule: a step is one line, rewritten in place on a terminal; an error is one sentence and a non-zero exit, never a trace.
"""

import signal
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import TextIO

import click

from phase_dev.shell.errors import ToolError

_ENDING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)

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


class Ended(BaseException):
    """This process was asked to end; not an Exception, so that no handler takes it for a failure."""

    def __init__(self, number: int) -> None:
        super().__init__(signal.Signals(number).name)
        self.exit_code = 128 + number


@contextmanager
def ended_by_signals() -> Iterator[None]:
    """Raise Ended in the block at the first signal; further ones are ignored, so that the cleaning up is not cut."""

    def end(number: int, _: FrameType | None) -> None:
        for other in _ENDING:
            signal.signal(other, signal.SIG_IGN)
        raise Ended(number)

    before = {number: signal.signal(number, end) for number in _ENDING}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextmanager
def one_sentence() -> Iterator[None]:
    """Turn what goes wrong into one sentence, and a signal into the exit code of its number."""
    try:
        with ended_by_signals():
            yield
    except ToolError as e:
        raise click.ClickException(str(e)) from e
    except OSError as e:
        raise click.ClickException(f"{e.strerror or e}: {e.filename}" if e.filename else str(e)) from e
    except Ended as e:
        click.echo("stopped", err=True)
        sys.exit(e.exit_code)
