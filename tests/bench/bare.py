"""The bare minimum: the same Secrets and statuses by parallel server-side apply, from a process that does nothing else.

`python -m bench.bare --kubeconfig FILE --size N --namespaces NAME...` with the PhaseSecrets already there; prints the
seconds that it took. What an operator takes longer is its own cost.
"""

import argparse
import asyncio
import time
from collections.abc import Sequence
from pathlib import Path

from bench.hands import Hands, Way, encoded, every, reach, secret_path

KEYS = 10


async def run(way: Way, size: int, namespaces: Sequence[str]) -> float:
    """Write everything, by turns in each namespace, and return the seconds that it took."""
    async with reach(way) as hands:
        began = time.monotonic()
        await every(range(size), lambda number: one(hands, number, namespaces[number % len(namespaces)]))
        return time.monotonic() - began


async def one(hands: Hands, number: int, namespace: str) -> None:
    """Write a Secret with ten keys, and the status of a PhaseSecret: as large as the operator makes them."""
    name = f"cr-{number}"
    mark = f"{number:032x}"
    await hands.apply(
        secret_path(namespace, name),
        {
            "apiVersion": "v1",
            "kind": "Secret",
            "metadata": {
                "name": name,
                "labels": {"app.kubernetes.io/managed-by": "bare", "bench/target": "true"},
                "annotations": {"bench/owner": f"{namespace}/{name}", "bench/digest": mark, "bench/seal": mark},
            },
            "type": "Opaque",
            "data": {f"KEY_{key}": encoded(f"{number} {key} {'x' * 50}") for key in range(KEYS)},
        },
    )
    since = "2030-01-01T00:00:00Z"
    ready = {"type": "Ready", "status": "True", "reason": "Synced", "message": "1 target is in step"}
    target = {"kind": "Secret", "namespace": namespace, "name": name, "ready": True, "reason": "Synced", "keys": KEYS}
    status = {
        "observedGeneration": 1,
        "conditions": [ready | {"lastTransitionTime": since, "observedGeneration": 1}],
        "targets": [target],
        "keys": KEYS,
        "source": {"appId": mark, "environment": "production", "path": "/", "entries": KEYS},
        "lastSyncedTime": since,
    }
    resources = f"/apis/secrets.phase.dev/v1alpha1/namespaces/{namespace}/phasesecrets"
    await hands.merge(f"{resources}/{name}/status", {"status": status})


def main() -> None:
    """Write, and print the seconds."""
    arguments = argparse.ArgumentParser(prog="bench.bare", description=__doc__)
    arguments.add_argument("--kubeconfig", type=Path, required=True, help="with the rights to write")
    arguments.add_argument("--size", type=int, required=True, help="number of PhaseSecrets")
    arguments.add_argument("--namespaces", nargs="+", required=True, help="where they are")
    options = arguments.parse_args()
    print(asyncio.run(run(Way.of_kubeconfig(options.kubeconfig), options.size, options.namespaces)))


if __name__ == "__main__":
    main()
