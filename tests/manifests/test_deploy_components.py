"""The components and samples of deploy/ do what the chart's values do, and nothing else."""

import re

import pytest

from manifests.conftest import Render
from manifests.objects import KUBERNETES, ROOT, Object, not_restricted, one, validate
from manifests.test_deploy_and_chart import deployment_of, environment, overlay_with, overlays, pod_of
from phase_dev import documents
from phase_operator import settings

__all__ = ["overlay_with", "overlays"]

OPENSHIFT = {"openshift": {"adaptSecurityContext": "always"}}


@pytest.mark.parametrize("mode", ["cluster-wide", "namespaced"])
def test_the_component_for_openshift_takes_away_ids_and_nothing_else(
    mode: str, overlay_with: Render, overlays: dict[str, list[Object]], render_chart: Render
) -> None:
    ours = overlay_with({"resources": [f"../{mode}"], "components": ["../../openshift"]})

    security = pod_of(ours)["securityContext"]
    assert security == pod_of(render_chart(OPENSHIFT))["securityContext"]
    assert not security.keys() & {"runAsUser", "runAsGroup", "fsGroup"}
    assert not_restricted(pod_of(ours)) == []
    pod_of(ours)["securityContext"] = pod_of(overlays[mode])["securityContext"]
    assert ours == overlays[mode]


@pytest.mark.parametrize("mode", ["cluster-wide", "namespaced"])
def test_the_component_with_a_network_policy_has_that_of_the_chart_and_nothing_else(
    mode: str, overlay_with: Render, overlays: dict[str, list[Object]], render_chart: Render
) -> None:
    ours = overlay_with({"resources": [f"../{mode}"], "components": ["../../network-policy"]})
    found, wanted = (
        one(objects, "NetworkPolicy") for objects in (ours, render_chart({"networkPolicy": {"enabled": True}}))
    )

    selector = deployment_of(ours)["selector"]
    assert found["spec"] == wanted["spec"] | {"podSelector": selector}
    assert [each for each in ours if each["kind"] != "NetworkPolicy"] == overlays[mode]
    validate(ours, KUBERNETES[0])


def samples_of(page: str) -> list[str]:
    """Return the overlays of a page which stands beside the folder deploy/."""
    blocks = re.findall(r"^```yaml\n(.*?)^```", (ROOT / page).read_text(), re.DOTALL | re.MULTILINE)
    return [block.replace("../deploy/overlays/", "../").replace("../deploy/", "../../") for block in blocks]


def test_the_sample_of_a_default_host_in_deploy_is_the_value_of_the_chart(
    overlay_with: Render, render_chart: Render
) -> None:
    [sample] = [each for each in samples_of("deploy/README.md") if "DEFAULT_HOST" in each]
    host = environment(overlay_with(documents.load(sample)))["PHASE_OPERATOR_DEFAULT_HOST"]

    assert environment(render_chart({"phase": {"defaultHost": host}}))["PHASE_OPERATOR_DEFAULT_HOST"] == host
    assert settings.load({"default_host": host}).default_host == host


def test_the_sample_of_a_network_policy_in_deploy_opens_two_more_ports(overlay_with: Render) -> None:
    [sample] = [each for each in samples_of("deploy/README.md") if "kind: NetworkPolicy" in each]

    opened = one(overlay_with(documents.load(sample)), "NetworkPolicy")["spec"]["egress"][-1]

    assert [each["port"] for each in opened["ports"]] == [8443, 3128]


def test_the_sample_for_openshift_in_deploy_works(overlay_with: Render) -> None:
    [sample] = [each for each in samples_of("deploy/README.md") if "/openshift" in each]

    objects = overlay_with(documents.load(sample))

    assert "runAsUser" not in pod_of(objects)["securityContext"]
    one(objects, "NetworkPolicy")


def test_the_sample_without_the_right_to_write_in_deploy_is_the_value_of_the_chart(
    overlay_with: Render, render_chart: Render
) -> None:
    [sample] = [each for each in samples_of("deploy/README.md") if "aggregate-to-edit" in each]
    ours = overlay_with(documents.load(sample))

    assert "rbac.authorization.k8s.io/aggregate-to-edit" in aggregates(ours, "phase-operator-view")
    assert aggregates(ours, "phase-operator-edit") == set()
    nobody = render_chart({"rbac": {"aggregateTo": {"view": True, "edit": False, "admin": False}}})
    assert aggregates(nobody, "phase-operator-edit") == set()


def aggregates(objects: list[Object], role: str) -> set[str]:
    """Return the labels by which a role is added to built-in ones."""
    labels = one(objects, "ClusterRole", role)["metadata"].get("labels", {})
    return {label for label in labels if label.startswith("rbac.")}


@pytest.mark.parametrize(
    ("to", "view", "edit"),
    [
        pytest.param({}, {"view", "edit", "admin"}, {"edit", "admin"}, id="all of them"),
        pytest.param({"view": False}, {"edit", "admin"}, {"edit", "admin"}, id="not those who only see"),
        pytest.param({"edit": False}, {"view", "admin"}, {"admin"}, id="administrators write"),
        pytest.param({"edit": False, "admin": False}, {"view"}, set(), id="all see and nobody writes"),
        pytest.param({"view": False, "edit": False, "admin": False}, set(), set(), id="nobody"),
    ],
)
def test_each_built_in_role_gets_them_by_itself(
    to: dict[str, bool], view: set[str], edit: set[str], render_chart: Render
) -> None:
    objects = render_chart({"rbac": {"aggregateTo": to}})

    prefix = "rbac.authorization.k8s.io/aggregate-to-"
    assert aggregates(objects, "phase-operator-view") == {f"{prefix}{role}" for role in view}
    assert aggregates(objects, "phase-operator-edit") == {f"{prefix}{role}" for role in edit}
