"""What a control plane has in its etcd, seen and changed past the API server, which notices it as any other change.

Keys are text, such as `/registry/secrets/NAMESPACE/NAME`; values are as etcd's own JSON has them, in base64.
"""

import base64
from collections.abc import Iterable, Mapping
from typing import Any

import httpx

from phase_dev.cluster import ControlPlane

ALL = "/registry/"


def keys(plane: ControlPlane, prefix: str = ALL) -> list[str]:
    """Return every key that begins so."""
    return [_plain(each["key"]) for each in _range(plane, prefix, keys_only=True)]


def contents(plane: ControlPlane, prefix: str = ALL) -> dict[str, str]:
    """Return the value of every key that begins so."""
    return {_plain(each["key"]): each["value"] for each in _range(plane, prefix)}


def change(plane: ControlPlane, put: Mapping[str, str], delete: Iterable[str] = ()) -> None:
    """Write these values in this order, and delete these keys."""
    # One by one, not in one transaction: of what the API server makes, no two versions are the same.
    with _client(plane) as client:
        for key, value in put.items():
            _ask(client, "put", {"key": _encoded(key), "value": value})
        for key in delete:
            _ask(client, "deleterange", {"key": _encoded(key)})


def _range(plane: ControlPlane, prefix: str, **more: bool) -> list[dict[str, str]]:
    end = prefix[:-1] + chr(ord(prefix[-1]) + 1)
    with _client(plane) as client:
        answer = _ask(client, "range", {"key": _encoded(prefix), "range_end": _encoded(end), **more})
    return list(answer.get("kvs") or [])


def _client(plane: ControlPlane) -> httpx.Client:
    # Plain HTTP: that nobody is trusted spares the reading of whom this machine trusts.
    return httpx.Client(base_url=f"{plane.layout.etcd_url}/v3/kv", timeout=30.0, trust_env=False, verify=False)


def _ask(client: httpx.Client, verb: str, body: dict[str, Any]) -> dict[str, Any]:
    return dict(client.post(f"/{verb}", json=body).raise_for_status().json())


def _encoded(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


def _plain(text: str) -> str:
    return base64.b64decode(text).decode()
