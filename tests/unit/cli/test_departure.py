"""The careful end stops at the first surprise, and what it does it does in its order."""

from collections.abc import AsyncIterator, Callable, Mapping
from typing import Any, cast

import pytest

from phase_operator.api import names
from phase_operator.cli.common.failures import ExitCode, Failure
from phase_operator.cli.uninstalling.departure import Departure
from phase_operator.cli.uninstalling.leavers import Leaver, leaver
from phase_operator.kube.user_cluster import UserCluster
from phase_operator.kube.user_errors import Trouble, UserError
from phase_operator.kube.user_resources import OURS, Request, Resource
from unit.cli.things import Clock, resource, target

OWNER = {"phaseApp": "shop", "managedSecretReferences": [{"secretName": "shop", "deletionPolicy": "Delete"}]}


class Cluster:
    """Resources and Secrets in memory. A resource goes when it has no finalizer, and takes along what says Delete."""

    def __init__(self, *resources: dict[str, Any], secrets: Mapping[str, dict[str, Any]] | None = None) -> None:
        self.resources = {(each["kind"], each["metadata"]["name"]): each for each in resources}
        self.secrets = dict({"shop": target({"A": "1"})} if secrets is None else secrets)
        self.log: list[str] = []
        # Called before each write: what others do meanwhile.
        self.meanwhile: Callable[[str], None] = lambda _: None
        self.forbidden: tuple[str, ...] = ()
        self.operator_runs = True

    async def may(self, request: Request) -> bool:
        """Return whether the right is there."""
        return request.verb not in self.forbidden

    async def each(self, kind: Resource, _: str, **__: Any) -> AsyncIterator[dict[str, Any]]:
        """Yield the objects of a kind."""
        if kind.kind == "Secret":
            for metadata in list(self.secrets.values()):
                yield {"metadata": metadata}
        for (found, _name), each in list(self.resources.items()):
            if found == kind.kind:
                yield each

    async def find(self, kind: Resource, _: str, name: str) -> dict[str, Any] | None:
        """Return a resource."""
        return self.resources.get((kind.kind, name))

    async def metadata(self, _: Resource, __: str, name: str) -> dict[str, Any] | None:
        """Return the metadata of a Secret."""
        return self.secrets.get(name)

    async def patch(self, kind: Resource, _: str, name: str, body: Mapping[str, Any]) -> None:
        """Merge a patch into the version that it names."""
        self.meanwhile(f"patch {name}")
        found = self._checked(kind, name, body["metadata"]["resourceVersion"])
        self.log.append(f"patch {name}: {', '.join({**body.get('spec', {}), **body['metadata']})}")
        found["spec"] = {**found["spec"], **body.get("spec", {})}
        found["metadata"] = {**found["metadata"], **body["metadata"], "resourceVersion": f"{len(self.log)}0"}
        if "spec" in body:
            found["metadata"]["generation"] += 1
        if self.operator_runs:
            found["status"] = {**found["status"], "observedGeneration": found["metadata"]["generation"]}
        self._end(kind, name)

    async def delete(self, kind: Resource, _: str, name: str, *, orphan: bool, only: Mapping[str, str]) -> None:
        """Delete the version that is named."""
        self.meanwhile(f"delete {name}")
        found = self._checked(kind, name, only["resourceVersion"])
        self.log.append(f"delete {name}{' and orphan' if orphan else ''}")
        found["metadata"] = {**found["metadata"], "deletionTimestamp": "now"}
        self._end(kind, name)

    def _checked(self, kind: Resource, name: str, version: str) -> dict[str, Any]:
        found = self.resources[kind.kind, name]
        if found["metadata"]["resourceVersion"] != version:
            raise UserError(Trouble.CONFLICT, "somebody changed it meanwhile")
        return found

    def _end(self, kind: Resource, name: str) -> None:
        found = self.resources[kind.kind, name]
        if "deletionTimestamp" not in found["metadata"] or found["metadata"].get("finalizers"):
            return
        del self.resources[kind.kind, name]
        for each in found["spec"].get("managedSecretReferences", ()):
            if each.get("deletionPolicy") == "Delete":
                self.secrets.pop(each["secretName"], None)

    def changes(self, name: str) -> None:
        """Have somebody write a resource."""
        for (_, found), each in self.resources.items():
            if found == name:
                each["metadata"] = {**each["metadata"], "resourceVersion": each["metadata"]["resourceVersion"] + "1"}


def departure(cluster: Cluster, **options: Any) -> Departure:
    return Departure(cast("UserCluster", cluster), "", 5, clock=Clock(), **options)


async def leave(cluster: Cluster, leavers: list[Leaver] | None = None, **options: Any) -> None:
    found = departure(cluster, **options)
    leavers = await found.resources() if leavers is None else leavers
    await found.leave(leavers, await found.kept(leavers))


def named(name: str, kind: str = names.KIND_PHASE_SECRET, **parts: Any) -> dict[str, Any]:
    metadata = {"name": name, "uid": f"u-{name}", **parts.pop("metadata", {})}
    return resource(kind, metadata=metadata, **parts)


async def test_a_target_is_kept_before_its_resource_is_deleted() -> None:
    cluster = Cluster(named("shop", spec=OWNER))

    await leave(cluster)

    assert cluster.log == ["patch shop: managedSecretReferences, resourceVersion", "delete shop and orphan"]
    assert (cluster.resources, list(cluster.secrets)) == ({}, ["shop"])


async def test_resources_with_something_outside_the_cluster_go_first() -> None:
    cluster = Cluster(
        named("a"), named("b", names.KIND_PHASE_PUSH_SECRET, spec={}), named("c", names.KIND_PHASE_DYNAMIC_SECRET)
    )

    await leave(cluster)

    assert cluster.log == ["delete c and orphan", "delete b and orphan", "delete a and orphan"]


async def test_a_resource_that_is_changed_meanwhile_is_looked_at_again() -> None:
    cluster = Cluster(named("shop", spec=OWNER))
    times = iter([True, False, True, False, False])

    def meanwhile(_: str) -> None:
        if next(times):
            cluster.changes("shop")

    cluster.meanwhile = meanwhile

    await leave(cluster)

    assert list(cluster.secrets) == ["shop"]


async def test_a_tool_that_sets_delete_again_stops_it_and_nothing_is_deleted() -> None:
    cluster = Cluster(named("shop", spec=OWNER))

    def undo(write: str) -> None:
        found = cluster.resources[names.KIND_PHASE_SECRET, "shop"]
        if write.startswith("delete"):
            found["spec"] = OWNER
            cluster.changes("shop")

    cluster.meanwhile = undo

    with pytest.raises(Failure, match="changes all the time"):
        await leave(cluster)

    assert not [each for each in cluster.log if each.startswith("delete")]


async def test_nothing_is_deleted_before_the_operator_has_taken_in_that_targets_are_kept() -> None:
    cluster = Cluster(named("shop", spec=OWNER))
    cluster.operator_runs = False

    with pytest.raises(Failure, match="--operator-gone") as raised:
        await leave(cluster)

    assert raised.value.exit_code == ExitCode.TIMED_OUT
    assert cluster.log == ["patch shop: managedSecretReferences, resourceVersion"]

    with pytest.raises(Failure, match="--operator-gone"):
        await leave(cluster)

    await leave(cluster, operator_gone=True)
    assert cluster.log[1:] == ["delete shop and orphan"]


async def test_a_finalizer_that_nobody_takes_off_ends_in_a_timeout() -> None:
    cluster = Cluster(
        named("a", names.KIND_PHASE_DYNAMIC_SECRET, metadata={"finalizers": [names.FINALIZER_OUTSIDE]}), named("b")
    )

    with pytest.raises(Failure, match="--operator-gone") as raised:
        await leave(cluster)

    assert raised.value.exit_code == ExitCode.TIMED_OUT
    assert cluster.log == ["delete a and orphan"]


async def test_our_finalizers_are_taken_off_where_the_operator_is_gone() -> None:
    cluster = Cluster(
        named("a", names.KIND_PHASE_DYNAMIC_SECRET, metadata={"finalizers": [names.FINALIZER_OUTSIDE]}),
        named("b", metadata={"finalizers": [names.FINALIZER]}),
    )

    await leave(cluster, operator_gone=True)

    assert cluster.resources == {}
    assert cluster.log[1] == "patch a: resourceVersion, finalizers"


async def test_a_finalizer_of_others_is_left_to_them() -> None:
    cluster = Cluster(named("a", metadata={"finalizers": ["other/one", names.FINALIZER]}))

    with pytest.raises(Failure):
        await leave(cluster, operator_gone=True)

    assert cluster.resources[names.KIND_PHASE_SECRET, "a"]["metadata"]["finalizers"] == ["other/one"]


async def test_a_finalizer_that_comes_back_stops_it() -> None:
    cluster = Cluster(named("a", metadata={"finalizers": ["other/one", names.FINALIZER]}))

    def comes_back(write: str) -> None:
        if write == "patch a":
            cluster.changes("a")

    cluster.meanwhile = comes_back

    with pytest.raises(Failure, match="an operator runs"):
        await leave(cluster, operator_gone=True)


async def test_a_lost_target_stops_it_before_the_next_kind() -> None:
    cluster = Cluster(named("a", names.KIND_PHASE_DYNAMIC_SECRET), named("b"))
    cluster.meanwhile = lambda write: cluster.secrets.clear() if write == "delete a" else None

    with pytest.raises(Failure, match="Secret shop/shop is gone"):
        await leave(cluster)

    assert cluster.log == ["delete a and orphan"]


async def test_a_resource_that_comes_meanwhile_is_told_of() -> None:
    cluster = Cluster(named("a"))

    def comes(write: str) -> None:
        cluster.resources[names.KIND_PHASE_SECRET, "new"] = named("new")

    cluster.meanwhile = comes

    with pytest.raises(Failure, match="PhaseSecret shop/new"):
        await leave(cluster)


async def test_another_resource_of_the_name_is_not_deleted() -> None:
    cluster = Cluster(named("a", metadata={"uid": "another"}))

    with pytest.raises(Failure, match="made anew"):
        await leave(cluster, [leaver(named("a"))])

    assert cluster.log == []


async def test_a_resource_that_is_gone_already_is_no_surprise() -> None:
    await leave(Cluster(), [leaver(named("a"))])


async def test_rights_are_asked_for_before_anything_is_done() -> None:
    cluster = Cluster(named("a"))
    cluster.forbidden = ("delete",)
    found = departure(cluster)

    with pytest.raises(UserError, match="nothing was done") as raised:
        await found.check_rights(found.requests())

    assert raised.value.trouble is Trouble.NO_RIGHT
    assert {each.resource for each in found.requests()} == set(OURS)
