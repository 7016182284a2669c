"""A quota that the operator does not know of, and a load that asks for about as much as it allows.

Apps of some environments, each read by one PhaseSecret; one environment of each app changes with every interval.
Phase is one of its own, so that nothing else asks it.
"""

import itertools
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from bench import fleet
from phase_dev.cluster import ControlPlane
from phase_dev.server import EmbeddedPhase
from support.api import api_of
from support.world import phase_secret


@dataclass(frozen=True)
class Load:
    """How much is asked, how much is allowed, and how long it is watched."""

    # Seconds between probes, and between changes.
    interval: int = 10
    # Calls a minute.
    limit: int = 20
    # Each as long as the one over which Phase counts.
    windows: int = 3
    window: float = 60.0
    apps: int = 3
    # Of each app; at most as many as `fleet.ENVIRONMENTS` has.
    environments: int = len(fleet.ENVIRONMENTS)

    @property
    def name(self) -> str:
        """What is measured, in words."""
        return (
            f"{self.apps} apps x {self.environments} environments at {self.interval} s, quota {self.limit} a minute, "
            f"in windows of {self.window:.0f} s from the start"
        )


@dataclass
class Stage:
    """A Phase with a quota, and what it has refused."""

    phase: EmbeddedPhase
    load: Load
    numbers: Iterator[int] = field(default_factory=itertools.count)
    # Refused until the last window ended, the start of the operator included.
    counted: int = 0

    def refused_in_a_window(self) -> int:
        """Let a window pass with its changes, and return how many calls were refused since the last one."""
        end = time.monotonic() + self.load.window
        while (left := end - time.monotonic()) > 0:
            number = next(self.numbers)
            environment = fleet.ENVIRONMENTS[number % self.load.environments]
            for app in range(self.load.apps):
                self.phase.set(_app(app), environment, "A", f"value {number}")
            time.sleep(min(left, self.load.interval))
        before, self.counted = self.counted, self.phase.calls(status=429)
        return self.counted - before


def _app(number: int) -> str:
    return f"small-{number}"


@contextmanager
def stage(plane: ControlPlane, load: Load) -> Iterator[Stage]:
    """Make the apps and the PhaseSecrets, in a namespace for each app, until the block ends."""
    names = fleet.ENVIRONMENTS[: load.environments]
    environments = [{"name": each, "secrets": [{"key": "A", "value": "one"}]} for each in names]
    apps = [{"name": _app(number), "environments": environments} for number in range(load.apps)]
    seed = {"apps": apps, "accounts": [{"name": "operator", "access": {each["name"]: ["*"] for each in apps}}]}
    api = api_of(plane)
    with EmbeddedPhase(seed, quota=load.limit) as phase:
        for number in range(load.apps):
            namespace = f"bench-small-{number}"
            fleet.prepare_one(plane, namespace, phase.token("operator", form="pss"))
            for environment in names:
                spec = {"phaseApp": _app(number), "phaseAppEnv": environment, "pollingInterval": load.interval}
                api.apply(phase_secret(environment.lower(), phase.url, **spec), namespace, "bench")
        yield Stage(phase, load)
        for number in range(load.apps):
            api.delete("phasesecret", "", f"bench-small-{number}")
