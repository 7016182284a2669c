"""The CRD of PhaseDynamicSecret as a real API server takes it."""

import json

import pytest

from manifests.crds import apply, changed, established, refusal_of_larger, with_status, wrongly_judged
from manifests.dynamic_specs import BAD, GOOD, phase_dynamic_secret
from manifests.objects import CRD_FILE_DYNAMIC, DYNAMIC_SAMPLES, Object, in_pages
from phase_dev import documents
from phase_dev.cluster import ControlPlane
from phase_operator.core.leases.ledger import MOST_LEASES, Lease, LeasePlace, LeaseState, Ledger
from support.builders import fullest_status
from support.cluster_fixture import Kubectl
from support.dry_run import PHASE_DYNAMIC_SECRETS
from support.kstatus import KStatus, kstatus, wait_ends

pytestmark = pytest.mark.controlplane

CRD_NAME = "phasedynamicsecrets.secrets.phase.dev"
MOMENT = 1_800_000_000.0


@pytest.fixture(scope="module")
def crd(kubectl: Kubectl) -> Object:
    return established(kubectl, CRD_FILE_DYNAMIC)


@pytest.fixture
def place(crd: Object, namespace: str) -> str:
    """Give a namespace in a cluster that has the CRD."""
    return namespace


def lease(number: int, state: LeaseState, *, letters: str = "x") -> Lease:
    """Return a lease with the longest texts that a spec and Phase can give it."""
    place = LeasePlace(f"https://{'h' * 2040}/service/public", letters * 64, letters * 253, letters * 253)
    times = (MOMENT + 86400, MOMENT + 300)
    return Lease(f"{number:08x}", state, place, "b" * 16, 86400, MOMENT, letters * 253, letters * 253, *times)


def test_the_api_server_keeps_the_crd_as_it_is(crd: Object, kubectl: Kubectl) -> None:
    stored = json.loads(kubectl("get", "crd", CRD_NAME, "-o", "json").stdout)

    conditions = {each["type"]: each["status"] for each in stored["status"]["conditions"]}
    assert conditions["Established"] == "True"
    assert conditions.get("NonStructuralSchema", "False") == "False"
    assert stored["spec"]["versions"][0] == crd["spec"]["versions"][0]


def test_the_rules_cost_far_less_than_the_budget(crd: Object, kubectl: Kubectl) -> None:
    """With sixteen times the targets, which are 256, the API server still takes the dearest rule."""
    assert not refusal_of_larger(kubectl, crd, 16, "managedSecretReferences")


def test_every_bad_spec_is_refused_with_its_field(crd: Object, control_plane: ControlPlane) -> None:
    bad = {each.what: (phase_dynamic_secret(**each.spec), each.field) for each in BAD}

    assert not wrongly_judged(control_plane, PHASE_DYNAMIC_SECRETS, bad)
    assert len(bad) == len(BAD)


def test_a_refusal_says_what_to_do(crd: Object, control_plane: ControlPlane) -> None:
    bad: dict[str, Object] = {
        "overlap has to be less than half of leaseTTL": {"leaseTTL": 600, "overlap": 300},
        "set phaseApp (the app's name) or phaseAppId": {"phaseApp": ...},
        "name at least one Secret that gets the credentials": {"managedSecretReferences": []},
        "the same Secret is named twice": {"managedSecretReferences": [{"secretName": "a"}] * 2},
        "may not be the Secret that holds the Phase token": {
            "managedSecretReferences": [{"secretName": "phase-service-token"}]
        },
        "greater than or equal to 60": {"leaseTTL": 59},
        "less than or equal to 90": {"rolloverPercent": 91},
    }

    said = {part: (phase_dynamic_secret(**spec), part) for part, spec in bad.items()}
    assert not wrongly_judged(control_plane, PHASE_DYNAMIC_SECRETS, said)


def test_every_good_spec_is_kept_as_it_is(crd: Object, control_plane: ControlPlane) -> None:
    assert not changed(
        control_plane, PHASE_DYNAMIC_SECRETS, {each.what: phase_dynamic_secret(**each.spec) for each in GOOD}
    )


def test_samples_and_examples_of_the_pages_are_kept_as_they_are(crd: Object, control_plane: ControlPlane) -> None:
    samples = {file.stem: documents.load(file.read_text()) for file in DYNAMIC_SAMPLES}
    shown = dict(in_pages("PhaseDynamicSecret"))

    assert samples
    assert shown
    assert not changed(control_plane, PHASE_DYNAMIC_SECRETS, samples | shown)


def test_a_new_resource_is_not_looked_at_yet(place: str, kubectl: Kubectl) -> None:
    stored = apply(kubectl, place, phase_dynamic_secret())

    assert stored["status"] == {"observedGeneration": -1}
    assert kstatus(stored) is KStatus.IN_PROGRESS
    assert not wait_ends(stored)


def test_a_status_takes_the_largest_ledger_and_as_many_targets_as_there_may_be(place: str, kubectl: Kubectl) -> None:
    apply(kubectl, place, phase_dynamic_secret())
    widest = "\N{PILE OF POO}"
    states = [*LeaseState] * MOST_LEASES
    leases = tuple(lease(number, states[number], letters=widest) for number in range(MOST_LEASES))
    status = fullest_status(widest)
    # A PhaseDynamicSecret has a quarter of the targets.
    status = status | {"targets": status["targets"][:64]} | Ledger(leases, 99, MOMENT).document()

    assert with_status(kubectl, place, "pds/one", status) == status


def test_a_ledger_is_read_as_it_was_written(place: str, kubectl: Kubectl) -> None:
    apply(kubectl, place, phase_dynamic_secret())
    announced = Lease("0" * 8, LeaseState.ASKING, LeasePlace("https://p", "a", "e", "d"), "b" * 16, 3599, MOMENT)
    ledger = Ledger((announced, *(lease(number, state) for number, state in enumerate(LeaseState, 1))), 2, MOMENT)

    stored = with_status(kubectl, place, "pds/one", {"observedGeneration": 1} | ledger.document())

    assert Ledger.read(stored) == ledger


def test_kubectl_shows_the_columns(place: str, kubectl: Kubectl) -> None:
    apply(kubectl, place, phase_dynamic_secret(phaseAppEnv="staging"))
    ready = {
        "type": "Ready",
        "status": "True",
        "reason": "Synced",
        "message": "in step",
        "lastTransitionTime": "2026-01-01T00:00:00Z",
    }
    # The next lease is asked for: the end that counts is that of the one in the targets.
    next_one = Lease("0" * 8, LeaseState.ASKING, LeasePlace("https://p", "a", "e", "d"), "b", 3599, MOMENT)
    rows = Ledger((next_one, lease(1, LeaseState.ACTIVE)), 0, MOMENT).document()
    with_status(kubectl, place, "pds/one", {"observedGeneration": 1, "conditions": [ready]} | rows)

    header, row = kubectl("-n", place, "get", "pds").stdout.splitlines()
    wide = kubectl("-n", place, "get", "pds", "-o", "wide").stdout.splitlines()[0]

    assert header.split() == ["NAME", "APP", "ENV", "LEASE", "READY", "REASON", "ENDS", "AGE"]
    assert row.split()[:-1] == ["one", "shop", "staging", "bucket", "True", "Synced", "2027-01-16T08:00:00Z"]
    assert wide.split()[-2:] == ["PATH", "MESSAGE"]


def test_kubectl_finds_them_by_app_dynamic_secret_and_category(place: str, kubectl: Kubectl) -> None:
    apply(kubectl, place, phase_dynamic_secret("one"))
    apply(kubectl, place, phase_dynamic_secret("two", phaseApp="other", dynamicSecret="queue"))

    for field in ("spec.phaseApp=other", "spec.dynamicSecret=queue"):
        found = kubectl("-n", place, "get", "pds", "-o", "name", "--field-selector", field).stdout
        assert found.split() == ["phasedynamicsecret.secrets.phase.dev/two"]
    assert len(kubectl("-n", place, "get", "phase", "-o", "name").stdout.split()) == 2


def test_kubectl_explains_a_field(crd: Object, kubectl: Kubectl) -> None:
    fields = crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["spec"]["properties"]

    said = kubectl("explain", "pds.spec.rolloverPercent").stdout

    assert fields["rolloverPercent"]["description"].split(". ")[0] in " ".join(said.split())
