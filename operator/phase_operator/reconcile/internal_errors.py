"""Unexpected errors: logged, counted and survived.

Rule: an unexpected exception ends only the step that raised it. Its type and trace are logged, but not its text, which
could quote a value. It is counted, and a task that it ended starts again.

This list has every place that survives any exception, with `surviving` or with an `except Exception` of its own:

- `reconcile.internal_errors.InternalErrors.attempt`: an asynchronous step.
- `reconcile.internal_errors.InternalErrors.keep`: a task that has to go on.
- `reconcile.internal_errors.InternalErrors.value_or`: a synchronous step.
- `handlers.kind.ShownKind.needs_reconcile`: not counted; the handler meets the same error and reports it.
- `handlers.watcher.Watcher.watch`: kopf raises any error of its tasks, and each means: start again.
- `kube.watch_content.WatchContent.iter_chunked`: what came before the error is passed on, and then the error.
- `phase.lookups.Unawaited.submit`: the error of a thread is raised where its future is awaited.
- `phase.transport.Backend.connect_tcp`: the next address is tried; the last one's error is raised.
"""

import asyncio
import logging
import traceback
from collections.abc import Awaitable, Callable
from typing import TypeVar

from phase_operator.core.flow.backoff import after_bug
from phase_operator.reconcile.ports import Clock

log = logging.getLogger(__name__)

Result = TypeVar("Result")
# After this many seconds without a failure, the next failure of a task counts as its first.
_WENT_WELL = 60.0


class surviving:  # noqa: N801 - it reads like contextlib.suppress
    """Ends a block at any exception, and reports that; what follows the block goes on.

    A bug in one of many objects must not end the work on the others. A cancellation is no Exception, and passes.
    """

    __slots__ = ("_report",)

    def __init__(self, report: Callable[[Exception], object] = lambda _: None) -> None:
        self._report = report

    def __enter__(self) -> None:
        """Begin the block."""

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> bool:
        """Return True if the block ends without an error."""
        if isinstance(error, Exception):
            self._report(error)
        return isinstance(error, Exception)


def _uncounted(_: str) -> None:
    """Count nothing."""


class _Reports:
    """Reports the error of a step; a partial would take five times the memory, and hundreds of steps wait at a time."""

    __slots__ = ("_caught", "_message", "_subject", "_task")

    def __init__(self, caught: "InternalErrors", message: str, task: str, subject: str) -> None:
        self._caught, self._message, self._task, self._subject = caught, message, task, subject

    def __call__(self, error: Exception) -> None:
        self._caught.caught(self._message, error, task=self._task, subject=self._subject)


class InternalErrors:
    """Survives unexpected exceptions: of a step, or of a task that has to go on."""

    def __init__(self, counted: Callable[[str], None] = _uncounted) -> None:
        self._counted = counted

    def caught(self, message: str, error: BaseException, *, task: str, subject: str = "") -> None:
        """Log and count an unexpected exception of a task; `subject` is the object that it concerned, if any."""
        self._counted(task)
        fields = {"task": task} | ({"object": subject} if subject else {})
        log.error(message, extra=fields | {"error": type(error).__name__, "trace": trace_of(error)})

    async def attempt(self, message: str, step: Awaitable[Result], *, task: str, subject: str = "") -> Result | None:
        """Await a step and return its result; None if it raised an unexpected exception."""
        with surviving(_Reports(self, message, task, subject)):
            return await step
        return None

    async def succeeded(self, message: str, step: Awaitable[object], *, task: str, subject: str = "") -> bool:
        """Await a step; return True if it raised no exception."""

        async def done() -> bool:
            await step
            return True

        return await self.attempt(message, done(), task=task, subject=subject) or False

    def value_or(
        self, message: str, step: Callable[[], Result], otherwise: Result, *, task: str, subject: str = ""
    ) -> Result:
        """Do a synchronous step and return its result; `otherwise` if it raised an unexpected exception."""
        with surviving(_Reports(self, message, task, subject)):
            return step()
        return otherwise

    def attempt_now(self, message: str, step: Callable[[], object], *, task: str, subject: str = "") -> bool:
        """Do a synchronous step; return True if it raised no exception."""

        def done() -> bool:
            step()
            return True

        return self.value_or(message, done, False, task=task, subject=subject)

    async def keep(
        self,
        task: str,
        work: Callable[[], Awaitable[None]],
        clock: Clock,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        """Run a long-lived task until it returns; whenever it fails, start it again after a pause."""
        failures = 0
        while True:
            began = clock.monotonic()
            try:
                return await work()
            except Exception as error:  # noqa: BLE001 - a task that ended with an error would take all others with it
                self.caught("task failed", error, task=task)
            failures = 1 if clock.monotonic() - began > _WENT_WELL else failures + 1
            await sleep(after_bug(failures))


def trace_of(error: BaseException) -> str:
    """Return where an exception was raised, without its text; for a group, where each member was raised."""
    found = "".join(traceback.format_tb(error.__traceback__))
    if isinstance(error, BaseExceptionGroup):
        found += "".join(f"{type(each).__name__}:\n{trace_of(each)}" for each in error.exceptions)
    return found
