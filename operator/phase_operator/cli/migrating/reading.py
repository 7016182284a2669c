"""What a migration reads of files and of a cluster: resources, and the metadata of the Secrets that they name.

Rule: what Secrets hold is not read.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from phase_operator.cli.common.cluster import all_of, connected, namespace_of, waited_for
from phase_operator.cli.common.manifests import read, usable
from phase_operator.cli.common.options import ClusterOptions
from phase_operator.cli.migrating.converters import Kind
from phase_operator.core.values import ObjectKey
from phase_operator.kube.user_cluster import UserCluster
from phase_operator.kube.user_errors import Suppressed, Trouble, UserError
from phase_operator.kube.user_resources import SECRETS, Request, Resource


def bodies(files: Sequence[str]) -> list[Mapping[str, Any]]:
    """Return the objects of files; raise Failure if one cannot be used."""
    with usable():
        return [document.body for document in read(files)]


def originals(files: Sequence[str], at: ClusterOptions, kinds: Iterable[Kind]) -> list[Mapping[str, Any]]:
    """Return the objects of files, or without files those of several kinds in the cluster; raise Failure."""
    return bodies(files) if files else waited_for(_in_cluster(at, kinds))


async def _in_cluster(at: ClusterOptions, kinds: Iterable[Kind]) -> list[Mapping[str, Any]]:
    async with connected(at) as cluster:
        return await of_kinds(cluster, namespace_of(at, cluster), kinds)


async def of_kinds(cluster: UserCluster, namespace: str, kinds: Iterable[Kind]) -> list[Mapping[str, Any]]:
    """Return the objects of several kinds; a kind that the cluster does not have has none. Raise UserError."""
    found: list[Mapping[str, Any]] = []
    # By kind, so that who lacks the right to one is told of the rights to all.
    lists = [[_list_of(kind, version, namespace) for version in kind.versions] for kind in kinds]
    try:
        for versions in lists:
            found += await _first_of(cluster, versions)
    except UserError as error:
        if error.trouble is not Trouble.NO_RIGHT:
            raise
        raise UserError(error.trouble, error.message, error.request, [one[0] for one in lists]) from error
    return found


async def _first_of(cluster: UserCluster, versions: Sequence[Request]) -> Sequence[Mapping[str, Any]]:
    """Return the objects of a kind in the first version that the cluster has; none if it has none of them."""
    for each in versions:
        with Suppressed(Trouble.NOT_FOUND):
            return await cluster.list(each.resource, each.namespace)
    return ()


def _list_of(kind: Kind, version: str, namespace: str) -> Request:
    resource = Resource(kind.group, version, kind.plural, kind.kind)
    return Request("list", resource, namespace if kind.is_namespaced else "")


async def metadata_of(cluster: UserCluster, secrets: Sequence[ObjectKey]) -> dict[ObjectKey, Mapping[str, Any] | None]:
    """Return the metadata of Secrets, None for one that does not exist; raise UserError."""
    found = await all_of(secrets, lambda key: cluster.metadata(SECRETS, key.namespace, key.name))
    return dict(zip(secrets, found, strict=True))
