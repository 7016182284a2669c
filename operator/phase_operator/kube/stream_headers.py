"""Headers between aiohttp and HTTP/2 (RFC 9113, section 8.3)."""

from functools import lru_cache

import aiohttp
from multidict import CIMultiDict, CIMultiDictProxy

NO_HEADERS: CIMultiDictProxy[str] = CIMultiDictProxy(CIMultiDict())
# The headers of an answer that are used; others would take memory in thousands of streams.
_KEPT = {"content-type", "retry-after"}
# Headers of HTTP/1.1 connections, and of content codings that we would have to decode.
_NOT_OF_A_STREAM = {"host", "connection", "accept-encoding", "transfer-encoding", "content-length", "keep-alive"}


def pseudo_and_headers(request: aiohttp.ClientRequest) -> list[tuple[str, str]]:
    """Return what a request sends before its body: what HTTP/1.1 has in the first line, and its headers."""
    url, headers = request.url, request.headers
    found = [
        (":method", request.method),
        (":scheme", url.scheme),
        (":authority", headers.get("Host", url.authority)),
        (":path", url.raw_path_qs),
    ]
    return found + [(name.lower(), value) for name, value in headers.items() if name.lower() not in _NOT_OF_A_STREAM]


def status_and_headers(headers: object) -> tuple[int, CIMultiDictProxy[str]]:
    """Return the status of an answer, 0 if it has none, and the headers that are used."""
    found: list[tuple[str, str]] = []
    status = 0
    for name, value in headers if isinstance(headers, list) else []:
        if name == ":status":
            status = int(value) if str(value).isdigit() else 0
        elif name in _KEPT:
            found.append((name, value))
    return status, _shared_headers(tuple(found))


@lru_cache(maxsize=64)
def _shared_headers(found: tuple[tuple[str, str], ...]) -> CIMultiDictProxy[str]:
    """Return headers; nearly all answers have the same, and they cannot be changed."""
    return CIMultiDictProxy(CIMultiDict(found))
