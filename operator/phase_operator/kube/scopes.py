"""Which of the watched namespaces are served, and what keeps us from the others.

Rule: a namespace that does not exist, or in which we have no rights, costs itself alone. It is named, and taken up when
it lets us in. Without a list of namespaces there is one scope, "", and nothing to serve beside it.
"""

import asyncio
import logging
from collections.abc import Callable, Iterable, Sequence

from phase_operator.kube.watch import MetadataWatch

log = logging.getLogger(__name__)


class Scopes:
    """Looks at the watches of each namespace, and is told what the watch of its PhaseSecrets is answered."""

    def __init__(
        self, namespaces: Sequence[str], watches: Iterable[MetadataWatch], restarted: Callable[[str], None]
    ) -> None:
        self._watches: dict[str, list[MetadataWatch]] = {name: [] for name in namespaces}
        for watch in watches:
            if watch.scope in self._watches:
                self._watches[watch.scope].append(watch)
        self._refusals: dict[str, str] = {}
        self._restarted = restarted

    async def opened(self, namespace: str) -> None:
        """Return when the targets and tokens of a namespace are known: before that no run could judge them."""
        await asyncio.gather(*(watch.listed.wait() for watch in self._watches.get(namespace, ())))

    def tell(self, namespace: str, refusal: str | None) -> None:
        """Learn that a namespace refuses the watch of its PhaseSecrets, or does not."""
        before = self._refusals.get(namespace)
        if refusal == before:
            return
        watch = f"phasesecrets in {namespace}"
        if refusal is None:
            del self._refusals[namespace]
            log.info("watch works again", extra={"watch": watch})
        else:
            self._refusals[namespace] = refusal
            self._restarted(watch)
            log.warning("watch interrupted", extra={"watch": watch, "reason": refusal})

    def why_not(self, namespace: str) -> str | None:
        """Return what keeps us from serving a namespace, or None if nothing does."""
        refusals = [watch.problem for watch in self._watches[namespace] if watch.is_refused and watch.problem]
        if namespace in self._refusals:
            refusals.append(f"phasesecrets in {namespace}: {self._refusals[namespace]}")
        return "; ".join(refusals) or None

    def unserved(self) -> dict[str, str]:
        """Return the namespaces that we are kept from, and by what."""
        found = {namespace: self.why_not(namespace) for namespace in self._watches}
        return {namespace: why for namespace, why in found.items() if why is not None}

    def served(self) -> list[str]:
        """Return the namespaces that nothing keeps us from."""
        unserved = self.unserved()
        return [namespace for namespace in self._watches if namespace not in unserved]

    def note(self) -> str | None:
        """Say which namespaces are not served, for people; None if all are."""
        return "; ".join(f"{namespace} is not served ({why})" for namespace, why in self.unserved().items()) or None

    def problem(self) -> str | None:
        """Say what is wrong if no namespace at all is served."""
        return self.note() if self._watches and not self.served() else None
