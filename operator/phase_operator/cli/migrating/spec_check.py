"""What differs from the official operator as far as a PhaseSecret and the operator's settings show, without Phase.

Rule: each check reports one line of the table in docs/migration.md. What depends on what Phase holds is not guessed:
`unjudged` names it.
"""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence

from phase_operator.api import names
from phase_operator.api.v1alpha1 import PhaseSecretSpec
from phase_operator.api.v1alpha1.phasesecret import (
    ManagedSecretReference,
    OnSecretReferenceError,
    ProcessorType,
)
from phase_operator.cli.migrating.candidates import Candidate
from phase_operator.cli.migrating.findings import Finding, Severity
from phase_operator.cli.migrating.official import SECOND_ALONE, SPEC_FIELDS, TARGET_FIELDS, Version
from phase_operator.core.access.grants import Use
from phase_operator.core.access.tenancy import Tenancy, check_targets, host_refusal, reach_refusal
from phase_operator.core.content.template import compile_template
from phase_operator.core.errors import Invalid
from phase_operator.core.json_access import mappings, strings
from phase_operator.core.refs import TargetRef
from phase_operator.core.rollout.followers import check_selectors
from phase_operator.core.source.query import ask_of
from phase_operator.core.targets.policy import declared_targets
from phase_operator.core.targets.reserved import is_reserved
from phase_operator.core.targets.secret import IMPERSONATION
from phase_operator.core.text import clean, clean_listing

_TEMPLATE_MARKS = ("{{", "{%", "{#")
_Check = Callable[[Candidate, PhaseSecretSpec, Version, Tenancy], Iterator[Finding]]


def of_spec(candidate: Candidate, version: Version, tenancy: Tenancy) -> list[Finding]:
    """Return what one resource shows; `tenancy` is what this operator's settings allow."""
    found = list(candidate.findings)
    if candidate.spec is not None:
        for check in _CHECKS:
            found += check(candidate, candidate.spec, version, tenancy)
    return found


def of_all(every: Sequence[Candidate]) -> dict[TargetRef, Sequence[Candidate]]:
    """Return the Secrets that more than one resource names, with these resources."""
    named: dict[TargetRef, list[Candidate]] = {}
    for candidate in every:
        for ref, _ in candidate.targets:
            named.setdefault(ref, []).append(candidate)
    return {ref: users for ref, users in named.items() if len({each.key for each in users}) > 1}


def contested(
    candidate: Candidate, shared: Mapping[TargetRef, Sequence[Candidate]], tenancy: Tenancy
) -> Iterator[Finding]:
    """Yield the Secrets that another resource names too, and may write by these settings."""
    for ref, users in shared.items():
        place = ref.key.namespace
        rivals = [each.key for each in users if each.key != candidate.key]
        others = sorted(
            {str(key) for key in rivals if not reach_refusal(tenancy, Use.TARGET, key.namespace, {}, place)}
        )
        if others and any(each.key == candidate.key for each in users):
            what = f"TargetConflict: PhaseSecret {clean_listing(others)} names it too; there one overwrites the other"
            cure = "leave it to one, or let each have keys by creationPolicy: Merge"
            yield Finding(Severity.STOPS, clean(str(ref)), what, cure)


def unjudged_names(spec: PhaseSecretSpec) -> list[str]:
    """Return what only the lists of apps and environments can tell."""
    app = ["whether phaseApp is the whole name of an app"] if spec.phase_app_id is None else []
    return [*app, "whether phaseAppEnv is the whole name of an environment, and no other holds it"]


def unjudged(spec: PhaseSecretSpec, version: Version) -> list[str]:
    """Return what only Phase can tell about a resource."""
    found = unjudged_names(spec)
    if spec.phase_app_env_tag is not None:
        found.append("which entries phaseAppEnvTag selects: it is the whole tag here, and part of one there")
    found.append("keys that collide, empty values, dynamic secrets, and whether the data fit secretType")
    if version is Version.FIRST and spec.on_secret_reference_error is not OnSecretReferenceError.WARN:
        found.append("whether references ${...} are left unresolved, which version 1 writes as they stand")
    if any(_decodes(target) for target in spec.managed_secret_references):
        found.append("whether the values of processors with type base64 are base64")
    return found


def _decodes(target: ManagedSecretReference) -> bool:
    return any(each.type is ProcessorType.BASE64 for each in target.processors.values())


def _other_namespaces(candidate: Candidate, spec: PhaseSecretSpec, _: Version, tenancy: Tenancy) -> Iterator[Finding]:
    own = candidate.key.namespace
    try:
        ask = ask_of(spec, own)
    except Invalid as error:
        yield Finding(Severity.STOPS, "spec", f"{error.reason}: {error.message}")
        return
    if why := reach_refusal(tenancy, Use.TOKEN, own, {}, ask.token_key.namespace):
        yield Finding(
            Severity.STOPS, "spec.authentication", f"CrossNamespaceRefused: token Secret {ask.token_key}: {why}"
        )
    if why := host_refusal(tenancy, ask.base_url, foreign=ask.foreign):
        yield Finding(Severity.STOPS, "spec.phaseHost", f"HostRefused: {why}")
    for ref, __ in candidate.targets:
        if why := reach_refusal(tenancy, Use.TARGET, own, {}, ref.key.namespace):
            cure = "a Secret that is there already needs what=target+adopt, or the mark of `migrate adopt`"
            yield Finding(Severity.STOPS, str(ref), f"CrossNamespaceRefused: {why}", cure)


def _targets(candidate: Candidate, spec: PhaseSecretSpec, _: Version, __: Tenancy) -> Iterator[Finding]:
    own = candidate.key.namespace
    try:
        check_targets(declared_targets(spec, own), ask_of(spec, own).token_key)
    except Invalid as error:
        yield Finding(Severity.STOPS, "spec.managedSecretReferences", f"{error.reason}: {error.message}")


def _types(candidate: Candidate, _: PhaseSecretSpec, __: Version, tenancy: Tenancy) -> Iterator[Finding]:
    for ref, target in candidate.targets:
        if target.secret_type in IMPERSONATION and not tenancy.impersonation:
            what = f"TypeNotSupported: secretType {target.secret_type} lets its holder act as another user"
            cure = "an administrator allows it by --allow-impersonation-types"
            yield Finding(Severity.STOPS, str(ref), what, cure)


def _templates(candidate: Candidate, _: PhaseSecretSpec, __: Version, ___: Tenancy) -> Iterator[Finding]:
    for ref, target in candidate.targets:
        where, wanted = str(ref), target.template.metadata
        left_out = sorted(filter(is_reserved, {**wanted.labels, **wanted.annotations}))
        if left_out:
            what = (
                f"labels and annotations by which tools know their own objects are left out: {clean_listing(left_out)}"
            )
            yield Finding(Severity.DIFFERS, where, what)
        for field, texts in (("labels", wanted.labels), ("annotations", wanted.annotations)):
            for key, value in texts.items():
                yield from _template(where, f'template.metadata.{field}["{clean(key)}"]', value)


def _template(where: str, field: str, value: str) -> Iterator[Finding]:
    if not any(mark in value for mark in _TEMPLATE_MARKS):
        return
    try:
        compile_template(value, field)
    except Invalid as error:
        yield Finding(
            Severity.STOPS, where, f"{error.reason}: {error.message}", "the official operator copies it as it stands"
        )
    else:
        yield Finding(
            Severity.DIFFERS, where, f"{field} is a template here; the official operator copies it as it stands"
        )


def _one_name(candidate: Candidate, _: PhaseSecretSpec, __: Version, ___: Tenancy) -> Iterator[Finding]:
    for ref, target in candidate.targets:
        counts = Counter(each.as_name for each in target.processors.values() if each.as_name is not None)
        twice = [name for name, count in counts.items() if count > 1]
        if twice:
            what = f"KeyCollision, if Phase has their entries: several processors say asName {clean_listing(twice)}"
            cure = "the official operator lets one win; give each a name of its own"
            yield Finding(Severity.STOPS, str(ref), what, cure)


def _new_fields(candidate: Candidate, _: PhaseSecretSpec, version: Version, __: Tenancy) -> Iterator[Finding]:
    """Yield the fields that the official operator does not know: they take effect with the move."""
    known = (SPEC_FIELDS, TARGET_FIELDS)
    spec_fields, target_fields = (each - SECOND_ALONE if version is Version.FIRST else each for each in known)
    news = sorted(candidate.raw.keys() - spec_fields)
    for number, target in enumerate(mappings(candidate.raw.get("managedSecretReferences"))):
        news += [f"managedSecretReferences[{number}].{name}" for name in sorted(target.keys() - target_fields)]
    if news:
        what = f"{_version(version)} does not know these fields, which take effect here: {clean_listing(news)}"
        yield Finding(Severity.DIFFERS, "spec", what)


def _version(version: Version) -> str:
    return "version 1 of the official operator" if version is Version.FIRST else "the official operator"


def _restarts(_: Candidate, spec: PhaseSecretSpec, version: Version, __: Tenancy) -> Iterator[Finding]:
    try:
        check_selectors(spec)
    except Invalid as error:
        yield Finding(Severity.STOPS, "spec.redeployLabelSelector", f"{error.reason}: {error.message}")
        return
    if spec.redeploy_label_selector is not None and version is Version.SECOND:
        what = "it narrows StatefulSets, DaemonSets, CronJobs and Rollouts too, in the namespaces of the targets"
        yield Finding(Severity.NOTE, "spec.redeployLabelSelector", what)


def _polling(_: Candidate, spec: PhaseSecretSpec, __: Version, ___: Tenancy) -> Iterator[Finding]:
    if spec.polling_interval is not None:
        what = f"every {spec.polling_interval} s Phase is asked once for all resources of an app, and not for each"
        yield Finding(Severity.NOTE, "spec.pollingInterval", what)


def _finalizer(candidate: Candidate, _: PhaseSecretSpec, __: Version, ___: Tenancy) -> Iterator[Finding]:
    if names.LEGACY_FINALIZER in strings(candidate.metadata.get("finalizers")):
        yield Finding(Severity.NOTE, "metadata.finalizers", f"{names.LEGACY_FINALIZER} is taken away, and nothing else")


_CHECKS: tuple[_Check, ...] = (
    _other_namespaces,
    _targets,
    _types,
    _templates,
    _one_name,
    _new_fields,
    _restarts,
    _polling,
    _finalizer,
)
