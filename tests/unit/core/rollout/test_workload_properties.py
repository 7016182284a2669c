"""Whatever a workload looks like: it is read, judged and patched, and nothing raises.

The invariant: no manifest that somebody can write ends a look at his namespace, or makes a patch that is not ours.
"""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from phase_operator.api import names
from phase_operator.core.rollout.decision import Restart, SaveBaseline, baseline_before_write, decide, patch
from phase_operator.core.rollout.followers import FollowedTarget, Policy
from phase_operator.core.rollout.progress import Progress, WorkloadKind
from phase_operator.core.rollout.stall import Patience, StallTracker
from phase_operator.core.rollout.workload import APIS, Workload, read_workload
from support.builders import DIGEST_KEY
from support.workloads import content, secret

DB = secret("db")
WORDS = """
metadata spec status template jobTemplate annotations labels managedFields name namespace uid resourceVersion
containers initContainers volumes env envFrom valueFrom secretKeyRef secretRef key projected sources items secret
secretName optional manager operation time fieldsV1 f:metadata f:labels f:annotations updateStrategy type replicas
minReadySeconds progressDeadlineSeconds podManagementPolicy conditions reason generation observedGeneration
updatedReplicas readyReplicas numberReady phase paused deletionTimestamp
"""
OURS = [names.ANNOTATION_REDEPLOY, names.ANNOTATION_CONTENT, *(f"{names.LABEL_RUNNING_PREFIX}{each}" for each in "01")]
KEYS = st.sampled_from([*WORDS.split(), *OURS])
TEXTS = st.sampled_from(("db", "A", "true", "Apply", names.FIELD_MANAGER, "1.AAAA.AAAA", "x", "\ud800", "OnDelete"))
LEAVES = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=4) | TEXTS
JSON = st.recursive(
    LEAVES, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=4), max_leaves=12
)
PARTS = st.dictionaries(KEYS, JSON, max_size=6)
CONTAINERS = st.fixed_dictionaries({"envFrom": st.just([{"secretRef": {"name": "db"}}])}, optional={"env": JSON})


@st.composite
def workloads(draw: st.DrawFn) -> tuple[WorkloadKind, dict[str, Any]]:
    """Make anything that has a pod template where its kind has it."""
    kind = draw(st.sampled_from(WorkloadKind))
    template: dict[str, Any] = draw(PARTS) | {"spec": draw(PARTS) | {"containers": draw(st.lists(CONTAINERS) | JSON)}}
    found: dict[str, Any] = template
    for part in reversed(APIS[kind].template[1:]):
        found = draw(PARTS) | {part: found}
    return kind, draw(PARTS) | {"spec": draw(PARTS) | found, "metadata": draw(PARTS) | draw(JSON.map(as_parts))}


def as_parts(found: object) -> dict[str, Any]:
    return found if isinstance(found, dict) else {}


def followed_targets(text: str) -> dict[Any, FollowedTarget]:
    return {DB: FollowedTarget((Policy(),), content(DB, A=text))}


@given(workloads(), st.sampled_from(Patience))
def test_nothing_that_somebody_writes_raises(found: tuple[WorkloadKind, dict[str, Any]], waits: Patience) -> None:
    kind, manifest = found
    workload = read_workload(kind, manifest)
    if workload is None:
        return
    stillness = StallTracker()
    if workload.rollout_state.progress is Progress.UNDER_WAY:
        stillness.see(workload, 0.0)
        stillness.see(workload, 1.0)
        assert stillness.ends_at(workload.ref) <= 4000
    for action in (
        decide(workload, followed_targets("one"), DIGEST_KEY, waits=waits),
        baseline_before_write(workload, followed_targets("one"), {DB: content(DB, A="two")}, DIGEST_KEY),
    ):
        if isinstance(action, SaveBaseline | Restart):
            assert set(patch(workload, action)["metadata"]["labels"]) <= running(workload, action)


def running(workload: Workload, action: SaveBaseline | Restart) -> set[str]:
    return {f"{names.LABEL_RUNNING_PREFIX}{number}" for number in range(len(action.running))}


@pytest.mark.parametrize("kind", WorkloadKind)
def test_a_template_deeper_than_python_goes_is_told_from_another(kind: WorkloadKind) -> None:
    digests = set()
    for leaf in ("a", "b"):
        deep: Any = leaf
        for _ in range(100_000):
            deep = {"x": [deep]}
        template: dict[str, Any] = {"spec": {"containers": [], "deep": deep}}
        for part in reversed(APIS[kind].template):
            template = {part: template}
        workload = read_workload(kind, template)
        assert workload is not None
        digests.add(workload.template_digest())
        # Freed from outside in, or its end would be deeper than Python goes as well.
        while isinstance(deep, dict):
            deep = deep.popitem()[1].pop()

    assert len(digests) == 2


def test_a_template_of_thousands_of_containers_is_read_within_a_pause_of_the_loop() -> None:
    container = {"name": "c", "env": [{"name": "A", "valueFrom": {"secretKeyRef": {"name": "db", "key": "A"}}}]}
    found = {"metadata": {"uid": "u"}, "spec": {"template": {"spec": {"containers": [container] * 8000}}}}

    workload = read_workload(WorkloadKind.DEPLOYMENT, found)

    assert workload is not None
    assert [each.name for each in workload.references] == ["db"]


def test_notes_written_by_hand_are_bounded_work_and_believed_by_nobody() -> None:
    labels = {f"{names.LABEL_RUNNING_PREFIX}{number}": "x" * 63 for number in range(20_000)}
    found = {
        "metadata": {"uid": "u", "labels": labels, "annotations": {names.ANNOTATION_REDEPLOY: "true"}},
        "spec": {"template": {"spec": {"containers": [{"envFrom": [{"secretRef": {"name": "db"}}]}]}}},
    }

    workload = read_workload(WorkloadKind.DEPLOYMENT, found)

    assert workload is not None
    assert workload.running == ""
