"""What an API server says of many objects at once: each is judged as if it were created, and none is kept."""

import asyncio
import ssl
from collections.abc import Mapping
from typing import Any

import httpx

from phase_dev.cluster import ControlPlane

PHASE_SECRETS = "/apis/secrets.phase.dev/v1alpha1/namespaces/default/phasesecrets"
PHASE_DYNAMIC_SECRETS = "/apis/secrets.phase.dev/v1alpha1/namespaces/default/phasedynamicsecrets"
PHASE_PUSH_SECRETS = "/apis/secrets.phase.dev/v1alpha1/namespaces/default/phasepushsecrets"
_DRY = {"dryRun": "All", "fieldValidation": "Strict"}
_AT_ONCE = 8


def judged(plane: ControlPlane, path: str, objects: Mapping[str, Mapping[str, Any]]) -> dict[str, httpx.Response]:
    """Return the answer to each object, under the object's key; an unknown field is refused."""
    return asyncio.run(_ask(plane, path, objects))


async def _ask(plane: ControlPlane, path: str, objects: Mapping[str, Mapping[str, Any]]) -> dict[str, httpx.Response]:
    trust = ssl.create_default_context(cafile=str(plane.ca_file))
    # The API server's self-signed CA has no key identifiers, which Python 3.13 and newer ask for by default.
    trust.verify_flags &= ~ssl.VERIFY_X509_STRICT
    headers = {"Authorization": f"Bearer {plane.admin_token}"}
    gate = asyncio.Semaphore(_AT_ONCE)
    async with httpx.AsyncClient(
        base_url=plane.url, verify=trust, headers=headers, timeout=60, trust_env=False
    ) as client:

        async def one(key: str, body: Mapping[str, Any]) -> tuple[str, httpx.Response]:
            async with gate:
                return key, await client.post(path, params=_DRY, json=body)

        return dict(await asyncio.gather(*(one(key, body) for key, body in objects.items())))
