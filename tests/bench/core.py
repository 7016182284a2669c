"""What the core costs: entries are selected, named, rendered and digested, with no cluster and no Phase.

The figure is the best of many rounds on one core: what the work takes, not what the machine does besides.
"""

import gc
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from phase_operator.core.folders import folders
from phase_operator.core.query import source_query
from phase_operator.core.rendering import renderings
from phase_operator.core.selection import select
from phase_operator.core.targets import Desired
from phase_operator.core.values import Entry
from support.builders import DIGEST_KEY, config_entry, entry, owner, parsed

ENTRIES, LIMIT, ROUNDS = 10_000, 150.0, 15


@dataclass(frozen=True)
class Load:
    """One kind of work on all entries: what it is, and the spec that asks for it."""

    work: str
    target: dict[str, object]
    config_map: bool = False

    def run(self, entries: list[Entry]) -> list[Desired]:
        """Do it once, from what Phase holds to objects with their digests."""
        kind = "managedConfigMapReferences" if self.config_map else "managedSecretReferences"
        name = "configMapName" if self.config_map else "secretName"
        targets = {"managedSecretReferences": [], kind: [{name: "shop"} | self.target]}
        spec = parsed(keys={"include": ["SETTING_*"], "exclude": ["*_DEBUG"]}, **targets)
        query = source_query(spec, "account")
        chosen = select(entries, query, spec.keys, folders(spec))
        return [each.render(owner()) for each in renderings(spec, "team", chosen, DIGEST_KEY)]


LOADS = (
    Load("to a Secret", {}),
    Load("to a Secret, lower-kebab with a prefix", {"nameTransformer": "lower-kebab", "prefix": "app."}),
    Load("to a Secret, upper-camel", {"nameTransformer": "upper-camel"}),
    Load("to a ConfigMap", {}, config_map=True),
)


def measure(rounds: int = ROUNDS) -> list[tuple[str, str, str]]:
    """Return a row of work, limit and figure for every load."""
    rows = []
    for load in LOADS:
        make = config_entry if load.config_map else entry
        entries = [make(f"SETTING_{number:05}", f"value-{number:05}-{'x' * 32}") for number in range(ENTRIES)]
        [made] = load.run(entries)
        assert len(made.keys) == ENTRIES
        best = milliseconds(partial(load.run, entries), rounds)
        work = f"{ENTRIES:,} entries select, name, render, digest {load.work}"
        rows.append((work, f"{LIMIT:.0f} ms", f"{best:.0f} ms (best of {rounds})"))
    return rows


def milliseconds(work: Callable[[], object], rounds: int) -> float:
    """Return the shortest of some rounds, each of which begins with no garbage of the one before."""
    best = float("inf")
    for _ in range(rounds):
        gc.collect()
        began = time.perf_counter()
        work()
        best = min(best, time.perf_counter() - began)
    return best * 1000
