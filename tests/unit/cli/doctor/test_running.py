"""Pods, the leader and what they say at /readyz: each failure has its sentence and its cure."""

import pytest

from phase_operator import __version__
from phase_operator.cli.doctor.findings import Finding, Unread, Verdict
from phase_operator.cli.doctor.others import Lease
from phase_operator.cli.doctor.running import (
    Answer,
    Pod,
    check_leader,
    check_pods,
    check_ready,
    leader_of,
    lines_of,
)
from support.doctored import NOW, lease, operator, pod

HOSTILE = "phase\x1b[2J\x1b]0;owned\x07\noperator"
UNREAD = Unread("you have no right")


def verdict(finding: Finding) -> tuple[Verdict, str]:
    return finding.verdict, finding.sentence


def test_pods_that_are_ready_and_of_this_version_are_fine() -> None:
    finding = check_pods(operator(), [pod("a"), pod("b")])

    assert verdict(finding) == (Verdict.OK, f"2 pods of phase-system/phase-operator ready, version {__version__}")


@pytest.mark.parametrize(
    ("pods", "replicas", "said", "cure"),
    [
        ([], 0, "is scaled to 0", "scale deployment/phase-operator --replicas=2"),
        ([], 2, "has no pod", "describe replicaset"),
        ([pod("a", ready=False)], 1, "1 of 1 pod not ready: a", "describe pod a"),
        (
            [pod("a", ready=False, state={"waiting": {"reason": "ImagePullBackOff"}})],
            1,
            "1 of 1 pod not ready: a (ImagePullBackOff)",
            "imagePullSecrets",
        ),
        (
            [
                pod(
                    "a",
                    ready=False,
                    state={"waiting": {"reason": "CrashLoopBackOff"}},
                    lastState={"terminated": {"reason": "OOMKilled"}},
                )
            ],
            1,
            "a (CrashLoopBackOff)",
            "Raise the memory limit",
        ),
    ],
    ids=["scaled to 0", "no pod", "not ready", "no image", "no memory"],
)
def test_pods_that_do_not_work_fail(pods: list[Pod], replicas: int, said: str, cure: str) -> None:
    finding = check_pods(operator(replicas=replicas), pods)

    assert finding.verdict is Verdict.BAD
    assert said in finding.sentence
    assert cure in finding.cure


@pytest.mark.parametrize(
    ("pods", "said"),
    [
        ([pod("a"), pod("b", ready=False)], "1 of 2 pods not ready: b"),
        (
            [pod("a", restartCount=7, lastState={"terminated": {"reason": "OOMKilled"}})],
            "a 7 times (last by OOMKilled)",
        ),
        ([pod("a"), pod("b", image="phase-operator:99.2.0")], f"different versions: {__version__}, 99.2.0"),
        ([pod("a", image="phase-operator:99.2.0")], f"with image tag 99.2.0; this program is {__version__}"),
    ],
    ids=["one of two", "restarts", "a roll-out", "another version"],
)
def test_pods_that_work_in_part_are_a_note(pods: list[Pod], said: str) -> None:
    finding = check_pods(operator(), pods)

    assert finding.verdict is Verdict.NOTE
    assert said in finding.sentence
    assert finding.cure


def test_a_leader_that_renews_its_lease_and_is_a_pod_is_fine() -> None:
    finding = check_leader(operator(), lease(), [pod()], NOW)

    assert verdict(finding) == (Verdict.OK, "phase-operator-0 leads by the Lease phase-system/phase-operator")


@pytest.mark.parametrize(
    ("held", "said"),
    [
        (None, "nobody holds the Lease"),
        (lease(""), "nobody holds the Lease"),
        (lease(age=300), "renewed it last 300 s ago"),
    ],
    ids=["no Lease", "released", "not renewed"],
)
def test_a_lease_that_nobody_holds_fails(held: Lease | None, said: str) -> None:
    finding = check_leader(operator(), held, [pod()], NOW)

    assert finding.verdict is Verdict.BAD
    assert said in finding.sentence


def test_a_lease_is_not_called_stale_for_two_clocks_that_differ_a_little() -> None:
    assert check_leader(operator(), lease(age=20), [pod()], NOW).verdict is Verdict.OK
    assert check_leader(operator(), lease(age=-20), [pod()], NOW).verdict is Verdict.OK


def test_a_leader_that_is_no_pod_is_a_note() -> None:
    finding = check_leader(operator(), lease("laptop_01"), [pod()], NOW)

    assert finding.verdict is Verdict.NOTE
    assert "laptop leads, and is no pod of" in finding.sentence


def test_replicas_without_an_election_fail_unless_there_is_one() -> None:
    off = {"PHASE_OPERATOR_LEADER_ELECT": "false"}
    deployed = operator(replicas=2)

    assert deployed.elects
    assert check_leader(operator(args=["run", "--leader-elect=false"]), None, [], NOW).verdict is Verdict.BAD
    assert check_leader(operator(env=off, replicas=1), None, [], NOW).verdict is Verdict.OK


def test_the_leaders_pod_is_found_also_if_its_name_is_longer_than_a_host_name() -> None:
    name = "phase-operator-" + "x" * 80

    assert leader_of(lease(f"{name[:63]}_01"), [pod("a"), pod(name)]) == pod(name)
    assert leader_of(lease("laptop_01"), [pod("a")]) is None
    assert leader_of(None, [pod("a")]) == pod("a")
    assert leader_of(UNREAD, [pod("a")]) is None


def test_answers_are_ok_a_note_or_a_failure() -> None:
    note = "namespaces: 1 is not served: shop"

    assert check_ready({"a": Answer(200, ("ok",)), "b": UNREAD}).verdict is Verdict.OK
    assert verdict(check_ready({"a": Answer(200, ("ok", note))})) == (Verdict.NOTE, note)
    assert verdict(check_ready({"a": Answer(503, ("start: lists targets",))})) == (
        Verdict.BAD,
        "a: start: lists targets",
    )
    assert verdict(check_ready({"a": UNREAD})) == (Verdict.UNKNOWN, "you have no right")
    assert check_ready({}).verdict is Verdict.UNKNOWN


def test_facts_that_may_not_be_read_are_not_known() -> None:
    assert check_pods(operator(), UNREAD).verdict is Verdict.UNKNOWN
    assert check_leader(operator(), UNREAD, UNREAD, NOW).verdict is Verdict.UNKNOWN


def test_texts_of_others_cannot_reach_the_terminal() -> None:
    waiting = pod(HOSTILE, ready=False, state={"waiting": {"reason": HOSTILE}})
    findings = [
        check_pods(operator(), [waiting]),
        check_leader(operator(), lease(f"{HOSTILE}_1"), [pod()], NOW),
        check_ready({HOSTILE: Answer(503, tuple(lines_of(HOSTILE)))}),
    ]

    assert all(line.isprintable() for each in findings for line in (each.sentence, *each.cure.splitlines()))


def test_a_long_answer_is_cut() -> None:
    assert len(list(lines_of("namespaces: x\n" * 10_000))) == 50
