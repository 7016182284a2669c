"""A kubelet for the pods of one Deployment: each keeps what its target held when it began, and uses it while it lives.

The controllers are real: they make, replace and delete the pods, which no other node runs. So a pod in deletion works
on until this kubelet has ended it, as one whose containers finish what they do.
"""

import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from support.lease_stage import TARGET, LeaseStage
from support.world import deployment

_KEYS = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY")


class Kubelet:
    """Runs the pods of a Deployment; each `look` lets every one that runs use its credentials."""

    def __init__(self, stage: LeaseStage, name: str) -> None:
        self._stage, self._name = stage, name
        self._client, self._path = stage.plane.shared_client, f"/api/v1/namespaces/{stage.namespace}/pods"
        self._held: dict[str, tuple[str, str]] = {}
        # Whether new pods begin, and whether those that were told to end finish; and which these were.
        self.begins = self.finishes = True
        self.told_to_end: set[str] = set()
        # Pod -> when it was still at work, by Phase's clock.
        self.last_seen: dict[str, datetime] = {}
        self.looks = 0
        # What a look has shown that must not be, and how many looks have shown pods with different leases.
        self.void: list[str] = []
        self.mixed = 0

    def look(self) -> set[str]:
        """Let every pod use its credentials, begin and end pods, and return the leases in use; "" is a void one."""
        self.looks += 1
        for name, pod in self._pods().items():
            if name not in self._held and self.begins:
                self._begin(name)
            if name in self._held and "deletionTimestamp" in pod["metadata"]:
                self._end(name)
        found = {name: self._lease_of(name) for name in self._held}
        self.void += [f"look {self.looks}: {name}" for name, lease in found.items() if not lease]
        self.last_seen |= dict.fromkeys(found, self._stage.phase.now())
        leases = set(found.values())
        self.mixed += len(leases) > 1
        return leases

    def until(self, is_so: Callable[[set[str]], bool], *, within: float, what: str) -> None:
        """Look again and again, without a pause that counts, until something is so."""
        until = time.monotonic() + within
        while not is_so(self.look()):
            assert time.monotonic() < until, f"{what} did not happen within {within:g} s"
            time.sleep(0.02)

    def for_a_while(self, seconds: float) -> None:
        """Look again and again for a time."""
        until = time.monotonic() + seconds
        self.until(lambda _: time.monotonic() >= until, within=seconds + 5, what="the time is over")

    def running(self) -> set[str]:
        """Return the pods that have begun and not ended."""
        return set(self._held)

    def _pods(self) -> dict[str, dict[str, Any]]:
        found = self._stage.api.items("pods", self._stage.namespace, labelSelector=f"app={self._name}")
        return {each["metadata"]["name"]: each for each in found}

    def _begin(self, name: str) -> None:
        data = self._stage.data(TARGET) or {}
        self._held[name] = (data.get(_KEYS[0], ""), data.get(_KEYS[1], ""))
        now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        conditions = [{"type": each, "status": "True", "lastTransitionTime": now} for each in ("Ready", "PodScheduled")]
        self._client.patch(f"{self._path}/{name}/status", {"status": {"phase": "Running", "conditions": conditions}})

    def _end(self, name: str) -> None:
        """End a pod that was told to, if pods finish now; it is gone from the cluster only then."""
        self.told_to_end.add(name)
        if self.finishes:
            del self._held[name]
            self._client.delete(f"{self._path}/{name}", grace=0)

    def _lease_of(self, name: str) -> str:
        leases = self._stage.phase.leases
        user = leases.opens(*self._held[name])
        return next((each.id for each in leases.all() if user is not None and each.user == user.name), "")


def one_by_one(name: str) -> dict[str, Any]:
    """Return a Deployment of three pods that read the target, are replaced one by one, and have a kubelet here."""
    found = deployment(name, TARGET, replicas=3)
    found["spec"]["template"]["spec"]["nodeName"] = f"node-of-{name}"
    rolling = {"maxSurge": 1, "maxUnavailable": 0}
    # A roll-out that stands still is overdue soon.
    found["spec"] |= {
        "minReadySeconds": 1,
        "progressDeadlineSeconds": 4,
        "strategy": {"type": "RollingUpdate", "rollingUpdate": rolling},
    }
    return found
