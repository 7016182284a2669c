"""Which of the watched namespaces are served, and why the others are not.

Rule: a namespace that does not exist or denies access affects no other one. It is reported, and served as soon as it
allows access. Without a list of namespaces there is one scope, "", which this module does not track.
"""

import asyncio
import logging
from collections.abc import Callable, Iterable, Sequence

from phase_operator.api.crd import PHASE_SECRET
from phase_operator.kube.watch import MetadataWatch

log = logging.getLogger(__name__)


class Scopes:
    """Combines the watches of each namespace with the refusals that kopf's watch of its PhaseSecrets meets."""

    def __init__(
        self, namespaces: Sequence[str], watches: Iterable[MetadataWatch], restarted: Callable[[str], None]
    ) -> None:
        self._watches: dict[str, list[MetadataWatch]] = {name: [] for name in namespaces}
        for watch in watches:
            if watch.scope in self._watches:
                self._watches[watch.scope].append(watch)
        # Namespace and plural of a kind of ours -> why it refuses the watch of those.
        self._refusals: dict[tuple[str, str], str] = {}
        self._restarted = restarted

    async def opened(self, namespace: str) -> None:
        """Wait until the targets and tokens of a namespace are known, which every run needs."""
        for watch in self._watches.get(namespace, ()):
            # Shielded: others wait for it as well.
            await asyncio.shield(watch.listed)

    def record(self, namespace: str, plural: str, refusal: str | None) -> None:
        """Record why a namespace refuses the watch of its resources of a kind; None if it allows it."""
        before = self._refusals.get((namespace, plural))
        if refusal == before:
            return
        watch = f"{plural} in {namespace}"
        if refusal is None:
            del self._refusals[namespace, plural]
            log.info("watch works again", extra={"watch": watch})
        else:
            self._refusals[namespace, plural] = refusal
            self._restarted(watch)
            log.warning("watch interrupted", extra={"watch": watch, "reason": refusal})

    def why_not(self, namespace: str) -> str | None:
        """Return why a namespace is not served, or None if it is."""
        refusals = [watch.problem for watch in self._watches[namespace] if watch.is_refused and watch.problem]
        # A Role of an older version does not know the other kinds, and serves PhaseSecrets as before.
        if (namespace, PHASE_SECRET.plural) in self._refusals:
            refusals.append(f"phasesecrets in {namespace}: {self._refusals[namespace, PHASE_SECRET.plural]}")
        return "; ".join(refusals) or None

    def unserved(self) -> dict[str, str]:
        """Return the namespaces that are not served, each with the reason."""
        found = {namespace: self.why_not(namespace) for namespace in self._watches}
        return {namespace: why for namespace, why in found.items() if why is not None}

    def served(self) -> list[str]:
        """Return the namespaces that are served."""
        unserved = self.unserved()
        return [namespace for namespace in self._watches if namespace not in unserved]

    def note(self) -> str | None:
        """Return a sentence for people about the namespaces that are not served; None if all are."""
        unserved = self.unserved()
        notes = [f"{namespace} is not served ({why})" for namespace, why in unserved.items()]
        notes += [
            f"{plural} in {namespace} are not served ({why}); apply the Role of this version there"
            for (namespace, plural), why in self._refusals.items()
            if namespace not in unserved
        ]
        return "; ".join(notes) or None

    def problem(self) -> str | None:
        """Return what is wrong if no namespace is served; None if at least one is."""
        return self.note() if self._watches and not self.served() else None
