"""A cluster as a person's command uses it: reads and writes with that person's rights.

Rule: every failure is a UserError, which says what it means for the person. A message of the API server is shown only
where it cannot quote a value.
"""

import asyncio
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from enum import Enum, auto
from pathlib import Path
from types import MappingProxyType
from typing import Any

from phase_operator.api import names
from phase_operator.api.crd import DEFINITIONS
from phase_operator.core.access.proxies import Proxies
from phase_operator.core.json_access import mapping, number
from phase_operator.core.object_names import is_path_segment
from phase_operator.core.text import clean
from phase_operator.kube.client import MERGE, METADATA, METADATA_LIST, KubeClient, KubeconfigError
from phase_operator.kube.errors import ApiError, from_answer, translate
from phase_operator.kube.lines import TOO_LONG, LineReader
from phase_operator.kube.listing import CHUNK, Page, read_page
from phase_operator.kube.part_size import PartSize
from phase_operator.kube.paths import object_path
from phase_operator.kube.raw_json import json_object
from phase_operator.kube.user_context import user_context

_NOTHING: Mapping[str, str] = MappingProxyType({})


class Trouble(Enum):
    """What a failure means for the person who gave the command."""

    UNREACHABLE = auto()
    NO_RIGHT = auto()
    NOT_FOUND = auto()
    # Somebody changed the object meanwhile.
    CONFLICT = auto()
    # What was seen is too old to go on from: it has to be read anew.
    TOO_OLD = auto()
    REFUSED = auto()


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
_OWN_REVIEWS = Resource(
    _AUTHORIZATION, "v1", "selfsubjectaccessreviews", "SelfSubjectAccessReview", is_namespaced=False
)
REVIEWS = Resource(_AUTHORIZATION, "v1", "subjectaccessreviews", "SubjectAccessReview", is_namespaced=False)
# The API server, or a proxy before it, is there and cannot serve.
_OVERLOADED = frozenset({429, 502, 503, 504})
# What an exception of the HTTP library means.
_WHY = MappingProxyType(
    {
        "TimeoutError": "nothing came in 30 s",
        "ServerTimeoutError": "nothing came in time",
        "SocketTimeoutError": "nothing came in time",
        "ConnectionTimeoutError": "nobody took the connection in time",
        "ClientConnectorError": "the connection is refused",
        "ClientConnectorDNSError": "its name is not known",
        "ClientConnectorCertificateError": "its certificate is not trusted",
        "ClientConnectorSSLError": "TLS fails",
        "ClientProxyConnectionError": "the proxy is not reached",
        "ClientHttpProxyError": "the proxy refuses",
        "ClientOSError": "the connection breaks",
        "ServerDisconnectedError": "the connection is closed",
        "ClientResponseError": "the answer is no HTTP",
        "ClientPayloadError": "the answer breaks off",
    }
)
# The most bytes of a pod's answer that are read.
MOST_OF_A_POD = 1024 * 1024


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


_VERSION = Request("get", Resource("", "", "version", "Version", is_namespaced=False), "")


class UserError(Exception):
    """A request that failed; `message` is a sentence without its end, safe to show."""

    def __init__(
        self, trouble: Trouble, message: str, request: Request | None = None, more: Sequence[Request] = ()
    ) -> None:
        super().__init__(message)
        self.trouble = trouble
        self.message = message
        self.request = request
        # What would have been requested as well.
        self.more = more


@dataclass(frozen=True, slots=True)
class PodAnswer:
    """What a program in a pod answered."""

    status: int
    text: str


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

    def now(self) -> float | None:
        """Return the API server's time in seconds since 1970; None if it has not answered yet."""
        try:
            at = parsedate_to_datetime(self._client.server_date).timestamp()
        except (ValueError, OverflowError):
            return None
        return at + asyncio.get_running_loop().time() - self._client.dated_at

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

    async def metadata(self, resource: Resource, namespace: str, name: str) -> Mapping[str, Any] | None:
        """Return an object's metadata, or None if it does not exist; what it holds is not read. Raise UserError."""
        request = Request("get", resource, namespace, name)
        try:
            with self._understood(request):
                answer = await self._client.request("GET", _path(request), accept=METADATA)
        except UserError as error:
            if error.trouble is Trouble.NOT_FOUND:
                return None
            raise
        return mapping(answer.get("metadata"))

    async def list(
        self, resource: Resource, namespace: str = "", *, labels: str = "", fields: str = ""
    ) -> Sequence[Mapping[str, Any]]:
        """Return the objects of a namespace, or of all for "", that the selectors match; raise UserError."""
        return [
            item async for page in self.pages(resource, namespace, labels=labels, fields=fields) for item in page.items
        ]

    async def pages(
        self, resource: Resource, namespace: str = "", *, labels: str = "", fields: str = ""
    ) -> AsyncIterator[Page]:
        """Yield the objects that `list` returns part by part, so that not all are held at once; raise UserError.

        An object of a list has no kind of its own: it gets the list's.
        """
        async for page in self._pages(resource, namespace, _selectors(labels, fields), CHUNK, "application/json"):
            yield page

    async def each(
        self, resource: Resource, namespace: str, *, labels: str = "", chunk: int = CHUNK, metadata: bool = False
    ) -> AsyncIterator[Mapping[str, Any]]:
        """Yield the objects that `list` returns one by one, of which no more than `chunk` are held; raise UserError.

        With `metadata`, what the objects hold is not read.
        """
        accept = METADATA_LIST if metadata else "application/json"
        async for page in self._pages(resource, namespace, _selectors(labels, ""), chunk, accept):
            for item in page.items:
                yield item

    async def _pages(
        self, resource: Resource, namespace: str, query: Sequence[tuple[str, str]], chunk: int, accept: str
    ) -> AsyncIterator[Page]:
        request = Request("list", resource, namespace)
        head = {"apiVersion": resource.api_version, "kind": resource.kind}
        token, size = "", PartSize(chunk)
        while True:
            with self._understood(request):
                page = await read_page(self._client, _path(request), token, size, accept=accept, query=query)
            yield Page([{**head, **item} for item in page.items], page.token, page.version)
            token = page.token
            if not token:
                return

    async def watch(
        self, resource: Resource, namespace: str, version: str, *, labels: str = "", fields: str = ""
    ) -> AsyncIterator[Mapping[str, Any]]:
        """Yield the events of a watch until the API server ends it, which it does every few minutes; raise UserError.

        It begins after a version; if that is forgotten, the trouble is TOO_OLD.
        """
        request = Request("watch", resource, namespace)
        query = [("watch", "true"), ("allowWatchBookmarks", "true"), ("resourceVersion", version)]
        with self._understood(request):
            opened = self._client.watch(_path(request), [*query, *_selectors(labels, fields)], "application/json")
            async with opened as events:
                async for event in events:
                    if event.get("type") == "ERROR":
                        status = mapping(event.get("object"))
                        raise from_answer(number(status.get("code")) or 500, status, None)
                    yield event

    async def log(self, namespace: str, pod: str, query: Sequence[tuple[str, str]] = ()) -> AsyncIterator[str]:
        """Yield the lines of a pod's log as they come; raise UserError."""
        request = Request("get", PODS, namespace, pod, "log")
        with self._understood(request):
            async with self._client.lines(_path(request), query) as reader:
                while line := await _line(reader):
                    yield line.decode(errors="replace").rstrip("\r\n")

    async def ask_pod(
        self,
        namespace: str,
        pod: str,
        port: int,
        path: str,
        query: Sequence[tuple[str, str]] = (),
        most: int = MOST_OF_A_POD,
    ) -> PodAnswer:
        """Return what a pod answers to GET through the API server; raise UserError if it was not asked.

        So is an answer of more than `most` bytes.

        Who may do that may ask any port of any pod of the namespace.
        """
        request = Request("get", PODS, namespace, f"{pod}:{port}", "proxy", rest=path)
        with self._understood(request):
            status, body = await self._client.raw(_path(request), query, most)
            refusal = json_object(body) or {}
            if status >= 400 and refusal.get("kind") == "Status":
                # The API server's own words: a program in a pod answers in others.
                raise from_answer(status, refusal, None)
            return PodAnswer(status, body.decode(errors="replace"))
        raise AssertionError("a request ends in an answer or an error")

    async def version(self) -> Mapping[str, Any]:
        """Return what the API server says of its version; raise UserError."""
        with self._understood(_VERSION):
            return await self._client.request("GET", "/version")
        raise AssertionError("a request ends in an answer or an error")

    async def create(
        self, resource: Resource, namespace: str, body: Mapping[str, Any], *, dry_run: bool = False
    ) -> dict[str, Any]:
        """Create an object and return it; with `dry_run` nothing is stored. Raise UserError."""
        request = Request("create", resource, namespace)
        query = [("dryRun", "All")] if dry_run else []
        with self._understood(request):
            return await self._client.request("POST", _path(request), query=query, body=body)
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

    async def delete(
        self, resource: Resource, namespace: str, name: str, *, orphan: bool = False, only: Mapping[str, str] = _NOTHING
    ) -> None:
        """Delete an object, which may be gone already; `orphan` keeps what it owns. Raise UserError.

        `only`: uid and resourceVersion that it has to have; the API server refuses to delete another. No command
        deletes a Secret or a ConfigMap but the operator's own key.
        """
        if resource in (SECRETS, CONFIG_MAPS) and name != names.DIGEST_KEY_SECRET:
            raise ValueError(f"no command deletes {resource}")
        request = Request("delete", resource, namespace, name)
        body = {"propagationPolicy": "Orphan" if orphan else "Background", "preconditions": dict(only)}
        with self._understood(request, unless_missing=True):
            await self._client.request("DELETE", _path(request), body=body)

    async def may(self, request: Request) -> bool:
        """Return whether the person has the right to this request; raise UserError."""
        return await self._reviewed(_OWN_REVIEWS, {"resourceAttributes": _attributes(request)})

    async def account_may(self, namespace: str, name: str, request: Request) -> bool:
        """Return whether a ServiceAccount has the right to this request; raise UserError."""
        accounts = "system:serviceaccounts"
        spec = {
            "user": f"system:serviceaccount:{namespace}:{name}",
            "groups": [accounts, f"{accounts}:{namespace}", "system:authenticated"],
            "resourceAttributes": _attributes(request),
        }
        return await self._reviewed(REVIEWS, spec)

    async def _reviewed(self, reviews: Resource, spec: Mapping[str, Any]) -> bool:
        body = {"apiVersion": f"{_AUTHORIZATION}/v1", "kind": reviews.kind, "spec": spec}
        review = await self.create(reviews, "", body)
        return bool(mapping(review.get("status")).get("allowed"))

    @contextmanager
    def _understood(self, request: Request, *, unless_missing: bool = False) -> Iterator[None]:
        if not all(map(is_path_segment, filter(None, (request.namespace, request.name)))):
            raise UserError(Trouble.NOT_FOUND, f"cannot {request}: nothing can have that name", request)
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
    try:
        client = KubeClient(found.configuration, lambda *_: None)
    except OSError as error:
        said = "cannot use the kubeconfig: a certificate or key in it cannot be read; see `kubectl config view`"
        raise UserError(Trouble.UNREACHABLE, said) from error
    try:
        yield UserCluster(client, found.namespace, found.name)
    finally:
        await client.close()


def _attributes(request: Request) -> dict[str, str]:
    return {
        "verb": request.verb,
        "group": request.resource.group,
        "resource": request.resource.plural,
        "namespace": request.namespace,
        "name": request.name,
        "subresource": request.subresource,
    }


def _path(request: Request) -> str:
    name = request.name or None
    resource = request.resource
    return object_path(resource.prefix, resource.plural, request.namespace, name, request.subresource) + request.rest


def _selectors(labels: str, fields: str) -> list[tuple[str, str]]:
    return [(name, value) for name, value in (("labelSelector", labels), ("fieldSelector", fields)) if value]


async def _line(reader: LineReader) -> bytes:
    try:
        return await reader.readline()
    except TOO_LONG as error:
        raise ApiError(0, "a line that is too long", "") from error


def _meaning(error: ApiError, request: Request, url: str) -> UserError:
    if error.status == 0:
        why = _WHY.get(error.reason, error.reason)
        said = f"the API server at {url} does not answer: {why}; does `kubectl version` reach it?"
        return UserError(Trouble.UNREACHABLE, said, request)
    # Of a pod, it says that this pod is not reached.
    if error.status in _OVERLOADED and not request.subresource:
        said = f"the API server at {url} answers {error.status}: it cannot serve now, so try again"
        return UserError(Trouble.UNREACHABLE, said, request)
    if error.status == 401:
        return UserError(Trouble.UNREACHABLE, f"the API server at {url} does not know you: sign in again", request)
    if error.gone:
        return UserError(Trouble.TOO_OLD, f"the API server has forgotten where to go on to {request}", request)
    if error.denied_by or error.status != 403:
        if error.not_found:
            return UserError(Trouble.NOT_FOUND, _missing(request, error), request)
        if error.conflict:
            return UserError(Trouble.CONFLICT, f"cannot {request}: somebody changed it meanwhile", request)
        return UserError(Trouble.REFUSED, f"cannot {request}: {translate(error).message}", request)
    return UserError(Trouble.NO_RIGHT, f"you have no right to {request}", request)


def _missing(request: Request, error: ApiError) -> str:
    # Of a kind that it does not have, the API server answers no Status with that reason.
    if not request.name or error.reason != "NotFound":
        cure = "kubectl phase crds | kubectl apply --server-side -f -"
        is_ours = request.resource.group == names.GROUP
        return f"the cluster has no {request.resource}{f': install the CRDs with `{cure}`' if is_ours else ''}"
    where = f" in namespace {clean(request.namespace)}" if request.namespace else ""
    return f'there is no {request.resource.kind} "{clean(request.name)}"{where}'
