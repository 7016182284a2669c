"""What is read of a workload, and whose notes on it are believed."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from phase_operator.api import names
from phase_operator.core.refs import Kind
from phase_operator.core.rollout.pod_references import Reference
from phase_operator.core.rollout.progress import Progress, WorkloadKind
from phase_operator.core.rollout.workload import WorkloadRef, read_workload
from phase_operator.core.values import ObjectKey
from support.workloads import EARLY, LATE, Server, reads_all, reads_key

KINDS = [pytest.param(kind, id=str(kind)) for kind in WorkloadKind]
NOTE = f"{names.LABEL_RUNNING_PREFIX}0"
OWNED: dict[str, Any] = {"f:metadata": {"f:labels": {f"f:{NOTE}": {}}}}


@pytest.mark.parametrize("kind", KINDS)
def test_each_kind_is_read_from_where_it_has_its_template(kind: WorkloadKind) -> None:
    found = Server(kind, reads_key("A")).read()

    assert found.ref == WorkloadRef(kind, ObjectKey("team", "web"))
    assert found.references == (
        Reference(Kind.SECRET, "db", frozenset("A"), required=True, required_keys=frozenset("A")),
    )
    assert (found.annotated, found.labels, found.rollout_state.progress) == (True, {"app": "web"}, Progress.ENDED)
    assert (found.uid, found.resource_version, found.edited_at) == ("uid", "1", EARLY)


def test_a_rollout_that_takes_a_deployments_template_has_none_of_its_own() -> None:
    spec = {"workloadRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "web"}}

    assert read_workload(WorkloadKind.ROLLOUT, {"metadata": {"name": "web"}, "spec": spec}) is None


@pytest.mark.parametrize("value", ["true", "yes", ""])
def test_the_official_annotation_counts_unless_it_says_no(value: str) -> None:
    server = Server()
    server.found["metadata"]["annotations"] = {names.ANNOTATION_REDEPLOY: value}

    assert server.read().annotated


@pytest.mark.parametrize(
    ("manager", "operation", "subresource", "believed"),
    [
        pytest.param(names.FIELD_MANAGER, "Apply", None, True, id="we applied it"),
        pytest.param("kubectl-rollout", "Update", None, False, id="somebody brought it back"),
        pytest.param(names.FIELD_MANAGER, "Update", None, False, id="not by an apply"),
        pytest.param(names.FIELD_MANAGER, "Apply", "status", False, id="of a subresource"),
    ],
)
def test_a_note_is_believed_only_while_the_field_is_ours(
    manager: str, operation: str, subresource: str | None, believed: bool
) -> None:
    server = Server()
    server.found["metadata"]["labels"] = {NOTE: "xnotex"}
    entry = {"manager": manager, "operation": operation, "subresource": subresource, "fieldsV1": OWNED, "time": LATE}
    server.found["metadata"]["managedFields"] = [entry]

    assert server.read().running == ("note" if believed else "")


@pytest.mark.parametrize("kind", KINDS)
def test_our_mark_does_not_make_another_template(kind: WorkloadKind) -> None:
    server = Server(kind)
    bare = server.read().template_digest()

    server.template["metadata"] = {"annotations": {names.ANNOTATION_CONTENT: "mark"}}
    assert server.read().template_digest() == bare
    server.template["metadata"] = {"annotations": {names.ANNOTATION_CONTENT: "mark", "x/restartedAt": "now"}}
    assert server.read().template_digest() != bare
    server.template["metadata"] = {"labels": {"app": "web"}}
    assert server.read().template_digest() != bare


def test_only_what_others_wrote_into_the_template_is_an_edit() -> None:
    server = Server(WorkloadKind.CRON_JOB)
    template: dict[str, Any] = {"f:spec": {"f:jobTemplate": {"f:spec": {"f:template": {"f:spec": {}}}}}}
    server.found["metadata"]["managedFields"] = [
        {"manager": "kubectl", "operation": "Update", "fieldsV1": template, "time": EARLY},
        {"manager": "scaler", "operation": "Update", "fieldsV1": {"f:spec": {"f:suspend": {}}}, "time": LATE},
        {"manager": names.FIELD_MANAGER, "operation": "Apply", "fieldsV1": template, "time": LATE},
        {"manager": "x", "operation": "Update", "subresource": "status", "fieldsV1": template, "time": LATE},
    ]

    assert server.read().edited_at == EARLY


def test_a_template_does_not_print() -> None:
    server = Server(WorkloadKind.DEPLOYMENT, reads_all() | {"env": [{"name": "X", "value": "plain-text"}]})

    assert "plain-text" not in repr(server.read())


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=3),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                ["metadata", "spec", "template", "jobTemplate", "annotations", "labels", "managedFields", "fieldsV1"]
            ),
            inner,
            max_size=4,
        )
    ),
    max_leaves=15,
)


@given(st.sampled_from(WorkloadKind), st.dictionaries(st.sampled_from(["metadata", "spec", "status"]), JSON))
def test_no_json_makes_it_fail(kind: WorkloadKind, found: dict[str, Any]) -> None:
    workload = read_workload(kind, found)

    assert workload is None or workload.template_digest()
