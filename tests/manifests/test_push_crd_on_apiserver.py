"""The CRD of PhasePushSecret as a real API server takes it."""

import json

import pytest

from manifests.crds import apply, changed, established, refusal_of_larger, with_status, wrongly_judged
from manifests.objects import CRD_FILE_PUSH, PUSH_SAMPLES, Object, in_pages
from manifests.push_specs import BAD, GOOD, generating, phase_push_secret
from phase_dev import documents
from phase_dev.cluster import ControlPlane
from phase_operator.core.push.ledger import Ledger, PushPlace, Row, RowState
from phase_operator.core.push.limits import MOST_ENTRIES
from phase_operator.core.push.places import LONGEST_KEY, EntryPlace
from phase_operator.core.push.room import Room
from phase_operator.core.push.sources import SourceState
from support.cluster_fixture import Kubectl
from support.dry_run import PHASE_PUSH_SECRETS, judged
from support.kstatus import KStatus, kstatus

pytestmark = pytest.mark.controlplane

MOMENT = 1_800_000_000.0
AT = PushPlace("https://p", "a", "e")


@pytest.fixture(scope="module")
def crd(kubectl: Kubectl) -> Object:
    """Give the CRD, which the cluster has."""
    return established(kubectl, CRD_FILE_PUSH)


@pytest.fixture
def place(crd: Object, namespace: str) -> str:
    """Give a namespace in a cluster that has the CRD."""
    return namespace


def condition(reason: str, message: str) -> Object:
    since = "2026-01-01T00:00:00Z"
    return {"type": "Ready", "status": "True", "reason": reason, "message": message, "lastTransitionTime": since}


def test_the_api_server_keeps_the_crd_as_it_is(crd: Object, kubectl: Kubectl) -> None:
    stored = json.loads(kubectl("get", "crd", "phasepushsecrets.secrets.phase.dev", "-o", "json").stdout)

    conditions = {each["type"]: each["status"] for each in stored["status"]["conditions"]}
    assert conditions["Established"] == "True"
    assert conditions.get("NonStructuralSchema", "False") == "False"
    assert stored["spec"]["versions"][0] == crd["spec"]["versions"][0]


def test_the_rules_cost_far_less_than_the_budget(crd: Object, kubectl: Kubectl) -> None:
    """With twice the sources and values, a rule that compares each two costs four times as much, and is still taken."""
    assert not refusal_of_larger(kubectl, crd, 2, "sources", "generate")


def test_every_sample_is_kept_as_it_is(crd: Object, control_plane: ControlPlane) -> None:
    samples = {file.stem: documents.load(file.read_text()) for file in PUSH_SAMPLES}

    assert not changed(control_plane, PHASE_PUSH_SECRETS, samples)


def test_the_api_server_keeps_the_examples_of_the_pages_as_they_are(crd: Object, control_plane: ControlPlane) -> None:
    assert not changed(control_plane, PHASE_PUSH_SECRETS, dict(in_pages("PhasePushSecret")))


def test_every_bad_spec_is_refused_with_its_field(crd: Object, control_plane: ControlPlane) -> None:
    bad = {each.what: (phase_push_secret(**each.spec), each.field) for each in BAD}

    assert not wrongly_judged(control_plane, PHASE_PUSH_SECRETS, bad)
    assert len(bad) == len(BAD)


def test_a_refusal_says_what_to_do(crd: Object, control_plane: ControlPlane) -> None:
    one, pair = {"key": "A", "kind": "UUID"}, [{"key": "A", "kind": "SSHKey"}, {"key": "a.pub", "kind": "UUID"}]
    bad: dict[str, Object] = {
        "set phaseApp (the app's name) or phaseAppId": {"phaseApp": ...},
        "name at least one source, or a value to generate": {"sources": []},
        "exactly one of secretName, secretSelector and configMapName": {"sources": [{}]},
        "an empty selector would push every Secret of the namespace": {"sources": [{"secretSelector": ""}]},
        "a Secret is not pushed as config": {"sources": [{"secretName": "a", "type": "config"}]},
        "a Secret is a source twice; name it once": {"sources": [{"secretName": "a"}] * 2},
        "may not be the Secret that holds the Phase token": {"sources": [{"secretName": "phase-service-token"}]},
        "the path of a source is phaseAppEnvPath or a folder below it": {
            "phaseAppEnvPath": "/a",
            "sources": [{"secretName": "a", "path": "/b"}],
        },
        "the name of a folder has at most 64 characters": {"phaseAppEnvPath": f"/a/{'f' * 65}"},
        "generate and generateInto go together": {"generate": [one]},
        "it would be overwritten": generating(one, generateInto="phase-service-token"),
        "is pushed anyway: leave it out of sources": generating(one, sources=[{"secretName": "made"}]),
        "two keys are one in Phase": generating(one, {"key": "a", "kind": "UUID"}),
        "the public half of a key pair, which ends in _PUB": generating(*pair),
        "only a Password has a length": generating(one | {"length": 32}),
        "only a Password has symbols": generating(one | {"symbols": True}),
        "so no value can be rotated: leave rotate out": generating(one | {"rotate": "x"}, updatePolicy="IfNotExists"),
        "onTypeChange has to be Refuse": {"updatePolicy": "IfNotExists", "onTypeChange": "Replace"},
    }

    said = {part: (phase_push_secret(**spec), part) for part, spec in bad.items()}
    assert not wrongly_judged(control_plane, PHASE_PUSH_SECRETS, said)


def test_every_rule_of_the_crd_has_a_bad_spec_that_it_refuses(crd: Object, control_plane: ControlPlane) -> None:
    schema = crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["spec"]

    answers = judged(control_plane, PHASE_PUSH_SECRETS, {each.what: phase_push_secret(**each.spec) for each in BAD})

    told = "\n".join(answer.json()["message"] for answer in answers.values())
    assert [message for message in messages(schema) if message not in told] == []


def messages(schema: Object) -> set[str]:
    """Return the messages of all rules in a schema."""
    found = {rule["message"] for rule in schema.get("x-kubernetes-validations", ())}
    parts = [schema.get("items"), schema.get("additionalProperties"), *schema.get("properties", {}).values()]
    return found.union(*(messages(part) for part in parts if isinstance(part, dict)))


def test_every_good_spec_is_kept_as_it_is(crd: Object, control_plane: ControlPlane) -> None:
    good = {each.what: phase_push_secret(**each.spec) for each in GOOD}

    assert not changed(control_plane, PHASE_PUSH_SECRETS, good)
    assert len(good) == len(GOOD)


def test_a_new_resource_is_not_looked_at_yet(place: str, kubectl: Kubectl) -> None:
    stored = apply(kubectl, place, phase_push_secret())

    assert stored["status"] == {"observedGeneration": -1}
    assert kstatus(stored) is KStatus.IN_PROGRESS


def test_a_ledger_is_read_as_it_was_written(place: str, kubectl: Kubectl) -> None:
    apply(kubectl, place, phase_push_secret())
    source = SourceState("Secret/db", "88121")
    rows = [
        Row(EntryPlace("/cluster", "ADDED"), RowState.ADDING, source, attempt="5e1b09c2", announced_at=MOMENT),
        Row(EntryPlace("/cluster", "MADE"), RowState.MADE, source, "36fc", 3, unclear_until=MOMENT),
        Row(EntryPlace("/", "CHANGED"), RowState.CHANGING, source, "36fd", 2, attempt="0", announced_at=MOMENT),
        Row(EntryPlace("/", "SEALED"), RowState.REPLACING, source, "36fe", 1, is_sealed=True),
        Row(EntryPlace("/", "UNKNOWN"), RowState.MADE, SourceState("", ""), "36ff"),
    ]
    ledger = Ledger(AT).with_rows(rows)

    stored = with_status(kubectl, place, "pps/one", {"observedGeneration": 1} | ledger.document())

    assert Ledger.read(stored) == ledger


def test_a_status_takes_a_row_for_each_entry_that_one_resource_pushes(place: str, kubectl: Kubectl) -> None:
    apply(kubectl, place, phase_push_secret())
    source = SourceState(f"Secret/{'s' * 60}", "1234567890")
    places = [EntryPlace(f"/cluster/{'s' * 60}", f"{'K' * 60}{number}") for number in range(MOST_ENTRIES)]
    rows = [Row(each, RowState.MADE, source, "36fc0000-0000-4000-8000-000000000000", 3) for each in places]
    status = {"observedGeneration": 1} | Ledger(AT).with_rows(rows).document()

    assert with_status(kubectl, place, "pps/one", status) == status


@pytest.mark.parametrize("letter", ["a", "<", "ü", "\N{PILE OF POO}"])
def test_a_status_takes_a_ledger_without_any_room_left(letter: str, place: str, kubectl: Kubectl) -> None:
    """A write that etcd refuses would end all pushing; beside it stand the most sources, and the longest message."""
    apply(kubectl, place, phase_push_secret())
    room, rows = Room(), []
    source = SourceState(f"Secret/{'s' * 253}", "9" * 20)
    for number in range(2 * MOST_ENTRIES):
        here = EntryPlace(f"/{letter * 200}", f"{letter * 200}{number}")
        if room.takes(here, source.name):
            rows.append(Row(here, RowState.REPLACING, source, "i" * 36, 2**31, True, "5e1b09c2", MOMENT, MOMENT))
    assert 100 < len(rows) < 2 * MOST_ENTRIES
    status = {
        "observedGeneration": 1,
        "conditions": [condition("EntryConflict", letter * 1000)],
        "sources": [{"kind": "Secret", "name": "s" * 253, "resourceVersion": "9" * 20, "entries": 1000}] * 100,
    } | Ledger(AT).with_rows(rows).document()

    stored = with_status(kubectl, place, "pps/one", status)

    assert stored == status
    assert Ledger.read(stored).rows.keys() == {each.place for each in rows}


def test_a_status_takes_the_longest_row_and_the_most_sources(place: str, kubectl: Kubectl) -> None:
    apply(kubectl, place, phase_push_secret())
    at = PushPlace(f"https://{'h' * 2040}/service/public", "a" * 64, "e" * 253)
    longest = EntryPlace("/" + "f" * 766, "\N{PILE OF POO}" * LONGEST_KEY)
    source = SourceState(f"ConfigMap/{'s' * 253}", "9" * 64)
    row = Row(longest, RowState.REPLACING, source, "i" * 64, 2**62, True, "5e1b09c2", MOMENT, MOMENT)
    status = {
        "observedGeneration": 1,
        "conditions": [condition("EntryConflict", "\N{PILE OF POO}" * 1000)],
        "sources": [{"kind": "ConfigMap", "name": "s" * 253, "resourceVersion": "9" * 20, "entries": 1000}] * 100,
        "entriesInStep": 0,
        "source": {"appId": "a" * 64, "environment": "e" * 253, "path": "/" + "f" * 512, "entries": 1},
        "lastSyncedTime": "2026-01-01T00:00:00Z",
        "lastForcedSync": "f" * 256,
    } | Ledger(at).with_rows([row]).document()

    assert with_status(kubectl, place, "pps/one", status) == status


def test_kubectl_shows_the_columns(place: str, kubectl: Kubectl) -> None:
    apply(kubectl, place, phase_push_secret(phaseAppEnv="staging"))
    ready = condition("Synced", "9 entries are in step")
    with_status(kubectl, place, "pps/one", {"observedGeneration": 1, "conditions": [ready], "entriesInStep": 9})

    header, row = kubectl("-n", place, "get", "pps").stdout.splitlines()
    wide = kubectl("-n", place, "get", "pps", "-o", "wide").stdout.splitlines()[0]

    assert header.split() == ["NAME", "APP", "ENV", "READY", "REASON", "ENTRIES", "CHANGED", "AGE"]
    assert row.split()[:6] == ["one", "shop", "staging", "True", "Synced", "9"]
    assert wide.split()[-2:] == ["PATH", "MESSAGE"]


def test_kubectl_finds_them_by_app_and_category(place: str, kubectl: Kubectl) -> None:
    apply(kubectl, place, phase_push_secret("one"))
    apply(kubectl, place, phase_push_secret("two", phaseApp="other"))

    found = kubectl("-n", place, "get", "pps", "-o", "name", "--field-selector", "spec.phaseApp=other").stdout
    assert found.split() == ["phasepushsecret.secrets.phase.dev/two"]
    assert len(kubectl("-n", place, "get", "phase", "-o", "name").stdout.split()) == 2
