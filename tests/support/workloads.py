"""Workloads as the API server shows them, and what it does when they are written: enough of it to judge restarts."""

import asyncio
import copy
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from typing import Any, Protocol

from phase_operator.api import names
from phase_operator.api.reasons import Reason
from phase_operator.core.errors import ExpectedError, Transient
from phase_operator.core.outcome import Event
from phase_operator.core.refs import Kind, TargetRef
from phase_operator.core.rollout.baseline import from_labels
from phase_operator.core.rollout.decision import Decision, Restart, SaveBaseline, patch
from phase_operator.core.rollout.followers import FollowedTarget, Policy
from phase_operator.core.rollout.progress import WorkloadKind
from phase_operator.core.rollout.workload import APIS, Workload, WorkloadRef, read_workload
from phase_operator.core.targets.fingerprint import KeyDigests, key_digests_of
from phase_operator.core.values import ObjectKey
from phase_operator.kube.workloads import of_kind
from support.builders import DIGEST_KEY

EARLY, MIDDLE, LATE = "2030-01-01T00:00:01Z", "2030-01-01T00:00:05Z", "2030-01-01T00:00:09Z"


def secret(name: str = "db") -> TargetRef:
    """Name a Secret beside the workload."""
    return TargetRef(Kind.SECRET, ObjectKey("team", name))


def content(target: TargetRef, **data: str) -> KeyDigests:
    """Take down what a target holds."""
    return key_digests_of(DIGEST_KEY, str(target), {key: value.encode() for key, value in data.items()})


def followed_target(held: KeyDigests, *, written_at: str = MIDDLE, policy: Policy | None = None) -> FollowedTarget:
    """Make a target that the annotated follow."""
    return FollowedTarget((policy or Policy(),), held, written_at)


def reads_all(name: str = "db", **fields: Any) -> dict[str, Any]:
    """Make a container that takes all keys of a Secret."""
    return {"name": f"all-{name}", "envFrom": [{"secretRef": {"name": name, **fields}}]}


def reads_key(key: str, name: str = "db", **fields: Any) -> dict[str, Any]:
    """Make a container that takes one key of a Secret."""
    source = {"secretKeyRef": {"name": name, "key": key, **fields}}
    return {"name": f"{name}-{key.lower()}", "env": [{"name": key, "valueFrom": source}]}


def manifest(kind: WorkloadKind, *containers: Mapping[str, Any], image: str = "app:1") -> dict[str, Any]:
    """Make what a user applies: one that follows its Secrets."""
    template: dict[str, Any] = {"spec": {"containers": [{"image": image, **each} for each in containers]}}
    return {
        "metadata": {"annotations": {names.ANNOTATION_REDEPLOY: "true"}, "labels": {"app": "web"}},
        **wrapped(kind, template),
    }


def wrapped(kind: WorkloadKind, template: dict[str, Any]) -> dict[str, Any]:
    """Put a pod template where the kind has it."""
    for part in reversed(APIS[kind].template):
        template = {part: template}
    return template


class Server:
    """One workload and its controller, which ends every roll-out at once unless a test forbids it."""

    def __init__(
        self,
        kind: WorkloadKind = WorkloadKind.DEPLOYMENT,
        *containers: Mapping[str, Any],
        name: str = "web",
        namespace: str = "team",
    ) -> None:
        self.kind = kind
        self.ref = WorkloadRef(kind, ObjectKey(namespace, name))
        self.version = 0
        # How often the pods were replaced.
        self.roll_outs = 0
        self.hold = False
        self._steps = 0
        self.found: dict[str, Any] = {
            "apiVersion": APIS[kind].version,
            "kind": str(kind),
            **manifest(kind, *(containers or [reads_all()])),
        }
        self.found["metadata"] |= {"name": name, "namespace": namespace, "uid": "uid", "generation": 1}
        self._manage("kubectl", "Update", wrapped_fields(kind, {"f:spec": {}}), EARLY)
        self.settle()

    @property
    def template(self) -> dict[str, Any]:
        template = self.found
        for part in APIS[self.kind].template:
            template = template[part]
        return template

    @property
    def marks(self) -> dict[str, str]:
        """Return the annotations of the pod template."""
        return dict(self.template.get("metadata", {}).get("annotations", {}))

    @property
    def running(self) -> str | None:
        """Return our note."""
        return from_labels(self.found["metadata"]["labels"], lambda _: True) or None

    def read(self) -> Workload:
        """Return the workload as it stands now."""
        found = self.found_now()
        assert found is not None
        return found

    def found_now(self) -> Workload | None:
        """Return what a restart sees of it."""
        return read_workload(self.kind, copy.deepcopy(self.found))

    def apply_target(self, workload: Workload, decision: Decision, at: str = LATE) -> bool:
        """Do what was decided; return False if the API server refuses, since it is not what was judged."""
        if not isinstance(decision, SaveBaseline | Restart):
            return True
        applied = patch(workload, decision)
        if (applied["metadata"]["resourceVersion"], applied["metadata"]["uid"]) != (str(self.version), "uid"):
            return False
        assert (applied["apiVersion"], applied["kind"]) == (self.found["apiVersion"], self.found["kind"])
        self.apply(applied, at)
        return True

    def apply(self, applied: Mapping[str, Any], at: str) -> None:
        """Apply as our manager and with force: what was ours and is left out goes."""
        before = copy.deepcopy(self.template)
        template: Any = applied
        for part in APIS[self.kind].template:
            template = template.get(part, {})
        noted = applied["metadata"]["labels"]
        mark = template.get("metadata", {}).get("annotations", {}).get(names.ANNOTATION_CONTENT)
        ours = read_workload(self.kind, self.found)
        assert ours is not None
        labels = self.found["metadata"]["labels"]
        self.found["metadata"]["labels"] = unnoted(labels) | noted
        annotations = self.template.setdefault("metadata", {}).setdefault("annotations", {})
        if mark:
            annotations[names.ANNOTATION_CONTENT] = mark
        elif ours.content_is_ours:
            annotations.pop(names.ANNOTATION_CONTENT, None)
        if not annotations:
            del self.template["metadata"]["annotations"]
        if not self.template["metadata"]:
            del self.template["metadata"]
        fields: dict[str, Any] = {"f:metadata": {"f:labels": {f"f:{name}": {} for name in noted}}}
        if mark:
            owned: dict[str, Any] = {"f:metadata": {"f:annotations": {f"f:{names.ANNOTATION_CONTENT}": {}}}}
            fields |= wrapped_fields(self.kind, owned)
        self._manage(names.FIELD_MANAGER, "Apply", fields, at)
        self._written(before)

    def edit(self, *containers: Mapping[str, Any], image: str = "app:1", at: str = LATE) -> None:
        """Write the containers as another client does: with `kubectl apply`, or anything that knows its own fields."""
        before = copy.deepcopy(self.template)
        self.template["spec"] = {"containers": [{"image": image, **each} for each in containers]}
        self._manage("kubectl", "Update", wrapped_fields(self.kind, {"f:spec": {}}), at)
        self._written(before)

    def replace(self, *containers: Mapping[str, Any], at: str = LATE) -> None:
        """Write the whole object as its file has it: `kubectl replace`, which drops what the file does not have."""
        before = copy.deepcopy(self.template)
        fresh = manifest(self.kind, *containers)
        self.found["metadata"] |= fresh["metadata"]
        self.found |= {key: part for key, part in fresh.items() if key != "metadata"}
        self.found["metadata"]["managedFields"] = []
        self._manage("kubectl", "Update", wrapped_fields(self.kind, {"f:spec": {}}), at)
        self._written(before)

    def undo(self, to: Mapping[str, Any], at: str = LATE) -> None:
        """Bring back template and annotations of an earlier state: `kubectl rollout undo` of a Deployment."""
        before = copy.deepcopy(self.template)
        self.found["metadata"]["annotations"] = copy.deepcopy(to["metadata"]["annotations"])
        self.found["spec"]["template"] = copy.deepcopy(to["spec"]["template"])
        # What another manager changed is not ours any more.
        for entry in self.found["metadata"]["managedFields"]:
            if entry["manager"] == names.FIELD_MANAGER:
                entry["fieldsV1"] = {"f:metadata": entry["fieldsV1"]["f:metadata"]}
        self._manage("kubectl-rollout", "Update", wrapped_fields(self.kind, {"f:spec": {}}), at)
        self._written(before)

    def set_status(self, **status: Any) -> None:
        """Let the controller say something else than that all is well."""
        self.version += 1
        self.found["metadata"]["resourceVersion"] = str(self.version)
        self.found["status"].update(status)

    def get_on(self) -> None:
        """Let one more pod be ready, if a roll-out is held."""
        self._steps += 1
        if self.hold:
            self.set_status(readyReplicas=self._steps, numberReady=self._steps)

    def get_stuck(self) -> None:
        """Let the controller show a new pod that is not ready, beside the old ones that serve."""
        self.set_status(
            observedGeneration=self.found["metadata"]["generation"],
            phase="Progressing",
            updateRevision="b",
            **dict.fromkeys(["updatedReplicas", "updatedNumberScheduled", "readyReplicas", "numberReady"], 1),
            **dict.fromkeys(["replicas", "desiredNumberScheduled"], 2),
        )

    def _manage(self, manager: str, operation: str, fields: dict[str, Any], at: str) -> None:
        entries = self.found["metadata"].setdefault("managedFields", [])
        entries[:] = [each for each in entries if (each["manager"], each["operation"]) != (manager, operation)]
        entries.append({"manager": manager, "operation": operation, "time": at, "fieldsV1": fields})

    def _written(self, before: Mapping[str, Any]) -> None:
        if self.template != before:
            self.found["metadata"]["generation"] += 1
            self.roll_outs += 1
        self.settle()

    def settle(self) -> None:
        """Let the controller look: its roll-out ends, unless it is held."""
        self.version += 1
        self.found["metadata"]["resourceVersion"] = str(self.version)
        if self.hold:
            return
        self.found["spec"].setdefault("replicas", 1)
        self.found["status"] = {
            "observedGeneration": self.found["metadata"]["generation"],
            "phase": "Healthy",
            **dict.fromkeys(["replicas", "updatedReplicas", "availableReplicas", "numberAvailable"], 1),
            **dict.fromkeys(["desiredNumberScheduled", "updatedNumberScheduled"], 1),
            **dict.fromkeys(["currentRevision", "updateRevision"], "a"),
        }


def unnoted(labels: Mapping[str, str]) -> dict[str, str]:
    """Return labels without our note."""
    return {key: value for key, value in labels.items() if not key.startswith(names.LABEL_RUNNING_PREFIX)}


class Stored(Protocol):
    """An object that has metadata."""

    def metadata(self) -> dict[str, Any]:
        """Return it as the API server shows it."""


class FakeWorkloads:
    """The Workloads port in memory: servers that the test puts in, and what their targets say of themselves."""

    def __init__(self, objects: Mapping[TargetRef, Stored]) -> None:
        self.servers: dict[WorkloadRef, Server] = {}
        self.notices: list[tuple[WorkloadRef, Event]] = []
        self.lists = 0
        # Method name, or kind that cannot be listed -> what it raises, until taken out.
        self.errors: dict[str, ExpectedError] = {}
        # So often another client is faster.
        self.conflicts = 0
        # When the fuse is burnt down, the process dies instead of a write.
        self.fuse: int | None = None
        # Lists do not end before this; another client is always faster with this one; this one cannot be written.
        self.hangs = asyncio.Event()
        self.hangs.set()
        self.restless: WorkloadRef | None = None
        self.unwritable: WorkloadRef | None = None
        # What happens before each workload that is listed, and what is reported of one that is written.
        self.pace: Callable[[], object] = lambda: None
        self.applied: Callable[[Workload], object] = lambda _: None
        self._objects = objects

    def add(self, *servers: Server) -> None:
        """Let there be workloads."""
        self.servers |= {server.ref: server for server in servers}

    async def each(self, namespace: str, failed: list[ExpectedError]) -> AsyncIterator[Workload]:
        """Yield what the servers show."""
        self.lists += 1
        await asyncio.sleep(0)
        await self.hangs.wait()
        if "each" in self.errors:
            failed.append(self.errors["each"])
            return
        for kind in WorkloadKind:
            if kind in self.errors:
                failed.append(of_kind(kind, self.errors[kind]))
                continue
            for server in [each for each in self.servers.values() if each.kind is kind]:
                await asyncio.sleep(0)
                found = server.found_now()
                if found is not None and found.ref.key.namespace == namespace:
                    self.pace()
                    yield found

    async def get(self, ref: WorkloadRef) -> Workload | None:
        """Return what a server shows."""
        await self._answer("get")
        return self.servers[ref].found_now() if ref in self.servers else None

    async def metadata(self, target: TargetRef) -> Mapping[str, Any] | None:
        """Return what a target says of itself."""
        await self._answer("metadata")
        stored = self._objects.get(target)
        return None if stored is None else stored.metadata()

    async def apply(self, workload: Workload, action: SaveBaseline | Restart) -> bool:
        """Let the server judge."""
        await self._answer("apply")
        if workload.ref == self.unwritable:
            raise Transient(Reason.KUBERNETES_UNAVAILABLE, "down")
        if self.conflicts or workload.ref == self.restless:
            self.conflicts -= workload.ref != self.restless
            self.servers[workload.ref].set_status()
        if self.fuse is not None:
            if self.fuse == 0:
                raise RuntimeError("the process dies here")
            self.fuse -= 1
        server = self.servers.get(workload.ref)
        done = server is not None and server.apply_target(workload, action)
        if done:
            self.applied(workload)
        return done

    def record_event(self, workload: Workload, notices: Sequence[Event]) -> None:
        """Keep the Events."""
        self.notices.extend((workload.ref, each) for each in notices)

    async def _answer(self, method: str) -> None:
        await asyncio.sleep(0)
        if method in self.errors:
            raise self.errors[method]


def wrapped_fields(kind: WorkloadKind, fields: dict[str, Any]) -> dict[str, Any]:
    """Put managed fields where the kind has its pod template."""
    for part in reversed(APIS[kind].template):
        fields = {f"f:{part}": fields}
    return fields
