"""A cluster as a person's command uses it: reads and writes with that person's rights.

Rule: every failure is a UserError, which says what it means for the person.
"""

import asyncio
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from pathlib import Path
from types import MappingProxyType
from typing import Any

from phase_operator.api import names
from phase_operator.core.access.proxies import Proxies
from phase_operator.core.json_access import mapping, number
from phase_operator.core.object_names import is_path_segment
from phase_operator.kube.client import MERGE, METADATA, METADATA_LIST, KubeClient, KubeconfigError
from phase_operator.kube.errors import ApiError, from_answer
from phase_operator.kube.lines import TOO_LONG, LineReader
from phase_operator.kube.listing import CHUNK, Page, read_page
from phase_operator.kube.part_size import PartSize
from phase_operator.kube.paths import object_path
from phase_operator.kube.raw_json import json_object
from phase_operator.kube.user_context import user_context
from phase_operator.kube.user_errors import Trouble, UserError, meaning
from phase_operator.kube.user_resources import CONFIG_MAPS, OWN_REVIEWS, PODS, REVIEWS, SECRETS, Request, Resource

_NOTHING: Mapping[str, str] = MappingProxyType({})
# The most bytes of a pod's answer that are read.
MOST_OF_A_POD = 1024 * 1024
_VERSION = Request("get", Resource("", "", "version", "Version", is_namespaced=False), "")


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
        return await self._reviewed(OWN_REVIEWS, {"resourceAttributes": _attributes(request)})

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
        body = {"apiVersion": reviews.api_version, "kind": reviews.kind, "spec": spec}
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
                raise meaning(error, request, self.url) from error


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
