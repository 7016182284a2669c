"""Which hosts a Phase token may be sent to.

Rule: a host is a scheme, a name and a port, compared as they are sent. A URL that cannot be parsed into these is
never allowed.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass

from phase_operator.api import names

# Stricter than the URL standard: no user, no percent signs, ASCII only. So two parsers cannot disagree about the host.
_SCHEME, _PORT = r"(?P<scheme>https?)://", r"(?::(?P<port>[0-9]{1,5}))?"
_NAME = r"[a-z0-9](?:[-a-z0-9.]*[a-z0-9])?|\[[0-9a-f:.]+\]"
_ORIGIN = re.compile(rf"{_SCHEME}(?P<name>(?:\*\.)?{_NAME}){_PORT}", re.ASCII)
_URL = re.compile(rf"{_SCHEME}(?P<name>{_NAME}){_PORT}(?=/|\Z)", re.ASCII)
_PORTS = {"https": 443, "http": 80}
_ANY = "*."


@dataclass(frozen=True, slots=True)
class Host:
    """A host that may be called. A name that begins with `*.` matches every name with one more label in front."""

    scheme: str
    name: str
    port: int

    def __str__(self) -> str:
        port = "" if self.port == _PORTS[self.scheme] else f":{self.port}"
        return f"{self.scheme}://{self.name}{port}"

    def takes(self, url: str) -> bool:
        """Return whether a URL leads to this host."""
        found = _URL.match(url)
        if found is None:
            return False
        asked = _host(found)
        return (asked.scheme, asked.port) == (self.scheme, self.port) and self._matches(asked.name)

    def _matches(self, name: str) -> bool:
        if not self.name.startswith(_ANY):
            return name == self.name
        # As in certificates: `*.example.com` is neither example.com nor a.b.example.com.
        first, _, rest = name.partition(".")
        return bool(first) and rest == self.name.removeprefix(_ANY)


def parse_host(text: str) -> Host:
    """Parse a host as people write it; raise ValueError if it is not valid."""
    found = _ORIGIN.fullmatch(text.strip().lower().removesuffix("/"))
    if found is None:
        raise ValueError(f'"{text}" is no host: write https://phase.example.com or https://*.example.com, without path')
    return _host(found)


def parse_hosts(text: str) -> tuple[Host, ...]:
    """Parse a comma-separated list of hosts; raise ValueError if it is empty or if one is not valid."""
    found = tuple(parse_host(part) for part in text.split(",") if part.strip())
    if not found:
        raise ValueError("no host")
    return found


def leads_to(url: str, hosts: Iterable[Host]) -> bool:
    """Return whether a URL leads to one of these hosts."""
    return any(host.takes(url) for host in hosts)


def _host(found: re.Match[str]) -> Host:
    port = found["port"]
    return Host(found["scheme"], found["name"], int(port) if port else _PORTS[found["scheme"]])


CLOUD = tuple(parse_host(host) for host in (names.DEFAULT_HOST, names.CLOUD_API))
