"""What both operators make of the same entries, rendered side by side."""

from typing import Any

import pytest

from phase_operator.cli.migrating.entries_check import compared
from phase_operator.cli.migrating.findings import Finding, Severity
from phase_operator.cli.migrating.official import Version
from phase_operator.core.values import DynamicKey, Entry, Snapshot
from support.builders import KEY, entry, parsed


def found(*entries: Entry, version: Version = Version.SECOND, **fields: Any) -> list[Finding]:
    return list(compared(KEY, parsed(**fields), Snapshot.of("app", entries), version).findings)


def only(*entries: Entry, version: Version = Version.SECOND, **fields: Any) -> Finding:
    [finding] = found(*entries, version=version, **fields)
    return finding


def test_the_same_keys_are_no_difference() -> None:
    assert found(entry("A"), entry("B", path="/other")) == []


def test_the_objects_that_can_be_made_are_returned() -> None:
    made = compared(KEY, parsed(), Snapshot.of("app", [entry("A")]), Version.SECOND).made

    assert [(str(ref), set(each.keys)) for ref, each in made.items()] == [("Secret team/shop", {"A"})]


def test_keys_by_a_part_of_a_tag_are_lost_in_silence() -> None:
    finding = only(
        entry("A", tags=["db"]), entry("B", tags=["db-main"]), entry("C", tags=["cache"]), phaseAppEnvTag="db"
    )

    assert finding.severity is Severity.BREAKS
    assert 'loses 1 key: "B"' in finding.what
    assert '"db-main"' in finding.cure


@pytest.mark.parametrize("tag", ["DB main", "db_main", "db"])
def test_a_tag_that_is_written_otherwise_selects_nothing_and_stops(tag: str) -> None:
    findings = found(entry("A", tags=["db main"]), phaseAppEnvTag=tag)

    assert [each.severity for each in findings] == [Severity.STOPS, Severity.STOPS]
    assert "NoEntries" in findings[0].what
    assert 'loses 1 key: "A"' in findings[1].what


def test_nothing_for_both_is_an_empty_secret_there() -> None:
    finding = only(entry("A", path="/other"))

    assert (finding.severity, "empty Secret" in finding.cure) == (Severity.DIFFERS, True)


def test_two_entries_of_one_key_stop() -> None:
    finding = only(
        entry("DB_HOST"), entry("db_host"), managedSecretReferences=[{"secretName": "shop", "nameTransformer": "camel"}]
    )

    assert (finding.severity, finding.what.partition(":")[0]) == (Severity.STOPS, "KeyCollision")
    assert '"/DB_HOST" and "/db_host"' in finding.what


@pytest.mark.parametrize(("version", "words"), [(Version.FIRST, "version 1 fails"), (Version.SECOND, "left out there")])
def test_an_empty_value_is_a_key_here(version: Version, words: str) -> None:
    finding = only(entry("A"), entry("EMPTY", ""), version=version)

    assert (finding.severity, words in finding.what, '"EMPTY"' in finding.what) == (Severity.DIFFERS, True, True)


def test_an_unresolved_reference_stops_what_the_first_version_writes() -> None:
    first = only(entry("A", "${MISSING}"), version=Version.FIRST)
    second = only(entry("A", "${MISSING}"), version=Version.SECOND)

    assert (first.severity, second.severity) == (Severity.STOPS, Severity.NOTE)


def test_an_unresolved_reference_under_warn_is_a_note_for_both() -> None:
    for version in Version:
        assert only(entry("A", "${MISSING}"), version=version, onSecretReferenceError="Warn").severity is Severity.NOTE


def test_a_value_that_is_no_base64_stops() -> None:
    processors = {"A": {"type": "base64"}}

    finding = only(entry("A", "!!!"), managedSecretReferences=[{"secretName": "shop", "processors": processors}])

    assert (finding.severity, finding.what.partition(":")[0]) == (Severity.STOPS, "ValueInvalid")


def test_data_that_do_not_fit_the_type_stop() -> None:
    finding = only(entry("A"), managedSecretReferences=[{"secretName": "shop", "secretType": "kubernetes.io/tls"}])

    assert finding.what.partition(":")[0] == "TypeMismatch"


def test_dynamic_secrets_of_the_folder_are_named() -> None:
    held = Snapshot.of("app", [entry("A")], dynamic=[DynamicKey("DB_USER"), DynamicKey("X", "/other")])

    [finding] = compared(KEY, parsed(), held, Version.SECOND).findings

    assert (finding.severity, '"DB_USER"' in finding.what, '"X"' in finding.what) == (Severity.DIFFERS, True, False)


def test_fields_that_are_new_lose_keys_too() -> None:
    finding = only(entry("A"), entry("B"), keys={"exclude": ["B"]})

    assert (finding.severity, '"B"' in finding.what) == (Severity.BREAKS, True)


def test_each_target_is_compared_by_itself() -> None:
    processors = {"A": {"type": "base64"}}
    targets = [{"secretName": "one", "processors": processors}, {"secretName": "two"}]

    finding = only(entry("A", "!!!"), managedSecretReferences=targets)

    assert finding.where == "Secret team/one"


def test_no_finding_holds_a_value() -> None:
    secret = "a-long-secret-value"
    fields = {"managedSecretReferences": [{"secretName": "shop", "processors": {"A": {"type": "base64"}}}]}

    findings = found(entry("A", f"{secret}!"), entry("B", f"${{{secret}}}"), version=Version.FIRST, **fields)

    assert len(findings) == 2
    assert secret not in " ".join(each.sentence for each in findings)


def test_keys_of_a_hostile_app_are_safe_to_print() -> None:
    finding = only(entry("A"), entry("B\x1b[31m\n", tags=["db-main"]), entry("C", tags=["db"]), phaseAppEnvTag="db")

    assert finding.sentence.isprintable()
