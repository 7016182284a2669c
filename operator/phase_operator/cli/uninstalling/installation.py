"""The operator's own objects in a cluster, by the label that our manifests put on each of them.

Rule: what Helm installed is Helm's to remove. The namespace stays, since other things may be in it.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from phase_operator.api import names
from phase_operator.core.json_access import mapping, text, texts
from phase_operator.core.text import clean
from phase_operator.kube.user_cluster import UserCluster
from phase_operator.kube.user_errors import Suppressed, Trouble
from phase_operator.kube.user_resources import CRDS, DEPLOYMENTS, LEASES, OURS, SECRETS, Resource

_LABEL = f"app.kubernetes.io/name={names.OPERATOR_NAME}"
_RELEASE, _RELEASE_NAMESPACE = "meta.helm.sh/release-name", "meta.helm.sh/release-namespace"
_RBAC = "rbac.authorization.k8s.io"
_ADMISSION = "admissionregistration.k8s.io"
# In the order in which they go: the operator first, what it may do last.
_KINDS = (
    DEPLOYMENTS,
    Resource("policy", "v1", "poddisruptionbudgets", "PodDisruptionBudget"),
    Resource("", "v1", "services", "Service"),
    Resource("networking.k8s.io", "v1", "networkpolicies", "NetworkPolicy"),
    Resource(_ADMISSION, "v1", "validatingadmissionpolicybindings", "ValidatingAdmissionPolicyBinding"),
    Resource(_ADMISSION, "v1", "validatingadmissionpolicies", "ValidatingAdmissionPolicy"),
    Resource(_RBAC, "v1", "rolebindings", "RoleBinding"),
    Resource(_RBAC, "v1", "roles", "Role"),
    Resource(_RBAC, "v1", "clusterrolebindings", "ClusterRoleBinding"),
    Resource(_RBAC, "v1", "clusterroles", "ClusterRole"),
    Resource("", "v1", "serviceaccounts", "ServiceAccount"),
)


@dataclass(frozen=True, slots=True)
class Own:
    """One object of the installation."""

    resource: Resource
    namespace: str
    name: str

    def __str__(self) -> str:
        return f"{self.resource.kind} {f'{self.namespace}/' if self.namespace else ''}{self.name}"


@dataclass(frozen=True, slots=True)
class Installation:
    """The objects that go, in their order, and the Helm releases that keep others."""

    objects: tuple[Own, ...]
    releases: tuple[str, ...]


async def installation(cluster: UserCluster) -> Installation:
    """Return the operator's objects, the CRDs among them; raise UserError."""
    objects: list[Own] = []
    releases: set[str] = set()
    for kind in _KINDS:
        found, of_helm = await _labelled(cluster, kind)
        objects += found
        releases |= of_helm
    for home in sorted({each.namespace for each in objects if each.resource == DEPLOYMENTS}):
        objects += await _left_behind(cluster, home)
    crds = [Own(CRDS, "", str(each)) for each in OURS]
    kept = [each for each in crds if await cluster.metadata(CRDS, "", each.name) is not None]
    # Without its CRDs an operator that still runs has nothing to do, and nothing to write.
    at = sum(each.resource == DEPLOYMENTS for each in objects)
    return Installation((*objects[:at], *kept, *objects[at:]), tuple(sorted(releases)))


async def remove(cluster: UserCluster, objects: Sequence[Own]) -> None:
    """Delete these objects one after the other; raise UserError at the first that cannot be deleted."""
    for each in objects:
        await cluster.delete(each.resource, each.namespace, each.name)


async def _labelled(cluster: UserCluster, kind: Resource) -> tuple[list[Own], set[str]]:
    """Return the objects of a kind with our label, and the Helm releases of those that Helm keeps."""
    objects: list[Own] = []
    releases: set[str] = set()
    with Suppressed(Trouble.NOT_FOUND):
        async for each in cluster.each(kind, "", labels=_LABEL, metadata=True):
            metadata = mapping(each.get("metadata"))
            annotations = texts(metadata.get("annotations"))
            if release := annotations.get(_RELEASE):
                releases.add(f"{clean(annotations.get(_RELEASE_NAMESPACE, ''))}/{clean(release)}")
            else:
                objects.append(Own(kind, text(metadata.get("namespace")), text(metadata.get("name"))))
    return objects, releases


async def _left_behind(cluster: UserCluster, namespace: str) -> list[Own]:
    """Return what the operator made in its own namespace: the digest key, and the Lease of its replicas."""
    made = (Own(SECRETS, namespace, names.DIGEST_KEY_SECRET), Own(LEASES, namespace, names.OPERATOR_NAME))
    return [each for each in made if await cluster.metadata(each.resource, each.namespace, each.name) is not None]
