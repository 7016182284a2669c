"""Calls to Phase's REST API, one method an endpoint.

Rule: every call has a deadline, follows no redirect, and ends in parsed JSON or an error of core/errors.
"""

import asyncio
import ssl
from collections.abc import Callable
from http.cookiejar import CookieJar, DefaultCookiePolicy
from pathlib import Path
from typing import TypeVar
from urllib.parse import urlsplit

import certifi
import httpx
from pydantic import TypeAdapter

from phase_operator.api.reasons import Reason
from phase_operator.core.errors import ExpectedError, Transient
from phase_operator.core.values import Entry, SecretValue
from phase_operator.phase import wire
from phase_operator.phase.certificates import Certificates
from phase_operator.phase.errors import FAILURES, from_answer, from_exception

Answer = TypeVar("Answer")
OnCall = Callable[[str, str, float], None]

_DEADLINE = 60.0
_TIMEOUTS = httpx.Timeout(30.0, connect=5.0, write=10.0)
# httpx's cost per request doubles with pools above this (measured); the planner makes few calls anyway.
_LIMITS = httpx.Limits(max_connections=8, max_keepalive_connections=8)
_LAST_PORT = 65535
_MAX_BODY = 64 * 1024 * 1024


class PhaseClient:
    """One connection pool for all hosts of Phase."""

    def __init__(
        self,
        *,
        ca_file: Path | None,
        user_agent: str,
        on_call: OnCall,
        timer: Callable[[], float],
        transport: httpx.AsyncBaseTransport | None = None,
        deadline: float = _DEADLINE,
        max_body: int = _MAX_BODY,
    ) -> None:
        self._on_call = on_call
        self._timer = timer
        self.certificates = Certificates(timer)
        self._deadline = deadline
        self._max_body = max_body
        self._http = httpx.AsyncClient(
            verify=trust(ca_file),
            timeout=_TIMEOUTS,
            limits=_LIMITS,
            follow_redirects=False,
            headers={"User-Agent": user_agent, "Accept": "application/json"},
            # A cookie that a proxy sets for one account must not come with the call of another.
            cookies=CookieJar(policy=DefaultCookiePolicy(allowed_domains=[])),
            transport=transport,
        )

    async def close(self) -> None:
        """Close the connections."""
        await self._http.aclose()

    async def secrets(
        self, base_url: str, header: SecretValue, *, app_id: str, env: str, path: str | None, tags: tuple[str, ...]
    ) -> list[Entry]:
        """Return the entries that GET /v1/secrets/ answers."""
        params = {"app_id": app_id, "env": env}
        if path is not None:
            params["path"] = path
        if tags:
            params["tags"] = ",".join(tags)
        return wire.entries(await self._get(base_url, "secrets", header, params, wire.SECRETS), _host(base_url))

    async def apps(self, base_url: str, header: SecretValue) -> list[wire.App]:
        """Return the apps that the account sees."""
        return (await self._get(base_url, "apps", header, {}, wire.APPS)).data

    async def environments(self, base_url: str, header: SecretValue, app_id: str) -> list[wire.Environment]:
        """Return the environments of an app that the account may read."""
        return (await self._get(base_url, "environments", header, {"app_id": app_id}, wire.ENVIRONMENTS)).data

    async def _get(
        self, base_url: str, route: str, header: SecretValue, params: dict[str, str], adapter: TypeAdapter[Answer]
    ) -> Answer:
        began = self._timer()
        status = "cancelled"
        host = _host(base_url)
        try:
            # The trailing slash is part of the route: without it the server answers 404 or a redirect.
            response, body = await self._send(f"{base_url}/v1/{route}/", header, params, host)
            status = str(response.status_code)
        except ExpectedError as error:
            status = str(error.reason)
            raise
        finally:
            self._on_call(route, status, self._timer() - began)
        if refused := from_answer(response, body, host):
            raise refused
        return wire.read(body, adapter, host)

    async def _send(
        self, url: str, header: SecretValue, params: dict[str, str], host: str
    ) -> tuple[httpx.Response, bytes]:
        headers = {"Authorization": header.reveal()}
        body = bytearray()
        try:
            async with (
                asyncio.timeout(self._deadline),
                self._http.stream("GET", _askable(url), params=params, headers=headers) as response,
            ):
                self.certificates.look(host, response)
                async for chunk in response.aiter_bytes():
                    body += chunk
                    if len(body) > self._max_body:
                        limit = f"{self._max_body // 1024 // 1024} MiB"
                        raise Transient(Reason.UNEXPECTED_ANSWER, f"{host} answers more than {limit}")
        except FAILURES as error:
            raise from_exception(error, host) from error
        return response, bytes(body)


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
