"""Calls to Phase's REST API, one method an endpoint.

Rule: every call has a deadline, follows no redirect, and ends in parsed JSON or an error of core/errors.
"""

import asyncio
import ssl
from collections.abc import Callable
from http.cookiejar import CookieJar, DefaultCookiePolicy
from pathlib import Path
from typing import Protocol, TypeVar
from urllib.parse import urlsplit

import certifi
import httpx
from pydantic import TypeAdapter

from phase_operator.core.errors import ExpectedError
from phase_operator.core.proxies import Proxies
from phase_operator.core.room import Place
from phase_operator.core.values import Entry, SecretValue
from phase_operator.phase import wire
from phase_operator.phase.body import ACCEPTED, parts
from phase_operator.phase.certificates import Certificates
from phase_operator.phase.errors import FAILURES, LARGEST_REFUSAL, from_answer, from_exception, is_answer
from phase_operator.phase.rows import Limits, Rows, too_large
from phase_operator.phase.transport import ProxiedTransport, bounded

Answer = TypeVar("Answer", covariant=True)
OnCall = Callable[[str, str, float], None]

_DEADLINE = 60.0
# How many calls there are is the planner's to say: no host is blamed for what waits here for the connection of another.
_TIMEOUTS = httpx.Timeout(30.0, connect=5.0, write=10.0, pool=None)
_LIMITS = httpx.Limits(max_connections=None, max_keepalive_connections=16)
_LAST_PORT = 65535
# So many times the length of a list are taken while it is read.
_READ_TAKES = 4


class PhaseClient:
    """One connection pool for all hosts of Phase."""

    def __init__(
        self,
        *,
        ca_file: Path | None,
        user_agent: str,
        on_call: OnCall,
        timer: Callable[[], float],
        proxies: Proxies | None = None,
        transport: httpx.AsyncBaseTransport | None = None,
        deadline: float = _DEADLINE,
        limits: Limits | None = None,
    ) -> None:
        self._on_call = on_call
        self._timer = timer
        self.certificates = Certificates(timer)
        self._deadline = deadline
        self._limits = limits or Limits()
        trusted = trust(ca_file)
        self._http = httpx.AsyncClient(
            timeout=_TIMEOUTS,
            follow_redirects=False,
            headers={"User-Agent": user_agent, "Accept": "application/json", "Accept-Encoding": ACCEPTED},
            # A cookie that a proxy sets for one account must not come with the call of another.
            cookies=CookieJar(policy=DefaultCookiePolicy(allowed_domains=[])),
            transport=transport
            or ProxiedTransport(
                proxies or Proxies(),
                lambda proxy: bounded(
                    httpx.AsyncHTTPTransport(verify=trusted, limits=_LIMITS, trust_env=False, proxy=proxy)
                ),
            ),
            # Else netrc and the certificates of the environment would be read once more.
            trust_env=False,
        )

    async def close(self) -> None:
        """Close the connections."""
        await self._http.aclose()

    async def secrets(
        self,
        base_url: str,
        header: SecretValue,
        place: Place,
        *,
        app_id: str,
        env: str,
        path: str | None,
        tags: tuple[str, ...],
    ) -> list[Entry]:
        """Return the entries that GET /v1/secrets/ answers; while they come, `place` is made as large as they are."""
        params = {"app_id": app_id, "env": env}
        if path is not None:
            params["path"] = path
        if tags:
            params["tags"] = ",".join(tags)
        return await self._get(base_url, "secrets", header, params, Rows(_host(base_url), self._limits, place))

    async def apps(self, base_url: str, header: SecretValue, place: Place) -> list[wire.App]:
        """Return the apps that the account sees; while they come, `place` is made as large as that takes."""
        reader = Whole(_host(base_url), wire.APPS, self._list_limit, place)
        return wire.some((await self._get(base_url, "apps", header, {}, reader)).data, _host(base_url))

    async def environments(
        self, base_url: str, header: SecretValue, place: Place, app_id: str
    ) -> list[wire.Environment]:
        """Return the environments of an app that the account may read; of `place` see `apps`."""
        reader = Whole(_host(base_url), wire.ENVIRONMENTS, self._list_limit, place)
        found = await self._get(base_url, "environments", header, {"app_id": app_id}, reader)
        return wire.some(found.data, _host(base_url))

    @property
    def _list_limit(self) -> int:
        return min(wire.MAX_LIST, self._limits.size)

    async def _get(
        self, base_url: str, route: str, header: SecretValue, params: dict[str, str], reader: "Reader[Answer]"
    ) -> Answer:
        began = self._timer()
        status = "cancelled"
        host = _host(base_url)
        try:
            # The trailing slash is part of the route: without it the server answers 404 or a redirect.
            response, refusal = await self._send(f"{base_url}/v1/{route}/", header, params, host, reader)
            status = str(response.status_code)
        except ExpectedError as error:
            status = str(error.reason)
            raise
        finally:
            self._on_call(route, status, self._timer() - began)
        if refused := from_answer(response, refusal, host):
            raise refused
        return reader.end()

    async def _send(
        self, url: str, header: SecretValue, params: dict[str, str], host: str, reader: "Reader[Answer]"
    ) -> tuple[httpx.Response, bytes]:
        """Feed the reader with an answer, or return the body of a refusal as far as its words go."""
        headers = {"Authorization": header.reveal()}
        words = _Words()
        try:
            async with (
                asyncio.timeout(self._deadline),
                self._http.stream("GET", _askable(url), params=params, headers=headers) as response,
            ):
                self.certificates.look(host, response)
                feed = reader.feed if is_answer(response) else words.feed
                async for part in parts(response, host):
                    if not feed(part):
                        break
        except FAILURES as error:
            raise from_exception(error, host) from error
        return response, bytes(words.body)


class Reader(Protocol[Answer]):
    """Makes an answer of a body that comes in parts."""

    def feed(self, part: bytes) -> bool:
        """Take the next part; return False if no more is wanted. Raises ExpectedError."""

    def end(self) -> Answer:
        """Return the answer, once the body has ended; raise ExpectedError."""


class Whole(Reader[Answer]):
    """Reads a body that is short enough to be held."""

    def __init__(self, host: str, adapter: TypeAdapter[Answer], limit: int, place: Place) -> None:
        self._host = host
        self._adapter = adapter
        self._limit = limit
        self._place = place
        self._body = bytearray()

    def feed(self, part: bytes) -> bool:
        """Take the next part."""
        self._body += part
        if len(self._body) > self._limit:
            raise too_large(self._host, self._limit)
        self._place.resize(_READ_TAKES * len(self._body))
        return True

    def end(self) -> Answer:
        """Parse it."""
        return wire.read_list(bytes(self._body), self._adapter, self._host)


class _Words:
    def __init__(self) -> None:
        self.body = bytearray()

    def feed(self, part: bytes) -> bool:
        self.body += part
        return len(self.body) <= LARGEST_REFUSAL


def trust(ca_file: Path | None) -> ssl.SSLContext:
    """Trust what the system trusts (the public authorities where it has no list), and the file's certificates."""
    context = ssl.create_default_context()
    if not context.cert_store_stats()["x509_ca"] and not _has_directory():
        context.load_verify_locations(cafile=certifi.where())
    if ca_file is not None:
        context.load_verify_locations(cafile=ca_file)
    return context


def _has_directory() -> bool:
    # OpenSSL reads a directory of authorities (SSL_CERT_DIR) only while it verifies: until then the store looks empty.
    directory = ssl.get_default_verify_paths().capath
    return bool(directory) and any(Path(directory).glob("*.[0-9]"))


def _askable(url: str) -> httpx.URL:
    # httpx lets any port pass; the socket's refusal would come as an ExceptionGroup from within its task group.
    parsed = httpx.URL(url)
    if (parsed.port or 0) > _LAST_PORT:
        raise httpx.InvalidURL("the port is out of range")
    return parsed


def _host(base_url: str) -> str:
    parts = urlsplit(base_url)
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}"
