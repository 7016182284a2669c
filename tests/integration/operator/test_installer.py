"""Who is admin of a namespace installs the operator there, with the rights of deploy/installer and not without."""

import re

import pytest
import yaml

from phase_dev.cluster import Completed, ControlPlane
from support.operator_process import REPOSITORY, eventually

pytestmark = pytest.mark.controlplane

USER = "tenant"
MISSING = re.compile(r'\{APIGroups:\["([^"]*)"\], Resources:\["([^"]*)"\], Verbs:\[([^\]]*)\]\}')
# API group, resource, verb.
Right = tuple[str, str, str]


def installs(plane: ControlPlane, namespace: str) -> Completed:
    """Have the user give the operator its Role in a namespace."""
    folder = REPOSITORY / "deploy/watched-namespace"
    return plane.kubectl("-n", namespace, f"--as={USER}", "apply", "--server-side", "-k", folder, check=False)


def bind(plane: ControlPlane, namespace: str, role: str) -> None:
    plane.kubectl("-n", namespace, "create", "rolebinding", role, f"--clusterrole={role}", f"--user={USER}")


def refused(done: Completed) -> set[Right]:
    """Return the rights that the API server says the user may not give, as he lacks them."""
    found = MISSING.findall(done.stderr)
    return {(group, kind, verb) for group, kind, verbs in found for verb in re.findall(r'"([^"]+)"', verbs)}


def installer() -> set[Right]:
    [role] = yaml.safe_load_all((REPOSITORY / "deploy/installer/role.yaml").read_text())
    return {
        (group, kind, verb)
        for rule in role["rules"]
        for group in rule["apiGroups"]
        for kind in rule["resources"]
        for verb in rule["verbs"]
    }


def test_an_admin_of_a_namespace_lacks_nothing_but_what_the_installer_role_gives(
    installed: ControlPlane, namespace: str
) -> None:
    """Kubernetes lets nobody give rights that he lacks, and says which these are."""
    installed.kubectl("apply", "--server-side", "-k", REPOSITORY / "deploy/installer")
    bind(installed, namespace, "admin")

    # Until the built-in role has what deploy/aggregated-roles adds, more is missing.
    # Of a newer Kubernetes, admin may create Events anyway.
    lacking = (installer() - {("", "events", "create")}, installer())
    eventually(lambda: refused(installs(installed, namespace)) in lacking, what="the installer's rights lack alone")

    bind(installed, namespace, "phase-operator-installer")
    eventually(lambda: installs(installed, namespace).returncode == 0, what="the user installs")
