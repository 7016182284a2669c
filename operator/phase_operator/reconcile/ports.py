"""What the loop needs from the edges, as Protocols; the edges implement them, tests pass fakes.

Rule: only the methods that the loop calls. Every method that can fail raises core.errors, nothing else.
"""

from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from phase_operator.api import names
from phase_operator.core.errors import ExpectedError
from phase_operator.core.outcome import Event, StatusDocument
from phase_operator.core.refs import TargetRef
from phase_operator.core.rollout.decision import Restart, SaveBaseline
from phase_operator.core.rollout.workload import Workload, WorkloadRef
from phase_operator.core.source.answer_memory import Reservation
from phase_operator.core.source.apps import App, Environment
from phase_operator.core.source.keyring import Decrypted, Keyring, Keys
from phase_operator.core.status.restarts import RestartReport
from phase_operator.core.targets.desired import Desired
from phase_operator.core.targets.fingerprint import KeyDigests
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
    """A Phase token, parsed: what is sent, and a name for the account that reveals nothing about the token."""

    account: str
    header: SecretValue
    # What opens end-to-end encrypted apps; None for a REST token, which has no keys.
    # The account's name depends on them, so they need no comparison.
    keys: Keys | None = field(default=None, repr=False, compare=False)


@dataclass(frozen=True, slots=True)
class Token:
    """A Phase token as its Secret holds it, and the hosts that the Secret allows; None if it names none."""

    text: SecretValue
    hosts: str | None = None


class ReadMeter(Protocol):
    """Counts what one read takes while it goes on, so that it is counted however the read ends."""

    def request_follows(self) -> None:
        """Count one more request, before it is made; the first was counted with its call."""

    def entries_came(self, number: int) -> None:
        """Count the entries that a request brought."""


class PhaseApi(Protocol):
    """The edge to Phase."""

    def credential(self, token: SecretValue) -> Credential:
        """Parse a token in any of its forms; raise Waiting(TOKEN_INVALID) if it is not valid."""

    async def apps(self, base_url: str, credential: Credential, place: Reservation) -> Sequence[App]:
        """Return the apps that the account sees. All calls raise Waiting or Transient, with Phase's message.

        `place` grows to the size of what is read, and raises AnswerMemoryFull if it does not fit.
        """

    async def environments(
        self, base_url: str, credential: Credential, app_id: str, place: Reservation
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
        place: Reservation,
    ) -> Sequence[Entry | DynamicKey]:
        """Return the entries of an environment: of one folder or all; with any of the tags, or all entries.

        The keys of its dynamic secrets are included, whatever the tags.
        """

    async def keyring(self, base_url: str, credential: Credential, place: Reservation) -> Keyring:
        """Return all apps and environments that the account has keys of, with their revisions; it has to have keys."""

    async def encrypted(
        self,
        base_url: str,
        credential: Credential,
        *,
        keyring: Keyring,
        app_id: str,
        environment: str,
        place: Reservation,
        meter: ReadMeter | None = None,
    ) -> Decrypted:
        """Return all entries of an environment of an encrypted app, decrypted and with references resolved.

        `meter` is told of the requests that this takes, and of what they bring.

        An environment that the keyring does not show raises Waiting without a call.
        """


class Cluster(Protocol):
    """The edge to Kubernetes: foreign data is never transferred, targets are judged by their metadata."""

    async def read_token(self, key: ObjectKey) -> Token:
        """Return the text under `token` of a Secret, and its annotation; raise Waiting(TOKEN_SECRET_NOT_FOUND)."""

    async def observe(self, target: TargetRef, *, live: bool) -> Observed | None:
        """Return the object with the target's name, by its metadata, or None if there is none.

        The watches show our own objects. A foreign object is looked for only if `live` asks for a live read;
        otherwise `apply_target` finds it.
        """

    async def apply_target(self, desired: Desired, action: Apply) -> bool:
        """Apply and return True, or False if the object changed since it was judged: the caller observes it again.

        An object that was deleted meanwhile is created again.
        """

    async def remove(self, target: TargetRef, action: Removal) -> bool:
        """Remove and return True, or False if the object changed since it was judged. A missing object is removed.

        Raises Invalid if the rest of the object would not be valid for its type.
        """

    async def take_out(self, target: TargetRef, observed: Observed, keys: Sequence[str]) -> bool:
        """Remove data keys from an object of ours; return False if it changed since it was judged.

        All else stays, marks included: by these, a later run sees that the object has to be written again.
        """

    async def prove(self, desired: Desired) -> None:
        """Have the API server validate an object that does not exist, without creating it; raise its objection."""

    async def keep(self, target: TargetRef, version: str, copy: Desired) -> bool:
        """Copy a target with its values; return False if it changed since it was judged.

        `copy` has the name and the owner of the copy.
        """

    async def restore(self, copy: TargetRef, target: TargetRef) -> bool:
        """Create a target from its copy; return False if the target exists by now, or the copy is gone."""

    async def versions(self, base: TargetRef) -> Mapping[TargetRef, Observed]:
        """Return all objects with the label of a target's versions, whichever client wrote them."""

    def known_versions(self, base: TargetRef) -> Mapping[TargetRef, Observed]:
        """Return the versions that the watches have shown; makes no request."""

    def marked(self, owner: ObjectKey) -> Mapping[TargetRef, Observed]:
        """Return the objects with this PhaseSecret's mark that the watches have shown; makes no request.

        The mark may be a copy that another client wrote.
        """

    async def mentioned(self, namespace: str, wanted: Sequence[str]) -> frozenset[str]:
        """Return which of these names a pod template of the namespace mentions."""

    async def set_finalizer(self, key: ObjectKey, uid: str, *, wanted: bool, finalizer: str = names.FINALIZER) -> None:
        """Add or remove a finalizer of ours; a resource that is gone or was recreated is no error."""

    async def find_resource(self, key: ObjectKey) -> Mapping[str, Any] | None:
        """Return a PhaseSecret by a live read, or None; used only if one blocks another."""

    async def write_status(
        self, key: ObjectKey, uid: str, status: StatusDocument, *, before: Mapping[str, Any] | None = None
    ) -> bool:
        """Replace the status; return False if that was not done, because the resource is another one or gone by now.

        `before` is the status as it was read. With it, nothing is done if the ledger in it has changed since.
        """

    def record_event(self, key: ObjectKey, uid: str, events: Sequence[Event]) -> None:
        """Post Events in the background; losing one is no error."""


class KnownObjects(Protocol):
    """The objects with our label, as the watches have shown them."""

    def get(self, ref: TargetRef) -> Observed | None:
        """Return an object, or None if no object of ours is known by this name."""


class Workloads(Protocol):
    """The edge to the workloads that are restarted. Every method that awaits raises ExpectedError."""

    def each(self, namespace: str, failed: list[ExpectedError]) -> AsyncIterator[Workload]:
        """Yield the workloads of a namespace, read a few at a time; kinds that the cluster lacks yield none.

        If a kind cannot be read to its end, its error, which names the kind, is added to `failed`.
        """

    async def get(self, ref: WorkloadRef) -> Workload | None:
        """Return a workload by a live read, or None if there is none."""

    async def metadata(self, target: TargetRef) -> Mapping[str, Any] | None:
        """Return a target's metadata by a live read, or None if it does not exist."""

    async def apply(self, workload: Workload, action: SaveBaseline | Restart) -> bool:
        """Do the action and return True, or False if the workload changed since it was judged."""

    def record_event(self, workload: Workload, events: Sequence[Event]) -> None:
        """Post Events on a workload in the background; losing one is no error."""


class Restarts(Protocol):
    """Restarts of workloads that follow targets: runs report their targets here, and workers take the work."""

    def expect(self, key: ObjectKey, targets: Iterable[TargetRef], status: Mapping[str, object]) -> None:
        """Record targets that are used for the first time; `status` is that of their PhaseSecret."""

    def forget(self, targets: Iterable[TargetRef]) -> None:
        """Forget targets that no PhaseSecret is admitted to any more."""

    async def prepare(self, target: TargetRef, content: KeyDigests, *, is_new: bool, is_followed: bool) -> None:
        """Save the baselines of workloads before a target gets this content; raise Transient if that has to wait.

        `is_followed`: the PhaseSecret that writes the target lets workloads follow it; others may, too.
        """

    def written(self, target: TargetRef) -> None:
        """Record that a target was written."""

    def have_rolled(self, target: TargetRef) -> bool:
        """Return whether every pod that reads a target is known to have started with what was written last.

        Who has asked is woken when that changes.
        """

    def report_for(self, target: TargetRef, key: ObjectKey) -> RestartReport | None:
        """Return the restart report of a target for a PhaseSecret's status; None if the PhaseSecret may not see it."""

    async def take(self) -> str:
        """Wait for the next namespace whose workloads are due for a check; raise QueueClosedError after `close`."""

    async def look(self, namespace: str) -> None:
        """Restart the workloads of a namespace whose targets have changed; expected errors are handled, not raised."""

    def retry_now(self) -> None:
        """Retry postponed work now, because Kubernetes answers again."""

    def close(self) -> None:
        """Give out no more namespaces."""


class MetricsSink(Protocol):
    """The metrics of the loop; telemetry implements it."""

    def reconciled(self, outcome: str, reason: str, seconds: float) -> None:
        """Count a run."""

    def asked(self, kind: str, result: str) -> None:
        """Count a call to Phase (apps, keyring, probe, read) by its result: ok, or a reason."""

    def entries_read(self, number: int) -> None:
        """Count the entries of an answer; Phase writes an audit record for each."""

    def answer_refused(self, limit: str) -> None:
        """Count an answer that is too large, by its limit: that of all answers (`memory`) or of one (`answer`)."""

    def target_written(self, kind: str) -> None:
        """Count an object that was written."""

    def status_written(self) -> None:
        """Count a status that was written."""

    def restarted(self, kind: str) -> None:
        """Count a workload that was restarted."""

    def restart_failed(self) -> None:
        """Count a failed restart, or a failed check of a namespace's workloads; it is tried again."""


Wake = Callable[[ObjectKey], None]
# The labels of a namespace; empty if the namespace is not known, or if no setting depends on labels.
LabelsOf = Callable[[str], Mapping[str, str]]
