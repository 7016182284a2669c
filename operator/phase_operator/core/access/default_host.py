"""The host of Phase for resources that name none.

Rule: an administrator names it, so it is trusted as Phase's cloud is without it: a token of another namespace, and what
is pushed, may go there. It takes the cloud's place: these then go to the cloud only if that is allowed too.
"""

from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any

from phase_operator.api import names
from phase_operator.api.v1alpha1 import PhaseSecretSpec
from phase_operator.core.access.hosts import CLOUD, Host, leads_to, parse_host
from phase_operator.core.errors import Invalid
from phase_operator.core.json_access import mapping, text
from phase_operator.core.source.query import base_url, origin

_NOT_IN_A_URL = frozenset("@*?# \t\r\n")


def parse_default_host(given: str, allowed: Sequence[Host] = ()) -> str:
    """Return the URL of a host for resources that name none; raise ValueError if it is none or not among `allowed`."""
    try:
        if _NOT_IN_A_URL & set(given):
            raise ValueError
        host = parse_host(origin(base_url(given)))
    except (Invalid, ValueError):
        # The text is not quoted: it may hold a password.
        raise ValueError("this is no URL of Phase; write it like https://phase.example.com") from None
    if allowed and not leads_to(base_url(given), allowed):
        raise ValueError(
            f"{host} is none of the hosts of --allow-phase-host, so every resource that names no host would be "
            "refused; add it there"
        )
    return given


@lru_cache(maxsize=16)
def trusted_hosts(default_host: str) -> tuple[Host, ...]:
    """Return the hosts that are trusted by a default host: the cloud's two if it leads to one of them."""
    url = base_url(default_host)
    return CLOUD if leads_to(url, CLOUD) else (parse_host(origin(url)),)


def trusted_name(default_host: str) -> str:
    """Return how messages call the trusted hosts."""
    hosts = trusted_hosts(default_host)
    return "Phase's cloud" if hosts is CLOUD else f"{hosts[0]} (--default-host)"


def with_host(spec: PhaseSecretSpec, default_host: str) -> PhaseSecretSpec:
    """Return a spec with the host that it is asked at, so that whatever reads it further on knows that host."""
    if spec.phase_host or default_host == names.DEFAULT_HOST:
        return spec
    return spec.model_copy(update={"phase_host": default_host})


def assumed_host(spec: PhaseSecretSpec, url: str) -> str:
    """Return the host, for a status, at which a resource is asked that names none; "" if it names it, or for the cloud.

    `url` is the root of the REST API that is asked.
    """
    is_known = bool(spec.phase_host) or leads_to(url, CLOUD)
    return "" if is_known else url.removesuffix("/service/public")


def host_of(resource: Mapping[str, Any]) -> str:
    """Return the host at which a resource is asked, as its spec names it, else as its status says."""
    source = mapping(mapping(resource.get("status")).get("source"))
    return text(mapping(resource.get("spec")).get("phaseHost")) or text(source.get("host")) or names.DEFAULT_HOST
