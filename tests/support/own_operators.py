"""A stage of one kind of our resources, whose operators miss time together with Phase instead of waiting for it."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, ClassVar

from support import suspended
from support.operator_process import OperatorProcess, eventually, running_operator
from support.world import World


@dataclass
class OwnOperators(World):
    """A namespace with resources of a kind, in which tests may start operators, and end them.

    Where no name is said, it is about the resource of the usual name.
    """

    kind: ClassVar[str]
    usual_name: ClassVar[str]
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

    def resource(self, name: str = "") -> dict[str, Any]:
        """Return a resource, or {}."""
        return self.get(self.kind.lower(), name or self.usual_name) or {}

    def ready(self, name: str = "") -> dict[str, Any]:
        """Return its Ready condition, or {}."""
        return self._condition(self.resource(name))

    def until_current(
        self, name: str = "", *, within: float = 30.0, also: Callable[[dict[str, Any]], bool] = lambda _: True
    ) -> dict[str, Any]:
        """Wait until it is ready for its present generation, and its status is `also` as wanted; return it."""

        def look() -> dict[str, Any] | None:
            found = self.resource(name)
            status = found.get("status") or {}
            is_current = status.get("observedGeneration") == found.get("metadata", {}).get("generation")
            is_ready = is_current and self._condition(found).get("status") == "True"
            return found if is_ready and also(status) else None

        return eventually(look, within=within, what=f"{name or self.usual_name} is ready; last: {self.ready(name)}")

    def until_said(self, reason: str, name: str = "", within: float = 30.0) -> dict[str, Any]:
        """Wait until Ready has a reason, and return the condition."""

        def look() -> dict[str, Any] | None:
            found = self.ready(name)
            return found if found.get("reason") == reason else None

        what = f"{name or self.usual_name} says {reason}; last: {self.ready(name)}"
        return eventually(look, within=within, what=what)

    def events_of(self, name: str = "") -> list[dict[str, Any]]:
        """Return the Events about a resource."""
        subject = {"kind": self.kind, "name": name or self.usual_name}
        found = self.api.items("events", self.namespace)
        return [each for each in found if subject.items() <= each["involvedObject"].items()]

    def none_left(self) -> None:
        """Delete every resource of the namespace and wait until they are gone."""
        plural = f"{self.kind.lower()}s"
        self.api.delete(plural, namespace=self.namespace)
        if hasattr(self, "operator") and self.operator.can_miss:
            # After some edits, the operator takes the next one 5 seconds later.
            self.later(5)
        eventually(lambda: not self.api.items(plural, self.namespace), within=90, what="all of them go")


def _has_run(operator: OperatorProcess) -> bool:
    return operator.metric("phase_operator_reconcile_total") >= 1
