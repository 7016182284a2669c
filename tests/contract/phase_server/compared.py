"""Minimal requests that were sent to a real console (v2.73.2) and are compared with its answers, in process.

Targets name apps and environments as `{backend_app}` and `{staging}`; the ids are put in when a request is sent.
"""

from typing import Any

import httpx

from unit.phase_dev.server.builders import SEED, Installation

KINDS = {"service": "ServiceAccount", "user": "User", "legacy": "Service"}
ACCOUNTS = [
    *SEED["accounts"],
    {"name": "half", "access": {"backend": ["Development"], "Shared Config": ["*"], "legacy": ["*"]}},
    {"name": "person", "kind": "user", "access": {"backend": ["Development"]}},
    {"name": "old", "kind": "legacy", "access": {"backend": ["Development"]}},
    {"name": "mute", "role": "Mute", "access": {"legacy": ["*"]}},
]
WORLD = SEED | {
    "apps": [*SEED["apps"], {"name": "Closed", "environments": [{"name": "Development"}]}],
    "accounts": ACCOUNTS,
    "roles": {"Mute": {}},
}
SECRETS = "/v1/secrets/?app_id={backend_app}&env=development"


async def ask(
    installation: Installation,
    route: str,
    account: str = "half",
    method: str = "GET",
    headers: dict[str, str] | None = None,
    body: bytes | None = None,
) -> httpx.Response:
    """Send one request; a header of its own wins over the account's."""
    phase = installation.phase
    known = {f"{app.name.split()[0].lower()}_app": app.id for app in phase.state.apps.values()}
    known |= {env: phase.environment("backend", env).id for env in ("development", "staging", "production")}
    known |= {"shared": phase.environment("Shared Config", "development").id}
    known |= {"closed": phase.environment("Closed", "development").id}
    own = {"Authorization": f"Bearer {KINDS[phase.account(account).kind]} {phase.token(account).value}"}
    async with httpx.AsyncClient(
        transport=httpx.ASGITransport(app=installation.app), base_url="http://phase"
    ) as client:
        sent = {name: value.format_map(known) for name, value in (headers or {}).items()}
        return await client.request(method, route.format_map(known), headers=own | sent, content=body)


def told(answer: httpx.Response) -> tuple[int, Any]:
    """Return the status, and the error or else the content."""
    content = answer.json()
    return answer.status_code, content["error"] if answer.status_code >= 400 else content
