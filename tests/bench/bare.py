"""The bare minimum: the same Secrets and statuses by parallel server-side apply, from a process that does nothing else.

`python -m bench.bare URL CA_FILE TOKEN SIZE` with the PhaseSecrets already there; prints the seconds that it took. What
an operator takes longer is its own cost.
"""

import asyncio
import ssl
import sys
import time

import aiohttp

from bench.fleet import KEYS, Hands, encoded, every

NAMESPACE = "bench-bare"
RESOURCES = f"/apis/secrets.phase.dev/v1alpha1/namespaces/{NAMESPACE}/phasesecrets"
SECRETS = f"/api/v1/namespaces/{NAMESPACE}/secrets"


async def run(url: str, ca_file: str, token: str, size: int) -> float:
    """Write everything and return the seconds that it took."""
    trust = ssl.create_default_context(cafile=ca_file)
    connector = aiohttp.TCPConnector(ssl=trust, limit=32)
    async with aiohttp.ClientSession(connector=connector, headers={"Authorization": f"Bearer {token}"}) as session:
        admin = Hands(session, url)
        began = time.monotonic()
        await every(range(size), lambda number: one(admin, number))
        return time.monotonic() - began


async def one(admin: Hands, number: int) -> None:
    """Write a Secret with ten keys, and the status of a PhaseSecret: as large as the operator makes them."""
    name = f"cr-{number}"
    mark = f"{number:032x}"
    await admin.apply(
        f"{SECRETS}/{name}",
        {
            "apiVersion": "v1",
            "kind": "Secret",
            "metadata": {
                "name": name,
                "labels": {"app.kubernetes.io/managed-by": "bare", "bench/target": "true"},
                "annotations": {"bench/owner": f"{NAMESPACE}/{name}", "bench/digest": mark, "bench/seal": mark},
            },
            "type": "Opaque",
            "data": {f"KEY_{key}": encoded(f"{number} {key} {'x' * 50}") for key in range(KEYS)},
        },
    )
    since = "2030-01-01T00:00:00Z"
    ready = {"type": "Ready", "status": "True", "reason": "Synced", "message": "1 target is in step"}
    target = {"kind": "Secret", "namespace": NAMESPACE, "name": name, "ready": True, "reason": "Synced", "keys": KEYS}
    status = {
        "observedGeneration": 1,
        "conditions": [ready | {"lastTransitionTime": since, "observedGeneration": 1}],
        "targets": [target],
        "keys": KEYS,
        "source": {"appId": mark, "environment": "production", "path": "/", "entries": KEYS},
        "lastSyncedTime": since,
    }
    await admin.merge(f"{RESOURCES}/{name}/status", {"status": status})


if __name__ == "__main__":
    address, authority, bearer, count = sys.argv[1:]
    print(asyncio.run(run(address, authority, bearer, int(count))))
