"""How much is pushed: in an entry, in a call, and by one resource.

Rule: what exceeds a limit is a problem that names the entry. The server takes 2.5 MiB a request, and the proxy of its
Compose file 1 MiB; nobody tells which of them is on the way.
"""

import json
from collections.abc import Callable, Iterable
from typing import TypeVar

from phase_operator.core.values import SecretValue

T = TypeVar("T")

# Entries of one resource: each has a row in its status.
MOST_ENTRIES = 1_000
# A thousand in less than 25 calls, with what is asked before and after, also by others for the first time.
MOST_IN_CALL = 64
# Bytes of JSON. An entry that is larger than a call should be is sent alone.
MOST_BYTES_IN_CALL = 512 * 1024
LARGEST_VALUE = 1_000_000
# An entry without its value: names of fields, an id, a comment with a mark.
_FRAME = 512


def size_in_json(value: SecretValue) -> int:
    """Return how many bytes a value takes in a request."""
    return len(json.dumps(value.reveal(), ensure_ascii=False).encode("utf-8", "surrogatepass"))


def sized(place_length: int, value: SecretValue | None) -> int:
    """Return about how many bytes an entry takes in a request."""
    return _FRAME + 4 * place_length + (size_in_json(value) if value is not None else 0)


def first_call(items: Iterable[T], size: Callable[[T], int], most: int = MOST_IN_CALL) -> tuple[T, ...]:
    """Return the first items, as many as one call takes; at least one if there is any."""
    taken: list[T] = []
    left = MOST_BYTES_IN_CALL
    for item in items:
        left -= size(item)
        if taken and (left < 0 or len(taken) >= most):
            break
        taken.append(item)
    return tuple(taken)
