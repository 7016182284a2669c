"""Which objects a run may write or take over, beyond what the admission of a whole PhaseSecret judges.

Rule: a refusal costs only the target that it is about, and names what would have to change.
"""

from collections.abc import Callable
from dataclasses import replace

from phase_operator.api.reasons import Reason
from phase_operator.core.access.grants import Use
from phase_operator.core.access.tenancy import Tenancy, keeps_token, reach_refusal
from phase_operator.core.errors import ExpectedError
from phase_operator.core.outcome import TargetResult
from phase_operator.core.refs import Kind, TargetRef
from phase_operator.core.status.recorded import written_before
from phase_operator.core.targets.desired import Desired
from phase_operator.core.text import listing
from phase_operator.core.values import ObjectKey
from phase_operator.reconcile.context import Declared
from phase_operator.reconcile.index import Users
from phase_operator.reconcile.ports import Cluster, LabelsOf
from phase_operator.reconcile.writers import carries


class TargetAccess:
    """Judges single targets, for runs of any PhaseSecret."""

    def __init__(
        self,
        cluster: Cluster,
        tenancy: Tenancy,
        labels_of: LabelsOf,
        tokens: Users[ObjectKey],
        has_query: Callable[[ObjectKey], bool],
    ) -> None:
        self._cluster = cluster
        self._tenancy = tenancy
        self._labels_of = labels_of
        # The token Secrets, with the PhaseSecrets that may read them.
        self._tokens = tokens
        # Whether a PhaseSecret has a query, and so reads Phase with its token.
        self._has_query = has_query

    @property
    def impersonation(self) -> bool:
        """Whether Secrets may be made of the types that let their holder act as another user."""
        return self._tenancy.impersonation

    def refusal(self, namespace: str, to: str) -> str:
        """Return why PhaseSecrets of a namespace do not write targets in another one; "" if they may."""
        if namespace == to:
            return ""
        if self._tenancy.watched and namespace not in self._tenancy.watched:
            return f'the operator does not watch namespace "{namespace}" (--namespace)'
        return reach_refusal(self._tenancy, Use.TARGET, namespace, self._labels_of(namespace), to) or ""

    def bounded(self, desired: Desired) -> Desired:
        """Return the object without the right to take over others' objects, unless a grant gives that right.

        A target in the PhaseSecret's own namespace needs no grant.
        """
        namespace, to = desired.owner.key.namespace, desired.ref.key.namespace
        if reach_refusal(self._tenancy, Use.ADOPT, namespace, self._labels_of(namespace), to) is None:
            return desired
        return replace(desired, policy=desired.policy.without_taking())

    async def token_refusal(self, declared: Declared, target: TargetRef) -> TargetResult | None:
        """Return the result of a target from which another PhaseSecret reads its token; None if it may be written.

        A PhaseSecret that wrote the target before may go on. Else anybody could stop the target of another one by
        naming it as a token Secret.
        """
        others = self._token_users(declared.key, target.key) if target.kind is Kind.SECRET else []
        if not others:
            return None
        try:
            if await self._has_written(declared, target):
                return None
        except ExpectedError as error:
            return TargetResult.failed(target, error)
        message = f"PhaseSecret {listing(map(str, others))} reads its Phase token there; choose another name"
        return TargetResult(target, False, Reason.TARGET_IS_TOKEN, message=message)

    def _token_users(self, writer: ObjectKey, secret: ObjectKey) -> list[ObjectKey]:
        """Return the other PhaseSecrets whose token Secret may not be written by this one."""
        users = [key for key in self._tokens.of(secret) if key != writer]
        return [key for key in users if keeps_token(key, writer, secret, is_used=self._has_query(key))]

    async def _has_written(self, declared: Declared, target: TargetRef) -> bool:
        """Return whether a PhaseSecret wrote a target before, by the object or, if it is gone, by the status."""
        observed = await self._cluster.observe(target, live=True)
        if observed is None:
            return written_before(declared.resource.status, target)
        return carries(observed, declared.key)
