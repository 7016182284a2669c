"""Our resources in a few numbers, whatever their number: how many are ready, why others are not, what they use.

Rule: a list may hold tens of thousands, of which each namespace writes its own. What is kept of them is bounded, and no
namespace takes the place of another: reasons count by namespaces first, and each has a share of what is listed.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from phase_operator.api import names
from phase_operator.api.reasons import Reason
from phase_operator.cli.common.resources import place_of
from phase_operator.cli.common.standing import count, is_true, ready_of
from phase_operator.core.json_access import at, mapping, strings, text
from phase_operator.core.timestamps import moment_of

# Token Secrets that are looked at, of all namespaces and of resources of one.
MOST_TOKENS = 200
MOST_TOKENS_OF_ONE = 10
_EXAMPLES = 3
_MARKED = 100
# Seconds after which a resource that is new or being deleted should have been seen to.
_PATIENCE = 60.0
_DELETION = 1200.0
NOT_SEEN, IN_DELETION = "NotSeen", "InDeletion"
_KNOWN = frozenset({NOT_SEEN, IN_DELETION, *Reason})


@dataclass(slots=True)
class Group:
    """Resources of the same kind of problem, or that use the same object."""

    number: int = 0
    namespaces: set[str] = field(default_factory=set)
    # As namespace/name: the first of all, and the first of each namespace.
    _first: list[str] = field(default_factory=list)
    _of_namespaces: list[str] = field(default_factory=list)

    def add(self, namespace: str, name: str) -> None:
        """Count one more."""
        self.number += 1
        if len(self._first) < _EXAMPLES:
            self._first.append(f"{namespace}/{name}")
        if namespace not in self.namespaces and len(self._of_namespaces) < _EXAMPLES:
            self._of_namespaces.append(f"{namespace}/{name}")
        self.namespaces.add(namespace)

    @property
    def examples(self) -> list[str]:
        """A few of them, of different namespaces if there are several."""
        return self._of_namespaces if len(self.namespaces) > 1 else self._first


@dataclass(slots=True)
class Tally:
    """What is kept of resources while they are read."""

    now: float
    ready: int = 0
    suspended: int = 0
    # Those that are new, so that nothing can be said of them.
    young: int = 0
    problems: dict[str, Group] = field(default_factory=dict)
    # Token Secrets, as namespace and name, and who names them.
    tokens: dict[tuple[str, str], Group] = field(default_factory=dict)
    tokens_left_out: int = 0
    # PhaseSecrets with the official operator's finalizer.
    marked: list[str] = field(default_factory=list)
    # Whether there are more than were read.
    is_cut: bool = False
    _tokens_of: dict[str, int] = field(default_factory=dict)

    @property
    def not_ready(self) -> int:
        """How many have a problem."""
        return sum(each.number for each in self.problems.values())

    @property
    def all(self) -> int:
        """How many there are."""
        return self.ready + self.suspended + self.young + self.not_ready

    @property
    def worst(self) -> list[tuple[str, Group]]:
        """The problems, with what most namespaces have first."""
        return sorted(self.problems.items(), key=lambda each: (-len(each[1].namespaces), -each[1].number, each[0]))

    def take(self, resource: Mapping[str, Any]) -> None:
        """Count a resource."""
        metadata = mapping(resource.get("metadata"))
        namespace, name, _ = place_of(resource)
        self._take_verdict(resource, metadata, namespace, name)
        self._take_token(resource, namespace, name)
        is_marked = names.LEGACY_FINALIZER in strings(metadata.get("finalizers"))
        if is_marked and len(self.marked) < _MARKED:
            self.marked.append(f"{namespace}/{name}")

    def _take_verdict(
        self, resource: Mapping[str, Any], metadata: Mapping[str, Any], namespace: str, name: str
    ) -> None:
        problem = self._problem(resource, metadata)
        if problem is None:
            return
        # A reason outside the catalogue is of another version, or of nobody that we know: all such are one group.
        known = problem if problem in _KNOWN else ""
        self.problems.setdefault(known, Group()).add(namespace, name)

    def _problem(self, resource: Mapping[str, Any], metadata: Mapping[str, Any]) -> str | None:
        """Return why a resource is not ready; None if it is, or counts as something else, and is counted here."""
        deleted = moment_of(metadata.get("deletionTimestamp"))
        if deleted is not None and self.now - deleted > _DELETION:
            return IN_DELETION
        ready = ready_of(resource)
        if not ready or count(resource, "observedGeneration") < 1:
            return self._unseen(metadata)
        if ready.get("reason") == Reason.SUSPENDED:
            self.suspended += 1
        elif is_true(ready):
            self.ready += 1
        else:
            return text(ready.get("reason"))
        return None

    def _unseen(self, metadata: Mapping[str, Any]) -> str | None:
        made = moment_of(metadata.get("creationTimestamp"))
        if made is None or self.now - made >= _PATIENCE:
            return NOT_SEEN
        self.young += 1
        return None

    def _take_token(self, resource: Mapping[str, Any], namespace: str, name: str) -> None:
        path = ("spec", "authentication", "serviceToken", "serviceTokenSecretReference")
        reference = at(resource, path)
        secret = text(reference.get("secretName")) or names.DEFAULT_TOKEN_SECRET
        place = text(reference.get("secretNamespace")) or namespace, secret
        if place not in self.tokens:
            share = self._tokens_of.get(namespace, 0)
            if len(self.tokens) >= MOST_TOKENS or share >= MOST_TOKENS_OF_ONE:
                self.tokens_left_out += 1
                return
            self._tokens_of[namespace] = share + 1
        self.tokens.setdefault(place, Group()).add(namespace, name)
