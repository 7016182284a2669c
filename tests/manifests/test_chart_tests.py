"""What `helm test` runs: the operator's own image, with the fewest rights, and beside the operator's pods."""

from typing import Any

import pytest
from click import Context

from manifests.conftest import Render, Run, template
from manifests.objects import KUBERNETES, Object, load_rendered, not_restricted, one, permissions, validate
from manifests.test_deploy_and_chart import APIS, EVERYTHING, OPERATOR, deployment_of, pod_of
from phase_operator.cli.commands.check import check

NAME = "phase-operator-test"
TRIAL = frozenset({"create"})


def hooked(objects: list[Object]) -> list[Object]:
    return [each for each in objects if "helm.sh/hook" in each["metadata"].get("annotations", {})]


@pytest.mark.parametrize("values", [{}, EVERYTHING], ids=["defaults", "everything set"])
@pytest.mark.parametrize("version", KUBERNETES)
def test_the_tests_objects_are_valid_and_made_for_it_alone(
    values: dict[str, Any], version: str, render_chart: Render
) -> None:
    objects = render_chart(values, *APIS, kubernetes=version, tests=True)
    found = hooked(objects)

    assert [each["kind"] for each in found] == ["ServiceAccount", "Role", "RoleBinding", "Pod"]
    assert {each["metadata"]["annotations"]["helm.sh/hook"] for each in found} == {"test"}
    assert hooked(render_chart(values, *APIS, kubernetes=version)) == []
    assert [each for each in objects if each not in found] == render_chart(values, *APIS, kubernetes=version)
    validate(found, version)


def test_the_tests_rights_are_exactly_these(render_chart: Render) -> None:
    """It tries a resource of each kind, of which nothing is stored, and reads one Lease."""
    ours = {key: TRIAL for key in OPERATOR if key[0] == "secrets.phase.dev" and "/" not in key[1]}
    assert len(ours) == 3

    found = hooked(render_chart(tests=True))
    assert permissions(one(found, "Role")) == ours | {
        ("coordination.k8s.io", "leases", ("phase-operator",)): frozenset({"get"})
    }
    alone = render_chart({"replicas": 1, "leaderElection": {"enabled": False}}, tests=True)
    assert permissions(one(hooked(alone), "Role")) == ours
    binding = one(found, "RoleBinding")
    assert binding["subjects"] == [{"kind": "ServiceAccount", "name": NAME, "namespace": "phase-system"}]
    assert (binding["roleRef"]["kind"], binding["roleRef"]["name"]) == ("Role", NAME)


def test_the_tests_pod_has_the_operators_image_and_passes_restricted(render_chart: Render) -> None:
    objects = render_chart(EVERYTHING, *APIS, tests=True)
    pod = one(hooked(objects), "Pod")
    [container] = pod["spec"]["containers"]

    assert container["image"] == pod_of(objects)["containers"][0]["image"]
    for name in ("imagePullSecrets", "nodeSelector", "tolerations", "securityContext"):
        assert pod["spec"][name] == pod_of(objects)[name]
    assert not_restricted(pod["spec"]) == []
    assert pod["spec"]["serviceAccountName"] == one(hooked(objects), "ServiceAccount")["metadata"]["name"]


def test_no_selector_takes_the_tests_pod_for_one_of_the_operator(render_chart: Render) -> None:
    objects = render_chart({"networkPolicy": {"enabled": True}}, tests=True)
    labels = one(hooked(objects), "Pod")["metadata"]["labels"]

    selectors = [deployment_of(objects)["selector"], one(objects, "NetworkPolicy")["spec"]["podSelector"]]
    selectors += [one(objects, "PodDisruptionBudget")["spec"]["selector"]]
    for selector in (*(each["matchLabels"] for each in selectors), one(objects, "Service")["spec"]["selector"]):
        assert not selector.items() <= labels.items()


@pytest.mark.parametrize(
    ("values", "wanted"),
    [
        pytest.param({}, {"lease": "phase-operator", "no_leader": False}, id="defaults"),
        pytest.param({"fullnameOverride": "phs"}, {"lease": "phs", "no_leader": False}, id="another name"),
        pytest.param({"replicas": 1, "leaderElection": {"enabled": False}}, {"no_leader": True}, id="no Lease"),
    ],
)
def test_the_command_takes_its_arguments(values: dict[str, Any], wanted: dict[str, Any], render_chart: Render) -> None:
    pod = one(hooked(render_chart(values, tests=True)), "Pod")
    name, *arguments = pod["spec"]["containers"][0]["args"]

    context: Context = check.make_context("check", arguments)

    assert name == "check"
    assert context.params.items() >= (wanted | {"namespace": "phase-system"}).items()


def test_both_helms_render_the_test_the_same(helm_batch: Run, helm3: Run) -> None:
    found = [template(each, EVERYTHING, *APIS, tests=True) for each in (helm_batch, helm3)]

    assert load_rendered(found[0].stdout) == load_rendered(found[1].stdout) != []
