"""Every alert fires on series for which it should and is silent on series for which it should not, by promtool."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Protocol
from xml.etree import ElementTree

import pytest

from manifests.conftest import Run
from manifests.objects import CHART, ROOT
from phase_dev import documents
from phase_dev.monitoring.alerts import ALERTS, PAGE

RULES = CHART / "files/alerts.yaml"
BY_NAME = {alert.name: alert for alert in ALERTS}
WHERE = {"namespace": "phase-system", "job": "phase-system/phase-operator"}

# Which cases fail, each with what promtool says of it.
Failures = dict[str, str]


class Judge(Protocol):
    """Finds what promtool says of cases; all of a table are judged in one run, which names those that fail."""

    def __call__(self, cases: "Cases", rules: dict[str, Any], *, alone: bool = False) -> Failures:
        """Return the cases that fail; with `alone`, each meets the rule of its own alert only."""


@dataclass(frozen=True)
class Case:
    """What Prometheus has scraped, one value a minute in promtool's notation, and what an alert makes of it."""

    alert: str
    series: Mapping[str, str]
    silent_at: tuple[int, ...] = ()
    fires_at: int | None = None
    """Minutes from the beginning."""
    description: str = ""
    labels: Mapping[str, str] = field(default_factory=lambda: WHERE)


Cases = dict[str, Case]
"""By what each is about."""


def of(metric: str, pod: str = "a", **labels: str) -> str:
    """Name a series of a pod."""
    told = ", ".join(f'{name}="{value}"' for name, value in (WHERE | {"pod": pod} | labels).items())
    return f"phase_operator_{metric}{{{told}}}"


CALLS = of("source_calls_total", kind="probe", result="ok")
# In seconds.
FORTNIGHT = 14 * 86400
MIB = 1024 * 1024
REFUSED = of("phase_requests_total", route="secrets", status="429")
STATUS = {"verb": "PATCH", "resource": "phasesecrets/status"}

FIRING: Cases = {
    "the only pod is gone": Case(
        "PhaseOperatorDown",
        {of("build_info", version="1"): "1x5 stale"},
        silent_at=(5, 15),
        fires_at=16,
        description="There have been no metrics of the Phase operator for 10 minutes. Targets keep what they "
        "hold, and no change in Phase reaches them.",
        labels={},
    ),
    "both stand by": Case(
        "PhaseOperatorNoLeader",
        {of("leader"): "1x3 0x20", of("leader", "b"): "0x23"},
        silent_at=(3, 8),
        fires_at=9,
        description="The replicas of the Phase operator in phase-system run, and none of them holds the Lease. "
        "Nobody follows Phase.",
    ),
    "both lead": Case(
        "PhaseOperatorTwoLeaders",
        {of("leader"): "1x20", of("leader", "b"): "0x4 1x15"},
        silent_at=(4, 6),
        fires_at=7,
        description="2 replicas of the Phase operator in phase-system say that they lead. Two writers answer each "
        "other.",
    ),
    "probes stop": Case(
        "PhaseOperatorStalled",
        {of("sources"): "3x200", CALLS: "0+1x30 30x170"},
        silent_at=(89, 100),
        fires_at=106,
        description="The pod a of the Phase operator in phase-system watches sources (3) and has not called Phase "
        "for more than an hour. Changes in Phase go unseen.",
        labels=WHERE | {"pod": "a"},
    ),
    "nothing is ever asked": Case(
        "PhaseOperatorStalled",
        {of("sources"): "3x200", of("leader"): "1x200"},
        silent_at=(59, 74),
        fires_at=75,
        description="The pod a of the Phase operator in phase-system watches sources (3) and has not called Phase "
        "for more than an hour. Changes in Phase go unseen.",
        labels=WHERE | {"pod": "a"},
    ),
    "an account may not list environments": Case(
        "PhaseOperatorAppsUnprobed",
        {of("apps_unprobed"): "0x4 2x60"},
        silent_at=(4, 33),
        fires_at=36,
        description="Phase answers no probes for 2 apps of the Phase operator in phase-system: they are read at every "
        "polling interval instead, which uses up more of the quota.",
    ),
    "a loop that stands still is restarted again and again": Case(
        "PhaseOperatorQueueLate",
        {of("queue_oldest_seconds", queue="resources"): "0+60x5 " * 5},
        silent_at=(2, 17),
        fires_at=18,
        description="In the queue resources of the Phase operator in phase-system something that is due has "
        "waited for 5m 0s.",
        labels=WHERE | {"queue": "resources"},
    ),
    "two are not ready": Case(
        "PhaseOperatorNotReady",
        {
            of("resources", ready="false"): "0x5 2x30",
            of("not_ready_seconds"): "0x5 0+60x30",
            of("resources", "b", ready="false"): "0x35",
            of("not_ready_seconds", "b"): "0x35",
        },
        silent_at=(5, 21, 23),
        fires_at=24,
        description="Resources of the Phase operator in phase-system that are not ready: 2. `kubectl get phase -A` "
        "shows which, and the reason.",
    ),
    "answers take nearly all of their memory": Case(
        "PhaseOperatorAnswersFillMemory",
        {
            of("answers_bytes"): f"{20 * MIB}x4 {60 * MIB}x60",
            of("answers_limit_bytes"): f"{80 * MIB}x64",
            of("answers_bytes", "b"): "0x64",
            of("answers_limit_bytes", "b"): f"{80 * MIB}x64",
        },
        silent_at=(4, 34),
        fires_at=35,
        description="Answers of Phase take 75% of the memory that the Phase operator in phase-system has for them. "
        "Answers that are new or grow will be refused.",
    ),
    "four have no verdict": Case(
        "PhaseOperatorNotJudged",
        {of("resources", ready="unknown"): "4x20", of("resources", ready="true"): "9x20"},
        silent_at=(14,),
        fires_at=16,
        description="Resources that the Phase operator in phase-system sees and that have no Ready condition yet: 4.",
    ),
    "a source is not confirmed any more": Case(
        "PhaseOperatorStale",
        {of("source_staleness_seconds"): "0+60x120", of("source_staleness_seconds", "b"): "0x120"},
        silent_at=(90, 105),
        fires_at=106,
        description="A source of the Phase operator in phase-system was last confirmed 1h 46m 0s ago. Its targets "
        "may hold what Phase held then.",
    ),
    "Phase refuses a call a minute": Case(
        "PhaseOperatorThrottled",
        {REFUSED: "0x5 1+1x60", of("phase_requests_total", route="secrets", status="200"): "0+10x65"},
        silent_at=(5, 35),
        fires_at=37,
        description="Phase has refused calls of the operator in phase-system for the quota, again and again for "
        "half an hour. Changes arrive late.",
    ),
    "the quota is too small": Case(
        "PhaseOperatorWaitsForQuota",
        {of("quota_wait_seconds"): "0x5 0+60x60", of("quota_wait_seconds", "b"): "0x60"},
        silent_at=(5, 11, 26),
        fires_at=27,
        description="A call to Phase of the operator in phase-system has waited 21m 0s for the quota of its "
        "account. Changes in Phase arrive later by that time.",
    ),
    "a certificate near its end": Case(
        "PhaseOperatorCertificateEnds",
        {of("phase_certificate_expiry_timestamp_seconds"): f"{FORTNIGHT + 1800}x120"},
        silent_at=(29, 89),
        fires_at=92,
        description="A certificate of Phase that the Phase operator in phase-system is shown holds for 13d 22h 58m "
        "0s more. After that nothing follows Phase.",
    ),
    "a watch breaks every minute": Case(
        "PhaseOperatorWatchRestarts",
        {of("watch_restarts_total", watch="secrets"): "0+1x60"},
        silent_at=(15, 33),
        fires_at=50,
        description="The watch of secrets of the Phase operator in phase-system was started again 15 times in the "
        "last 15 minutes.",
        labels=WHERE | {"watch": "secrets"},
    ),
    "two namespaces have no Role": Case(
        "PhaseOperatorNamespaceUnserved",
        {of("namespaces_unserved"): "0x4 2x40", of("namespaces_unserved", "b"): "0x45"},
        silent_at=(4, 19),
        fires_at=20,
        description="Namespaces that the Phase operator in phase-system is to watch and cannot: 2.",
    ),
    "the operator's image was upgraded alone": Case(
        "PhaseOperatorKindUnserved",
        {of("kinds_unserved"): "0x4 1x40", of("kinds_unserved", "b"): "0x45"},
        silent_at=(4, 19),
        fires_at=20,
        description="Kinds that the Phase operator in phase-system is to serve and cannot: 1.",
    ),
    "a bug again and again": Case(
        "PhaseOperatorInternalErrors",
        {of("internal_errors_total", task="secrets"): "0x9 _x0 1+1x40"},
        silent_at=(5, 9),
        fires_at=20,
        description="The task secrets of the Phase operator in phase-system met what nobody expected, 11 times in "
        "the last 15 minutes.",
        labels=WHERE | {"task": "secrets"},
    ),
    "the right is missing": Case(
        "PhaseOperatorStatusWritesFail",
        {of("kubernetes_requests_total", **STATUS, code="403"): "0+2x40"},
        silent_at=(2, 17),
        fires_at=30,
        description="20 writes of the status of resources failed in the last 10 minutes for the Phase operator "
        "in phase-system. What `kubectl get phase` shows is old.",
    ),
    "the right is missing for dynamic secrets": Case(
        "PhaseOperatorStatusWritesFail",
        {
            of("kubernetes_requests_total", verb="PATCH", resource="phasedynamicsecrets/status", code="403"): "0+2x40",
            of("kubernetes_requests_total", **STATUS, code="200"): "0+2x40",
        },
        silent_at=(2, 17),
        fires_at=30,
        description="20 writes of the status of resources failed in the last 10 minutes for the Phase operator "
        "in phase-system. What `kubectl get phase` shows is old.",
    ),
    "a namespace cannot be looked at": Case(
        "PhaseOperatorRestartsFail",
        {of("workload_restart_failures_total"): "0+1x60"},
        silent_at=(3, 18),
        fires_at=35,
        description="Workloads could not be looked at or restarted 15 times in the last 15 minutes for the Phase "
        "operator in phase-system. They run with what their Secrets held before.",
    ),
    "a workload is paused": Case(
        "PhaseOperatorRestartsWait",
        {of("restarts_waiting"): "0x5 1x80"},
        silent_at=(5, 65),
        fires_at=66,
        description="Targets of the Phase operator in phase-system with workloads that have not run with what "
        "they hold for an hour or longer: 1.",
    ),
    "the next lease does not come": Case(
        "PhaseOperatorLeaseEndsSoon",
        {of("leases_ending"): "0x5 2x30", of("leases_ending", "b"): "0x35", of("leases", state="Active"): "9x35"},
        silent_at=(5, 6),
        fires_at=7,
        description="2 leases of dynamic secrets of the Phase operator in phase-system have less than a sixth of their "
        "lives left, and no other lease is ready to take their place.",
    ),
    "a lease has ended": Case(
        "PhaseOperatorLeaseEnded",
        {of("leases", state="Ended"): "0x5 1x30", of("leases", state="Active"): "9x35"},
        silent_at=(5, 7),
        fires_at=8,
        description="1 leases of dynamic secrets of the Phase operator in phase-system have ended or were revoked, and "
        "no other lease has taken their place.",
    ),
    "Phase is away when leases are to be given back": Case(
        "PhaseOperatorLeaseNotRevoked",
        {of("leases", state="Revoking"): "0x5 3x30", of("leases", state="Retiring"): "3x35"},
        silent_at=(5, 20),
        fires_at=21,
        description="For 15 minutes the Phase operator in phase-system has had leases that it cannot give back to "
        "Phase: 3.",
    ),
    "the provider refuses Phase": Case(
        "PhaseOperatorLeasesFail",
        # As one resource tries: each attempt is looked for during 130 s, and the pauses grow to 15 minutes.
        {of("lease_calls_total", kind="lease", result="PhaseUnavailable"): "0 1 1 2 2 3 3 4 4 5 5 5 5 6x8 7x14 8x40"},
        silent_at=(4, 8),
        fires_at=14,
        description="6 calls for leases failed in the last hour for the Phase operator in phase-system. Each may have "
        "left a user at the cloud provider.",
    ),
    "answers to calls for leases get lost": Case(
        "PhaseOperatorLeaseOrphans",
        {of("lease_orphans_total"): "0+1x60"},
        silent_at=(3, 8),
        fires_at=10,
        description="10 leases whose answers were lost were found at Phase and revoked in the last hour by the Phase "
        "operator in phase-system.",
    ),
    "another cluster has two entries": Case(
        "PhaseOperatorPushConflicts",
        {of("push_conflicts"): "0x5 2x60", of("push_conflicts", "b"): "0x65", of("push_entries"): "9x65"},
        silent_at=(5, 35),
        fires_at=36,
        description="Entries of Phase that PhasePushSecrets of the Phase operator in phase-system want and that "
        "belong to others: 2. Programs that read them get another value than the cluster's.",
    ),
    "the account may not write": Case(
        "PhaseOperatorPushesFail",
        # As one resource tries: the pauses double from 5 s to five minutes.
        {of("push_calls_total", kind="post", result="AccessDenied"): "0 4 5 6x3 7x3 8x5 9x5 10x5 11x5 12x5 13x5 14x20"},
        silent_at=(1, 30),
        fires_at=32,
        description="2 calls that write entries failed in the last 15 minutes for the Phase operator in phase-system. "
        "Phase has what the cluster had before.",
    ),
}
SILENT: Cases = {
    "a probe that fails for some minutes": Case(
        "PhaseOperatorAppsUnprobed", {of("apps_unprobed"): "0x4 1x20 0x40"}, silent_at=(10, 24, 60)
    ),
    "the pod moves to another node": Case(
        "PhaseOperatorDown", {of("build_info", version="1"): "1x5 _x8 1x20"}, (13, 16, 30)
    ),
    "another pod is there": Case("PhaseOperatorDown", {of("build_info", "b", version="1"): "1x40"}, (10, 40)),
    "the Lease passes to the other replica after three minutes": Case(
        "PhaseOperatorNoLeader", {of("leader"): "1x5 0x20", of("leader", "b"): "0x8 1x17"}, (7, 9, 15, 25)
    ),
    "one replica leads": Case("PhaseOperatorNoLeader", {of("leader"): "1x30"}, (5, 30)),
    "the old leader was scraped before the new one": Case(
        "PhaseOperatorTwoLeaders", {of("leader"): "1x5 0x20", of("leader", "b"): "0x4 1x20"}, (5, 6, 7, 20)
    ),
    "two installations, each with a leader": Case(
        "PhaseOperatorTwoLeaders", {of("leader"): "1x20", of("leader", namespace="other"): "1x20"}, (10, 20)
    ),
    "every source asks for an hour": Case(
        "PhaseOperatorStalled", {of("sources"): "3x240", CALLS: "1x59 2x59 3x59 4x59"}, tuple(range(1, 240))
    ),
    "all are suspended": Case("PhaseOperatorStalled", {of("sources"): "0x200", CALLS: "9x200"}, (80, 200)),
    "Phase is away, and is asked": Case(
        "PhaseOperatorStalled",
        {of("sources"): "3x200", of("source_calls_total", kind="probe", result="PhaseUnavailable"): "0+1x200"},
        (80, 200),
    ),
    "the other replica asks": Case(
        "PhaseOperatorStalled",
        {
            of("sources"): "3x100 0x100",
            of("sources", "b"): "0x100 3x100",
            CALLS: "0+1x100 100x100",
            of("source_calls_total", "b", kind="probe", result="ok"): "_x100 1+1x100",
        },
        tuple(range(1, 200)),
    ),
    "a cold start of thousands": Case(
        "PhaseOperatorQueueLate", {of("queue_oldest_seconds", queue="resources"): "0 60 90 0x40"}, (2, 16, 40)
    ),
    "late once": Case(
        "PhaseOperatorQueueLate", {of("queue_oldest_seconds", queue="sources"): "0x5 180 0x40"}, (5, 15, 30)
    ),
    "they heal": Case(
        "PhaseOperatorNotReady",
        {of("resources", ready="false"): "0x5 2x13 0x20", of("not_ready_seconds"): "0x5 0+60x13 0x20"},
        (17, 18, 21, 35),
    ),
    "each heals, one after the other": Case(
        "PhaseOperatorNotReady",
        {of("resources", ready="false"): "1x60", of("not_ready_seconds"): "0+60x10 " * 5},
        tuple(range(60)),
    ),
    "the operator comes back, and they heal": Case(
        "PhaseOperatorNotReady",
        {of("resources", ready="false"): "0x5 _x60 1 0x20", of("not_ready_seconds"): "0x5 _x60 3600 0x20"},
        tuple(range(60, 80)),
    ),
    "none is known not to be ready": Case(
        "PhaseOperatorNotReady",
        {of("resources", ready="unknown"): "3x30", of("resources", ready="true"): "9x30"},
        (30,),
    ),
    "a cold start": Case("PhaseOperatorNotJudged", {of("resources", ready="unknown"): "4x9 0x30"}, (9, 16, 30)),
    "the verdict is a bad one": Case("PhaseOperatorNotJudged", {of("resources", ready="false"): "4x30"}, (30,)),
    "every source asks for an hour, seen stale": Case(
        "PhaseOperatorStale", {of("source_staleness_seconds"): "0+60x60 " * 4}, tuple(range(1, 240, 7))
    ),
    "answers take two thirds of their memory": Case(
        "PhaseOperatorAnswersFillMemory",
        {of("answers_bytes"): f"{56 * MIB}x60", of("answers_limit_bytes"): f"{80 * MIB}x60"},
        (31, 59),
    ),
    "a large answer is read anew, now and then": Case(
        "PhaseOperatorAnswersFillMemory",
        {of("answers_bytes"): f"{40 * MIB}x20 {75 * MIB}x3 " * 3, of("answers_limit_bytes"): f"{80 * MIB}x70"},
        tuple(range(0, 70, 5)),
    ),
    "a certificate that is renewed": Case(
        "PhaseOperatorCertificateEnds",
        {of("phase_certificate_expiry_timestamp_seconds"): f"{FORTNIGHT + 1800}x20 {4 * FORTNIGHT}x100"},
        (30, 60, 119),
    ),
    "no certificate was seen": Case(
        "PhaseOperatorCertificateEnds", {of("phase_certificate_expiry_timestamp_seconds"): "NaN " * 120}, (60, 119)
    ),
    "many calls after a start": Case(
        "PhaseOperatorWaitsForQuota", {of("quota_wait_seconds"): "0+60x15 0x60"}, tuple(range(60))
    ),
    "each waits for the next minute": Case(
        "PhaseOperatorWaitsForQuota", {of("quota_wait_seconds"): "0 20 45 60 " * 20}, tuple(range(0, 80, 5))
    ),
    "one refusal an hour": Case("PhaseOperatorThrottled", {REFUSED: "0x5 1x59 2x59 3x59"}, tuple(range(1, 180, 3))),
    "a burst of refusals": Case("PhaseOperatorThrottled", {REFUSED: "0x5 1+3x10 30x60"}, (15, 25, 40, 70)),
    "Phase fails for another reason": Case(
        "PhaseOperatorThrottled", {of("phase_requests_total", route="secrets", status="500"): "0+1x90"}, (60, 90)
    ),
    "the API server is replaced": Case(
        "PhaseOperatorWatchRestarts", {of("watch_restarts_total", watch="secrets"): "0x10 3 6 9x90"}, (13, 45, 90)
    ),
    "two watches break for five minutes": Case(
        "PhaseOperatorWatchRestarts",
        {of("watch_restarts_total", watch=name): "0+1x5 5x85" for name in ("secrets", "configmaps")},
        (10, 41, 80),
    ),
    "a namespace that is made anew": Case(
        "PhaseOperatorNamespaceUnserved", {of("namespaces_unserved"): "1x10 0x40"}, (10, 20, 40)
    ),
    "a CRD that comes a little later": Case(
        "PhaseOperatorKindUnserved", {of("kinds_unserved"): "1x10 0x40"}, (10, 20, 40)
    ),
    "bugs of long ago": Case(
        "PhaseOperatorInternalErrors", {of("internal_errors_total", task="secrets"): "3x60"}, (10, 50)
    ),
    "statuses are written, of some that are gone by now": Case(
        "PhaseOperatorStatusWritesFail",
        {
            of("kubernetes_requests_total", **STATUS, code="200"): "0+10x60",
            of("kubernetes_requests_total", **STATUS, code="404"): "0+2x60",
            of("kubernetes_requests_total", verb="PATCH", resource="secrets", code="403"): "0+2x60",
        },
        (30, 60),
    ),
    "the API server was away for a minute": Case(
        "PhaseOperatorStatusWritesFail",
        {of("kubernetes_requests_total", **STATUS, code="failed"): "0x5 20x60"},
        (6, 15, 22, 60),
    ),
    "a few failures": Case(
        "PhaseOperatorRestartsFail", {of("workload_restart_failures_total"): "0x5 2 4x60"}, (7, 20, 36, 60)
    ),
    "roll-outs have their turn": Case(
        "PhaseOperatorRestartsWait", {of("restarts_waiting"): "0x5 1x40 0x5 1x40"}, (45, 66, 90)
    ),
    "leases roll over": Case("PhaseOperatorLeaseEndsSoon", {of("leases", state="Active"): "1x60"}, (10, 60)),
    "a scrape falls into the moment of a roll-over": Case(
        "PhaseOperatorLeaseEndsSoon", {of("leases_ending"): "0x5 1 0x20 1 0x20"}, (5, 6, 7, 27, 28)
    ),
    "somebody revokes a lease, and the next one comes": Case(
        "PhaseOperatorLeaseEnded", {of("leases", state="Ended"): "0x5 1 0x20"}, (6, 7, 20)
    ),
    "leases are given back": Case(
        "PhaseOperatorLeaseNotRevoked", {of("leases", state="Revoking"): "0x5 9x3 0x5 9x3 0x30"}, (8, 20, 30)
    ),
    "old leases live on for their pods": Case(
        "PhaseOperatorLeaseNotRevoked", {of("leases", state="Retiring"): "9x60"}, (30, 60)
    ),
    "leases are made, and Phase was away for a minute": Case(
        "PhaseOperatorLeasesFail",
        {
            of("lease_calls_total", kind="lease", result="ok"): "0+1x90",
            of("lease_calls_total", kind="lease", result="PhaseUnavailable"): "0x5 3x85",
            of("lease_calls_total", kind="look", result="PhaseUnavailable"): "0+1x90",
        },
        (6, 30, 60, 90),
    ),
    "a pod is killed while it asks": Case(
        "PhaseOperatorLeaseOrphans", {of("lease_orphans_total"): "0x5 3x85"}, (6, 60)
    ),
    "entries move from one resource to another": Case(
        "PhaseOperatorPushConflicts", {of("push_conflicts"): "0x5 9x3 0x60"}, (6, 8, 36, 60)
    ),
    "all entries are in step": Case("PhaseOperatorPushConflicts", {of("push_entries"): "900x60"}, (31, 60)),
    "entries are pushed, and Phase was away for ten minutes": Case(
        "PhaseOperatorPushesFail",
        {
            of("push_calls_total", kind="put", result="ok"): "0+5x120",
            of("push_calls_total", kind="put", result="PhaseUnavailable"): "0x5 4 5 6x3 7x3 8x110",
            of("push_calls_total", kind="look", result="PhaseUnavailable"): "0+1x120",
        },
        (10, 20, 36, 45, 60, 120),
    ),
    "one write in an hour fails": Case(
        "PhaseOperatorPushesFail",
        {of("push_calls_total", kind="post", result="PhaseUnavailable"): "0x5 1x59 2x59 3x59"},
        (6, 40, 70, 100, 160),
    ),
}


@pytest.fixture
def judge(promtool: Run, tmp_path: Path) -> Judge:
    """Give what promtool finds wrong with cases, all of them in one run; the rules can be others than ours."""

    def against(cases: Cases, rules: dict[str, Any], *, alone: bool = False) -> Failures:
        report = tmp_path / "report.xml"
        parts = by_alert(cases, rules) if alone else {"all": (cases, rules)}
        files = [suite(tmp_path, name, *part) for name, part in parts.items()]
        done = promtool("test", "rules", f"--junit={report}", *files)
        found = list(ElementTree.parse(report).iter("testcase"))
        assert [each.get("name") for each in found] == [case for part, _ in parts.values() for case in part], (
            done.stdout + done.stderr
        )
        failures = {
            str(each.get("name")): "\n".join(failure.get("message") or failure.text or "" for failure in faults)
            for each in found
            if (faults := each.findall("failure"))
        }
        assert bool(failures) == bool(done.returncode), done.stdout + done.stderr
        return failures

    return against


def by_alert(cases: Cases, rules: dict[str, Any]) -> dict[str, tuple[Cases, dict[str, Any]]]:
    """Return the cases of each alert, and its rule alone: the others would be worked out at every minute of a case."""
    (group,) = rules["groups"]
    found = {}
    for rule in group["rules"]:
        own = {name: case for name, case in cases.items() if case.alert == rule["alert"]}
        found[rule["alert"]] = own, {"groups": [group | {"rules": [rule]}]}
    assert sum(len(own) for own, _ in found.values()) == len(cases)
    return found


def suite(folder: Path, name: str, cases: Cases, rules: dict[str, Any]) -> Path:
    """Write rules and cases for promtool, and return the file to hand it."""
    (folder / f"{name}.rules.yaml").write_text(json.dumps(rules))
    tests = [{"name": about, **document(case)} for about, case in cases.items()]
    file = folder / f"{name}.cases.yaml"
    file.write_text(json.dumps({"rule_files": [f"{name}.rules.yaml"], "evaluation_interval": "1m", "tests": tests}))
    return file


def rules() -> dict[str, Any]:
    found: dict[str, Any] = documents.load(RULES.read_text())
    return found


def document(case: Case) -> dict[str, Any]:
    """Spell a case as promtool reads it."""
    alert = BY_NAME[case.alert]
    expected = {
        "exp_labels": {**case.labels, "severity": alert.severity},
        "exp_annotations": {
            "summary": alert.summary,
            "description": case.description,
            "runbook": f"{PAGE}#{alert.name.lower()}",
            "runbook_url": f"{PAGE}#{alert.name.lower()}",
        },
    }
    looks: list[dict[str, Any]] = [
        {"alertname": alert.name, "eval_time": f"{at}m", "exp_alerts": []} for at in case.silent_at
    ]
    if case.fires_at is not None:
        looks.append({"alertname": alert.name, "eval_time": f"{case.fires_at}m", "exp_alerts": [expected]})
    series = [{"series": name, "values": values} for name, values in case.series.items()]
    return {"interval": "1m", "input_series": series, "alert_rule_test": looks}


def changed(expr: str) -> dict[str, Any]:
    """Return our rules with this condition for every alert, at once."""
    found = rules()
    for rule in found["groups"][0]["rules"]:
        rule["expr"], rule["for"] = expr, "0s"
    return found


def told(failures: Failures) -> str:
    """Spell failures for people."""
    return "\n".join(f"{case}: {why}" for case, why in failures.items())


def test_every_alert_fires_when_it_should(judge: Judge) -> None:
    failures = judge(FIRING, rules())

    assert not failures, told(failures)


def test_every_alert_is_silent_when_it_should_be(judge: Judge) -> None:
    failures = judge(SILENT, rules(), alone=True)

    assert not failures, told(failures)


def test_no_alert_is_in_trouble_with_the_series_of_another(judge: Judge) -> None:
    """A rule that cannot be worked out fails its case: here all of them meet the first minutes of each."""
    early = {name: replace(case, silent_at=(min(case.silent_at),)) for name, case in SILENT.items()}

    assert not judge(early, rules())


def test_every_alert_has_a_case_of_each_kind() -> None:
    for table in (FIRING, SILENT):
        assert {case.alert for case in table.values()} == BY_NAME.keys()


def test_an_alert_that_never_fires_would_be_noticed(judge: Judge) -> None:
    assert judge(FIRING, changed("vector(1) > 1"), alone=True).keys() == FIRING.keys()


def test_an_alert_that_always_fires_would_be_noticed(judge: Judge) -> None:
    """At the first look of each case."""
    once = {name: replace(case, silent_at=case.silent_at[:1]) for name, case in SILENT.items()}

    assert judge(once, changed("vector(1)"), alone=True).keys() == SILENT.keys()


def test_a_wrong_word_would_be_noticed(judge: Judge) -> None:
    wrong = {name: replace(case, description=f"{case.description}!") for name, case in FIRING.items()}

    assert judge(wrong, rules(), alone=True).keys() == FIRING.keys()


def test_promtool_finds_the_rules_in_order(promtool: Run) -> None:
    done = promtool("check", "rules", "--lint=all", "--lint-fatal", RULES)

    assert done.returncode == 0, done.stdout + done.stderr


def test_promtool_reads_every_query_to_look_at_next(promtool: Run, tmp_path: Path) -> None:
    queries = [query.query for alert in ALERTS for query in alert.queries]
    rules = [{"record": f"page:query:{number}", "expr": query} for number, query in enumerate(queries)]
    file = tmp_path / "queries.yaml"
    file.write_text(json.dumps({"groups": [{"name": "page", "rules": rules}]}))

    done = promtool("check", "rules", file)

    assert len(rules) > len(ALERTS)
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_chart_and_the_manifest_have_the_same_rules() -> None:
    manifest = documents.load((ROOT / "deploy/monitoring/prometheusrule.yaml").read_text())

    assert manifest["spec"] == rules()


def test_every_runbook_leads_to_a_section() -> None:
    page = (ROOT / PAGE).read_text()

    for rule in rules()["groups"][0]["rules"]:
        path, _, anchor = rule["annotations"]["runbook"].partition("#")
        assert rule["annotations"]["runbook_url"] == rule["annotations"]["runbook"]
        assert path == PAGE
        assert f"\n## {rule['alert']}\n" in page
        assert anchor == rule["alert"].lower()
