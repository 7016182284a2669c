"""One call to Phase: a request and its answer.

Rule: every call has a deadline and follows no redirect. It ends in an answer, or in an error of core/errors that says
whether the call may have had an effect. Only a call that changes nothing is sent a second time.
"""

import asyncio
import ssl
from collections.abc import Awaitable, Callable, Mapping
from http.cookiejar import CookieJar, DefaultCookiePolicy
from pathlib import Path
from typing import NamedTuple, TypeVar
from urllib.parse import urlsplit

import certifi
import httpx

from phase_operator.core.access.proxies import Proxies
from phase_operator.core.errors import ExpectedError
from phase_operator.core.values import SecretValue
from phase_operator.phase.body import ACCEPTED, parts
from phase_operator.phase.certificates import Certificates
from phase_operator.phase.errors import FAILURES, from_answer, from_exception, is_answer, no_url
from phase_operator.phase.lookups import Lookups, looking_up_for
from phase_operator.phase.loop_turns import LoopTurns
from phase_operator.phase.readers import Reader, Words
from phase_operator.phase.transport import QUESTION, ProxiedTransport, bounded

Answer = TypeVar("Answer")
OnCall = Callable[[str, str, float], None]

_DEADLINE = 60.0
_READ_TIMEOUT = 30.0
KEPT_CONNECTIONS = 16
_LIMITS = httpx.Limits(max_connections=None, max_keepalive_connections=KEPT_CONNECTIONS)
# The default limit of lookups in progress.
_LOOKUPS = 160
_LAST_PORT = 65535


class Route(NamedTuple):
    """A route of Phase: its name in metrics, and its path under a base URL."""

    name: str
    # The slash at its end is part of it: without it, the server answers 404 or a redirect.
    path: str


APPS = Route("apps", "/v1/apps/")
ENVIRONMENTS = Route("environments", "/v1/environments/")
SECRETS = Route("secrets", "/v1/secrets/")
DYNAMIC_SECRETS = Route("dynamic-secrets", "/v1/secrets/dynamic/")
LEASES = Route("leases", "/v1/secrets/dynamic/leases/")
# The two of end-to-end encrypted apps, which are not under the base URL of the REST API.
TOKENS = Route("tokens", "/secrets/tokens/")
ENCRYPTED_SECRETS = Route("encrypted-secrets", "/secrets/")


class Session:
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
        lookups: int = _LOOKUPS,
    ) -> None:
        self._on_call = on_call
        self._timer = timer
        self.certificates = Certificates(timer)
        self._deadline = deadline
        self._turns = LoopTurns()
        self._http = httpx.AsyncClient(
            timeout=_timeouts(_READ_TIMEOUT),
            follow_redirects=False,
            headers={"User-Agent": user_agent, "Accept": "application/json", "Accept-Encoding": ACCEPTED},
            # A cookie that a proxy sets for one account must not be sent with another account's call.
            cookies=CookieJar(policy=DefaultCookiePolicy(allowed_domains=[])),
            transport=transport or _connections(ca_file, proxies or Proxies(), lookups),
            # Otherwise httpx would read netrc and the environment's certificates again.
            trust_env=False,
        )

    async def close(self) -> None:
        """Close the connections."""
        await self._http.aclose()

    async def call(
        self,
        base_url: str,
        header: SecretValue,
        method: str,
        route: Route,
        *,
        reader: Reader[Answer],
        params: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
        json: object = None,
        is_question: bool = False,
        patience: float | None = None,
        sent_within: float | None = None,
    ) -> Answer:
        """Make one request and return what the reader makes of the answer; raise ExpectedError.

        `patience` is how many seconds the answer may take, if not as many as every other. A request that could not be
        sent within `sent_within` seconds, since a name or a connection takes long, is never sent.

        The error's `had_no_effect` says whether the caller may repeat the call. A request that changes nothing in Phase
        is sent a second time if the server closes a kept-alive connection at that moment; any other is sent once.
        """
        host = host_of(base_url)
        began = self._timer()
        status = "cancelled"
        try:
            sent = {"Authorization": header.reveal(), **(headers or {})}
            request = self._request(base_url + route.path, method, sent, params, json, host)
            request.extensions[QUESTION] = is_question
            if patience is not None:
                request.extensions["timeout"] = _timeouts(patience).as_dict()
            if sent_within is not None:
                request.extensions["trace"] = _refusing_from(began + sent_within, self._timer)
            response, refusal = await self._send(request, host, reader, patience or self._deadline)
            status = str(response.status_code)
        except ExpectedError as error:
            status = str(error.reason)
            raise
        finally:
            self._on_call(route.name, status, self._timer() - began)
        if refused := from_answer(response, refusal, host):
            raise refused
        return reader.end()

    async def ask(
        self,
        base_url: str,
        header: SecretValue,
        route: Route,
        *,
        reader: Reader[Answer],
        namespace: str,
        params: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Answer:
        """Make a call that changes nothing; a lookup of the host's name counts for the namespace."""
        with looking_up_for(namespace):
            return await self.call(
                base_url, header, "GET", route, params=params, headers=headers, reader=reader, is_question=True
            )

    def _request(
        self,
        url: str,
        method: str,
        headers: Mapping[str, str],
        params: Mapping[str, str] | None,
        json: object,
        host: str,
    ) -> httpx.Request:
        try:
            return self._http.build_request(method, _askable(url), params=params, json=json, headers=headers)
        except (httpx.InvalidURL, UnicodeError) as error:
            raise no_url(host) from error

    async def _send(
        self, request: httpx.Request, host: str, reader: Reader[Answer], deadline: float
    ) -> tuple[httpx.Response, bytes]:
        """Pass an answer to the reader; return the response, and of a refusal the beginning of its body."""
        words = Words()
        try:
            async with asyncio.timeout(deadline):
                response = await self._http.send(request, stream=True)
                try:
                    self.certificates.look(host, response)
                    feed = reader.feed if is_answer(response) else words.feed
                    async for part in parts(response, host, self._turns):
                        if not feed(part):
                            break
                finally:
                    await response.aclose()
        except FAILURES as error:
            raise from_exception(error, host) from error
        return response, words.end()


def _refusing_from(moment: float, timer: Callable[[], float]) -> Callable[[str, object], Awaitable[None]]:
    """Return what the transport calls before each of its steps: from a moment on, it lets no request be sent."""

    async def trace(step: str, _: object) -> None:
        if step.endswith("send_request_headers.started") and timer() >= moment:
            raise httpx.ConnectTimeout("the connection was made too late")

    return trace


def _connections(ca_file: Path | None, proxies: Proxies, lookups: int) -> httpx.AsyncBaseTransport:
    trusted = trust(ca_file)
    names = Lookups(lookups)
    return ProxiedTransport(
        proxies,
        lambda proxy: bounded(
            httpx.AsyncHTTPTransport(verify=trusted, limits=_LIMITS, trust_env=False, proxy=proxy),
            names.addresses,
        ),
    )


def trust(ca_file: Path | None) -> ssl.SSLContext:
    """Return a context that trusts the system's authorities (or the public ones if it has none) and the file's."""
    context = ssl.create_default_context()
    # A host could request renegotiation again and again, which is work for our loop. No answer needs it.
    context.options |= ssl.OP_NO_RENEGOTIATION
    if not context.cert_store_stats()["x509_ca"] and not _has_directory():
        context.load_verify_locations(cafile=certifi.where())
    if ca_file is not None:
        context.load_verify_locations(cafile=ca_file)
    return context


def _timeouts(read: float) -> httpx.Timeout:
    # The poll scheduler limits calls, not the pool: a call must not wait here for another host's connection.
    return httpx.Timeout(read, connect=5.0, write=10.0, pool=None)


def _has_directory() -> bool:
    # OpenSSL reads a directory of authorities (SSL_CERT_DIR) only when it verifies; until then the store looks empty.
    directory = ssl.get_default_verify_paths().capath
    return bool(directory) and any(Path(directory).glob("*.[0-9]"))


def _askable(url: str) -> httpx.URL:
    # httpx lets any port pass; the socket's refusal would come as an ExceptionGroup from within its task group.
    parsed = httpx.URL(url)
    if (parsed.port or 0) > _LAST_PORT:
        raise httpx.InvalidURL("the port is out of range")
    return parsed


def host_of(base_url: str) -> str:
    """Return the part of a URL that is shown: no credentials, no path."""
    parts = urlsplit(base_url)
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}"
