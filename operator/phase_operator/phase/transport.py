"""The way to Phase's hosts: directly, or through the platform's proxy for the host that is asked."""

from collections.abc import Callable

import httpx

from phase_operator.core.proxies import Proxies


class ProxiedTransport(httpx.AsyncBaseTransport):
    """One transport for each proxy in use, and one for what is asked directly.

    httpx reads `NO_PROXY` without networks, so the choice is made here.
    """

    def __init__(self, proxies: Proxies, make: Callable[[str | None], httpx.AsyncBaseTransport]) -> None:
        self._proxies = proxies
        self._make = make
        self._transports: dict[str | None, httpx.AsyncBaseTransport] = {}

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Send a request the way that its URL goes."""
        proxy = self._proxies.of_url(str(request.url))
        if proxy not in self._transports:
            self._transports[proxy] = self._make(proxy)
        return await self._transports[proxy].handle_async_request(request)

    async def aclose(self) -> None:
        """Close the connections of every way."""
        for transport in self._transports.values():
            await transport.aclose()
