"""The removal of tests' namespaces, for a third of what it costs when the controller manager does it.

Left to itself, the namespace controller asks for every kind that the API server has, in each namespace: 77 requests, of
which three or four find something. It begins 5 s after a namespace was deleted. What is empty and finalized by then is
gone, and costs it nothing.

Rule: a test of how a namespace goes deletes it itself (`Api.delete`), and the controller manager does the rest.
"""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from urllib.parse import quote

from phase_dev.cluster import CommandFailed, ControlPlane
from support import etcd
from support.api import api_of

# What nothing has to be done for when it goes: it is deleted in etcd, past the API server, which notices it. To delete
# one by the API takes the programs 2.7 ms of a core, a Secret 8 ms, and one by one they took as long.
_AT_ONCE = ("events", "leases", "rolebindings", "roles", "secrets", "serviceaccounts")
# With more other objects than this, it is the objects that cost, and nobody needs to wait while they go.
_MOST = 100

# The plurals and names of what each namespace holds.
Held = dict[str, list[tuple[str, str]]]


def remove_namespaces(plane: ControlPlane, *names: str) -> None:
    """Delete namespaces and at once what is in them; what is not there is no error.

    When this returns, a namespace is gone and no list of any kind shows anything of it. Only one that holds what does
    not go at once, such as an object with a finalizer, or very much, is left to the controller manager, as any
    namespace that is deleted; its end is not waited for. Finalizers of Secrets and of what else is in `_AT_ONCE` hold
    nothing up.
    """
    for name in names:
        # From now on, the API server refuses new objects in it.
        api_of(plane).delete("namespace", name)
    for name, objects in _held(plane, names).items():
        others = [each for each in objects if each[0] not in _AT_ONCE]
        if len(others) <= _MOST:
            _clear(plane, name, others)
    # After the others, since an operator at work would look for what its resources name.
    etcd.remove(plane, [f"{etcd.ALL}{plural}/{name}/" for name in names for plural in _AT_ONCE])
    for name, objects in _held(plane, names).items():
        if not objects:
            _finalize(plane, name)


@contextmanager
def no_namespace_stays(plane: ControlPlane) -> Iterator[None]:
    """Remove the namespaces that were made in the block when it ends.

    Each operator that later modules start would look after what is in them.
    """
    before = _all(plane)
    yield
    remove_namespaces(plane, *_all(plane) - before)


def _all(plane: ControlPlane) -> set[str]:
    return {each["metadata"]["name"] for each in api_of(plane).items("namespaces")}


def _held(plane: ControlPlane, names: Iterable[str]) -> Held:
    found: Held = {name: [] for name in names}
    # etcd's keys tell it for all kinds in one request.
    for key in etcd.keys(plane):
        # A namespaced object is at /registry/secrets/NAMESPACE/NAME; a custom one has its group before the plural.
        *_, plural, namespace, name = key.split("/")
        if namespace in found:
            found[namespace].append((plural, name))
    return found


def _clear(plane: ControlPlane, namespace: str, objects: Iterable[tuple[str, str]]) -> None:
    # One by one: of a collection that is deleted, the API server sends all contents, and first waits for its cache.
    for plural, name in objects:
        # What is refused, or has another name in etcd than in the API, stays, and is seen when we look again.
        with suppress(CommandFailed):
            resource = api_of(plane).resource(plural)
            if resource.namespaced:
                # Pods go at once, too: no kubelet ends their containers first.
                plane.shared_client.delete(resource.path(namespace, quote(name)), grace=0)


def _finalize(plane: ControlPlane, name: str) -> None:
    finalized = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}, "spec": {"finalizers": []}}
    # It was not there, or the controller manager was faster.
    with suppress(CommandFailed):
        plane.shared_client.replace(f"/api/v1/namespaces/{name}/finalize", finalized)
