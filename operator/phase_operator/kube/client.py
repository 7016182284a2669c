"""Requests to the API server as raw dicts, with the configuration, authentication and trust of kubernetes.aio.

Rule: every request has a timeout and ends in a dict or an ApiError. Typed models are not used: they cost memory and
time and add nothing to a dict. Requests share a few connections, and the timeout of a request begins when it has one.
Watches use connections of their own, so that no number of watches can keep requests waiting.
"""

import asyncio
import json
import logging
import math
import re
from asyncio.sslproto import SSLProtocol
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager
from functools import lru_cache, partial
from http import HTTPStatus
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

import aiohttp
from kubernetes.aio import client as aio
from kubernetes.aio import config as aio_config
from kubernetes.aio.config.config_exception import ConfigException
from yarl import URL

from phase_operator.api import names
from phase_operator.core.access.proxies import Proxies
from phase_operator.core.flow.paced_events import Event
from phase_operator.core.json_access import mapping, text
from phase_operator.kube.connections import Connections, Request, Server, address
from phase_operator.kube.errors import AnswerTooLong, ApiError, from_answer
from phase_operator.kube.identity import Identity
from phase_operator.kube.kopf_requests import Answers, KopfRequests, Take
from phase_operator.kube.lines import LineReader, ResponseLines, Watch
from phase_operator.kube.paths import OURS
from phase_operator.kube.raw_json import NO_JSON, JsonReader, json_object
from phase_operator.kube.reach import Reach
from phase_operator.reconcile.watchdog import made_progress

if TYPE_CHECKING:
    from phase_operator.kube.streams import Streams

log = logging.getLogger(__name__)

APPLY = "application/apply-patch+yaml"
MERGE = "application/merge-patch+json"
JSON_PATCH = "application/json-patch+json"
METADATA = "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1,application/json"
METADATA_LIST = "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1,application/json"
MANAGER = ("fieldManager", names.FIELD_MANAGER)
_TIMEOUT = 30.0
# The API server sends a bookmark about once a minute; a watch that is silent for longer is dead.
_WATCH_SILENCE = 90.0
# Connections for requests; more of them bring no more writes a second.
CONNECTIONS = 24
# asyncio gives each TLS connection a buffer of 256 KiB and zeroes it, so all of it takes memory. No TLS record is
# longer than this. Measured: 68 KiB a connection instead of 310.
_TLS_RECORD = 16 * 1024
# How many watches list at a time.
_LISTS = 4
# The longest line of a watch that is read. It holds the metadata of one object, and etcd stores no object this large.
_LONGEST_LINE = 4 * 1024 * 1024
# Made once: `json.dumps` makes an encoder for each call that has options. A faster one, pydantic_core's, would take
# bytes, sets and dataclasses for text and objects; what is no JSON must not become a part of a Secret.
_ENCODE = json.JSONEncoder(separators=(",", ":")).encode
# An escaped backslash, matched first so that it is never read as the start of a pair; or a surrogate pair.
_PAIR = re.compile(r"\\\\|\\ud[89ab][0-9a-f]{2}\\ud[c-f][0-9a-f]{2}")

_NO_LEADER = "this process does not lead now, and writes nothing"

OnCall = Callable[[str, str, str], None]
Query = Sequence[tuple[str, str]]


class KubeconfigError(Exception):
    """No usable configuration of a cluster; the message is for the person who started the operator."""


async def load_configuration(kubeconfig: Path | None, proxies: Proxies | None = None) -> aio.Configuration:
    """Return the configuration of `kubeconfig`, else of the pod's ServiceAccount, else of the default kubeconfig.

    A proxy that the kubeconfig names wins over `proxies`, as with kubectl. Raise KubeconfigError.
    """
    configuration = tuned_configuration()
    try:
        await _load(kubeconfig, configuration)
    except (ConfigException, OSError, ValueError, KeyError, TypeError) as error:
        where = str(kubeconfig) if kubeconfig else "no ServiceAccount in this pod, and the default kubeconfig"
        raise KubeconfigError(f"cannot use the kubeconfig ({where}): {error}") from error
    configuration.proxy = configuration.proxy or (proxies or Proxies()).of_url(configuration.host)
    return configuration


def tuned_configuration() -> aio.Configuration:
    """Return a configuration that names no cluster yet, for connections that take little memory and time."""
    SSLProtocol.max_size = _TLS_RECORD
    return aio.Configuration()


async def _load(kubeconfig: Path | None, configuration: aio.Configuration) -> None:
    if kubeconfig is not None:
        await aio_config.load_kube_config(config_file=str(kubeconfig), client_configuration=configuration)
        return
    try:
        aio_config.load_incluster_config(client_configuration=configuration)
    except ConfigException:
        await aio_config.load_kube_config(client_configuration=configuration)


@contextmanager
def _answering() -> Iterator[None]:
    """Raise what keeps an answer from being read as an ApiError."""
    try:
        yield
    except (TimeoutError, aiohttp.ClientError, OSError) as error:
        raise ApiError(0, type(error).__name__, "") from error


class KubeClient:
    """One connection pool to one API server."""

    def __init__(
        self,
        configuration: aio.Configuration,
        on_call: OnCall,
        on_conflict: Callable[[str], None] = lambda _: None,
        json_reader: JsonReader | None = None,
    ) -> None:
        self._configuration = configuration
        self._json = json_reader or JsonReader()
        # For how many more seconds this process may write.
        self.fence: Callable[[], float] = lambda: math.inf
        self._api = aio.ApiClient(configuration)
        options = {
            "server_hostname": configuration.tls_server_name,
            "proxy": configuration.proxy,
            "proxy_headers": configuration.proxy_headers,
        }
        self._options: dict[str, Any] = {name: value for name, value in options.items() if value}
        self._identity = Identity(self._tokens_now)
        # When the API server answered last, by its own clock, in the words of the header; "" before it did.
        self.server_date = ""
        # The loop's time at that moment.
        self.dated_at = 0.0
        self._on_call = on_call
        self._on_conflict = on_conflict
        self._places = asyncio.Semaphore(CONNECTIONS)
        # A watch holds it while it lists.
        self.listing = asyncio.Semaphore(_LISTS)
        self._connections: Connections | None = None
        self._watching: aiohttp.ClientSession | None = None
        # Set if watches share connections.
        self._streams: Streams | None = None
        self._reach = Reach()
        self._apart: list[KubeClient] = []

    def apart(self) -> "KubeClient":
        """Return a client with connections of its own, which wait for no other requests; `close` closes it too."""
        self._apart.append(KubeClient(self._configuration, self._on_call, self._on_conflict, self._json))
        return self._apart[-1]

    def share_connections(self) -> None:
        """Let watches opened from now on share a few connections, if the API server speaks HTTP/2."""
        # Imported here: the library takes memory, which pays only with many watches.
        from phase_operator.kube.streams import Streams

        # The context of a client of its own: this one must offer HTTP/2, and the sessions of HTTP/1.1 must not.
        trust = aio.ApiClient(self._configuration).rest_client.ssl_context
        self._streams = Streams(URL(self.host), trust, buffer=_LONGEST_LINE // 2, silence=_WATCH_SILENCE)

    @property
    def host(self) -> str:
        """The URL of the API server."""
        return str(self._configuration.host)

    async def close(self) -> None:
        """Close the connections."""
        for each in self._apart:
            await each.close()
        if self._watching is not None:
            await self._watching.close()
        if self._streams is not None:
            await self._streams.close()
        if self._connections is not None:
            await self._connections.close()
        await self._api.close()

    async def request(
        self,
        method: str,
        path: str,
        *,
        query: Query = (),
        body: Mapping[str, Any] | list[dict[str, Any]] | None = None,
        content_type: str = "application/json",
        accept: str = "application/json",
        fenced: bool = True,
        most: int | None = None,
    ) -> dict[str, Any]:
        """Send one request and return its JSON; raise ApiError, and AnswerTooLong after `most` bytes of an answer.

        A `fenced` write is neither begun nor awaited once another process may lead.
        """
        try:
            return await self._requested(method, path, query, body, content_type, accept, fenced=fenced, most=most)
        finally:
            made_progress()

    async def _requested(
        self,
        method: str,
        path: str,
        query: Query,
        body: Mapping[str, Any] | list[dict[str, Any]] | None,
        content_type: str,
        accept: str,
        *,
        fenced: bool,
        most: int | None,
    ) -> dict[str, Any]:
        resource = _resource(path)
        async with self._places:
            # Checked once a connection is free: the wait for it may have taken a while.
            writes = fenced and method != "GET"
            left = self.fence() if writes else math.inf
            if left <= 0:
                raise ApiError(0, _NO_LEADER, "")
            try:
                async with asyncio.timeout(min(_TIMEOUT, left)):
                    answer = await self._own_connections().ask(
                        Request(
                            method,
                            _target(path, query),
                            await self._headers(accept) | {"Content-Type": content_type},
                            None if body is None else encoded(body),
                            self._check_fence if writes else None,
                            most,
                        )
                    )
            except (TimeoutError, aiohttp.ClientError, OSError) as error:
                self._on_call(method, resource, "failed")
                raise ApiError(0, type(error).__name__, "") from error
        self._on_call(method, resource, str(answer.status))
        if date := answer.headers.get("Date"):
            self.server_date, self.dated_at = date, asyncio.get_running_loop().time()
        if answer.body is None:
            raise AnswerTooLong(0, "an answer that is too long", "")
        return await self._judged(answer.status, answer.headers, answer.body, path)

    def _check_fence(self) -> None:
        """Raise ClientError if this process may not write any more.

        It is asked again when a write is sent: a process that was frozen after the first time sends before its timers
        run.
        """
        if self.fence() <= 0:
            raise aiohttp.ClientConnectionError(_NO_LEADER)

    async def _judged(self, status: int, headers: Mapping[str, str], raw: bytes, path: str) -> dict[str, Any]:
        """Return the JSON of an answer; raise ApiError if it is no success, or no JSON."""
        # Nobody reads the managedFields of our own resources.
        is_ours = path.startswith(OURS)
        answer = await self._json.object(raw, has_managers=not is_ours) if raw else {}
        if not HTTPStatus.OK <= status < HTTPStatus.MULTIPLE_CHOICES:
            refusal = from_answer(status, answer or {}, headers.get("Retry-After"))
            # A field of another manager is no lost race, so it is not counted as one; the run reports it.
            if refusal.conflict and not refusal.held:
                self._on_conflict(_resource(path))
            raise refusal
        if answer is None:
            raise ApiError(0, NO_JSON, "")
        return answer

    def watch(self, path: str, query: Query, accept: str) -> Watch:
        """Return a watch that is open while its context lasts; raise ApiError if it cannot be opened or breaks."""
        return Watch(partial(self._open_watch, path, query, accept), self._json)

    async def raw(self, path: str, query: Query, most: int) -> tuple[int, bytes]:
        """Return the status and the body of an answer to GET, whatever they are; raise ApiError if there is none.

        AnswerTooLong is raised after `most` bytes.
        """
        async with self._places:
            with _answering():
                async with asyncio.timeout(_TIMEOUT):
                    headers = await self._headers("*/*")
                    answer = await self._own_connections().ask(Request("GET", _target(path, query), headers, most=most))
        self._on_call("GET", _resource(path), str(answer.status))
        if answer.body is None:
            raise AnswerTooLong(0, "an answer that is too long", "")
        return answer.status, answer.body

    @asynccontextmanager
    async def lines(self, path: str, query: Query) -> AsyncIterator[LineReader]:
        """Open an answer of text that may go on for ever, with any silence between its lines; raise ApiError."""
        reader = await self._open_watch(path, query, "*/*", silence=None)
        try:
            with _answering():
                yield reader
        finally:
            reader.close()

    async def _open_watch(
        self, path: str, query: Query, accept: str, silence: float | None = _WATCH_SILENCE
    ) -> LineReader:
        await self._reach.turn()
        with _answering(), self._reach.noting():
            response = await self._watching_session().get(
                self._url(path, query),
                headers=await self._headers(accept),
                timeout=aiohttp.ClientTimeout(total=None, sock_connect=10, sock_read=silence),
                **self._options,
            )
        self._on_call("WATCH", _resource(path), str(response.status))
        if response.status >= 400:
            raise await _refusal(response)
        shared = None if self._streams is None else self._streams.lines_of(response, _LONGEST_LINE)
        return shared or ResponseLines(response)

    def _watching_session(self) -> aiohttp.ClientSession:
        if self._watching is None:
            middlewares = [] if self._streams is None else [self._streams]
            self._watching = self._unlimited(read_bufsize=_LONGEST_LINE // 2, middlewares=middlewares)
        return self._watching

    def _unlimited(self, **options: Any) -> aiohttp.ClientSession:
        """Return a session with our trust and no limit of connections; wiring/files counts them beforehand."""
        connector = aiohttp.TCPConnector(ssl=self._api.rest_client.ssl_context, limit=0)
        return aiohttp.ClientSession(connector=connector, **options)

    def _own_connections(self) -> Connections:
        if self._connections is None:
            server = Server(
                address(self.host),
                self._api.rest_client.ssl_context,
                self._configuration.proxy or None,
                self._configuration.proxy_headers or None,
                self._configuration.tls_server_name or None,
            )
            self._connections = Connections(server, CONNECTIONS)
        return self._connections

    async def _headers(self, accept: str) -> dict[str, str]:
        return {"Accept": accept, "User-Agent": "phase-operator", **await self._tokens()}

    async def _tokens(self) -> Mapping[str, str]:
        return await self._identity.headers(asyncio.get_running_loop().time())

    async def _tokens_now(self) -> dict[str, str]:
        """Return the headers that say who we are; a token is read anew when it has run out."""
        headers: dict[str, str] = {}
        await self._api.update_params_for_auth(headers, [], ["BearerToken"], "", "", None)
        return headers

    def _url(self, path: str, query: Query) -> str:
        return f"{self.host}{_target(path, query)}"

    def session_for_watching(
        self,
        lists: Callable[[], None],
        is_news: Callable[[Event], bool] = lambda _: True,
        merged: Mapping[str, Answers] = {},
        taken: Mapping[str, Take] = {},
    ) -> aiohttp.ClientSession:
        """Return a separate session for kopf, with our trust, identity and fresh tokens.

        `lists` is called whenever kopf begins to read a list. In place of an event that is no news, kopf gets a
        bookmark; it gets no long managedFields. What is `merged` answers the watches of the paths that it names, and
        what is `taken` gets the objects of the lists of its paths first; what it returns False for is left to kopf.
        """
        passed = KopfRequests(
            json=self._json,
            reach=self._reach,
            authorize=self._authorize,
            lists=lists,
            is_news=is_news,
            merged=merged,
            taken=taken,
            listing=asyncio.Semaphore(CONNECTIONS),
            timeout=_TIMEOUT,
        )
        return self._unlimited(base_url=self.host, middlewares=[passed], proxy=self._configuration.proxy)

    async def _authorize(self, request: aiohttp.ClientRequest) -> None:
        """Give a request of another session our tokens, and the name that the API server's certificate has."""
        request.headers.update(await self._tokens())
        # A session has no option for it, and kopf does not set it on its requests.
        request.server_hostname = self._configuration.tls_server_name or request.server_hostname


async def _refusal(response: aiohttp.ClientResponse) -> ApiError:
    """Return the error of a watch that was refused, and close its connection."""
    try:
        with _answering():
            raw = await response.read()
    finally:
        response.close()
    return from_answer(response.status, json_object(raw) or {}, response.headers.get("Retry-After"))


def _target(path: str, query: Query) -> str:
    return f"{path}?{_spelled(tuple(query))}" if query else path


@lru_cache(maxsize=64)
def _spelled(query: tuple[tuple[str, str], ...]) -> str:
    """Return a query as a URL has it; nearly all requests have one of a few."""
    return urlencode(query)


def encoded(body: Mapping[str, Any] | list[dict[str, Any]]) -> bytes:
    """Return JSON that means the same when it is read as YAML, as the API server reads the body of an apply.

    YAML folds lines at U+2028 and similar characters, so they are escaped. It does not know surrogate pairs of escapes,
    so characters that need two escapes (emoji) are written as they are.
    """
    return _PAIR.sub(_as_it_is, _ENCODE(body)).encode()


def _as_it_is(found: re.Match[str]) -> str:
    text = found.group()
    return text if text == r"\\" else str(json.loads(f'"{text}"'))


def metadata_of(answer: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the metadata of an answer; raise ApiError if the answer is no object."""
    metadata = mapping(answer.get("metadata"))
    if not text(metadata.get("uid")) or not text(metadata.get("resourceVersion")):
        raise ApiError(0, "an answer that is no object", "")
    return metadata


def _resource(path: str) -> str:
    """Return the collection in a path, for metrics: .../namespaces/NS/secrets/NAME -> secrets."""
    parts = path.strip("/").split("/")
    parts = parts[2:] if parts[0] == "api" else parts[3:]
    if parts[:1] == ["namespaces"] and len(parts) > 2:
        parts = parts[2:]
    return "/".join([parts[0], *parts[2:]]) if parts else "unknown"
