"""The calls from room to room while the loop does a job on fakes: how often a reader of the code changes rooms.

A room is a box of the drawings in docs/architecture.md; outside `core` and `reconcile` it is a package of the product.
Calls of the leaves of `core`, the values and words that every room uses, are not counted.

`PYTHONPATH=tests python -m support.crossings` prints the table.
"""

import asyncio
import sys
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import CodeType, FrameType

import phase_operator
from support.builders import entry, phase_secret, secret_ref
from support.clock import settle
from support.fakes import Loop

_PRODUCT = Path(phase_operator.__file__).parent
# Where the stack of a call ends: who is called by these was called by no room.
_OUTSIDE = (Path(asyncio.__file__).parent, Path(__file__).parents[1])
_DRAWN = ("core", "reconcile")
_LEAVES = ("outcome", "refs", "errors", "values", "text", "timestamps", "json_access", "globs", "digests")
LEAVES = frozenset(f"core/{each}" for each in _LEAVES)


class Crossings:
    """Counts calls by the room that calls and the room that is called."""

    def __init__(self) -> None:
        self.doors: Counter[tuple[str, str]] = Counter()
        # The same calls by the room and the function that is called.
        self.functions: Counter[tuple[str, str]] = Counter()
        self._places: dict[CodeType, str | None] = {}

    @contextmanager
    def counting(self) -> Iterator[None]:
        """Count the calls inside."""
        before = sys.getprofile()
        sys.setprofile(self._called)
        try:
            yield
        finally:
            sys.setprofile(before)

    def total(self) -> int:
        """Return how many calls went from room to room."""
        return self.doors.total()

    def _called(self, frame: FrameType, event: str, _: object) -> None:
        if event != "call" or not _begins(frame) or frame.f_code.co_name == "__del__":
            return
        callee, caller = self._place(frame.f_code), self._caller(frame.f_back)
        if callee and caller and callee != caller and callee not in LEAVES:
            self.doors[caller, callee] += 1
            self.functions[callee, frame.f_code.co_qualname] += 1

    def _caller(self, frame: FrameType | None) -> str:
        """Return the room of the nearest frame of the product, also behind a function of the standard library."""
        while frame is not None:
            place = self._place(frame.f_code)
            if place is not None:
                return place
            frame = frame.f_back
        return ""

    def _place(self, code: CodeType) -> str | None:
        if code not in self._places:
            self._places[code] = place_of(Path(code.co_filename))
        return self._places[code]


def place_of(file: Path) -> str | None:
    """Return the room of a file: "" for asyncio and the tests, None for other files outside the product."""
    if not file.is_relative_to(_PRODUCT):
        return "" if any(map(file.is_relative_to, _OUTSIDE)) else None
    package, *rest = file.relative_to(_PRODUCT).with_suffix("").parts
    return f"{package}/{rest[0]}" if package in _DRAWN else package


def _begins(frame: FrameType) -> bool:
    """Return whether a frame begins: coroutines and generators report a call also when they go on."""
    # The argument of the instruction RESUME is 0 at the beginning of a function.
    return frame.f_code.co_code[frame.f_lasti + 1] == 0


async def _a_new_phase_secret(loop: Loop) -> None:
    await loop.show(phase_secret())


async def _a_changed_value(loop: Loop) -> None:
    loop.phase.holds(entry("A", "2"))
    await loop.refresh()


async def _a_hand_edit(loop: Loop) -> None:
    loop.cluster.edit(secret_ref(), {"A": "eA=="})
    await loop.touched(secret_ref())


# The jobs with their names, and whether a PhaseSecret is in step before.
_JOBS: Mapping[str, tuple[Callable[[Loop], Awaitable[None]], bool]] = {
    "new PhaseSecret": (_a_new_phase_secret, False),
    "changed value": (_a_changed_value, True),
    "hand edit": (_a_hand_edit, True),
}


async def crossings_of(job: str) -> Crossings:
    """Do a job, and return the calls from room to room that it took."""
    do, is_in_step = _JOBS[job]
    counted = Crossings()
    async with Loop() as loop:
        loop.phase.holds(entry("A", "1"))
        if is_in_step:
            await loop.show(phase_secret())
        # The workers begin, and wait for work: that is no part of any job.
        await settle()
        written = len(loop.cluster.applied)
        with counted.counting():
            await do(loop)
        assert len(loop.cluster.applied) == written + 1
    return counted


def _print_tables() -> None:
    for job in _JOBS:
        counted = asyncio.run(crossings_of(job))
        sys.stdout.write(f"{job}: {counted.total()} calls from room to room\n")
        for (caller, callee), number in counted.doors.most_common(20):
            sys.stdout.write(f"{number:6} {caller} -> {callee}\n")


if __name__ == "__main__":
    _print_tables()
