"""Operators are found in Deployments, whatever these are called, and their settings are read as the operator does."""

from typing import Any

import pytest

from phase_operator.cli.doctor.deployed import operator_of, tag_of
from phase_operator.settings import Settings, load
from support.doctored import deployment, official, operator


def test_our_deployment_is_found_by_its_image_under_any_name() -> None:
    body = deployment()
    body["metadata"] |= {"name": "secrets", "labels": {}}
    container = body["spec"]["template"]["spec"]["containers"][0]
    container["image"] = "registry.example:5000/platform/phase-operator@sha256:0123"

    found = operator_of(body)

    assert found is not None
    assert (str(found), found.is_official, found.replicas, found.version) == ("phase-system/secrets", False, 2, "")


def test_our_deployment_is_found_by_its_label_if_the_image_has_another_name() -> None:
    body = deployment()
    body["spec"]["template"]["spec"]["containers"][0]["image"] = "mirror/secrets-sync:0.1.0"

    found = operator_of(body)

    assert found is not None
    assert (found.is_official, found.version) == (False, "0.1.0")


def test_our_deployment_is_found_by_its_variables_if_label_and_image_are_renamed() -> None:
    body = deployment()
    body["metadata"]["labels"] = {"app.kubernetes.io/name": "secrets"}
    body["spec"]["template"]["spec"]["containers"][0]["image"] = "mirror/secrets-sync:0.1.0"

    found = operator_of(body)

    assert found is not None
    assert not found.is_official


@pytest.mark.parametrize(
    "image",
    [
        "phasehq/kubernetes-operator:1.4.1",
        "docker.io/phasehq/kubernetes-operator:2.0.1",
        "mirror.example/phasehq/kubernetes-operator",
        "mirror.example/renamed:1",
    ],
)
def test_the_official_operator_is_found_by_image_or_labels(image: str) -> None:
    found = operator_of(official(image=image))

    assert found is not None
    assert found.is_official


@pytest.mark.parametrize(
    "body",
    [{}, {"spec": None}, {"spec": {"template": {"spec": {"containers": [{"image": "nginx:1"}]}}}}],
    ids=["empty", "null", "another program"],
)
def test_other_deployments_run_no_operator(body: dict[str, Any]) -> None:
    assert operator_of(body) is None


@pytest.mark.parametrize(
    "args",
    [
        ["run", "--namespace", "shop", "--namespace=checkout", "--leader-elect=false", "--restarts", "false"],
        ["run", "--health-port=9000", "--lease-name", "mine", "--lease-seconds", "30", "--push"],
        ["run", "--grant", "fromLabel=team=a,to=shared,what=token"],
    ],
    ids=" ".join,
)
def test_flags_mean_what_they_mean_to_the_operator(args: list[str]) -> None:
    flags = operator(args=args).told
    known: Settings = load(
        {name: tuple(each) if name in ("namespace", "grant") else each[-1] for name, each in flags.items()}
    )

    found = operator(args=args)

    assert found.namespaces == known.namespace
    assert (found.elects, found.restarts) == (known.leader_elect, known.restarts)
    assert (found.lease, found.lease_seconds) == (known.lease_name, known.lease_seconds)
    assert (found.health_port, found.metrics_port) == (known.health_port, known.metrics_port)
    assert found.asks_for_labels is any(not isinstance(each.source, str) for each in known.grant)


def test_a_flag_wins_over_a_variable() -> None:
    found = operator(
        env={"PHASE_OPERATOR_NAMESPACE": "a, b", "PHASE_OPERATOR_LEASE_NAME": "theirs"}, args=["run", "--lease-name=x"]
    )

    assert found.namespaces == ("a", "b")
    assert found.lease == "x"


def test_a_setting_that_cannot_be_read_from_the_deployment_is_named() -> None:
    body = deployment()
    container = body["spec"]["template"]["spec"]["containers"][0]
    container["envFrom"] = [{"configMapRef": {"name": "settings"}}]
    container["env"].append({"name": "PHASE_OPERATOR_NAMESPACE", "valueFrom": {"configMapKeyRef": {}}})

    found = operator_of(body)

    assert found is not None
    assert found.unclear == ("envFrom", "PHASE_OPERATOR_NAMESPACE")


@pytest.mark.parametrize(
    ("image", "tag"),
    [("phase-operator:0.1.0", "0.1.0"), ("host:5000/phase-operator", ""), ("a/b:1@sha256:00", "1"), ("", "")],
)
def test_the_tag_of_an_image_is_what_follows_its_name(image: str, tag: str) -> None:
    assert tag_of(image) == tag
