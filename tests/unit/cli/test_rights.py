"""A right that a person lacks is printed as the Role that gives it."""

import pytest

from phase_dev import documents
from phase_operator.cli.common.cluster import of_cluster
from phase_operator.cli.common.failures import ExitCode, Failure
from phase_operator.cli.common.needs import needs_of
from phase_operator.cli.common.rights import roles_for
from phase_operator.core.values import ObjectKey
from phase_operator.kube.user_errors import Trouble, UserError
from phase_operator.kube.user_resources import DEPLOYMENTS, LEASES, PHASE_SECRETS, PODS, SECRETS, Request


def test_a_right_in_a_namespace_is_a_role_with_its_binding() -> None:
    role, binding = documents.load_all(roles_for([Request("patch", PHASE_SECRETS, "shop", "web")]))

    assert (role["kind"], role["metadata"]["namespace"]) == ("Role", "shop")
    assert role["rules"] == [{"apiGroups": ["secrets.phase.dev"], "resources": ["phasesecrets"], "verbs": ["patch"]}]
    assert (binding["kind"], binding["metadata"]["namespace"]) == ("RoleBinding", "shop")
    assert binding["roleRef"] == {
        "apiGroup": "rbac.authorization.k8s.io",
        "kind": "Role",
        "name": role["metadata"]["name"],
    }


def test_a_right_in_all_namespaces_is_a_cluster_role() -> None:
    role, binding = documents.load_all(roles_for([Request("list", SECRETS, "")]))

    assert (role["kind"], binding["kind"], binding["roleRef"]["kind"]) == (
        "ClusterRole",
        "ClusterRoleBinding",
        "ClusterRole",
    )
    assert role["rules"][0]["apiGroups"] == [""]
    assert "namespace" not in role["metadata"]


def test_a_right_to_a_part_names_the_part() -> None:
    role, _ = documents.load_all(roles_for([Request("get", DEPLOYMENTS, "shop", "web", "scale")]))

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


def test_a_role_takes_no_other_roles_place() -> None:
    asked = [Request(verb, kind, "shop") for verb in ("get", "list") for kind in (PHASE_SECRETS, SECRETS)]
    names = [documents.load_all(roles_for([each])) for each in asked]

    assert len({next(each)["metadata"]["name"] for each in names}) == len(asked)
    assert roles_for([asked[0]]) == roles_for([asked[0], asked[0]])


def test_a_role_gives_no_more_secrets_than_the_command_reads() -> None:
    asked = [Request("get", SECRETS, "shop", "token"), Request("create", SECRETS, "shop", "token")]
    role, _ = documents.load_all(roles_for(asked))

    assert role["rules"] == [
        {"apiGroups": [""], "resources": ["secrets"], "verbs": ["get"], "resourceNames": ["token"]},
        # RBAC knows no name of what is still to be made.
        {"apiGroups": [""], "resources": ["secrets"], "verbs": ["create"]},
    ]


def test_the_rights_of_a_command_begin_with_the_one_that_it_lacks() -> None:
    denied, lease = Request("get", PHASE_SECRETS, "shop", "web"), ObjectKey("phase-system", "phase-operator")
    found = needs_of("logs", denied, lease)

    assert found[0] == denied
    assert Request("get", LEASES, "phase-system", "phase-operator") in found
    assert Request("get", PODS, "phase-system", subresource="log") in found
    assert needs_of("version", denied, None) == [denied]


def test_the_rights_of_a_command_to_one_secret_are_not_those_to_all() -> None:
    found = needs_of("auth create", Request("get", SECRETS, "shop", "token"), None)

    assert {(each.verb, each.name) for each in found} == {("get", "token"), ("patch", "token"), ("create", "")}
