"""What a control plane has in its etcd, seen and changed past the API server, which notices it as any other change.

Keys are text, such as `/registry/secrets/NAMESPACE/NAME`; values are as etcd's own JSON has them, in base64.
"""

import base64
from collections.abc import Iterable, Mapping
from http import HTTPStatus
from typing import Any

from urllib3 import HTTPConnectionPool

from phase_dev.cluster import ControlPlane

ALL = "/registry/"
# etcd takes no more than 128.
_OF_A_TRANSACTION = 100


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


def remove(plane: ControlPlane, prefixes: Iterable[str]) -> None:
    """Delete every key that begins so, whatever finalizers its object has."""
    # In few transactions: each costs etcd the same, also where there is nothing to delete.
    deletions = [{"request_delete_range": _beginning(each)} for each in prefixes]
    with _client(plane) as client:
        for first in range(0, len(deletions), _OF_A_TRANSACTION):
            _ask(client, "txn", {"success": deletions[first : first + _OF_A_TRANSACTION]})


def _range(plane: ControlPlane, prefix: str, **more: bool) -> list[dict[str, str]]:
    with _client(plane) as client:
        answer = _ask(client, "range", {**_beginning(prefix), **more})
    return list(answer.get("kvs") or [])


def _beginning(prefix: str) -> dict[str, str]:
    end = prefix[:-1] + chr(ord(prefix[-1]) + 1)
    return {"key": _encoded(prefix), "range_end": _encoded(end)}


def _client(plane: ControlPlane) -> HTTPConnectionPool:
    return HTTPConnectionPool("127.0.0.1", plane.layout.etcd_port, timeout=30.0, retries=False)


def _ask(client: HTTPConnectionPool, verb: str, body: dict[str, Any]) -> dict[str, Any]:
    answer = client.request("POST", f"/v3/kv/{verb}", json=body)
    if answer.status != HTTPStatus.OK:
        raise OSError(f"etcd answered {answer.status}: {answer.data[:300]!r}")
    return dict(answer.json())


def _encoded(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


def _plain(text: str) -> str:
    return base64.b64decode(text).decode()
