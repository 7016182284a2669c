"""What the loop needs of the world, as Protocols; the edges implement them, tests hand in fakes.

Rule: only the methods that the loop calls. Every method that can fail raises core.errors, nothing else.
"""

from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from phase_operator.core.errors import ExpectedError
from phase_operator.core.outcome import Notice, StatusDocument
from phase_operator.core.refs import TargetRef
from phase_operator.core.rollout.decision import Record, RollOut
from phase_operator.core.rollout.workload import Workload, WorkloadRef
from phase_operator.core.source.answer_memory import Place
from phase_operator.core.source.apps import App, Environment
from phase_operator.core.status.restarts import Told
from phase_operator.core.targets.desired import Desired
from phase_operator.core.targets.fingerprint import Content
from phase_operator.core.targets.observed import Observed
from phase_operator.core.targets.plan import Apply
from phase_operator.core.targets.removal import Removal
from phase_operator.core.values import DynamicKey, Entry, ObjectKey, SecretValue


class Clock(Protocol):
    """Time as the loop sees it."""

    def monotonic(self) -> float:
        """Return seconds that never run backwards."""

    def now(self) -> str:
        """Return the wall clock as RFC 3339 in UTC with seconds."""


@dataclass(frozen=True, slots=True)
class Credential:
    """A Phase token, parsed: what is sent, and a name for the account that says nothing about it."""

    account: str
    header: SecretValue


@dataclass(frozen=True, slots=True)
class Token:
    """A Phase token as it lies in its Secret, and the hosts that the Secret names for it; None: it names none."""

    text: SecretValue
    hosts: str | None = None


class PhaseApi(Protocol):
    """The edge to Phase."""

    def credential(self, token: SecretValue) -> Credential:
        """Parse any spelling of a token; raise Waiting(TOKEN_INVALID) if it is none."""

    async def apps(self, base_url: str, credential: Credential, place: Place) -> Sequence[App]:
        """Return the apps that the account sees. All three raise Waiting or Transient, in Phase's words.

        `place` is made as large as what is read, and raises if it may not be.
        """

    async def environments(
        self, base_url: str, credential: Credential, app_id: str, place: Place
    ) -> Sequence[Environment]:
        """Return the environments of an app that the account may read, with their revisions."""

    async def entries(
        self,
        base_url: str,
        credential: Credential,
        *,
        app_id: str,
        environment: str,
        path: str | None,
        tags: tuple[str, ...],
        place: Place,
    ) -> Sequence[Entry | DynamicKey]:
        """Return the entries of an environment: of one folder or all, with any of the tags or all.

        And the keys of its dynamic secrets, whatever the tags.
        """


class Cluster(Protocol):
    """The edge to Kubernetes: foreign data is never transferred, targets are judged by their metadata."""

    async def read_token(self, key: ObjectKey) -> Token:
        """Return the text under `token` of a Secret, and its annotation; raise Waiting(TOKEN_SECRET_NOT_FOUND)."""

    async def observe(self, target: TargetRef, *, surely: bool) -> Observed | None:
        """Return what stands at the target's place, by metadata alone, or None if nothing does.

        Of our own objects all is known by the watches. Whether somebody else's stands there is asked only if it has to
        be told surely; else `carry_out` finds out.
        """

    async def carry_out(self, desired: Desired, action: Apply) -> bool:
        """Do it and return True, or False if the object is not the one that was judged: the caller looks again.

        One that was deleted meanwhile is made anew.
        """

    async def remove(self, target: TargetRef, action: Removal) -> bool:
        """Do it and return True, or False if the object is not the one that was judged; what is gone is removed.

        Raises Invalid if what is left would be no object of its type.
        """

    async def take_out(self, target: TargetRef, observed: Observed, keys: Sequence[str]) -> bool:
        """Take data keys out of an object of ours; return False if it is not the one that was judged.

        All else stays as it stands, marks included: these say that the object has to be written anew.
        """

    async def prove(self, desired: Desired) -> None:
        """Have the API server judge an object that does not exist, without making it; raise what it objects to."""

    async def keep(self, target: TargetRef, version: str, copy: Desired) -> bool:
        """Make a copy of a target as it stands, with values; return False if it is not the one that was judged.

        `copy` says where it stands and whose it is.
        """

    async def restore(self, copy: TargetRef, target: TargetRef) -> bool:
        """Make a target from its copy; return False if something stands there by now, or the copy is gone."""

    async def versions(self, base: TargetRef) -> Mapping[TargetRef, Observed]:
        """Return what carries the label of a target's versions, anybody's."""

    def known_versions(self, base: TargetRef) -> Mapping[TargetRef, Observed]:
        """Return what the watches have shown of them; costs no request."""

    def marked(self, owner: ObjectKey) -> Mapping[TargetRef, Observed]:
        """Return what the watches have shown with a mark of this PhaseSecret, anybody's; costs no request."""

    async def mentioned(self, namespace: str, wanted: Sequence[str]) -> frozenset[str]:
        """Return which of these names stand in a pod template of the namespace."""

    async def set_finalizer(self, key: ObjectKey, uid: str, *, wanted: bool) -> None:
        """Put our finalizer on a PhaseSecret, or take it off; one that is gone, or another by now, is no error."""

    async def find_resource(self, key: ObjectKey) -> Mapping[str, Any] | None:
        """Return a PhaseSecret as it stands, or None; asked only where one is in another's way."""

    async def write_status(self, key: ObjectKey, uid: str, status: StatusDocument) -> None:
        """Replace the status; a resource that is gone, or another one by now, is no error."""

    def notify(self, key: ObjectKey, uid: str, notices: Sequence[Notice]) -> None:
        """Have Events posted in their own time; losing one is no error."""


class KnownObjects(Protocol):
    """What the watches have shown of objects that carry our label."""

    def get(self, ref: TargetRef) -> Observed | None:
        """Return an object, or None if nothing of ours is known to stand there."""


class Workloads(Protocol):
    """The edge to what is restarted. Every method that awaits raises ExpectedError."""

    def each(self, namespace: str, failed: list[ExpectedError]) -> AsyncIterator[Workload]:
        """Yield the workloads of a namespace, read a few at a time; kinds that the cluster lacks have none.

        A kind that cannot be read, or not to its end, is left; the error is added to `failed`, and names the kind.
        """

    async def get(self, ref: WorkloadRef) -> Workload | None:
        """Return a workload as it stands, or None if there is none."""

    async def metadata(self, target: TargetRef) -> Mapping[str, Any] | None:
        """Return a target's metadata as it stands, or None if it is not there."""

    async def apply(self, workload: Workload, action: Record | RollOut) -> bool:
        """Carry it out and return True, or False if the workload is not the one that was judged."""

    def notify(self, workload: Workload, notices: Sequence[Notice]) -> None:
        """Have Events posted on a workload in their own time; losing one is no error."""


class Restarts(Protocol):
    """Workloads that follow targets: what runs tell of these, and the work that comes of it."""

    def expect(self, key: ObjectKey, targets: Iterable[TargetRef], status: Mapping[str, object]) -> None:
        """Take note of targets that nobody was admitted to before; `status` is that of their PhaseSecret."""

    def forget(self, targets: Iterable[TargetRef]) -> None:
        """Drop what is remembered of targets that nobody is admitted to any more."""

    async def prepare(self, target: TargetRef, content: Content, *, is_new: bool) -> None:
        """Have noted what pods run with, before a target gets this content; raise Transient if it has to wait."""

    def written(self, target: TargetRef) -> None:
        """Take note that a target was written."""

    def told(self, target: TargetRef, key: ObjectKey) -> Told | None:
        """Return what the status of a PhaseSecret is to tell of a target; None if that is not for it to know."""

    async def take(self) -> str:
        """Wait for the next namespace whose workloads are to be looked at; raise QueueClosedError after `close`."""

    async def look(self, namespace: str) -> None:
        """Bring the workloads of a namespace in step with what their targets hold; raises nothing expected."""

    def hurry(self) -> None:
        """Give out now what was to be tried again later: Kubernetes, which may have failed it, answers again."""

    def close(self) -> None:
        """Give out no more namespaces."""


class Observer(Protocol):
    """What is counted of the loop; telemetry implements it."""

    def reconciled(self, outcome: str, reason: str, seconds: float) -> None:
        """Count a run."""

    def asked(self, kind: str, result: str) -> None:
        """Count a call to Phase (apps, probe, read) by its result: ok, or a reason."""

    def entries_read(self, number: int) -> None:
        """Count the entries of an answer: Phase writes an audit record for each of them."""

    def answer_refused(self, limit: str) -> None:
        """Count an answer that is too large: for the memory of all answers (`memory`), or by itself (`answer`)."""

    def target_written(self, kind: str) -> None:
        """Count an object that was written."""

    def status_written(self) -> None:
        """Count a status that was written."""

    def restarted(self, kind: str) -> None:
        """Count a workload that was restarted."""

    def restart_failed(self) -> None:
        """Count a workload, or a look at a namespace's workloads, that failed and is tried again."""


Wake = Callable[[ObjectKey], None]
# The labels of a namespace; none if it is not known, or if nobody asks for labels.
LabelsOf = Callable[[str], Mapping[str, str]]
