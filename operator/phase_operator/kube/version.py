"""Check that the version of Kubernetes is new enough.

Rule: an API server that is too old is reported and asked again, since it may be in the middle of an upgrade.
"""

import re
from collections.abc import Mapping
from typing import Any

from phase_operator.api.names import OLDEST_KUBERNETES
from phase_operator.api.reasons import Reason
from phase_operator.core.errors import Waiting
from phase_operator.core.json_access import text
from phase_operator.kube.client import KubeClient
from phase_operator.kube.errors import translated

# Vendors append to the number, as in "31+".
_LEADING = re.compile(r"\d+")


async def check_version(client: KubeClient) -> None:
    """Read the version; raise Waiting if it is too old, ExpectedError if it cannot be read."""
    with translated():
        found = await client.request("GET", "/version")
    if why := too_old(found):
        raise Waiting(Reason.KUBERNETES_UNAVAILABLE, why)


def too_old(version: Mapping[str, Any]) -> str | None:
    """Return why an API server is too old, or None; one without a readable version counts as new enough."""
    numbers = [_LEADING.match(text(version.get(part))) for part in ("major", "minor")]
    found = tuple(int(number.group()) for number in numbers if number)
    if len(found) < len(numbers) or found >= OLDEST_KUBERNETES:
        return None
    oldest = ".".join(map(str, OLDEST_KUBERNETES))
    return f"Kubernetes {found[0]}.{found[1]} is too old: {oldest} or newer is needed"
