"""A real control plane for tests: one for the whole session, started when the first test asks for it.

Import the fixtures in a conftest.py; wherever they are imported, the session has one cluster. They are plain, not
asynchronous, and belong to no event loop; so a test with a loop of its own may use them.
Keep to a namespace of your own (`namespace`), and do no harm to the shared cluster: a test that installs or removes
something for all, or that stops or pauses a program, takes `support.bare_plane`.
"""

import itertools
import os
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext

import pytest

from phase_dev.cluster import Completed, ControlPlane, start_control_plane
from support.api import api_of
from support.namespaces import remove_namespaces

Kubectl = Callable[..., Completed]

_PLANE = pytest.StashKey[ControlPlane]()
_numbers = itertools.count(1)


@pytest.fixture(scope="session")
def control_plane(pytestconfig: pytest.Config) -> ControlPlane:
    """Give the session's control plane, with the controllers and one simulated node; calls block."""
    if _PLANE not in pytestconfig.stash:
        with heard(pytestconfig):  # a build on the way takes minutes and must not be silent
            plane = start_control_plane(controllers=True, nodes=1)
        pytestconfig.add_cleanup(plane.close)
        pytestconfig.stash[_PLANE] = plane
    return pytestconfig.stash[_PLANE]


@pytest.fixture(scope="session")
def kubectl(control_plane: ControlPlane) -> Kubectl:
    """Give a kubectl that is the session's admin: `kubectl("get", "ns").stdout`."""
    return control_plane.kubectl


@pytest.fixture
def namespace(control_plane: ControlPlane) -> Iterator[str]:
    """Give a namespace of the test's own, which is gone with all that is in it when the test is over."""
    with new_namespace(control_plane) as name:
        yield name


@contextmanager
def new_namespace(plane: ControlPlane, name: str = "") -> Iterator[str]:
    """Make a namespace, of a name that no other has, until the block ends; see `remove_namespaces`."""
    name = name or f"test-{os.getpid()}-{next(_numbers)}"
    api_of(plane).create({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}})
    try:
        yield name
    finally:
        remove_namespaces(plane, name)


def may(
    plane: ControlPlane,
    verb: str,
    resource: str,
    namespace: str,
    account: str = "phase-system:phase-operator",
    *,
    subresource: str = "",
) -> bool:
    """Say whether a service account may do something in a namespace; the operator's own, unless another is named.

    A resource is `secrets`, `leases.coordination.k8s.io`, or one object: `secrets/shop`.
    """
    kind, _, name = resource.partition("/")
    plural, _, group = kind.partition(".")
    asked = {"verb": verb, "group": group, "resource": plural, "name": name, "subresource": subresource}
    home = account.partition(":")[0]
    spec = {
        "user": f"system:serviceaccount:{account}",
        "groups": ["system:serviceaccounts", f"system:serviceaccounts:{home}", "system:authenticated"],
        "resourceAttributes": {"namespace": namespace, **asked},
    }
    review = {"apiVersion": "authorization.k8s.io/v1", "kind": "SubjectAccessReview", "metadata": {}, "spec": spec}
    return bool(api_of(plane).create(review)["status"]["allowed"])


def wrong_rights_on_leases(plane: ControlPlane, home: str = "phase-system") -> list[str]:
    """Return what the operator's account may do with Leases and should not, and what it may not and needs."""
    lease = "leases.coordination.k8s.io"
    own, another = f"{lease}/phase-operator", f"{lease}/another"
    wanted = {("get", own, home), ("patch", own, home), ("create", lease, home)}
    others = {(verb, *each) for verb in ("get", "patch") for each in ((another, home), (own, "default"))}
    others |= {(verb, lease, home) for verb in ("list", "watch", "update", "delete", "deletecollection")}
    return sorted(" ".join(each) for each in wanted | others if may(plane, *each) is not (each in wanted))


def heard(config: pytest.Config) -> AbstractContextManager[None]:
    """Let what is written to the terminal be seen, also where pytest keeps it for the report."""
    capture = config.pluginmanager.getplugin("capturemanager")
    return nullcontext() if capture is None else capture.global_and_fixture_disabled()
