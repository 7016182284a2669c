"""A stage whose tests run operators of their own, which miss time together with Phase instead of waiting for it."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from support import suspended
from support.operator_process import OperatorProcess, eventually, running_operator
from support.world import World


@dataclass
class OwnOperators(World):
    """A namespace in which tests start operators, and end them."""

    # The seconds that tests did not wait for: Phase and every operator of the stage are ahead by them.
    missed: float = 0.0

    @property
    def usual_flags(self) -> tuple[str, ...]:
        """What each of its operators is started with, before what a test says."""
        return ()

    @contextmanager
    def running(
        self, folder: Path, *flags: str, url: str | None = None, elects: bool = False, waits: bool = True
    ) -> Iterator[OperatorProcess]:
        """Run an operator that `later` makes miss time; it is watched for leaks."""
        missed = {suspended.MISSED: str(self.missed)}
        with running_operator(
            self.plane,
            folder,
            *self.usual_flags,
            *flags,
            url=url,
            elects=elects,
            waits=waits,
            program=suspended.PROGRAM,
            environment=missed,
        ) as operator:
            self.canary.watch(operator.log_file)
            yield operator
            if operator.process.poll() is None:
                self.canary.watch(operator.scrape().text)

    def later(self, seconds: float, *operators: OperatorProcess) -> None:
        """Let time pass at once, for Phase and for operators of `running`, when they have looked at what is there."""
        for operator in operators:
            eventually(partial(_has_run, operator), what="it has looked")
        self.missed += seconds
        super().later(seconds, *operators)


def _has_run(operator: OperatorProcess) -> bool:
    return operator.metric("phase_operator_reconcile_total") >= 1
