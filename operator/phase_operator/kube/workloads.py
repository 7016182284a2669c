"""The Workloads port on the real API server.

Rule: workloads are read when they are needed, a few at a time, and are not cached. The only write is a server-side
apply of our labels on the workload and our annotation in its pod template, under the resource version that was judged.
"""

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any, NamedTuple

from phase_operator.core.errors import ExpectedError, Transient, Waiting
from phase_operator.core.outcome import Event
from phase_operator.core.refs import TargetRef
from phase_operator.core.rollout.decision import Restart, SaveBaseline, patch
from phase_operator.core.rollout.progress import WorkloadKind
from phase_operator.core.rollout.workload import APIS, Workload, WorkloadRef, read_workload
from phase_operator.kube.client import APPLY, MANAGER, METADATA, KubeClient
from phase_operator.kube.errors import changed_or_missing, missing, translated
from phase_operator.kube.events import Recorder, Subject
from phase_operator.kube.listing import FEW, part
from phase_operator.kube.part_size import PartSize
from phase_operator.kube.paths import object_path
from phase_operator.kube.targets import target_metadata

# If this many kinds in a row fail with a transient error, the API server itself is failing.
_SILENT = 2
# Kinds that are listed side by side: a target may wait for all of them. The first ones tell whether the API server
# answers.
_TOGETHER = (tuple(WorkloadKind)[:_SILENT], tuple(WorkloadKind)[_SILENT:])


class _Part(NamedTuple):
    """Some workloads of a kind; `token` asks for the next ones and is "" after the last."""

    workloads: list[Workload]
    token: str


class KubeWorkloads:
    """Reads workloads, and writes our labels and annotation to them."""

    def __init__(self, client: KubeClient, recorder: Recorder) -> None:
        self._client = client
        self._recorder = recorder

    async def each(self, namespace: str, failed: list[ExpectedError]) -> AsyncIterator[Workload]:
        """Yield the workloads of a namespace; a kind that this cluster does not have yields none.

        The error of a kind that cannot be listed is appended to `failed`, and the next kind is listed. After several
        transient errors in a row the remaining kinds are skipped, for the API server itself is failing.
        """
        silent = 0
        for together in _TOGETHER:
            if silent >= _SILENT:
                return
            sizes = {kind: PartSize(FEW) for kind in together}
            firsts = await asyncio.gather(*(self._part(kind, namespace, "", sizes[kind]) for kind in together))
            for kind, first in zip(together, firsts, strict=True):
                found: _Part | ExpectedError | None = first
                while isinstance(found, _Part):
                    for workload in found.workloads:
                        yield workload
                    found = await self._part(kind, namespace, found.token, sizes[kind]) if found.token else None
                if found is None:
                    silent = 0
                else:
                    failed.append(of_kind(kind, found))
                    silent += isinstance(found, Transient)

    async def _part(self, kind: WorkloadKind, namespace: str, token: str, size: PartSize) -> "_Part | ExpectedError":
        """Return some workloads of a kind, or why they cannot be listed.

        They are taken out of the answer at once: answers are large, and several wait at a time.
        """
        api = APIS[kind]
        path = object_path(f"/apis/{api.version}", api.plural, namespace)
        try:
            found = await part(self._client, path, token, size)
        except ExpectedError as error:
            return error
        if found is None:
            return _Part([], "")
        return _Part([each for item in found.items if (each := read_workload(kind, item))], found.token)

    async def get(self, ref: WorkloadRef) -> Workload | None:
        """Return a workload, or None if it does not exist."""
        with translated(unless=missing):
            return read_workload(ref.kind, await self._client.request("GET", _path(ref)))
        return None

    async def metadata(self, target: TargetRef) -> Mapping[str, Any] | None:
        """Return a target's metadata by a live read, or None if it does not exist."""
        return await target_metadata(self._client, target)

    async def apply(self, workload: Workload, action: SaveBaseline | Restart) -> bool:
        """Apply our labels and annotation; return False if the workload is not the one that was judged."""
        with translated(unless=changed_or_missing):
            await self._client.request(
                "PATCH",
                _path(workload.ref),
                query=[MANAGER, ("force", "true")],
                body=patch(workload, action),
                content_type=APPLY,
                accept=METADATA,
            )
            return True
        return False

    def record_event(self, workload: Workload, events: Sequence[Event]) -> None:
        """Queue Events about a workload; never waits."""
        ref = workload.ref
        self._recorder.post_on(Subject(APIS[ref.kind].version, str(ref.kind), ref.key, workload.uid), events)


def of_kind(kind: WorkloadKind, error: ExpectedError) -> ExpectedError:
    """Return the error of a failed list, with the kind in its message."""
    make = Transient if isinstance(error, Transient) else Waiting
    return make(error.reason, f"{kind}s: {error.message}")


def _path(ref: WorkloadRef) -> str:
    api = APIS[ref.kind]
    return object_path(f"/apis/{api.version}", api.plural, ref.key.namespace, ref.key.name)
