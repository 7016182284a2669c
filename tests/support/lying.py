"""A Phase that tells the truth except when it lies once, and the loop beside it, through restarts and edits."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from phase_operator.core.refs import Kind, TargetRef
from phase_operator.core.source.answer_memory import Reservation
from phase_operator.core.source.apps import App
from phase_operator.core.values import DynamicKey, Entry
from phase_operator.reconcile.ports import Credential
from support.builders import KEY, phase_secret
from support.clock import HandClock, settle
from support.fakes import FakeCluster, FakePhase, Loop


class LyingPhase(FakePhase):
    """One environment; `lie` is what the next read gets, once, instead of what is true."""

    def __init__(self) -> None:
        super().__init__()
        self.lie: tuple[Entry, ...] | None = None
        self.app_id = "app-1"
        # How many reads were answered, and how many of them with the truth.
        self.told = 0
        self.told_truly = 0
        self.lied_last = False

    async def apps(self, base_url: str, credential: Credential, place: Reservation) -> list[App]:
        """List the app, under the id that it has now."""
        await super().apps(base_url, credential, place)
        return [App(self.app_id, "shop")]

    def says(self, held: tuple[Entry | DynamicKey, ...]) -> tuple[Entry | DynamicKey, ...]:
        """Return the truth, or once the lie."""
        self.told += 1
        lie, self.lie = self.lie, None
        self.lied_last = lie is not None
        if lie is None:
            self.told_truly += 1
            return held
        return lie

    def lies(self, *entries: Entry) -> None:
        """Answer this once, as soon as a probe causes a read."""
        self._revisions["production"] += 1
        self.lie = entries

    def is_honest(self, *entries: Entry | DynamicKey) -> None:
        """Let these be true, whatever fails meanwhile."""
        errors = self._errors
        self.holds(*entries)
        self._errors = errors

    def works(self) -> None:
        """Let nothing fail."""
        self._errors = {}


@dataclass
class PersistentWorld:
    """A PhaseSecret whose status and targets outlive the operator's process."""

    spec: dict[str, Any]
    phase: LyingPhase = field(default_factory=LyingPhase)
    cluster: FakeCluster = field(default_factory=FakeCluster)
    clock: HandClock = field(default_factory=HandClock)
    generation: int = 1
    loop: Loop | None = None

    async def start(self) -> None:
        """Start the operator, or another replica in its place: nothing is remembered."""
        await self.stop()
        self.loop = Loop(lambda: self.phase, cluster=self.cluster, clock=self.clock)
        await self.loop.__aenter__()
        await self.loop.show(self.body())

    async def stop(self) -> None:
        """Let the process end."""
        if self.loop is not None:
            await self.loop.__aexit__(None, None, None)
            self.loop = None

    def body(self) -> dict[str, Any]:
        """Return the PhaseSecret as the API server has it."""
        status = json.loads(json.dumps(self.cluster.statuses.get(KEY))) if KEY in self.cluster.statuses else None
        return phase_secret(generation=self.generation, status=status, **self.spec)

    async def edit(self, **fields: Any) -> None:
        """Edit the spec."""
        self.spec = {**self.spec, **fields}
        self.generation += 1
        if self.loop is not None:
            await self.loop.show(self.body())

    async def pass_time(self, seconds: float) -> None:
        """Let time pass."""
        self.clock.turn(seconds)
        await settle()

    def keys(self, ref: TargetRef) -> set[str]:
        """Return the keys of a target."""
        stored = self.cluster.objects.get(ref)
        if stored is None:
            return set()
        return {*stored.part("data"), *(stored.part("binaryData") if ref.kind is Kind.CONFIG_MAP else ())}

    @property
    def status(self) -> Mapping[str, Any]:
        """The status last written."""
        return self.cluster.statuses.get(KEY, {})

    def target_status(self, ref: TargetRef) -> Mapping[str, Any]:
        """Return what the status says of a target."""
        targets: Sequence[Mapping[str, Any]] = self.status.get("targets", [])
        found = (each for each in targets if (each["kind"], each["name"]) == (ref.kind, ref.key.name))
        return next(found, {})

    @property
    def reason(self) -> str:
        """The reason of the Ready condition."""
        ready = [each for each in self.status.get("conditions", []) if each["type"] == "Ready"]
        return str(ready[0]["reason"]) if ready else ""
