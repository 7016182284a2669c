"""Which Secrets change hands: those that PhaseSecrets name and that others made.

Rule: a Secret is marked only if it is certain whose it becomes. What another tool keeps is marked only if the person
names it and says so; what another PhaseSecret has is never marked.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from phase_operator.api import names
from phase_operator.api.v1alpha1.phasesecret import ManagedSecretReference
from phase_operator.cli.migrating.candidates import Candidate
from phase_operator.core.content.keys import target_key
from phase_operator.core.json_access import at, mapping, mappings, text, texts
from phase_operator.core.refs import TargetRef
from phase_operator.core.targets.observed import Observed, observe
from phase_operator.core.targets.policy import policy
from phase_operator.core.text import clean, clean_listing
from phase_operator.core.values import ObjectKey

# Labels and annotations by which tools know what they keep -> the tool.
_KEEPERS = {
    "meta.helm.sh/release-name": "Helm release",
    "argocd.argoproj.io/tracking-id": "Argo CD",
    "argocd.argoproj.io/instance": "Argo CD",
    "kustomize.toolkit.fluxcd.io/name": "Flux Kustomization",
    "helm.toolkit.fluxcd.io/name": "Flux HelmRelease",
}


class Verdict(StrEnum):
    """What is done about a Secret."""

    MARK = "mark"
    # It is this operator's already, or becomes so without a mark.
    DONE = "done"
    MISSING = "missing"
    # Nobody can say whose it is, or somebody else's tool keeps it.
    KEPT = "kept"


@dataclass(frozen=True, slots=True)
class Step:
    """One Secret, the PhaseSecret that names it, and what is done about it."""

    secret: ObjectKey
    owner: ObjectKey
    verdict: Verdict
    why: str = ""
    made_by: str = ""
    keys: tuple[str, ...] = ()
    # Keys that are taken out with the next write, as far as the status names them, and how many there are at least.
    taken_out: tuple[str, ...] = ()
    least_out: int = 0
    resource_version: str = ""

    @property
    def patch(self) -> dict[str, Any]:
        """The change that marks it; the API server refuses it if the Secret has changed since."""
        mark = {names.ANNOTATION_OWNER: str(self.owner)}
        return {"metadata": {"resourceVersion": self.resource_version, "annotations": mark}}

    def row(self) -> list[str]:
        """Return it as a row of a table, after its verdict."""
        if self.verdict is Verdict.MISSING:
            keys, out = "-", "-"
        else:
            keys = str(len(self.keys))
            more = f"at least {self.least_out}" if self.least_out > len(self.taken_out) else ""
            out = ", ".join(filter(None, (clean_listing(self.taken_out), more))) or "not known"
        cells = (str(self.secret), str(self.owner), self.made_by or "-", keys, out)
        return [clean(each) for each in (*cells, self.why or "-")]

    def as_json(self) -> dict[str, Any]:
        """Return it as a program reads it."""
        return {
            "secret": {"namespace": self.secret.namespace, "name": self.secret.name},
            "phaseSecret": {"namespace": self.owner.namespace, "name": self.owner.name},
            "verdict": str(self.verdict),
            "why": clean(self.why),
            "madeBy": clean(self.made_by),
            "keys": len(self.keys),
            "takenOut": {"named": [clean(each) for each in self.taken_out], "atLeast": self.least_out},
        }


@dataclass(frozen=True, slots=True)
class Force:
    """The Secrets that the person names, and whether those that other tools keep are marked too."""

    named: Collection[ObjectKey] = ()
    keepers: bool = False

    def over(self, secret: ObjectKey) -> bool:
        """Return whether a Secret is marked although another tool keeps it."""
        return self.keepers and secret in self.named


def secrets_of(every: Sequence[Candidate]) -> list[ObjectKey]:
    """Return the Secrets that PhaseSecrets name, each once."""
    return list(dict.fromkeys(ref.key for _, ref, _ in _named(every)))


def steps(every: Sequence[Candidate], found: Mapping[ObjectKey, Mapping[str, Any] | None], force: Force) -> list[Step]:
    """Return what is done about each Secret that PhaseSecrets name; `found` has their metadata, None if missing."""
    users: dict[ObjectKey, set[ObjectKey]] = {}
    for candidate, ref, _ in _named(every):
        users.setdefault(ref.key, set()).add(candidate.key)
    made = []
    for candidate, ref, target in _named(every):
        if force.named and ref.key not in force.named:
            continue
        rivals = _rivals(users[ref.key], candidate.key, ref.key)
        made.append(_step(candidate, ref, target, found.get(ref.key), rivals, force))
    return sorted(made, key=lambda step: (step.secret, step.owner))


def _rivals(users: Collection[ObjectKey], key: ObjectKey, secret: ObjectKey) -> list[ObjectKey]:
    """Return the other PhaseSecrets that may have a Secret as well: one from elsewhere is none to one at home."""
    others = [each for each in users if each != key]
    return [each for each in others if each.namespace == secret.namespace or key.namespace != secret.namespace]


def _named(every: Sequence[Candidate]) -> Iterator[tuple[Candidate, TargetRef, ManagedSecretReference]]:
    return ((candidate, ref, target) for candidate in every for ref, target in candidate.targets)


def _step(
    candidate: Candidate,
    ref: TargetRef,
    target: ManagedSecretReference,
    metadata: Mapping[str, Any] | None,
    rivals: Collection[ObjectKey],
    force: Force,
) -> Step:
    if metadata is None:
        return Step(ref.key, candidate.key, Verdict.MISSING, "the operator makes it")
    observed = observe(metadata)
    verdict, why = _verdict(candidate.key, target, metadata, observed, rivals, forced=force.over(ref.key))
    if verdict is Verdict.MARK and ref.key.namespace != candidate.key.namespace and ref.key not in force.named:
        verdict, why = Verdict.KEPT, "the PhaseSecret is in another namespace: name the Secret to hand it over"
    named, least = _taken_out(candidate, ref, target, observed)
    return Step(
        ref.key,
        candidate.key,
        verdict,
        why,
        _maker(observed),
        observed.foreign_keys,
        named,
        least,
        observed.resource_version,
    )


def _verdict(
    key: ObjectKey,
    target: ManagedSecretReference,
    metadata: Mapping[str, Any],
    observed: Observed,
    rivals: Collection[ObjectKey],
    *,
    forced: bool,
) -> tuple[Verdict, str]:
    if observed.terminating:
        return Verdict.KEPT, "it is being deleted"
    if observed.belongs_to(key):
        return Verdict.DONE, "it has the mark"
    if observed.owner:
        return Verdict.KEPT, f"it has the mark of PhaseSecret {observed.owner}"
    if rivals:
        return Verdict.KEPT, f"PhaseSecret {clean_listing(map(str, rivals))} names it too"
    if policy(target).merges or target.versioned is not None:
        return Verdict.DONE, "a target of this kind needs no mark"
    if policy(target).adopt:
        return Verdict.DONE, "the target says adopt: true"
    if (keeper := kept_by(metadata)) and not forced:
        return Verdict.KEPT, f"{keeper} keeps it: have it let go first, or name the Secret and give --force"
    return Verdict.MARK, ""


def kept_by(metadata: Mapping[str, Any]) -> str:
    """Return the tool or the object that keeps an object and would change it back or delete it; "" if none does."""
    for owner in mappings(metadata.get("ownerReferences")):
        if not text(owner.get("apiVersion")).startswith(f"{names.GROUP}/"):
            return f"{text(owner.get('kind'))} {text(owner.get('name'))}"
    marks = {**texts(metadata.get("labels")), **texts(metadata.get("annotations"))}
    for mark, tool in _KEEPERS.items():
        if mark in marks:
            return f"{tool} {marks[mark]}"
    manager = marks.get(names.LABEL_MANAGED_BY, names.OPERATOR_NAME)
    return "" if manager == names.OPERATOR_NAME else manager


def _maker(observed: Observed) -> str:
    managers = observed.managers or tuple(each.manager for each in observed.field_managers)
    return observed.controller or ", ".join(dict.fromkeys(managers))


def _taken_out(
    candidate: Candidate, ref: TargetRef, target: ManagedSecretReference, observed: Observed
) -> tuple[tuple[str, ...], int]:
    """Return which of a Secret's keys its target leaves out, and how many keys go at least, as the status shows it.

    The status has no names of the entries that are selected: a key that Phase does not have is counted, not named.
    """
    status = mapping(candidate.body.get("status"))
    reported = next((each for each in mappings(status.get("targets")) if _is_of(each, ref)), {})
    left = {
        target_key(key, target.name_transformer, target.processors.get(key), target.prefix or "")
        for each in mappings(reported.get("leftOut"))
        if isinstance(each.get("keys"), list)
        for key in each["keys"]
        if isinstance(key, str)
    }
    named = left.intersection(observed.foreign_keys)
    selected = at(status, ("source",)).get("entries")
    least = len(observed.foreign_keys) - selected if isinstance(selected, int) else 0
    return tuple(sorted(named)), max(least, len(named))


def _is_of(target: Mapping[str, Any], ref: TargetRef) -> bool:
    found = (target.get("kind"), target.get("namespace"), target.get("name"))
    return found == (str(ref.kind), ref.key.namespace, ref.key.name)
