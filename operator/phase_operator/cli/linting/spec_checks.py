"""What the operator refuses in a spec that the API server accepts, and what it would do without some of.

Rule: the operator's own functions judge. What depends on its settings or on the cluster is a warning at most.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

from phase_operator.api import names
from phase_operator.api.v1alpha1 import PhaseDynamicSecretSpec, PhasePushSecretSpec, PhaseSecretSpec
from phase_operator.api.v1alpha1.phasesecret import ManagedSecretReference, TargetFields
from phase_operator.cli.common.desired import field_of
from phase_operator.cli.common.yaml_lines import FieldPath
from phase_operator.cli.linting.findings import Finding, Level
from phase_operator.core.access.default_host import with_host
from phase_operator.core.access.grants import Use
from phase_operator.core.access.tenancy import Tenancy, check_targets, host_refusal, push_refusal
from phase_operator.core.content.template import compile_template
from phase_operator.core.errors import ExpectedError, Invalid
from phase_operator.core.leases.lowered import lowered as lowered_lease
from phase_operator.core.push.spec import check_token, push_spec
from phase_operator.core.push.spec import lowered as lowered_push
from phase_operator.core.rollout.followers import check_selectors
from phase_operator.core.source.folders import folders
from phase_operator.core.source.query import Ask, ask_of, source_query
from phase_operator.core.targets.available import asked_in_vain
from phase_operator.core.targets.policy import declared_targets, spec_targets
from phase_operator.core.targets.rendering import renderings
from phase_operator.core.targets.secret import IMPERSONATION, check_service_account
from phase_operator.reconcile.context import parsed

# No namespace has this name: a file often leaves its namespace to whoever applies it.
_UNKNOWN = "?"
_NO_KEY = bytes(32)


@dataclass(frozen=True, slots=True)
class _Subject:
    """The part of a resource that names targets, and the namespace that it is in."""

    spec: PhaseSecretSpec
    namespace: str
    # What is known of the operator's settings.
    tenancy: Tenancy
    # What a grant has to allow if the token is in another namespace.
    token_for: Use = Use.TOKEN

    @property
    def targets(self) -> Iterator[tuple[FieldPath, TargetFields]]:
        """The targets, each with where it is in the spec."""
        secrets, config_maps = names.TARGET_FIELDS
        for number, secret in enumerate(self.spec.managed_secret_references):
            yield ("spec", secrets, number), secret
        for number, config_map in enumerate(self.spec.managed_config_map_references):
            yield ("spec", config_maps, number), config_map


def spec_findings(
    kind: str, spec: Mapping[str, Any], namespace: str, default_host: str | None = None
) -> Iterator[Finding]:
    """Yield what the operator would say of a spec that the CRD accepts; the namespace may be "" for not known."""
    tenancy = Tenancy(default_host=default_host or names.DEFAULT_HOST)
    try:
        yield from _CHECKS[kind](spec, namespace or _UNKNOWN, tenancy)
    except ExpectedError as error:
        yield _finding(error)


def _of_phase_secret(spec: Mapping[str, Any], namespace: str, tenancy: Tenancy) -> Iterator[Finding]:
    yield from _of_targets(_Subject(_placed(spec, tenancy), namespace, tenancy))


def _of_dynamic_secret(spec: Mapping[str, Any], namespace: str, tenancy: Tenancy) -> Iterator[Finding]:
    parsed(PhaseDynamicSecretSpec, spec)
    yield from _of_targets(_Subject(_placed(lowered_lease(spec), tenancy), namespace, tenancy))


def _of_push_secret(spec: Mapping[str, Any], namespace: str, tenancy: Tenancy) -> Iterator[Finding]:
    push = push_spec(parsed(PhasePushSecretSpec, spec))
    place = _Subject(_placed(lowered_push(spec), tenancy), namespace, tenancy, Use.PUSH)
    ask = ask_of(place.spec, namespace)
    yield from _tried(partial(source_query, ask, ""), partial(check_token, push, namespace, ask.token_key))
    yield from _of_reach(place, ask)
    if why := push_refusal(tenancy, ask.base_url):
        yield Finding(("spec", "phaseHost"), why, Level.WARNING)


def _placed(spec: Mapping[str, Any], tenancy: Tenancy) -> PhaseSecretSpec:
    """Parse a spec, and name the host at which it is asked."""
    return with_host(parsed(PhaseSecretSpec, spec), tenancy.default_host)


_CHECKS: Mapping[str, Callable[[Mapping[str, Any], str, Tenancy], Iterator[Finding]]] = {
    names.KIND_PHASE_SECRET: _of_phase_secret,
    names.KIND_PHASE_DYNAMIC_SECRET: _of_dynamic_secret,
    names.KIND_PHASE_PUSH_SECRET: _of_push_secret,
}


def _of_targets(subject: _Subject) -> Iterator[Finding]:
    ask = ask_of(subject.spec, subject.namespace)
    targets = declared_targets(subject.spec, subject.namespace)
    yield from _tried(
        partial(source_query, ask, ""),
        partial(check_targets, targets, ask.token_key),
        partial(folders, subject.spec),
        partial(check_selectors, subject.spec),
    )
    for path, target in subject.targets:
        yield from _of_templates(path, target)
        if isinstance(target, ManagedSecretReference):
            yield from _of_type(path, target)
    yield from _in_vain(subject)
    yield from _of_reach(subject, ask)


def _of_templates(path: FieldPath, target: TargetFields) -> Iterator[Finding]:
    metadata = target.template.metadata
    for field, texts in (
        (("data",), target.template.data),
        (("metadata", "labels"), metadata.labels),
        (("metadata", "annotations"), metadata.annotations),
    ):
        for key, text in texts.items():
            yield from _tried(partial(compile_template, text), at=(*path, "template", *field, key))


def _of_type(path: FieldPath, target: ManagedSecretReference) -> Iterator[Finding]:
    yield from _tried(partial(check_service_account, target), at=(*path, "secretType"))
    if target.secret_type in IMPERSONATION:
        message = "a Secret of this type lets its holder act as another user: the operator needs "
        yield Finding((*path, "secretType"), f"{message}--allow-impersonation-types", Level.WARNING)


def _in_vain(subject: _Subject) -> Iterator[Finding]:
    """Yield what a target asks for and does not get, whatever Phase answers."""
    made = renderings(subject.spec, subject.namespace, (), _NO_KEY)
    for (path, _), rendering in zip(subject.targets, made, strict=True):
        for message in asked_in_vain(rendering):
            yield Finding((*path, "template"), message, Level.WARNING)


def _of_reach(subject: _Subject, ask: Ask) -> Iterator[Finding]:
    """Yield what the operator allows only by its settings: other namespaces, and hosts for their tokens."""
    if subject.namespace == _UNKNOWN:
        return
    token = ("spec", "authentication", "serviceToken", "serviceTokenSecretReference", "secretNamespace")
    if ask.foreign:
        yield _ungranted(subject, token, ask.token_key.namespace, subject.token_for)
    if why := host_refusal(subject.tenancy, ask.base_url, foreign=ask.foreign):
        yield Finding(("spec", "phaseHost"), why, Level.WARNING)
    for (path, _), (ref, _) in zip(subject.targets, spec_targets(subject.spec, subject.namespace), strict=True):
        if ref.key.namespace != subject.namespace:
            yield _ungranted(subject, path, ref.key.namespace, Use.TARGET)


def _ungranted(subject: _Subject, path: FieldPath, to: str, use: Use) -> Finding:
    grant = f"--grant from={subject.namespace},to={to},what={use.granted}"
    return Finding(path, f"another namespace than the resource's own: the operator needs {grant}", Level.WARNING)


def _tried(*checks: Callable[[], object], at: FieldPath | None = None) -> Iterator[Finding]:
    """Yield what checks of the operator raise; `at` is where that is, if they do not say so themselves."""
    for check in checks:
        try:
            check()
        except Invalid as error:
            yield _finding(error) if at is None else Finding(at, f"{error.reason}: {error.message}")


def _finding(error: ExpectedError) -> Finding:
    """Return what the operator says as a finding, in the field with which its message begins."""
    path = field_of(error.message)
    message = error.message.partition(": ")[2] if path else error.message
    return Finding(path or ("spec",), f"{error.reason}: {message}")
