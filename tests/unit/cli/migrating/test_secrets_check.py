from typing import Any

from phase_operator.cli.migrating.entries_check import compared
from phase_operator.cli.migrating.findings import Finding, Severity
from phase_operator.cli.migrating.official import Version
from phase_operator.cli.migrating.secrets_check import of_secret
from phase_operator.core.targets.observed import observe
from phase_operator.core.values import Snapshot
from support.builders import KEY, entry, parsed, secret_ref

REF = secret_ref()


def metadata(manager: str, *keys: str, operation: str = "Update", **fields: Any) -> dict[str, Any]:
    managed = {"manager": manager, "operation": operation, "fieldsV1": {"f:data": {f"f:{key}": {} for key in keys}}}
    return {"uid": "1", "resourceVersion": "7", "managedFields": [managed], **fields}


def found(metadata: dict[str, Any], *keys: str) -> list[Finding]:
    held = Snapshot.of("app", map(entry, keys))
    made = compared(KEY, parsed(), held, Version.SECOND).made if keys else {}
    return list(of_secret(KEY, REF, observe(metadata), made.get(REF)))


def test_a_secret_of_the_official_operator_is_taken_over() -> None:
    assert found(metadata("OpenAPI-Generator", "A"), "A", "B") == []


def test_a_key_that_phase_does_not_have_keeps_it_from_that() -> None:
    [finding] = found(metadata("manager", "A", "OLD"), "A")

    assert (finding.severity, finding.what.partition(":")[0]) == (Severity.STOPS, "TargetConflict")
    assert '"OLD"' in finding.cure


def test_a_secret_of_others_stops() -> None:
    [finding] = found(metadata("helm", "A"), "A")

    assert (finding.severity, "helm" in finding.what) == (Severity.STOPS, True)


def test_a_secret_that_was_handed_over_loses_keys_in_silence() -> None:
    [finding] = found(metadata("kubectl", "A", "OLD", annotations={"secrets.phase.dev/owner": str(KEY)}), "A")

    assert (finding.severity, '"OLD"' in finding.what) == (Severity.BREAKS, True)


def test_without_phase_a_secret_of_others_stops_and_an_official_one_may_be_taken() -> None:
    assert found(metadata("manager", "A")) == []
    [finding] = found(metadata("helm", "A"))
    assert (finding.severity, "helm" in finding.what) == (Severity.STOPS, True)


def test_without_phase_the_mark_of_another_stops() -> None:
    [finding] = found(metadata("manager", "A", annotations={"secrets.phase.dev/owner": "team/other"}))

    assert "team/other" in finding.what
