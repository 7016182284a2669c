"""What the core costs: entries are selected, named, rendered and digested, workloads are judged, with no cluster and no
Phase.

The figure is the best of many rounds on one core: what the work takes, not what the machine does besides.
"""

import gc
import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

from bench import fleet
from phase_operator.api import names
from phase_operator.core.pipeline import choose, render
from phase_operator.core.refs import Kind, TargetRef
from phase_operator.core.rollout.decision import LeaveAlone, SaveBaseline, decide, patch
from phase_operator.core.rollout.followers import FollowedTarget, Policy
from phase_operator.core.rollout.progress import WorkloadKind
from phase_operator.core.rollout.workload import Workload, read_workload
from phase_operator.core.source.folders import folders
from phase_operator.core.source.query import ask_of, source_query
from phase_operator.core.targets.desired import Desired
from phase_operator.core.targets.fingerprint import key_digests_of
from phase_operator.core.values import Entry, ObjectKey, Snapshot
from support.builders import DIGEST_KEY, config_entry, entry, owner, parsed

ENTRIES, LIMIT, ROUNDS = 10_000, 150.0, 15
WORKLOADS, JUDGE_LIMIT = 1_000, 200.0
TIME = "2030-01-01T00:00:00Z"
_CONTAINER = ("image", "imagePullPolicy", "name", "resources", "terminationMessagePath", "terminationMessagePolicy")
_POD = ("dnsPolicy", "restartPolicy", "schedulerName", "securityContext", "terminationGracePeriodSeconds")
_FIELDS: dict[str, Any] = {f"f:{name}": {} for name in _POD} | {
    "f:containers": {'k:{"name":"main"}': {f"f:{name}": {} for name in _CONTAINER}}
}
# As `kubectl apply` leaves it.
USER = [
    {
        "manager": "kubectl",
        "operation": "Update",
        "time": TIME,
        "fieldsV1": {"f:spec": {"f:template": {"f:spec": _FIELDS}}},
    }
]


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
        query = source_query(ask_of(spec, "team"), "account")
        chosen = choose(spec, query, Snapshot("app", tuple(entries)), folders(spec))
        return [each.made for each in render(spec, owner(), chosen.entries, DIGEST_KEY)]


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
    best = milliseconds(partial(judge, *followers()), rounds)
    work = f"{WORKLOADS:,} Deployments that follow a Secret, read from JSON and judged"
    rows.append((work, f"{JUDGE_LIMIT:.0f} ms", f"{best:.0f} ms (best of {rounds})"))
    return rows


def followers() -> tuple[str, dict[TargetRef, FollowedTarget]]:
    """Return a list of Deployments as the API server sends it, all of them noted, and what they follow."""
    target = TargetRef(Kind.SECRET, ObjectKey(fleet.FOLLOWED, fleet.FOLLOWED))
    followed_targets = {
        target: FollowedTarget((Policy(),), key_digests_of(DIGEST_KEY, str(target), {"A": b"one", "B": b"one"}), TIME)
    }
    items = []
    for number in range(WORKLOADS):
        item = fleet.follower(number)
        item["metadata"] |= {
            "namespace": fleet.FOLLOWED,
            "uid": f"uid-{number}",
            "generation": 1,
            "managedFields": USER,
        }
        item["status"] = {"observedGeneration": 1}
        workload = read(item)
        found = decide(workload, followed_targets, DIGEST_KEY)
        assert isinstance(found, SaveBaseline)
        labels = patch(workload, found)["metadata"]["labels"]
        ours: dict[str, Any] = {"f:metadata": {"f:labels": {f"f:{label}": {} for label in labels}}}
        by_us = {"manager": names.FIELD_MANAGER, "operation": "Apply", "time": TIME, "fieldsV1": ours}
        item["metadata"] |= {"labels": labels, "managedFields": [*USER, by_us]}
        items.append(item)
    return json.dumps({"items": items}), followed_targets


def judge(text: str, followed_targets: dict[TargetRef, FollowedTarget]) -> None:
    """Find that nothing is to be done."""
    assert all(decide(read(item), followed_targets, DIGEST_KEY) == LeaveAlone() for item in json.loads(text)["items"])


def read(item: dict[str, Any]) -> Workload:
    """Read a Deployment."""
    found = read_workload(WorkloadKind.DEPLOYMENT, item)
    assert found is not None
    return found


def milliseconds(work: Callable[[], object], rounds: int) -> float:
    """Return the shortest of some rounds, each of which begins with no garbage of the one before."""
    best = float("inf")
    for _ in range(rounds):
        gc.collect()
        began = time.perf_counter()
        work()
        best = min(best, time.perf_counter() - began)
    return best * 1000
