"""What pushes need from the edges, beyond what every resource needs; as reconcile/ports.py."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from phase_operator.core.label_selector import Selector
from phase_operator.core.push.homes import Home
from phase_operator.core.push.ledger import PushPlace
from phase_operator.core.push.looks import Look, Written
from phase_operator.core.push.marks import Mark
from phase_operator.core.push.spec import PushSpec
from phase_operator.core.push.steps import Delete, Post, Put
from phase_operator.core.refs import Kind
from phase_operator.core.source.answer_memory import Reservation
from phase_operator.core.source.query import Account, Ask
from phase_operator.core.values import ObjectKey, SecretValue
from phase_operator.reconcile.errands.asker import Asker
from phase_operator.reconcile.polling.watches import Watch
from phase_operator.reconcile.ports import Cluster, Credential, Wake
from phase_operator.reconcile.store import Resource


@dataclass(frozen=True, slots=True)
class SourceObject:
    """A Secret or ConfigMap, by its metadata; with its values only where these are asked for."""

    kind: Kind
    name: str
    uid: str
    version: str
    labels: Mapping[str, str] = field(default_factory=dict)
    # The type of a Secret.
    type: str = ""
    # A resource reads its token of Phase there, or it is the operator's own key.
    is_token: bool = False
    # This operator writes it.
    is_ours: bool = False
    data: Mapping[str, bytes] | None = field(default=None, repr=False)


class PushSources(Protocol):
    """The objects that are pushed. Every method raises ExpectedError."""

    async def look(self, kind: Kind, key: ObjectKey, selectors: Sequence[Selector]) -> SourceObject | None:
        """Return an object by its metadata, or None if there is none; of its labels, those that selectors ask for."""

    async def select(self, namespace: str, selectors: Sequence[Selector], most: int) -> Sequence[SourceObject]:
        """Return the Secrets that any of these matches, by their metadata: at most one more than `most`."""

    async def read(self, kind: Kind, key: ObjectKey, memory: Reservation) -> SourceObject | None:
        """Return an object with its values, or None if there is none; `memory` grows by what they take.

        Raises AnswerMemoryFull if they do not fit. It is asked only for what `source_problem` allows.
        """


class PushHomes(Protocol):
    """The Secrets that keep generated values. Every method raises ExpectedError."""

    async def home(self, key: ObjectKey) -> Home | None:
        """Return a Secret of this name, or None if there is none; of one that is not ours, no values."""

    async def keep(
        self,
        key: ObjectKey,
        owner: ObjectKey,
        before: Home | None,
        values: Mapping[str, SecretValue],
        rotations: Mapping[str, str],
    ) -> bool:
        """Write values into a Secret beside those that it has, and return True once the API server has confirmed it.

        Returns False, and changes nothing, if the Secret is not as in `before` any more: it is read again then. It has
        no owner reference, since it outlives its resource.
        """


class PushApi(Protocol):
    """The edge to Phase's entries. All calls raise ExpectedError, which says whether it had no effect."""

    async def look(self, credential: Credential, at: PushPlace, now: float, memory: Reservation) -> Look:
        """Return what an environment has, without values; `now` is when it is asked for, in seconds since 1970."""

    async def post(
        self, credential: Credential, step: Post, mark: Mark, memory: Reservation, *, sent_within: float
    ) -> list[Written]:
        """Make entries, each with the mark; nothing is sent later than `sent_within` seconds from now."""

    async def put(
        self, credential: Credential, step: Put, mark: Mark, memory: Reservation, *, sent_within: float
    ) -> list[Written]:
        """Change entries; nothing is sent later than `sent_within` seconds from now."""

    async def delete(self, credential: Credential, step: Delete, memory: Reservation) -> None:
        """Delete entries, all or none."""


class PushCluster(Cluster, Protocol):
    """The edge to Kubernetes, with ledgers."""

    async def write_ledger(self, key: ObjectKey, uid: str, before: Mapping[str, Any], after: Mapping[str, Any]) -> bool:
        """Replace the ledger in a status, and return True; return False if it is not as in `before` any more."""


@dataclass(frozen=True, slots=True)
class Spec:
    """What a resource asks for, and where: its spec, read and admitted."""

    push: PushSpec
    ask: Ask
    # The host that it is asked at, for the status; "" if the spec names it, or if it is Phase's cloud.
    assumed_host: str = ""


class Specs(Protocol):
    """Reads specs, and gives what they call Phase with."""

    def read(self, resource: Resource) -> Spec:
        """Return what a resource asks for; raise Invalid if it may not, or if it is not valid."""

    def leave(self, key: ObjectKey) -> None:
        """Take out a resource that is gone or refused."""

    async def asker(self, resource: Resource, spec: Spec) -> Asker:
        """Return whom it calls Phase as; a token that is missing is an error in it."""


class Gates(Protocol):
    """When accounts may call Phase, and what probes have shown of their environments."""

    def other_allowed_at(self, account: Account, now: float) -> float:
        """Return when a call that is no read may be made: now, later, or infinity until another call has ended."""

    def revision(self, account: Account, at: PushPlace) -> str | None:
        """Return the revision of an environment that the last probe of its app has shown; None if none has."""


class Probes(Protocol):
    """Probes of apps, which are shared with all who read there."""

    def watch(self, key: ObjectKey, watch: Watch, interval: float, credential: Credential, wake: Wake) -> None:
        """Have an app probed for a resource, instead of what it watched, and wake it when its environment moves."""

    def unwatch(self, key: ObjectKey) -> None:
        """Have nothing probed for a resource any more."""


class PushCounter(Protocol):
    """Counts what is pushed."""

    def pushed(self, kind: str, number: int) -> None:
        """Count entries that were made, changed or deleted: `post`, `put` or `delete`."""
