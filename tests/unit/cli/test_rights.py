"""A right that a person lacks is printed as the Role that gives it."""

import pytest

from phase_dev import documents
from phase_operator.cli.cluster import of_cluster
from phase_operator.cli.failures import ExitCode, Failure
from phase_operator.cli.rights import role_for
from phase_operator.kube.user_cluster import DEPLOYMENTS, PHASE_SECRETS, SECRETS, Request, Trouble, UserError


def test_a_right_in_a_namespace_is_a_role_with_its_binding() -> None:
    role, binding = documents.load_all(role_for(Request("patch", PHASE_SECRETS, "shop", "web")))

    assert (role["kind"], role["metadata"]["namespace"]) == ("Role", "shop")
    assert role["rules"] == [{"apiGroups": ["secrets.phase.dev"], "resources": ["phasesecrets"], "verbs": ["patch"]}]
    assert (binding["kind"], binding["metadata"]["namespace"]) == ("RoleBinding", "shop")
    assert binding["roleRef"] == {
        "apiGroup": "rbac.authorization.k8s.io",
        "kind": "Role",
        "name": role["metadata"]["name"],
    }


def test_a_right_in_all_namespaces_is_a_cluster_role() -> None:
    role, binding = documents.load_all(role_for(Request("list", SECRETS, "")))

    assert (role["kind"], binding["kind"], binding["roleRef"]["kind"]) == (
        "ClusterRole",
        "ClusterRoleBinding",
        "ClusterRole",
    )
    assert role["rules"][0]["apiGroups"] == [""]
    assert "namespace" not in role["metadata"]


def test_a_right_to_a_part_names_the_part() -> None:
    role, _ = documents.load_all(role_for(Request("get", DEPLOYMENTS, "shop", "web", "scale")))

    assert role["rules"][0]["resources"] == ["deployments/scale"]


@pytest.mark.parametrize(
    ("trouble", "code"),
    [
        (Trouble.UNREACHABLE, ExitCode.NO_CLUSTER),
        (Trouble.NO_RIGHT, ExitCode.NO),
        (Trouble.NOT_FOUND, ExitCode.NO),
        (Trouble.CONFLICT, ExitCode.NO),
        (Trouble.REFUSED, ExitCode.NO),
    ],
)
def test_each_trouble_at_the_cluster_has_its_exit_code(trouble: Trouble, code: ExitCode) -> None:
    with pytest.raises(Failure) as raised, of_cluster():
        raise UserError(trouble, "it went wrong", Request("get", SECRETS, "shop"))

    assert raised.value.exit_code == code
    assert ("kind: Role" in raised.value.message) is (trouble is Trouble.NO_RIGHT)
