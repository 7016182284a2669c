"""`tree`: from Phase to the workloads, or from the sources of a push to Phase, on one screen."""

import json
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from itertools import product
from operator import attrgetter
from typing import Any

import click

from phase_operator.cli.common.cluster import connected, namespace_of, waited_for
from phase_operator.cli.common.failures import Failure
from phase_operator.cli.common.options import HELP, ClusterOptions, cluster_options, example, output_option
from phase_operator.cli.common.resources import OF_TARGETS, given, key_of
from phase_operator.cli.common.terminal import say
from phase_operator.cli.tracing.drawing import Node, drawn
from phase_operator.cli.tracing.family import family
from phase_operator.cli.tracing.objects import metadata_of, workloads, writers_of
from phase_operator.cli.tracing.origin import origin
from phase_operator.cli.tracing.readers import Reader, policies_of, reader
from phase_operator.core.json_access import mapping, mappings
from phase_operator.core.refs import TargetRef
from phase_operator.core.rollout.workload import APIS, Workload
from phase_operator.core.status.recorded import newest_version, newest_versions, recorded_refs
from phase_operator.core.targets.versions import is_version
from phase_operator.core.values import ObjectKey
from phase_operator.kube.listing import FEW
from phase_operator.kube.user_cluster import UserCluster
from phase_operator.kube.user_errors import Suppressed, Trouble, UserError
from phase_operator.kube.user_resources import PUSH_SECRETS, Resource

_KINDS = {resource: kind for kind, resource in OF_TARGETS.items()}
Readers = Mapping[TargetRef, list[Reader]]


@click.command(context_settings=HELP, epilog=example("kubectl phase tree shop --workloads"))
@click.argument("named", metavar="[KIND/]NAME | secret/NAME | configmap/NAME")
@click.option(
    "--workloads", is_flag=True, help="Find the workloads that read each target, also those that do not follow."
)
@output_option("text", "json")
@cluster_options()
def tree(at: ClusterOptions, named: str, output: str, workloads: bool) -> None:
    """Show where a resource reads, what it writes, and which workloads read that."""
    asked = given(named, objects=True)
    trees = waited_for(_trees(at, asked.resource, asked.name, look=workloads))
    if output == "json":
        found = [each.as_json() for each in trees]
        click.echo(json.dumps(found[0] if len(found) == 1 else found, indent=2))
        return
    for number, each in enumerate(trees):
        if number:
            click.echo()
        for line in drawn(each):
            click.echo(line)


async def _trees(at: ClusterOptions, kind: Resource, name: str, *, look: bool) -> list[Node]:
    async with connected(at) as cluster:
        namespace = namespace_of(at, cluster)
        if kind not in _KINDS:
            return [await _tree(cluster, await cluster.get(kind, namespace, name), _every, look=look)]
        target = TargetRef(_KINDS[kind], ObjectKey(namespace, name))
        found = [each async for each in _relatives(cluster, target)]
        return [await _tree(cluster, each, _only(target), look=look) for each in found]


def _every(_: TargetRef, __: str) -> bool:
    return True


def _only(target: TargetRef) -> Callable[[TargetRef, str], bool]:
    """Return what says whether an object is a target, its newest version or an older one."""

    def judge(found: TargetRef, version: str) -> bool:
        same_place = (found.kind, found.key.namespace) == (target.kind, target.key.namespace)
        name = target.key.name
        return same_place and (
            name in (found.key.name, version) or (bool(version) and is_version(name, found.key.name))
        )

    return judge


async def _relatives(cluster: UserCluster, target: TargetRef) -> AsyncIterator[Mapping[str, Any]]:
    """Yield the resources that write an object, and those that push it."""
    found = origin(await metadata_of(cluster, target))
    is_any = False
    for _, resource in await writers_of(cluster, found):
        if resource is not None:
            is_any = True
            yield resource
    async for resource in _pushes(cluster, target):
        is_any = True
        yield resource
    if not is_any:
        raise Failure(f"{target}: {found.why_none or 'the resource that wrote it is gone'}")


async def _pushes(cluster: UserCluster, target: TargetRef) -> AsyncIterator[Mapping[str, Any]]:
    """Yield the PhasePushSecrets whose status names an object as a source."""
    with Suppressed(Trouble.NOT_FOUND, Trouble.NO_RIGHT):
        async for each in cluster.each(PUSH_SECRETS, target.key.namespace):
            sources = mappings(mapping(each.get("status")).get("sources"))
            if any((one.get("kind"), one.get("name")) == (str(target.kind), target.key.name) for one in sources):
                yield each


async def _tree(
    cluster: UserCluster, resource: Mapping[str, Any], only: Callable[[TargetRef, str], bool], *, look: bool
) -> Node:
    readers = await _readers(cluster, resource, only) if look else None
    return family(resource, lambda target: None if readers is None else readers.get(target, []), only)


async def _readers(
    cluster: UserCluster, resource: Mapping[str, Any], only: Callable[[TargetRef, str], bool]
) -> Readers:
    """Return the workloads that read each target of a resource."""
    status = mapping(resource.get("status"))
    versions = newest_versions(status)
    targets = [each for each in recorded_refs(status) if only(each, versions.get(each, ""))]
    followed = policies_of(resource, key_of(resource))
    found: dict[TargetRef, list[Reader]] = {each: [] for each in targets}
    async for workload in _workloads(cluster, sorted({each.key.namespace for each in targets})):
        for target in targets:
            read = reader(workload, newest_version(target, versions), followed.get(target))
            if read is not None:
                found[target].append(read)
    return {target: sorted(each, key=attrgetter("name")) for target, each in found.items()}


async def _workloads(cluster: UserCluster, namespaces: Sequence[str]) -> AsyncIterator[Workload]:
    """Yield the workloads of namespaces, a few in memory at once; kinds that cannot be listed are told of."""
    for namespace, kind in product(namespaces, APIS):
        try:
            async for workload in workloads(cluster, kind, namespace, chunk=FEW):
                yield workload
        except UserError as error:
            if error.trouble is Trouble.NO_RIGHT:
                say(f"not looked at: {error.message}")
            elif error.trouble is not Trouble.NOT_FOUND:
                raise
