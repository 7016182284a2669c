"""The promises of the Workloads port, kept by the fake and by the real thing alike."""

from dataclasses import dataclass
from typing import Protocol

import pytest

from contract.cluster.sides import FakeSide, RealSide, Side
from phase_operator.core.refs import Kind, TargetRef
from phase_operator.core.rollout.decision import Restart, SaveBaseline
from phase_operator.core.rollout.followers import ABSENT, known_content
from phase_operator.core.rollout.progress import WorkloadKind
from phase_operator.core.rollout.workload import Workload, WorkloadRef
from phase_operator.core.targets.plan import Apply
from phase_operator.core.values import ObjectKey
from phase_operator.kube.events import Recorder
from phase_operator.kube.workloads import KubeWorkloads
from phase_operator.reconcile.internal_errors import InternalErrors
from phase_operator.reconcile.ports import Workloads
from support.api import api_of
from support.builders import DIGEST_KEY, desired_secret, entry
from support.clock import HandClock
from support.workloads import FakeWorkloads, Server, reads_all

NOTE = "1.note." + "n" * 100
RECORD = SaveBaseline(NOTE)
ROLL_OUT = Restart(NOTE, "0123456789abcdef0123456789abcdef")


class Stage(Protocol):
    """Workloads, and what others do to them."""

    @property
    def namespace(self) -> str:
        """The namespace of the test's own."""

    @property
    def port(self) -> Workloads:
        """The port under test."""

    def make(self, name: str) -> None:
        """Let another client make a Deployment that reads the Secret `db`."""

    def edit(self, name: str) -> None:
        """Let another client change its pod template."""

    def delete(self, name: str) -> None:
        """Let another client delete it."""

    def generation(self, name: str) -> int:
        """Return its generation."""


@dataclass
class FakeStage:
    """The fake that unit tests use."""

    port: FakeWorkloads
    namespace: str = "team"

    def make(self, name: str) -> None:
        self.port.add(Server(WorkloadKind.DEPLOYMENT, reads_all(), name=name))

    def edit(self, name: str) -> None:
        self._server(name).edit(reads_all(), image="app:2")

    def delete(self, name: str) -> None:
        del self.port.servers[self._server(name).ref]

    def generation(self, name: str) -> int:
        return int(self._server(name).found["metadata"]["generation"])

    def _server(self, name: str) -> Server:
        return self.port.servers[WorkloadRef(WorkloadKind.DEPLOYMENT, ObjectKey(self.namespace, name))]


@dataclass
class RealStage:
    """A real API server, under the rights that we ship."""

    side: RealSide
    port: KubeWorkloads

    @property
    def namespace(self) -> str:
        return self.side.namespace

    def make(self, name: str) -> None:
        found = Server(WorkloadKind.DEPLOYMENT, {**reads_all(), "image": "app:1"}, name=name).found
        labels = {"app": name}
        template = {"metadata": {"labels": labels}, "spec": found["spec"]["template"]["spec"]}
        metadata = {"name": name, "annotations": found["metadata"]["annotations"], "labels": {"app": "web"}}
        spec = {"replicas": 0, "selector": {"matchLabels": labels}, "template": template}
        body = {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": metadata, "spec": spec}
        api_of(self.side.plane).create(body, self.namespace, fieldManager="kubectl-create")

    def edit(self, name: str) -> None:
        self._kubectl("set", "image", f"deployment/{name}", "*=app:2")

    def delete(self, name: str) -> None:
        self._kubectl("delete", "deployment", name, "--cascade=foreground")

    def generation(self, name: str) -> int:
        found = api_of(self.side.plane).get("deployment", name, self.namespace)
        assert found is not None
        return int(found["metadata"]["generation"])

    def _kubectl(self, *arguments: str) -> None:
        self.side.plane.kubectl("-n", self.namespace, *arguments)


@pytest.fixture
def stage(side: Side) -> Stage:
    """Give workloads beside the targets of a side."""
    if isinstance(side, RealSide):
        recorder = Recorder(side.client, HandClock(), "contract", lambda _: None, InternalErrors())
        return RealStage(side, KubeWorkloads(side.client, recorder))
    assert isinstance(side, FakeSide)
    return FakeStage(FakeWorkloads(side.cluster.objects))


def ref(stage: Stage, name: str = "web") -> WorkloadRef:
    return WorkloadRef(WorkloadKind.DEPLOYMENT, ObjectKey(stage.namespace, name))


async def one(stage: Stage, name: str = "web") -> Workload:
    """Return a workload once its controller has seen it."""
    while True:
        found = await stage.port.get(ref(stage, name))
        assert found is not None
        if stage.generation(name) == 1 or found.content:
            return found


async def judged(stage: Stage, action: SaveBaseline | Restart) -> Workload:
    """Carry something out, on whatever version stands by then, and return what the workload is afterwards."""
    for _ in range(20):
        if await stage.port.apply(await one(stage), action):
            found = await stage.port.get(ref(stage))
            assert found is not None
            return found
    raise AssertionError("it keeps changing")


async def test_the_workloads_of_a_namespace_are_yielded(stage: Stage) -> None:
    for number in range(30):
        stage.make(f"web-{number}")

    found = [each async for each in stage.port.each(stage.namespace, [])]

    assert sorted(each.ref for each in found) == sorted(ref(stage, f"web-{number}") for number in range(30))
    assert all(each.annotated and [read.name for read in each.references] == ["db"] for each in found)
    assert [each async for each in stage.port.each("somewhere-else", [])] == []


async def test_one_that_is_not_there_is_none(stage: Stage) -> None:
    assert await stage.port.get(ref(stage)) is None


async def test_a_note_is_read_back_and_is_no_new_generation(stage: Stage) -> None:
    stage.make("web")

    found = await judged(stage, RECORD)

    assert found.running == NOTE
    assert found.content == ""
    assert stage.generation("web") == 1


async def test_a_shorter_note_takes_the_place_of_a_longer_one(stage: Stage) -> None:
    stage.make("web")
    await judged(stage, RECORD)

    assert (await judged(stage, SaveBaseline("1.short."))).running == "1.short."


async def test_a_roll_out_marks_the_template_and_notes_in_one_write(stage: Stage) -> None:
    stage.make("web")

    found = await judged(stage, ROLL_OUT)

    assert (found.running, found.content, found.content_is_ours) == (NOTE, ROLL_OUT.content, True)
    assert stage.generation("web") == 2
    assert (await judged(stage, SaveBaseline("1.later."))).content == ROLL_OUT.content
    assert stage.generation("web") == 2


@pytest.mark.parametrize("action", [RECORD, ROLL_OUT], ids=["note", "roll-out"])
async def test_a_workload_that_changed_since_it_was_judged_is_left_alone(
    stage: Stage, action: SaveBaseline | Restart
) -> None:
    stage.make("web")
    before = await one(stage)
    stage.edit("web")

    assert not await stage.port.apply(before, action)

    found = await stage.port.get(ref(stage))
    assert found is not None
    assert (found.running, found.content) == ("", "")


async def test_a_workload_that_is_gone_is_not_made_again(stage: Stage) -> None:
    stage.make("web")
    before = await one(stage)
    stage.delete("web")

    assert not await stage.port.apply(before, ROLL_OUT)
    assert await stage.port.get(ref(stage)) is None


async def test_a_target_says_what_it_holds(side: Side, stage: Stage) -> None:
    target = TargetRef(Kind.SECRET, ObjectKey(stage.namespace, "shop"))
    assert known_content(await stage.port.metadata(target), DIGEST_KEY) == ABSENT
    desired = desired_secret(entry("A"), of=ObjectKey(stage.namespace, "shop"), ref=target)
    assert await side.cluster.apply_target(desired, Apply(None))

    found = known_content(await stage.port.metadata(target), DIGEST_KEY)

    assert found.content == desired.content
    assert found.written_at
