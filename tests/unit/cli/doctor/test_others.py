"""Two operators on one CRD are found by their Deployments, Leases and marks."""

from dataclasses import replace

import pytest

from phase_operator.cli.doctor.deployed import OFFICIAL_LEASE, Operator, operator_of
from phase_operator.cli.doctor.findings import Unread, Verdict
from phase_operator.cli.doctor.others import Lease, Others, check_others, lease_of
from support.doctored import NOW, lease, official, operator


def of_official(replicas: int = 1) -> Operator:
    found = operator_of(official(replicas))
    assert found is not None
    return found


def others(*operators: Operator, leases: tuple[Lease, ...] = (), **more: object) -> Others:
    parts = {"marked": (), "rewritten": (), "now": NOW} | more
    return Others(operators=operators, leases=leases, **parts)  # type: ignore[arg-type]  # parts are of their types


def watching(namespace: str, *watched: str) -> Operator:
    return operator(namespace, args=["run", *(part for each in watched for part in ("--namespace", each))])


def test_one_operator_alone_is_fine() -> None:
    finding = check_others(others(operator(), leases=(lease(),)))

    assert (finding.verdict, finding.sentence) == (Verdict.OK, "phase-system/phase-operator alone works on the CRDs")


def test_the_official_operator_beside_ours_fails() -> None:
    finding = check_others(others(operator(), of_official()))

    assert finding.verdict is Verdict.BAD
    assert "official operator runs in phase/phase-kubernetes-operator" in finding.sentence
    assert "scale the other Deployment to 0" in finding.cure


def test_the_official_operator_is_found_by_its_lease_alone() -> None:
    held = lease("somewhere_1", namespace="ops", name=OFFICIAL_LEASE)

    assert check_others(others(operator(), leases=(held,))).verdict is Verdict.BAD


def test_an_official_operator_that_was_stopped_is_no_fault() -> None:
    old = lease("gone_1", age=3600, namespace="ops", name=OFFICIAL_LEASE)

    assert check_others(others(operator(), of_official(replicas=0), leases=(lease(), old))).verdict is Verdict.OK


@pytest.mark.parametrize(
    ("one", "other", "verdict"),
    [
        ((), (), Verdict.BAD),
        ((), ("shop",), Verdict.BAD),
        (("shop", "checkout"), ("checkout",), Verdict.BAD),
        (("shop",), ("checkout",), Verdict.OK),
    ],
    ids=["all twice", "all and one", "one in common", "apart"],
)
def test_two_of_ours_fail_if_they_watch_the_same_namespace(
    one: tuple[str, ...], other: tuple[str, ...], verdict: Verdict
) -> None:
    finding = check_others(others(watching("phase-a", *one), watching("phase-b", *other)))

    assert finding.verdict is verdict


def test_many_deployments_of_a_tenant_hide_no_other_and_take_no_time() -> None:
    mine = [replace(of_official(), namespace="aaa", name=f"fake-{number}") for number in range(5000)]
    base = watching("aaa", "n")
    fakes = [
        replace(base, name=f"x-{number}", told={"namespace": [f"n-{number}"], "leader_elect": ["false"]})
        for number in range(5000)
    ]

    assert check_others(others(*mine, of_official())).sentence.endswith("phase/phase-kubernetes-operator")
    assert check_others(others(*fakes)).verdict is Verdict.OK


def test_two_deployments_with_one_lease_work_in_turn() -> None:
    second = operator("phase-system")

    assert check_others(others(operator(), second)).verdict is Verdict.OK


def test_one_that_is_scaled_to_0_is_not_counted() -> None:
    finding = check_others(others(operator(), operator("phase-b", replicas=0)))

    assert (finding.verdict, finding.sentence) == (Verdict.OK, "phase-system/phase-operator alone works on the CRDs")


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ({"marked": ["shop/a", "shop/b"]}, "2 PhaseSecrets with the official operator's finalizer"),
        ({"rewritten": ["shop/a"]}, "1 target last written by a field manager of the official operator"),
        ({"leases": (lease(namespace="me"),)}, "no Deployment is found for the Lease me/phase-operator"),
    ],
    ids=["finalizers", "field managers", "a lease"],
)
def test_traces_of_another_operator_are_notes(more: dict[str, object], said: str) -> None:
    finding = check_others(others(operator(), **more))  # type: ignore[arg-type]  # as above

    assert finding.verdict is Verdict.NOTE
    assert said in finding.sentence


def test_a_cluster_that_may_not_be_seen_whole_is_not_known_unless_something_is_wrong() -> None:
    hidden = Unread("you have no right to list deployments.apps in all namespaces")

    assert check_others(others(operator(), hidden=[hidden])).verdict is Verdict.UNKNOWN
    assert check_others(others(operator(), of_official(), hidden=[hidden])).verdict is Verdict.BAD


def test_an_installation_where_one_serves_all_already_fails_before_it_begins() -> None:
    assert check_others(others(operator()), before=True).verdict is Verdict.BAD
    assert check_others(others(watching("phase-a", "shop")), before=True).verdict is Verdict.OK
    assert check_others(others(), before=True).sentence == "no other operator works on the CRDs"


def test_names_of_others_cannot_reach_the_terminal() -> None:
    strange = lease(namespace="me", name="phase\x1b[2J\noperator")

    assert check_others(others(operator(), leases=(strange,))).sentence.isprintable()


def test_a_lease_that_says_nothing_is_not_held() -> None:
    assert not lease_of({"spec": {"holderIdentity": "x", "renewTime": "yesterday"}}).is_held(NOW)
    assert not lease_of({}).is_held(NOW)
