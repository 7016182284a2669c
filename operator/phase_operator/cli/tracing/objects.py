"""Objects of the cluster as commands see them: Secrets and ConfigMaps, the resources that write them, and workloads.

Rule: of a Secret or ConfigMap only the metadata is read.
"""

from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any

from phase_operator.api import names
from phase_operator.cli.common.resources import OF_TARGETS, kind_named
from phase_operator.cli.tracing.origin import Origin
from phase_operator.core.refs import TargetRef
from phase_operator.core.rollout.progress import WorkloadKind
from phase_operator.core.rollout.workload import APIS, Workload, read_workload
from phase_operator.core.values import ObjectKey
from phase_operator.kube.listing import CHUNK
from phase_operator.kube.user_cluster import UserCluster
from phase_operator.kube.user_errors import Trouble, UserError
from phase_operator.kube.user_resources import Resource


async def metadata_of(cluster: UserCluster, target: TargetRef) -> Mapping[str, Any]:
    """Return the metadata of an object; raise UserError, also if it does not exist."""
    kind = OF_TARGETS[target.kind]
    found = await cluster.metadata(kind, target.key.namespace, target.key.name)
    if found is None:
        raise UserError(
            Trouble.NOT_FOUND, f'there is no {target.kind} "{target.key.name}" in namespace {target.key.namespace}'
        )
    return found


async def writers_of(cluster: UserCluster, origin: Origin) -> Sequence[tuple[ObjectKey, Mapping[str, Any] | None]]:
    """Return the resources that write an object, each as it is now; None for one that is gone. Raise UserError."""
    found: list[tuple[ObjectKey, Mapping[str, Any] | None]] = []
    for each in origin.writers[:_MOST]:
        kind = kind_of(each.key)
        read = None if kind is None else await cluster.find(kind, each.key.namespace, each.key.name)
        found.append((each.key, read))
    return found


# Anybody can put thousands of shares on an object.
_MOST = 20


async def workloads(
    cluster: UserCluster, kind: WorkloadKind, namespace: str, *, chunk: int = CHUNK
) -> AsyncIterator[Workload]:
    """Yield the workloads of a kind in a namespace, of which no more than `chunk` are held; raise UserError."""
    api = APIS[kind]
    group, _, version = api.version.partition("/")
    async for each in cluster.each(Resource(group, version, api.plural, str(kind)), namespace, chunk=chunk):
        workload = read_workload(kind, each)
        if workload is not None:
            yield workload


def kind_of(key: ObjectKey) -> Resource | None:
    """Return the kind that a mark names; None if it is none of ours."""
    return kind_named(key.kind or names.KIND_PHASE_SECRET)
