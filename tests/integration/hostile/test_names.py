"""Names that no resolver answers cost their owner his calls, and never keep the process from ending."""

import signal
import time
from pathlib import Path

from support.operator_process import eventually, running_operator
from support.resolving import HANGS, PROGRAM
from support.world import World, phase_secret

# Runs under way have 4 s, Events 1 s, and the machine may be busy.
ENDS_WITHIN = 8.0


def test_lookups_that_hang_delay_no_end(stage: World, tmp_path: Path) -> None:
    with running_operator(stage.plane, tmp_path, elects=True, program=PROGRAM) as stage.operator:
        stage.phase_secret()
        stage.until_ready()
        stage.apply(*(phase_secret(f"n{number}", f"http://n{number}.{HANGS}") for number in range(8)))
        slow = lambda: stage.operator.metric("phase_operator_calls_under_way", pace="slow") >= 1  # noqa: E731 - said once
        eventually(slow, within=30, what="a name is looked up")

        began = time.monotonic()
        code = stage.operator.stop(signal.SIGTERM, within=60)

        assert code == 0
        assert time.monotonic() - began < ENDS_WITHIN
