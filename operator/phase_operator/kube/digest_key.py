"""The operator's key for digests, created once and stored in a Secret of the operator's own."""

import base64
import binascii
from collections.abc import Callable
from typing import Any

from phase_operator.api import names
from phase_operator.api.reasons import Reason
from phase_operator.core.errors import Waiting
from phase_operator.kube.client import MANAGER, KubeClient
from phase_operator.kube.errors import missing, translated
from phase_operator.kube.paths import CORE, object_path

MIN_KEY, MAX_KEY = 16, 64


async def load_digest_key(client: KubeClient, namespace: str, make: Callable[[], bytes]) -> bytes:
    """Return the operator's key for digests; create its Secret, with a key from `make`, if there is none.

    Raise ExpectedError.
    """
    path = object_path(CORE, "secrets", namespace, names.DIGEST_KEY_SECRET)
    with translated(unless=missing):
        return key_of(await client.request("GET", path))
    body = {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {
            "name": names.DIGEST_KEY_SECRET,
            "namespace": namespace,
            "labels": {names.LABEL_MANAGED_BY: names.OPERATOR_NAME},
        },
        "data": {"key": base64.b64encode(make()).decode()},
    }
    # Another replica may have created it first: its key counts.
    with translated(unless=lambda error: error.conflict):
        return key_of(await client.request("POST", object_path(CORE, "secrets", namespace), query=[MANAGER], body=body))
    with translated():
        found = await client.request("GET", path)
    return key_of(found)


def key_of(secret: dict[str, Any]) -> bytes:
    """Return the key that a Secret holds; raise Waiting if the key is not usable."""
    try:
        key = base64.b64decode(secret["data"]["key"], validate=True)
    except (KeyError, TypeError, binascii.Error):
        key = b""
    # Anybody could compute digests under an empty key; blake2b takes no key over 64 bytes.
    if not MIN_KEY <= len(key) <= MAX_KEY:
        raise Waiting(
            Reason.INTERNAL_ERROR,
            f'Secret {names.DIGEST_KEY_SECRET} has no usable "key" of {MIN_KEY} to {MAX_KEY} bytes; '
            "delete it so that a new one is created",
        )
    return key
