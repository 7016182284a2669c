"""The routes of the API, each with its methods.

Rule: a trailing slash belongs to the path; without it there is no route.
"""

import re
from dataclasses import dataclass

from phase_dev.server.encrypted_views import get_sealed_secrets
from phase_dev.server.endpoint import Endpoint
from phase_dev.server.leases import get_dynamic, get_leases, renew_lease, revoke_lease
from phase_dev.server.metadata_views import (
    get_app,
    get_apps,
    get_environment,
    get_environments,
    get_service_account,
)
from phase_dev.server.secrets_views import get_secrets
from phase_dev.server.token_endpoint import TokenEndpoint
from phase_dev.server.writing import create_secrets, delete_secrets, update_secrets

READ = {"PUT": "read", "DELETE": "read"}
ENDPOINTS: tuple[Endpoint | TokenEndpoint, ...] = (
    Endpoint(
        "/v1/secrets/",
        "GET, POST, PUT, DELETE, HEAD, OPTIONS",
        "environment",
        {"GET": get_secrets, "POST": create_secrets, "PUT": update_secrets, "DELETE": delete_secrets},
    ),
    Endpoint("/v1/secrets/dynamic/", "GET, HEAD, OPTIONS", "optional environment", {"GET": get_dynamic}),
    Endpoint(
        "/v1/secrets/dynamic/leases/",
        "GET, PUT, DELETE, HEAD, OPTIONS",
        "environment",
        {"GET": get_leases, "PUT": renew_lease, "DELETE": revoke_lease},
        permissions=READ,
    ),
    Endpoint(
        "/v1/apps/",
        "GET, POST, HEAD, OPTIONS",
        "account",
        {"GET": get_apps},
        resource="Apps",
        refusal="You don't have permission to {action} apps.",
    ),
    Endpoint(
        "/v1/apps/{id}/",
        "GET, PUT, DELETE, HEAD, OPTIONS",
        "app by id",
        {"GET": get_app},
        resource="Apps",
        refusal="You don't have permission to {action} apps.",
    ),
    Endpoint(
        "/v1/environments/",
        "GET, POST, HEAD, OPTIONS",
        "app",
        {"GET": get_environments},
        resource="Environments",
        refusal="You don't have permission to {action} environments.",
    ),
    Endpoint(
        "/v1/environments/{id}/",
        "GET, PUT, DELETE, HEAD, OPTIONS",
        "environment by id",
        {"GET": get_environment},
        resource="Environments",
        refusal="You don't have permission to {action} environments.",
    ),
    Endpoint(
        "/v1/service-accounts/{id}/",
        "GET, PUT, DELETE, HEAD, OPTIONS",
        "account",
        {"GET": get_service_account},
        resource="ServiceAccounts",
        refusal="You don't have permission to {action} service accounts.",
    ),
    Endpoint(
        "/v1/service-accounts/{id}/tokens/",
        "POST, OPTIONS",
        "account",
        {},
        resource="ServiceAccountTokens",
        one_permission="create",
        refusal="You don't have permission to {action} service account tokens.",
    ),
    TokenEndpoint(),
    Endpoint(
        "/secrets/",
        "GET, POST, PUT, DELETE, HEAD, OPTIONS",
        "environment",
        {"GET": get_sealed_secrets},
        needs_sse=False,
        browsable=True,
    ),
)
# These answer under `/service` and at the root of the host, but not under `/public`.
_NOT_PUBLIC = {"/secrets/", "/secrets/tokens/"}
_FIXED = {endpoint.route: endpoint for endpoint in ENDPOINTS if "{" not in endpoint.route}
_PATTERNS = [
    (re.compile("^" + endpoint.route.replace("{id}", "(?P<id>[^/]+)") + "$"), endpoint)
    for endpoint in ENDPOINTS
    if "{" in endpoint.route
]


@dataclass(frozen=True, slots=True)
class Found:
    """A route and the parts of the path it names."""

    endpoint: Endpoint | TokenEndpoint
    parts: dict[str, str]


def find(path: str) -> Found | None:
    """Return the route of a path, wherever it is mounted."""
    public = path.removeprefix("/service").startswith("/public/")
    path = unmounted(path)
    if (endpoint := _FIXED.get(path)) and not (public and path in _NOT_PUBLIC):
        return Found(endpoint, {})
    for pattern, candidate in _PATTERNS:
        if match := pattern.match(path):
            return Found(candidate, match.groupdict())
    return None


def is_root(path: str) -> bool:
    """Return whether a path is a root, which greets; that of `/public` only with its slash."""
    return path in ("", "/", "/service", "/service/", "/public/", "/service/public/")


def unmounted(path: str) -> str:
    """Return the path without `/service` and `/public`, under which everything answers as well."""
    for mount in ("/service", "/public"):
        if path == mount or path.startswith(mount + "/"):
            path = path[len(mount) :]
    return path
