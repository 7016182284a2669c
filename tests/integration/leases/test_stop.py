"""An operator that is asked to stop while Phase makes a lease waits for the answer, and records it."""

import time
from pathlib import Path

from support.lease_stage import LeaseStage
from support.operator_process import eventually
from support.world import phase_secret

# Three calls to the cloud make a lease: nine seconds, which is longer than runs have at the end.
_EACH = 3.0


def test_a_stop_while_a_lease_is_made_loses_no_answer(stage: LeaseStage, tmp_path: Path) -> None:
    stage.phase.leases.fail("delay", delay=_EACH)
    with stage.running(tmp_path) as operator:
        stage.dynamic_secret()
        stage.until_rows("Asking")
        # The announcement is written a moment before the call.
        time.sleep(1.0)
        operator.process.terminate()
        time.sleep(1.0)

        # All else goes on meanwhile.
        stage.apply(phase_secret("shop", stage.phase.url))
        stage.until_ready()
        assert stage.ledger()[0]["state"] == "Asking"
        assert operator.process.wait(29) == 0

    (made,) = stage.live()
    assert len(stage.records()) == 1
    stage.phase.leases.clear()
    with stage.running(tmp_path) as operator:
        stage.operator = operator
        stage.until_serving()
        assert stage.held() == made.id
        assert list(stage.phase.phase.state.leases) == [made.id]
        stage.no_leases()
        stage.no_phase_secrets()
        eventually(lambda: not stage.live(), what="nothing is left behind")
