"""PhasePushSecrets where the operator does not push: each is told so, and none is kept from being deleted."""

from phase_operator.api.reasons import Reason
from phase_operator.core.errors import ExpectedError
from phase_operator.core.outcome import Failed, Gone, Outcome
from phase_operator.core.push.ledger import Ledger
from phase_operator.core.values import ObjectKey
from phase_operator.reconcile.pushes.ending import PushEnding
from phase_operator.reconcile.store import Lifecycle, Resource

_WHY = "the operator was started without --push"


class DisabledPushes:
    """Reads no source, and does not call Phase."""

    def __init__(self, ending: PushEnding) -> None:
        self._ending = ending

    async def reconcile(self, key: ObjectKey, resource: Resource | None) -> Outcome:
        """Return that nothing is pushed; let a resource go at once that is being deleted. Its entries stay in Phase."""
        if resource is None:
            return Gone()
        if resource.life is not Lifecycle.DELETING:
            return Failed(Reason.NOT_ENABLED, f"{_WHY}; the operator's administrator may set it")
        try:
            if resource.is_outside:
                await self._ending.finish(resource, Ledger.read(resource.status), _WHY)
        except ExpectedError as error:
            return Failed.of(error)
        return Gone()

    def forced(self, key: ObjectKey) -> str | None:
        """Return that no sync annotation is answered."""
        return None
