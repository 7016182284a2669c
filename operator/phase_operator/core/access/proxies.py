"""Which proxy serves a URL: the platform's environment variables, read as Go programs read them.

Rule: `NO_PROXY` means here what it means to kubectl. It names a domain with all subdomains (`example.com`; or only the
subdomains: `.example.com`), an address, a network (`10.0.0.0/8`), one of these with a port, or `*`. One difference from
Go: an address of the machine itself uses the proxy too, unless `NO_PROXY` names it.
"""

import ipaddress
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self
from urllib.parse import urlsplit

_PORTS = {"http": 80, "https": 443}
_SCHEMES = ("http", "https")
Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Network = ipaddress.IPv4Network | ipaddress.IPv6Network


@dataclass(frozen=True, slots=True)
class Exempt:
    """One entry of `NO_PROXY`; without a port it holds for every port."""

    network: Network | None
    domain: str
    # The domain itself is included, too.
    itself: bool
    port: int | None

    def holds(self, host: str, address: Address | None, port: int) -> bool:
        """Return whether this host is exempt; `address` is set if the host is an IP address."""
        if self.port not in (None, port):
            return False
        if address is not None:
            return self.network is not None and address in self.network
        is_itself = self.itself and host == self.domain
        return bool(self.domain) and (is_itself or host.endswith(f".{self.domain}"))


@dataclass(frozen=True, slots=True)
class Proxies:
    """The proxy for each scheme (None: no proxy), and the hosts that are reached without one."""

    http: str | None = None
    https: str | None = None
    everything: bool = False
    exempt: tuple[Exempt, ...] = ()

    @classmethod
    def of(cls, environment: Mapping[str, str]) -> Self:
        """Read the variables; raise ValueError that names the bad variable and shows no password."""
        every = _value(environment, "ALL_PROXY")
        entries = [each.strip().lower() for each in _value(environment, "NO_PROXY")[1].split(",")]
        return cls(
            _proxy(*_value(environment, "HTTP_PROXY")) or _proxy(*every),
            _proxy(*_value(environment, "HTTPS_PROXY")) or _proxy(*every),
            "*" in entries,
            tuple(found for found in map(_exempt, entries) if found is not None),
        )

    def of_url(self, url: str) -> str | None:
        """Return the proxy for a URL, or None for a direct connection."""
        scheme, host, port = _place(url)
        proxy = self.https if scheme == "https" else self.http
        if proxy is None or not host or self.everything:
            return None
        address = _address(host)
        return None if any(each.holds(host, address, port) for each in self.exempt) else proxy


def _place(url: str) -> tuple[str, str, int]:
    """Return scheme, host and port of a URL; no host if it cannot be read."""
    try:
        parts = urlsplit(url)
        return parts.scheme, (parts.hostname or "").rstrip("."), parts.port or _PORTS.get(parts.scheme, 0)
    except ValueError:
        return "", "", 0


def _value(environment: Mapping[str, str], name: str) -> tuple[str, str]:
    return name, (environment.get(name) or environment.get(name.lower()) or "").strip()


def _proxy(name: str, text: str) -> str | None:
    if not text:
        return None
    url = text if "://" in text else f"http://{text}"
    if not _is_usable(url):
        raise ValueError(f"{name} is no proxy that can be used; write http://HOST:PORT or https://HOST:PORT")
    return url


def _is_usable(url: str) -> bool:
    try:
        parts = urlsplit(url)
        return parts.scheme in _SCHEMES and bool(parts.hostname) and parts.port != 0
    except ValueError:
        return False


def _exempt(entry: str) -> Exempt | None:
    try:
        return Exempt(ipaddress.ip_network(entry, strict=False), "", itself=False, port=None)
    except ValueError:
        host, port = _host_and_port(entry)
    address = _address(host)
    if address is not None:
        return Exempt(ipaddress.ip_network(address), "", itself=False, port=port)
    host = host.removeprefix("*").rstrip(".")
    domain = host.removeprefix(".")
    return Exempt(None, domain, itself=host == domain, port=port) if domain else None


def _host_and_port(entry: str) -> tuple[str, int | None]:
    bare = entry.removeprefix("[")
    if bare != entry:
        host, _, port = bare.partition("]")
        port = port.removeprefix(":")
    elif entry.count(":") == 1:
        host, _, port = entry.partition(":")
    else:
        host, port = entry, ""
    return host, int(port) if port.isascii() and port.isdigit() and len(port) <= 5 else None


def _address(host: str) -> Address | None:
    try:
        return ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return None
