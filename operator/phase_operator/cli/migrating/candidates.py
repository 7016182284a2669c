"""PhaseSecrets of the official operator as they stand in a cluster or a file, read as this operator reads them."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from phase_operator.api import names
from phase_operator.api.v1alpha1 import PhaseSecretSpec
from phase_operator.api.v1alpha1.phasesecret import ManagedSecretReference
from phase_operator.cli.migrating.findings import Finding, Severity
from phase_operator.cli.migrating.foreign import home_of
from phase_operator.core.errors import Invalid
from phase_operator.core.json_access import mapping, mappings, text
from phase_operator.core.refs import TargetRef
from phase_operator.core.targets.policy import secret_ref
from phase_operator.core.values import ObjectKey
from phase_operator.reconcile.context import parse_spec

_REMOVED = "dotnet-env"


@dataclass(frozen=True, slots=True)
class Candidate:
    """A resource, its spec if it can be read, and what had to be left out or keeps it from being read."""

    key: ObjectKey
    body: Mapping[str, Any]
    spec: PhaseSecretSpec | None
    findings: tuple[Finding, ...] = ()

    @property
    def raw(self) -> Mapping[str, Any]:
        """The spec as it is written."""
        return mapping(self.body.get("spec"))

    @property
    def metadata(self) -> Mapping[str, Any]:
        """The metadata as they are written."""
        return mapping(self.body.get("metadata"))

    @property
    def targets(self) -> Iterator[tuple[TargetRef, ManagedSecretReference]]:
        """The Secrets that its spec names, each with its fields; none if the spec cannot be read."""
        if self.spec is not None:
            for target in self.spec.managed_secret_references:
                yield secret_ref(target, self.key.namespace), target


def is_phase_secret(body: Mapping[str, Any]) -> bool:
    """Return whether an object is a PhaseSecret, of whatever version."""
    group, _, _ = text(body.get("apiVersion")).partition("/")
    return group == names.GROUP and body.get("kind") == names.KIND_PHASE_SECRET


def candidates(bodies: Iterable[Mapping[str, Any]], namespace: str = "") -> Iterator[Candidate]:
    """Yield the resources, each read; one that names no namespace is in this one."""
    for body in bodies:
        yield _candidate(home_of(body, namespace), body)


def _candidate(key: ObjectKey, body: Mapping[str, Any]) -> Candidate:
    raw, removed = _without_removed(mapping(body.get("spec")))
    findings = tuple(map(_is_no_option, removed))
    try:
        return Candidate(key, body, parse_spec(raw), findings)
    except Invalid as error:
        refusal = Finding(Severity.STOPS, "spec", f"{error.reason}: {error.message}", "correct it before the move")
        return Candidate(key, body, None, (*findings, refusal))


def _is_no_option(where: str) -> Finding:
    what = f"nameTransformer {_REMOVED} is no option, as in the official operator since 1.4.1"
    return Finding(Severity.STOPS, where, what, "take another one, or name the keys by processors")


def _without_removed(raw: Mapping[str, Any]) -> tuple[Mapping[str, Any], list[str]]:
    """Return a spec without the transformer that is no option any more, and where it stood."""
    removed: list[str] = []
    targets = []
    for number, target in enumerate(mappings(raw.get("managedSecretReferences"))):
        where = f"spec.managedSecretReferences[{number}]"
        processors = {
            key: _cleared(mapping(each), f"{where}.processors.{key}", removed)
            for key, each in mapping(target.get("processors")).items()
        }
        cleared = _cleared(target, where, removed)
        targets.append(cleared | {"processors": processors} if processors else cleared)
    return ({**raw, "managedSecretReferences": targets}, removed) if removed else (raw, removed)


def _cleared(fields: Mapping[str, Any], where: str, removed: list[str]) -> dict[str, Any]:
    if fields.get("nameTransformer") != _REMOVED:
        return dict(fields)
    removed.append(f"{where}.nameTransformer")
    return {name: value for name, value in fields.items() if name != "nameTransformer"}
