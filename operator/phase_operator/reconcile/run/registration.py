"""Enter what PhaseSecrets were admitted to, and pass on what that changes to all that remember targets and tokens."""

from collections.abc import Mapping

from phase_operator.core.access.admission import Admitted
from phase_operator.core.refs import TargetRef
from phase_operator.core.values import ObjectKey
from phase_operator.reconcile.admissions import Admissions, Change
from phase_operator.reconcile.context import Declared
from phase_operator.reconcile.polling.tokens import Tokens
from phase_operator.reconcile.ports import Restarts
from phase_operator.reconcile.run.applier import TargetApplier


class Registration:
    """Keeps the admissions up to date, for runs of any PhaseSecret."""

    def __init__(self, admissions: Admissions, restarts: Restarts, applier: TargetApplier, tokens: Tokens) -> None:
        self._admissions = admissions
        self._restarts = restarts
        self._applier = applier
        self._tokens = tokens

    def enter(self, admitted: Admitted, declared: Declared) -> None:
        """Enter what a PhaseSecret was admitted to: from now on it runs when one of these objects changes."""
        self._expect(declared, self._admissions.enter(admitted, declared.versions))

    def renew(self, declared: Declared, versions: Mapping[TargetRef, str]) -> None:
        """Enter the newest object of each versioned target, if the status does not record them yet."""
        if versions != declared.versions:
            self._expect(declared, self._admissions.renew(declared.key, versions))

    def leave(self, key: ObjectKey) -> None:
        """Take out a PhaseSecret, and forget what nobody else was admitted to."""
        self._forget(self._admissions.leave(key))

    def _expect(self, declared: Declared, change: Change) -> None:
        if change.new_targets:
            self._restarts.expect(declared.key, change.new_targets, declared.resource.status)
        self._forget(change)

    def _forget(self, change: Change) -> None:
        if change.orphaned_targets:
            self._restarts.forget(change.orphaned_targets)
            self._applier.forget(change.orphaned_targets)
        for token in change.orphaned_tokens:
            self._tokens.forget(token)
