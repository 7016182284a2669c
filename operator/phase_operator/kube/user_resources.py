"""The kinds of object that a person's command asks for, and what it asks of them.

Rule: nothing here asks; a request is also the right that a person needs for it.
"""

from dataclasses import dataclass

from phase_operator.api import names
from phase_operator.api.crd import DEFINITIONS
from phase_operator.core.text import clean


@dataclass(frozen=True, slots=True)
class Resource:
    """A kind of object, as the API server's paths name it: group "" is the core group."""

    group: str
    version: str
    plural: str
    kind: str
    is_namespaced: bool = True

    @property
    def api_version(self) -> str:
        """Its group and version, as objects have it."""
        return f"{self.group}/{self.version}" if self.group else self.version

    @property
    def prefix(self) -> str:
        """The path of its group and version."""
        return f"/apis/{self.group}/{self.version}" if self.group else f"/api/{self.version}"

    def __str__(self) -> str:
        """Return the name that kubectl understands: `secrets`, `phasesecrets.secrets.phase.dev`."""
        return f"{self.plural}.{self.group}" if self.group else self.plural


OURS = tuple(Resource(names.GROUP, names.VERSION, each.plural, each.kind) for each in DEFINITIONS)
PHASE_SECRETS, DYNAMIC_SECRETS, PUSH_SECRETS = OURS
SECRETS = Resource("", "v1", "secrets", "Secret")
CONFIG_MAPS = Resource("", "v1", "configmaps", "ConfigMap")
NAMESPACES = Resource("", "v1", "namespaces", "Namespace", is_namespaced=False)
PODS = Resource("", "v1", "pods", "Pod")
EVENTS = Resource("", "v1", "events", "Event")
DEPLOYMENTS = Resource("apps", "v1", "deployments", "Deployment")
LEASES = Resource("coordination.k8s.io", "v1", "leases", "Lease")
CRDS = Resource(
    "apiextensions.k8s.io", "v1", "customresourcedefinitions", "CustomResourceDefinition", is_namespaced=False
)
NETWORK_POLICIES = Resource("networking.k8s.io", "v1", "networkpolicies", "NetworkPolicy")
BUDGETS = Resource("policy", "v1", "poddisruptionbudgets", "PodDisruptionBudget")
_AUTHORIZATION = "authorization.k8s.io"
OWN_REVIEWS = Resource(_AUTHORIZATION, "v1", "selfsubjectaccessreviews", "SelfSubjectAccessReview", is_namespaced=False)
REVIEWS = Resource(_AUTHORIZATION, "v1", "subjectaccessreviews", "SubjectAccessReview", is_namespaced=False)


@dataclass(frozen=True, slots=True)
class Request:
    """What a command asked of the API server: the right that it needs, too."""

    verb: str
    resource: Resource
    namespace: str
    name: str = ""
    subresource: str = ""
    # What follows in the path, as what a pod is asked for.
    rest: str = ""

    def __str__(self) -> str:
        """Return it as `get secrets/shop in namespace shop`."""
        part = f"/{self.subresource}" if self.subresource else ""
        object_name = f"/{clean(self.name)}" if self.name else ""
        where = f" in namespace {clean(self.namespace)}" if self.namespace else " in all namespaces"
        if not self.resource.is_namespaced:
            where = ""
        return f"{self.verb} {self.resource}{part}{object_name}{where}"
