"""Whatever happens, and wherever we are killed: as many restarts as there is content that running pods have not seen.

The invariants: we restart only if some pod runs with what is not there any more, and when we say that there is nothing
to do, no pod does.
"""

from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule

from phase_operator.core.refs import TargetRef
from phase_operator.core.rollout.decision import (
    LeaveAlone,
    Postpone,
    Restart,
    SaveBaseline,
    baseline_before_write,
    decide,
)
from phase_operator.core.rollout.followers import FollowedTarget, Policy
from phase_operator.core.rollout.progress import Progress, WorkloadKind
from phase_operator.core.targets.fingerprint import key_digests_of
from support.builders import DIGEST_KEY
from support.examples import examples
from support.workloads import Server, reads_all, reads_key, secret

DB, CACHE = secret("db"), secret("cache")
CONTAINERS = [reads_all("db"), reads_key("A", "db"), reads_key("B", "db"), reads_all("cache")]
CHOICES = st.lists(st.sampled_from(CONTAINERS), min_size=1, max_size=3, unique_by=str)
VALUES = st.dictionaries(st.sampled_from("AB"), st.integers(0, 2), min_size=1)
# What one pod read of each object and key when it began.
Pod = dict[tuple[TargetRef, str], int]


class _World(RuleBasedStateMachine):
    """A workload of two pods, two Secrets, users, and an operator that may be killed between any two writes."""

    # Whether a controller takes its time over a roll-out.
    slow = False

    @initialize(containers=CHOICES)
    def begin(self, containers: list[dict[str, Any]]) -> None:
        self.server = Server(WorkloadKind.DEPLOYMENT, *containers)
        self.data = {DB: {"A": 0, "B": 0}, CACHE: {"A": 0, "B": 0}}
        self.written = {DB: 0, CACHE: 0}
        self.time = 1
        self.edits = 1
        self.time_tells = False
        self.excused = False
        self.pods = [self.fresh(), self.fresh()]

    # What the operator does.

    def followed_targets(self) -> dict[TargetRef, FollowedTarget]:
        return {
            target: FollowedTarget((Policy(),), self.content(target, data), f"{self.written[target]:09}")
            for target, data in self.data.items()
        }

    def content(self, target: TargetRef, data: dict[str, int]) -> Any:
        return key_digests_of(DIGEST_KEY, str(target), {key: str(value).encode() for key, value in data.items()})

    @rule()
    def look(self) -> None:
        """Also what a restart of the operator does, a failover, and a write of nothing but metadata."""
        workload = self.server.read()
        decision = decide(workload, self.followed_targets(), DIGEST_KEY)
        stale = self.stale()
        if isinstance(decision, Restart):
            assert stale or self.excused, "restarted for nothing"
            self.excused = False
        elif isinstance(decision, LeaveAlone | SaveBaseline) and workload.rollout_state.progress is Progress.ENDED:
            assert not stale, "a restart was lost"
        before = self.server.roll_outs
        assert self.server.apply_target(workload, decision, self.clock())
        if self.server.roll_outs > before:
            self.roll_out()
        if not isinstance(decision, Postpone):
            self.time_tells = False
            again = decide(self.server.read(), self.followed_targets(), DIGEST_KEY)
            assert isinstance(again, LeaveAlone)

    def before_write(self, target: TargetRef, data: dict[str, int]) -> None:
        workload = self.server.read()
        coming = {target: self.content(target, data)}
        decision = baseline_before_write(workload, self.followed_targets(), coming, DIGEST_KEY)
        before = self.server.roll_outs
        assert self.server.apply_target(workload, decision, self.clock())
        assert self.server.roll_outs == before, "a note restarts nothing"
        assert baseline_before_write(self.server.read(), self.followed_targets(), coming, DIGEST_KEY) == LeaveAlone()

    @rule(
        written=st.sampled_from([DB, CACHE]),
        values=VALUES,
        killed=st.sampled_from(["", "before the write", "after it"]),
        meanwhile=st.booleans(),
        afterwards=st.none() | CHOICES,
    )
    def write(
        self,
        written: TargetRef,
        values: dict[str, int],
        killed: str,
        meanwhile: bool,
        afterwards: list[dict[str, Any]] | None,
    ) -> None:
        data = self.data[written] | values
        if data == self.data[written]:
            return
        # Pods began while content came that goes again: it is unknown which of them saw it.
        self.excused |= self.time_tells and self.stale()
        self.before_write(written, data)
        if meanwhile and not self.stale():
            # Neither of what it reads nor while a restart is owed: docs/decisions/0008 has what is lost in that moment.
            self.edit(self.containers())
            self.time_tells = True
        # During a roll-out of the user's own this costs a restart: the write would have made true what is noted.
        if killed == "before the write" and not self.server.hold:
            return
        self.data[written] = data
        self.written[written] = int(self.clock())
        if afterwards is not None:
            self.edit(afterwards)
        if not killed:
            self.look()

    # What others do.

    @rule(containers=CHOICES)
    def edit(self, containers: list[dict[str, Any]]) -> None:
        self.edits += 1
        self.server.hold = self.slow
        self.write_template(containers)
        self.roll_out()

    @precondition(lambda self: not self.time_tells)
    @rule()
    def apply_the_same_again(self) -> None:
        """Move the time of the last edit, by which one between look and write is known, and nothing else is."""
        self.write_template(self.containers())

    @precondition(lambda self: self.slow and self.server.hold)
    @rule()
    def finish(self) -> None:
        self.server.hold = False
        self.server.settle()
        self.pods[1] = self.fresh()

    def write_template(self, containers: list[dict[str, Any]]) -> None:
        bare = [{key: part for key, part in each.items() if key != "image"} for each in containers]
        self.server.edit(*bare, image=f"app:{self.edits}", at=self.clock())

    # What pods are.

    def clock(self) -> str:
        self.time += 1
        return f"{self.time:09}"

    def containers(self) -> list[dict[str, Any]]:
        return list(self.server.template["spec"]["containers"])

    def fresh(self) -> Pod:
        found: Pod = {}
        for reference in self.server.read().references:
            target = secret(reference.name)
            found |= {(target, key): self.data[target][key] for key in reference.keys or "AB"}
        return found

    def roll_out(self) -> None:
        self.pods[0] = self.fresh()
        if not self.server.hold:
            self.pods[1] = self.fresh()

    def stale(self) -> bool:
        return any(self.data[target][key] != value for pod in self.pods for (target, key), value in pod.items())


class Fast(_World):
    """Roll-outs take no time."""


class Slow(_World):
    """A user's roll-out goes on until it is finished; ours end at once."""

    slow = True


TestFast = Fast.TestCase
TestSlow = Slow.TestCase
TestFast.settings = TestSlow.settings = settings(max_examples=examples(60), stateful_step_count=20)
