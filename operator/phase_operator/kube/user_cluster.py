"""A cluster as a person's command uses it: reads and writes with that person's rights.

Rule: every failure is a UserError, which says what it means for the person. A message of the API server is shown only
where it cannot quote a value.
"""

from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from enum import Enum, auto
from pathlib import Path
from typing import Any

from phase_operator.api import names
from phase_operator.api.crd import DEFINITIONS
from phase_operator.core.access.proxies import Proxies
from phase_operator.core.json_access import mapping
from phase_operator.kube.client import MERGE, KubeClient, KubeconfigError
from phase_operator.kube.errors import ApiError, translate
from phase_operator.kube.listing import CHUNK, read_page
from phase_operator.kube.part_size import PartSize
from phase_operator.kube.paths import object_path
from phase_operator.kube.user_context import user_context


class Trouble(Enum):
    """What a failure means for the person who gave the command."""

    UNREACHABLE = auto()
    NO_RIGHT = auto()
    NOT_FOUND = auto()
    REFUSED = auto()


@dataclass(frozen=True, slots=True)
class Resource:
    """A kind of object, as the API server's paths name it: group "" is the core group."""

    group: str
    version: str
    plural: str
    kind: str

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
NAMESPACES = Resource("", "v1", "namespaces", "Namespace")
PODS = Resource("", "v1", "pods", "Pod")
EVENTS = Resource("", "v1", "events", "Event")
DEPLOYMENTS = Resource("apps", "v1", "deployments", "Deployment")
LEASES = Resource("coordination.k8s.io", "v1", "leases", "Lease")
CRDS = Resource("apiextensions.k8s.io", "v1", "customresourcedefinitions", "CustomResourceDefinition")
_REVIEWS = Resource("authorization.k8s.io", "v1", "selfsubjectaccessreviews", "SelfSubjectAccessReview")


@dataclass(frozen=True, slots=True)
class Request:
    """What a command asked of the API server: the right that it needs, too."""

    verb: str
    resource: Resource
    namespace: str
    name: str = ""
    subresource: str = ""

    def __str__(self) -> str:
        """Return it as `get secrets/shop in namespace shop`."""
        part = f"/{self.subresource}" if self.subresource else ""
        object_name = f"/{self.name}" if self.name else ""
        where = f" in namespace {self.namespace}" if self.namespace else " in all namespaces"
        return f"{self.verb} {self.resource}{part}{object_name}{where}"


class UserError(Exception):
    """A request that failed; `message` is a sentence without its end, safe to show."""

    def __init__(self, trouble: Trouble, message: str, request: Request | None = None) -> None:
        super().__init__(message)
        self.trouble = trouble
        self.message = message
        self.request = request


class UserCluster:
    """The requests of one command. Objects are dicts, as the API server has them."""

    def __init__(self, client: KubeClient, namespace: str, context: str) -> None:
        self._client = client
        # The namespace of the person's context.
        self.namespace = namespace
        self.context = context

    @property
    def url(self) -> str:
        """The address of the API server."""
        return self._client.host

    async def get(self, resource: Resource, namespace: str, name: str, subresource: str = "") -> dict[str, Any]:
        """Return an object; raise UserError, with NOT_FOUND also if its kind is not there."""
        request = Request("get", resource, namespace, name, subresource)
        with self._understood(request):
            return await self._client.request("GET", _path(request))
        raise AssertionError("a request ends in an answer or an error")

    async def find(self, resource: Resource, namespace: str, name: str) -> dict[str, Any] | None:
        """Return an object, or None if it does not exist; raise UserError."""
        try:
            return await self.get(resource, namespace, name)
        except UserError as error:
            if error.trouble is Trouble.NOT_FOUND:
                return None
            raise

    async def list(
        self, resource: Resource, namespace: str = "", *, labels: str = "", fields: str = ""
    ) -> Sequence[Mapping[str, Any]]:
        """Return the objects of a namespace, or of all for "", that the selectors match; raise UserError.

        An object of a list has no kind of its own: it gets the list's.
        """
        request = Request("list", resource, namespace)
        selectors = (("labelSelector", labels), ("fieldSelector", fields))
        query = [(name, value) for name, value in selectors if value]
        head = {"apiVersion": resource.prefix.partition("/")[2].partition("/")[2], "kind": resource.kind}
        found: list[Mapping[str, Any]] = []
        token, size = "", PartSize(CHUNK)
        with self._understood(request):
            while True:
                page = await read_page(
                    self._client, _path(request), token, size, accept="application/json", query=query
                )
                found += [{**head, **item} for item in page.items]
                token = page.token
                if not token:
                    break
        return found

    async def create(self, resource: Resource, namespace: str, body: Mapping[str, Any]) -> dict[str, Any]:
        """Create an object and return it; raise UserError."""
        request = Request("create", resource, namespace)
        with self._understood(request):
            return await self._client.request("POST", _path(request), body=body)
        raise AssertionError("a request ends in an answer or an error")

    async def patch(
        self, resource: Resource, namespace: str, name: str, body: Mapping[str, Any], *, dry_run: bool = False
    ) -> dict[str, Any]:
        """Merge a patch into an object and return it; with `dry_run` nothing is stored. Raise UserError."""
        request = Request("patch", resource, namespace, name)
        query = [("fieldManager", "kubectl-phase"), *([("dryRun", "All")] if dry_run else [])]
        with self._understood(request):
            return await self._client.request("PATCH", _path(request), query=query, body=body, content_type=MERGE)
        raise AssertionError("a request ends in an answer or an error")

    async def delete(self, resource: Resource, namespace: str, name: str, *, orphan: bool = False) -> None:
        """Delete an object, which may be gone already; `orphan` keeps what it owns. Raise UserError."""
        request = Request("delete", resource, namespace, name)
        body = {"propagationPolicy": "Orphan" if orphan else "Background"}
        with self._understood(request, unless_missing=True):
            await self._client.request("DELETE", _path(request), body=body)

    async def may(self, request: Request) -> bool:
        """Return whether the person has the right to this request; raise UserError."""
        attributes = {
            "verb": request.verb,
            "group": request.resource.group,
            "resource": request.resource.plural,
            "namespace": request.namespace,
            "name": request.name,
            "subresource": request.subresource,
        }
        body = {
            "apiVersion": "authorization.k8s.io/v1",
            "kind": _REVIEWS.kind,
            "spec": {"resourceAttributes": attributes},
        }
        review = await self.create(_REVIEWS, "", body)
        return bool(mapping(review.get("status")).get("allowed"))

    @contextmanager
    def _understood(self, request: Request, *, unless_missing: bool = False) -> Iterator[None]:
        try:
            yield
        except ApiError as error:
            if not (unless_missing and error.not_found):
                raise _meaning(error, request, self.url) from error


@asynccontextmanager
async def user_cluster(
    kubeconfig: Path | None, context: str | None, proxies: Proxies, pod_namespace: str
) -> AsyncIterator[UserCluster]:
    """Connect to the cluster of a person's kubeconfig until the block ends; raise UserError."""
    try:
        found = await user_context(kubeconfig, context, proxies, pod_namespace)
    except KubeconfigError as error:
        raise UserError(Trouble.UNREACHABLE, f"{error}; see `kubectl config get-contexts`") from error
    client = KubeClient(found.configuration, lambda *_: None)
    try:
        yield UserCluster(client, found.namespace, found.name)
    finally:
        await client.close()


def _path(request: Request) -> str:
    name = request.name or None
    return object_path(request.resource.prefix, request.resource.plural, request.namespace, name, request.subresource)


def _meaning(error: ApiError, request: Request, url: str) -> UserError:
    if error.status == 0:
        return UserError(Trouble.UNREACHABLE, f"the API server at {url} does not answer: {error.reason}", request)
    if error.status == 401:
        return UserError(Trouble.UNREACHABLE, f"the API server at {url} does not know you: sign in again", request)
    if error.denied_by or error.status != 403:
        if error.not_found:
            return UserError(Trouble.NOT_FOUND, _missing(request), request)
        return UserError(Trouble.REFUSED, f"cannot {request}: {translate(error).message}", request)
    return UserError(Trouble.NO_RIGHT, f"you have no right to {request}", request)


def _missing(request: Request) -> str:
    if not request.name:
        return f"the cluster has no {request.resource}: install the CRDs with `kubectl phase crds | kubectl apply -f -`"
    where = f" in namespace {request.namespace}" if request.namespace else ""
    return f'there is no {request.resource.kind} "{request.name}"{where}'
