"""How much memory something takes that is made, by tracemalloc."""

import gc
import tracemalloc
from collections.abc import Callable


def taken(make: Callable[[], object], tries: int = 3) -> int:
    """Return the bytes that what is made takes while it is kept: the least of some tries.

    tracemalloc counts what every thread allocates meanwhile, such as the one by which a worker of the tests reports. It
    can only add to what is measured.
    """
    found = []
    for _ in range(tries):
        tracemalloc.start()
        try:
            made = make()
            gc.collect()
            found.append(tracemalloc.get_traced_memory()[0])
        finally:
            tracemalloc.stop()
        del made
    return min(found)
