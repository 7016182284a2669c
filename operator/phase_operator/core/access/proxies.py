"""Which proxy serves a URL: the platform's environment variables, read as Go programs read them.

Rule: `NO_PROXY` means here what it means to kubectl. It names a domain with all subdomains (`example.com`; or only the
subdomains: `.example.com`), an address, a network (`10.0.0.0/8`), one of these with a port, or `*`. One difference from
Go: an address of the machine itself uses the proxy too, unless `NO_PROXY` names it.
"""

import ipaddress
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self
from urllib.parse import urlsplit

_PORTS = {"http": 80, "https": 443}
_SCHEMES = ("http", "https")
_PORT = re.compile(r"[0-9]{1,5}")
Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Network = ipaddress.IPv4Network | ipaddress.IPv6Network


@dataclass(frozen=True, slots=True)
class ExemptNetwork:
    """An address or a network in `NO_PROXY`."""

    network: Network

    def covers(self, host: str | Address) -> bool:
        """Return whether this host is an address in the network."""
        return not isinstance(host, str) and host in self.network


@dataclass(frozen=True, slots=True)
class ExemptDomain:
    """A domain in `NO_PROXY`, with its subdomains; without the domain itself if `subdomains_only`."""

    domain: str
    subdomains_only: bool

    def covers(self, host: str | Address) -> bool:
        """Return whether this host is a name in the domain."""
        if host == self.domain:
            return not self.subdomains_only
        return isinstance(host, str) and host.endswith(f".{self.domain}")


@dataclass(frozen=True, slots=True)
class Exempt:
    """One entry of `NO_PROXY`; without a port it covers every port."""

    hosts: ExemptNetwork | ExemptDomain
    port: int | None = None

    def covers(self, host: str | Address, port: int) -> bool:
        """Return whether this port of a host is exempt."""
        return self.port in (None, port) and self.hosts.covers(host)


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
        if not host or self._exempts(_address(host) or host, port):
            return None
        return self.https if scheme == "https" else self.http

    def _exempts(self, host: str | Address, port: int) -> bool:
        return self.everything or any(each.covers(host, port) for each in self.exempt)


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
        return Exempt(ExemptNetwork(ipaddress.ip_network(entry, strict=False)))
    except ValueError:
        host, port = _host_and_port(entry)
    address = _address(host)
    if address is not None:
        return Exempt(ExemptNetwork(ipaddress.ip_network(address)), port)
    host = host.removeprefix("*").rstrip(".")
    domain = host.removeprefix(".")
    return Exempt(ExemptDomain(domain, subdomains_only=host != domain), port) if domain else None


def _host_and_port(entry: str) -> tuple[str, int | None]:
    host, _, port = entry.partition(":")
    if entry.startswith("["):
        host, _, port = entry[1:].partition("]")
        port = port.removeprefix(":")
    elif ":" in port:
        # An IPv6 address without brackets has no port.
        return entry, None
    return host, int(port) if _PORT.fullmatch(port) else None


def _address(host: str) -> Address | None:
    try:
        return ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return None
