"""Each line of the table in docs/migration.md that a resource alone shows."""

from typing import Any

import pytest

from phase_operator.cli.migrating.candidates import Candidate, candidates, is_phase_secret
from phase_operator.cli.migrating.findings import Finding, Severity
from phase_operator.cli.migrating.official import Version
from phase_operator.cli.migrating.spec_check import contested, of_all, of_spec, unjudged
from phase_operator.core.access.grants import parse_grant
from phase_operator.core.access.hosts import parse_host
from phase_operator.core.access.tenancy import Tenancy
from support.builders import phase_secret, spec

TARGET = {"secretName": "shop"}
NO_SETTINGS = Tenancy()


def candidate(**fields: Any) -> Candidate:
    [found] = candidates([phase_secret(**fields)])
    return found


def found(version: Version = Version.SECOND, tenancy: Tenancy = NO_SETTINGS, **fields: Any) -> list[Finding]:
    return of_spec(candidate(**fields), version, tenancy)


def only(**fields: Any) -> Finding:
    [finding] = found(**fields)
    return finding


def test_a_resource_that_says_nothing_special_is_the_same() -> None:
    assert found() == []


@pytest.mark.parametrize("version", Version)
def test_the_resource_of_the_official_documentation_is_the_same(version: Version) -> None:
    reference = {"secretName": "phase-service-token", "secretNamespace": "team"}
    target = {
        "secretName": "shop",
        "secretNamespace": "team",
        "secretType": "Opaque",
        "nameTransformer": "camel",
        "processors": {"A": {"asName": "a", "nameTransformer": "camel", "type": "plain"}},
    }

    findings = found(
        version,
        phaseAppEnv="production",
        phaseAppEnvPath="/",
        pollingInterval=60,
        authentication={"serviceToken": {"serviceTokenSecretReference": reference}},
        managedSecretReferences=[target],
    )

    assert [each.severity for each in findings] == [Severity.NOTE]


def test_a_target_elsewhere_needs_a_grant() -> None:
    target = TARGET | {"secretNamespace": "web"}

    finding = only(managedSecretReferences=[target])

    assert (finding.severity, finding.where) == (Severity.STOPS, "Secret web/shop")
    assert "from=team,to=web,what=target" in finding.what
    assert (
        found(tenancy=Tenancy((parse_grant("from=team,to=web,what=target"),)), managedSecretReferences=[target]) == []
    )


def test_a_token_elsewhere_needs_a_grant_and_a_host_that_is_allowed() -> None:
    reference = {"serviceToken": {"serviceTokenSecretReference": {"secretNamespace": "default"}}}

    findings = found(authentication=reference)

    assert [each.what.partition(":")[0] for each in findings] == ["CrossNamespaceRefused", "HostRefused"]
    allowed = Tenancy((parse_grant("from=*,to=default,what=token"),), (parse_host("https://phase.example"),))
    assert found(tenancy=allowed, authentication=reference) == []


@pytest.mark.parametrize("kind", ["kubernetes.io/service-account-token", "bootstrap.kubernetes.io/token"])
def test_a_type_that_impersonates_is_refused(kind: str) -> None:
    targets = [TARGET | {"secretType": kind}]

    assert only(managedSecretReferences=targets).what.startswith("TypeNotSupported")
    assert found(tenancy=Tenancy(impersonation=True), managedSecretReferences=targets) == []


def test_a_reserved_label_is_left_out() -> None:
    labels = {"app.kubernetes.io/managed-by": "Helm", "team": "shop"}

    finding = only(managedSecretReferences=[TARGET | {"template": {"metadata": {"labels": labels}}}])

    assert (finding.severity, "team" in finding.what) == (Severity.DIFFERS, False)


@pytest.mark.parametrize(
    ("text", "severity"), [("{{ DB_HOST }}", Severity.DIFFERS), ("{{ range . }}", Severity.STOPS), ("{", None)]
)
def test_a_text_with_braces_is_a_template(text: str, severity: Severity | None) -> None:
    metadata = {"annotations": {"example.com/text": text}}

    findings = found(managedSecretReferences=[TARGET | {"template": {"metadata": metadata}}])

    assert [each.severity for each in findings] == ([] if severity is None else [severity])


def test_a_transformer_that_is_gone_stops_and_the_rest_is_judged() -> None:
    processors = {"A": {"nameTransformer": "dotnet-env", "asName": "x"}, "B": {"asName": "x"}}

    findings = found(managedSecretReferences=[TARGET | {"nameTransformer": "dotnet-env", "processors": processors}])

    assert [each.where for each in findings] == [
        "spec.managedSecretReferences[0].processors.A.nameTransformer",
        "spec.managedSecretReferences[0].nameTransformer",
        "Secret team/shop",
    ]
    assert {each.severity for each in findings} == {Severity.STOPS}


def test_two_processors_of_one_name_may_collide() -> None:
    processors = {"A": {"asName": "x"}, "B": {"asName": "x"}, "C": {"asName": "y"}}

    finding = only(managedSecretReferences=[TARGET | {"processors": processors}])

    assert (finding.severity, '"x"' in finding.what, '"y"' in finding.what) == (Severity.STOPS, True, False)


def test_a_target_that_is_the_token_stops() -> None:
    assert only(managedSecretReferences=[{"secretName": "phase-service-token"}]).severity is Severity.STOPS


def test_a_selector_that_kubectl_refuses_stops() -> None:
    assert only(redeployLabelSelector="tier in").severity is Severity.STOPS


def test_a_field_that_is_new_takes_effect() -> None:
    finding = only(recursive=True, managedSecretReferences=[TARGET | {"prefix": "DB_"}])

    assert finding.severity is Severity.DIFFERS
    assert '"managedSecretReferences[0].prefix", "recursive"' in finding.what


def test_a_field_of_the_second_version_is_new_to_the_first() -> None:
    [finding] = found(Version.FIRST, onSecretReferenceError="Warn")

    assert "onSecretReferenceError" in finding.what
    assert found(Version.SECOND, onSecretReferenceError="Warn") == []


def test_the_finalizer_of_the_first_version_is_a_note() -> None:
    body = phase_secret(finalizers=["kopf.zalando.org/KopfFinalizerMarker"])

    [finding] = of_spec(next(candidates([body])), Version.FIRST, Tenancy())

    assert finding.severity is Severity.NOTE


@pytest.mark.parametrize(
    "fields", [{"pollingInterval": 1}, {"managedSecretReferences": "x"}, {"phaseHost": "phase"}, {"phaseAppEnv": 5}]
)
def test_a_spec_that_is_not_valid_here_stops(fields: dict[str, Any]) -> None:
    finding = only(**fields)

    assert (finding.severity, finding.what.partition(":")[0]) == (Severity.STOPS, "InvalidSpec")


def test_two_resources_of_one_secret_are_both_named() -> None:
    every = list(candidates([phase_secret(), {"metadata": {"namespace": "team", "name": "other"}, "spec": spec()}]))

    shared = of_all(every)

    for each, other in zip(every, reversed(every), strict=True):
        [finding] = contested(each, shared, NO_SETTINGS)
        assert (finding.severity, f'"{other.key}"' in finding.what) == (Severity.STOPS, True)


def test_secrets_of_the_same_name_elsewhere_are_not_contested() -> None:
    elsewhere = {"metadata": {"namespace": "web", "name": "shop"}, "spec": spec()}

    assert of_all(list(candidates([phase_secret(), elsewhere]))) == {}


def test_a_point_that_phase_alone_can_tell_is_named() -> None:
    made = candidate(
        phaseAppEnvTag="db",
        managedSecretReferences=[TARGET | {"processors": {"A": {"type": "base64"}}}],
    )
    assert made.spec is not None

    first, second = (" ".join(unjudged(made.spec, version)) for version in Version)

    for word in ("phaseApp ", "phaseAppEnv ", "phaseAppEnvTag", "collide", "base64"):
        assert word in first
        assert word in second
    assert ("${...}" in first, "${...}" in second) == (True, False)


def test_other_kinds_are_no_phase_secrets() -> None:
    assert is_phase_secret({"apiVersion": "secrets.phase.dev/v1alpha1", "kind": "PhaseSecret"})
    assert not is_phase_secret({"apiVersion": "example.com/v1", "kind": "PhaseSecret"})
    assert not is_phase_secret({"kind": 5})


def test_a_resource_of_another_namespace_contests_only_with_a_grant() -> None:
    target = {"secretName": "shop", "secretNamespace": "team"}
    foreign = {"metadata": {"namespace": "evil", "name": "grab"}, "spec": spec(managedSecretReferences=[target])}
    own, other = candidates([phase_secret(), foreign])
    granted = Tenancy((parse_grant("from=evil,to=team,what=target"),))

    shared = of_all([own, other])

    assert list(contested(own, shared, NO_SETTINGS)) == []
    assert len(list(contested(own, shared, granted))) == 1
    assert len(list(contested(other, shared, NO_SETTINGS))) == 1
