"""A control plane with nothing installed, for tests that install, remove or stop what the others share.

It is started when the first test of a worker asks for it, and handed on from one to the next: who has it has it alone,
and finds it as it was at the start. What its etcd holds is compared with what it held then: what was added is
deleted, what was changed or deleted is written again, until nothing differs and the API server shows no other API.

Rule: whoever has added an admission policy deletes it and waits until it refuses nothing. The API server reads policies
once a second; all else it has forgotten when it is handed on.
"""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, nullcontext
from dataclasses import dataclass

import pytest

from phase_dev.cluster import ControlPlane, start_control_plane
from support import etcd
from support.cluster_fixture import heard
from support.operator_process import eventually

_NEEDED = ("etcd", "kube-apiserver")
# Those that a control plane has of these; the last one is the kubelet of simulated nodes.
_CONTROLLERS = ("kube-controller-manager", "kube-scheduler", "kwok")
# The API server writes these again and again, under a name that it has until it is started again.
_ALIVE = ("/registry/leases/kube-system/apiserver-", "/registry/peerserverleases/")
# Another kwok than the one that wrote them would wait until they run out.
_OF_KUBELETS = "/registry/leases/kube-node-lease/"
# So many looks in a row that show the same. If something came later, the first test to hand it on would fail by it.
_SETTLED = 4


@dataclass(frozen=True)
class _State:
    """What a control plane holds, and which APIs it has."""

    objects: dict[str, str]
    groups: list[str]

    @classmethod
    def of(cls, plane: ControlPlane) -> "_State":
        found = etcd.contents(plane)
        objects = {key: value for key, value in found.items() if not key.startswith(_ALIVE)}
        groups = plane.shared_client.get("/apis")["groups"]
        return cls(objects, sorted(each["name"] for each in groups))

    def differs(self, other: "_State") -> list[str]:
        """Return the keys of what is not the same, and the groups of APIs that only one has."""
        known = self.objects.keys() | other.objects.keys()
        changed = [each for each in known if self.objects.get(each) != other.objects.get(each)]
        return sorted([*changed, *{*self.groups} ^ {*other.groups}])


# By the number of nodes.
_IDLE = pytest.StashKey[dict[int, list[tuple[ControlPlane, _State]]]]()


@contextmanager
def bare_plane(config: pytest.Config, *, controllers: bool = False, nodes: int = 0) -> Iterator[ControlPlane]:
    """Give a control plane in which nothing is installed, until the block ends; with `controllers`, these run.

    It has so many simulated nodes, which run pods as long as the controllers run.
    """
    idle = config.stash.setdefault(_IDLE, {}).setdefault(nodes, [])
    plane, at_first = idle.pop() if idle else _started(config, nodes)
    with ExitStack() as closing:
        # One that cannot be made as it was is handed on to nobody; nor is one whose block fails.
        closing.callback(plane.close)
        with _running(plane) if controllers else nullcontext():
            yield plane
        _put_back(plane, at_first)
        closing.pop_all()
    idle.append((plane, at_first))


def _started(config: pytest.Config, nodes: int) -> tuple[ControlPlane, _State]:
    # The controllers start once, so that what they make of an empty cluster is there for all: roles, accounts.
    with heard(config):
        plane = start_control_plane(controllers=True, nodes=nodes)
    config.add_cleanup(plane.close)
    seen: list[_State] = []

    def has_settled() -> bool:
        seen.append(_State.of(plane))
        return len(seen) >= _SETTLED and not any(each.differs(seen[-1]) for each in seen[-_SETTLED:])

    eventually(has_settled, what="nothing changes any more", pause=0.1)
    _stop(plane)
    etcd.change(plane, {}, etcd.keys(plane, _OF_KUBELETS))
    return plane, _State.of(plane)


@contextmanager
def _running(plane: ControlPlane) -> Iterator[None]:
    for name in _of(plane):
        plane.program(name).start()
    try:
        yield
    finally:
        _stop(plane)


def _stop(plane: ControlPlane) -> None:
    for name in _of(plane):
        plane.program(name).kill()


def _of(plane: ControlPlane) -> list[str]:
    return [name for name in _CONTROLLERS if name in plane.processes]


def _put_back(plane: ControlPlane, at_first: _State) -> None:
    """Make a control plane what it was; fail, and say what differs, if it does not stay so."""
    for name in _NEEDED:
        assert plane.program(name).pid is not None, f"{name} was not started again"
    plane.ready()
    differing = ["all"]

    def is_as_it_was() -> bool:
        # Twice in a row: the API server may have written something before it heard of the change.
        nonlocal differing
        before, now = differing, _State.of(plane)
        differing = now.differs(at_first)
        lost = {key: value for key, value in at_first.objects.items() if now.objects.get(key) != value}
        etcd.change(plane, lost, now.objects.keys() - at_first.objects.keys())
        return not before and not differing

    try:
        eventually(is_as_it_was, what="the control plane is as it was")
    except AssertionError as e:
        e.add_note(f"these differ: {', '.join(differing)}")
        raise
