"""A quota that the operator does not know of, and a load that asks for about as much as it allows.

Three apps of three environments, each read by one PhaseSecret; one environment of each app changes every ten seconds.
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

APPS = 3


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

    @property
    def name(self) -> str:
        """What is measured, in words."""
        return (
            f"{APPS} apps x {len(fleet.ENVIRONMENTS)} environments at {self.interval} s, quota {self.limit} a minute, "
            f"in windows of {self.window:.0f} s from the start"
        )


@dataclass
class Stage:
    """A Phase with a quota, and what it has refused."""

    phase: EmbeddedPhase
    load: Load
    numbers: Iterator[int] = field(default_factory=itertools.count)

    def refused_in_a_window(self) -> int:
        """Let a window pass with its changes, and return how many calls were refused in it."""
        before, end = self.phase.calls(status=429), time.monotonic() + self.load.window
        while (left := end - time.monotonic()) > 0:
            number = next(self.numbers)
            for app in range(APPS):
                self.phase.set(_app(app), fleet.ENVIRONMENTS[number % 3], "A", f"value {number}")
            time.sleep(min(left, self.load.interval))
        return self.phase.calls(status=429) - before


def _app(number: int) -> str:
    return f"small-{number}"


@contextmanager
def stage(plane: ControlPlane, load: Load) -> Iterator[Stage]:
    """Make the apps and the PhaseSecrets, in a namespace for each app, until the block ends."""
    environments = [{"name": each, "secrets": [{"key": "A", "value": "one"}]} for each in fleet.ENVIRONMENTS]
    apps = [{"name": _app(number), "environments": environments} for number in range(APPS)]
    seed = {"apps": apps, "accounts": [{"name": "operator", "access": {each["name"]: ["*"] for each in apps}}]}
    api = api_of(plane)
    with EmbeddedPhase(seed, quota=load.limit) as phase:
        for number in range(APPS):
            namespace = f"bench-small-{number}"
            fleet.prepare_one(plane, namespace, phase.token("operator", form="pss"))
            for environment in fleet.ENVIRONMENTS:
                names = {"phaseApp": _app(number), "phaseAppEnv": environment, "pollingInterval": load.interval}
                api.apply(phase_secret(environment.lower(), phase.url, **names), namespace, "bench")
        yield Stage(phase, load)
        for number in range(APPS):
            api.delete("phasesecret", "", f"bench-small-{number}")
