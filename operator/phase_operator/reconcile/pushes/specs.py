"""Read specs of PhasePushSecrets, admit them, and give what they call Phase with.

Rule: what is pushed is read with the operator's rights, and whoever writes a spec may have fewer. So it goes only where
an administrator allows it: to Phase's cloud or a host that the settings list, with a token of the same namespace or of
one for which a grant says so.
"""

from collections.abc import Mapping

from phase_operator.api.reasons import Reason
from phase_operator.api.v1alpha1 import PhaseSecretSpec
from phase_operator.api.v1alpha1.phasepushsecret import PhasePushSecretSpec, UpdatePolicy
from phase_operator.core.access.admission import Admitted, admit
from phase_operator.core.access.grants import Use
from phase_operator.core.access.tenancy import Tenancy, push_refusal, reach_refusal
from phase_operator.core.errors import Invalid
from phase_operator.core.push.spec import PushSpec, check_token, lowered, push_spec
from phase_operator.core.values import ObjectKey
from phase_operator.reconcile.context import parsed, spec_of, task_of
from phase_operator.reconcile.errands.asker import Asker, asker_of
from phase_operator.reconcile.polling.tokens import Tokens
from phase_operator.reconcile.ports import LabelsOf, PhaseApi
from phase_operator.reconcile.pushes.ports import Spec
from phase_operator.reconcile.run.registration import Registration
from phase_operator.reconcile.store import Lifecycle, Resource


class PushSpecs:
    """Reads and admits specs."""

    def __init__(
        self, *, registration: Registration, tokens: Tokens, phase: PhaseApi, tenancy: Tenancy, labels_of: LabelsOf
    ) -> None:
        self._registration = registration
        self._tokens = tokens
        self._phase = phase
        self._tenancy = tenancy
        self._labels_of = labels_of

    def read(self, resource: Resource) -> Spec:
        """Return what a resource asks for; raise Invalid if it may not, or if it is not valid."""
        if resource.is_left_out:
            spec_of(resource)
        push = push_spec(parsed(PhasePushSecretSpec, resource.spec))
        place = parsed(PhaseSecretSpec, lowered(resource.spec))
        labels = self._labels_of(resource.key.namespace)
        admitted = admit(self._tenancy, place, resource.key, labels, token_for=Use.PUSH)
        if why := push_refusal(self._tenancy, admitted.ask.base_url):
            raise Invalid(Reason.HOST_REFUSED, why)
        if resource.life is not Lifecycle.DELETING:
            # In deletion nothing is taken over, and what is ours is let go.
            self._check_taking(push, admitted, labels)
        check_token(push, resource.key.namespace, admitted.token)
        # From now on it runs when the Secret of its token changes, and that Secret is known as one.
        self._registration.enter(admitted, task_of(resource, admitted.spec, {}))
        return Spec(push, admitted.ask, admitted.assumed_host)

    def _check_taking(self, push: PushSpec, admitted: Admitted, labels: Mapping[str, str]) -> None:
        """Refuse to take over what people made in Phase with a token of another namespace, unless a grant allows it."""
        if push.policies.update is not UpdatePolicy.REPLACE:
            return
        token = admitted.token
        if why := reach_refusal(self._tenancy, Use.REPLACE, admitted.key.namespace, labels, token.namespace):
            raise Invalid(Reason.CROSS_NAMESPACE, f"spec.updatePolicy: Replace with token Secret {token}: {why}")

    def leave(self, key: ObjectKey) -> None:
        """Take out a resource that is gone or refused."""
        self._registration.leave(key)

    async def asker(self, resource: Resource, spec: Spec) -> Asker:
        """Return whom it calls Phase as; a token that is missing or not valid is an error in it."""
        return await asker_of(spec.ask, self._tokens, self._phase)
