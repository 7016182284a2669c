"""Wait until resources have done what was asked of them, and tell of each as soon as it has.

Rule: one read of each resource at a time, a few at once. Many resources are looked at less often, so that one command
is no load for the API server.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass
from typing import Any

import click

from phase_operator.cli.acting.awaited import Ending, Judge, Verdict
from phase_operator.cli.common.cluster import all_of
from phase_operator.cli.common.failures import ExitCode, Failure
from phase_operator.kube.user_cluster import UserCluster
from phase_operator.kube.user_resources import Resource

_PAUSE = 0.25
# Each resource that is waited for makes the pause longer by this.
_EACH = 0.01
# A person learns that a command waits after a second, and of what it still waits for every ten.
_FIRST, _AGAIN = 1.0, 10.0


class Machine:
    """The clock of the machine, and its pauses."""

    def now(self) -> float:
        """Return seconds since some moment."""
        return asyncio.get_running_loop().time()

    async def sleep(self, seconds: float) -> None:
        """Wait."""
        await asyncio.sleep(seconds)


@dataclass(frozen=True, slots=True)
class Awaited:
    """A resource that is waited for, and what judges it."""

    resource: Resource
    namespace: str
    name: str
    judge: Judge

    def __str__(self) -> str:
        """Return kind, namespace and name."""
        return f"{self.resource.kind} {self.namespace}/{self.name}"


async def verdicts(
    cluster: UserCluster, awaited: Sequence[Awaited], longest: float, clock: Machine, say: Callable[[str], None]
) -> AsyncIterator[tuple[Awaited, dict[str, Any] | None, Verdict]]:
    """Yield each resource once, as it was read, with its verdict: when it ends, or when time is up. Raise UserError."""
    began, left, told = clock.now(), list(awaited), 0.0
    while left:
        read = await all_of(left, lambda each: cluster.find(each.resource, each.namespace, each.name))
        waited, still = clock.now() - began, []
        for each, found in zip(left, read, strict=True):
            verdict = each.judge(found, waited)
            if verdict is None and waited < longest:
                still.append(each)
            else:
                yield each, found, verdict or Verdict(Ending.TIMED_OUT, f"nothing came of it in {longest:g} s")
        left = still
        if left:
            if waited >= _FIRST and (not told or waited - told >= _AGAIN):
                told = waited
                say(_progress(left, longest - waited))
            await clock.sleep(min(_PAUSE + _EACH * len(left), max(longest - waited, 0.01)))


def end_by(endings: Sequence[Ending], late: str) -> None:
    """End a command as its waits ended: raise Failure with what `late` says of those that took too long, else Exit."""
    if number := endings.count(Ending.TIMED_OUT):
        raise Failure(f"{number} of {len(endings)} {late}", ExitCode.TIMED_OUT)
    if Ending.NOT_DONE in endings:
        raise click.exceptions.Exit(ExitCode.NO)


def _progress(left: Sequence[Awaited], seconds: float) -> str:
    some = f"{left[0]}" if len(left) == 1 else f"{left[0]} and {len(left) - 1} more"
    return f"waiting for {some}, {seconds:.0f} s at most ..."
