"""Which of the watched namespaces are served, and why the others are not.

Rule: a namespace that does not exist or denies access affects no other one. It is reported, and served as soon as it
allows access. Without a list of namespaces there is one scope, "", which this module does not track.
"""

import asyncio
from collections.abc import Sequence

from phase_operator.api.crd import PHASE_SECRET
from phase_operator.kube.watch import CollectionWatch


class Scopes:
    """Combines the watches of each namespace."""

    def __init__(self, namespaces: Sequence[str]) -> None:
        # By namespace, those that every run needs, and by plural those of our own kinds.
        self._needed: dict[str, list[CollectionWatch]] = {name: [] for name in namespaces}
        self._kinds: dict[str, dict[str, CollectionWatch]] = {name: {} for name in namespaces}

    def need(self, watch: CollectionWatch) -> None:
        """Take a watch of targets and tokens."""
        if watch.scope in self._needed:
            self._needed[watch.scope].append(watch)

    def show(self, plural: str, watch: CollectionWatch) -> None:
        """Take a watch of a kind of ours."""
        self._kinds[watch.scope][plural] = watch

    async def opened(self, namespace: str) -> None:
        """Wait until the targets and tokens of a namespace are known, which every run needs."""
        for watch in self._needed.get(namespace, ()):
            if watch.listed is not None:
                await asyncio.shield(watch.listed)

    def why_not(self, namespace: str) -> str | None:
        """Return why a namespace is not served, or None if it is."""
        # A Role of an older version does not know the other kinds, and serves PhaseSecrets as before.
        watches = [*self._needed[namespace], self._kinds[namespace].get(PHASE_SECRET.plural)]
        return "; ".join(f"{each.name}: {each.refusal}" for each in watches if each and each.refusal) or None

    def unserved(self) -> dict[str, str]:
        """Return the namespaces that are not served, each with the reason."""
        found = {namespace: self.why_not(namespace) for namespace in self._needed}
        return {namespace: why for namespace, why in found.items() if why is not None}

    def served(self) -> list[str]:
        """Return the namespaces that are served."""
        unserved = self.unserved()
        return [namespace for namespace in self._needed if namespace not in unserved]

    def note(self) -> str | None:
        """Return a sentence for people about the namespaces that are not served; None if all are."""
        unserved = self.unserved()
        notes = [f"{namespace} is not served ({why})" for namespace, why in unserved.items()]
        notes += [
            f"{watch.name} are not served ({watch.refusal}); apply the Role of this version there"
            for namespace, kinds in self._kinds.items()
            for watch in kinds.values()
            if watch.refusal and namespace not in unserved
        ]
        return "; ".join(notes) or None

    def problem(self) -> str | None:
        """Return what is wrong if no namespace is served; None if at least one is."""
        return self.note() if self._needed and not self.served() else None
