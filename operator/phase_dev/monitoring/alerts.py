"""When to call somebody: Prometheus alerts on the operator's metrics.

Rule: an alert says why its threshold is what it is, and with the operator's own defaults nothing that is in order
fires. Numbers are taken over all pods, so that a change of leader or of pods is no news.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from phase_operator.api import names

PAGE = "docs/operating/alerts.md"

# One installation: Prometheus sets namespace and job, whoever collects from several clusters a cluster.
_ONE = ("cluster", "namespace", "job")
_STATUS = f"{names.PLURAL_PHASE_SECRETS}/status"


class Severity(StrEnum):
    """How soon somebody has to look."""

    CRITICAL = "critical"
    WARNING = "warning"
    INFO = "info"


@dataclass(frozen=True, slots=True, kw_only=True)
class Alert:
    """One alert: what whoever gets it reads (Prometheus fills in labels and value), and what the page says of it."""

    name: str
    severity: Severity
    expr: str
    lasting: str
    """How long it has to be so, as Prometheus spells it."""
    summary: str
    description: str
    means: str
    threshold: str
    """Why not sooner and not later."""
    cure: str


def _each(how: str, expr: str, *labels: str) -> str:
    """Take something together for each installation."""
    return f"{how} by ({', '.join([*_ONE, *labels])}) ({expr})"


ALERTS = (
    Alert(
        name="PhaseOperatorDown",
        severity=Severity.CRITICAL,
        expr="absent(phase_operator_build_info)",
        lasting="10m",
        summary="No pod of the Phase operator can be scraped.",
        description="There have been no metrics of the Phase operator for 10 minutes. Targets keep what they hold, "
        "and no change in Phase reaches them.",
        means="No pod runs, or none that Prometheus can reach. Nothing follows Phase, nothing is repaired; what was "
        "written stays as it is. One alert for all installations that a Prometheus scrapes: it fires when none is "
        "left.",
        threshold="A start takes seconds, a move to another node minutes.",
        cure="`kubectl -n phase-system get pods`, then the Events and the log of the pod. If a pod is ready, look at "
        "Prometheus: is there a PodMonitor or ServiceMonitor that it selects, does a NetworkPolicy let it in?",
    ),
    Alert(
        name="PhaseOperatorNoLeader",
        severity=Severity.CRITICAL,
        expr=_each("sum", "phase_operator_leader") + " == 0",
        lasting="5m",
        summary="No replica of the Phase operator leads.",
        description="The replicas of the Phase operator in {{ $labels.namespace }} run, and none of them holds the "
        "Lease. Nobody follows Phase.",
        means="Pods run and all of them stand by. Nothing follows Phase, nothing is repaired.",
        threshold="A Lease passes to another replica within seconds.",
        cure="The logs of the pods say what keeps them from the Lease: most likely the API server does not answer "
        "them, or the rights on `leases` in the operator's namespace are missing.",
    ),
    Alert(
        name="PhaseOperatorTwoLeaders",
        severity=Severity.CRITICAL,
        expr=_each("sum", "phase_operator_leader") + " > 1",
        lasting="2m",
        summary="More than one replica of the Phase operator leads.",
        description="{{ $value }} replicas of the Phase operator in {{ $labels.namespace }} say that they lead. Two "
        "writers answer each other.",
        means="Two replicas write. That must not happen: a leader that cannot renew its Lease stops before another "
        "may take it.",
        threshold="Pods are scraped one after the other, so that a change of leader can look like two of them, for "
        "one scrape.",
        cure="Delete one of the pods, and report it with the logs of both. A second installation under the same `job` "
        "looks the same: give it a namespace or a `job` of its own.",
    ),
    Alert(
        name="PhaseOperatorStandsStill",
        severity=Severity.CRITICAL,
        expr=_each("sum", "phase_operator_sources", "pod")
        + " > 0\nand\n"
        + _each("sum", "phase_operator_sources offset 1h", "pod")
        + " > 0\nunless\n"
        + _each("sum", "increase(phase_operator_source_calls_total[1h])", "pod")
        + " > 0",
        lasting="15m",
        summary="The Phase operator has sources to watch and does not ask Phase.",
        description="The pod {{ $labels.pod }} of the Phase operator in {{ $labels.namespace }} watches sources ({{ "
        "$value }}) and has not called Phase for more than an hour. Changes in Phase go unseen.",
        means="The silent stop: pods run and answer, and nothing is asked of Phase any more. A call that fails counts "
        "as a call.",
        threshold="Every source is read once an hour, however long its `pollingInterval` is (`--full-read-seconds`). "
        "If you raise that setting and all intervals are longer than an hour, raise this too. A pod is judged once it "
        "has had sources for an hour.",
        cure="Restart the operator: `kubectl -n phase-system rollout restart deployment/phase-operator`. Report it "
        "with the log from before; the liveness probe should have noticed.",
    ),
    Alert(
        name="PhaseOperatorAppsUnprobed",
        severity=Severity.WARNING,
        expr=_each("max", "phase_operator_apps_unprobed") + " > 0",
        lasting="30m",
        summary="The Phase operator cannot probe some apps, and reads them at every interval.",
        description="Phase answers no probes for {{ $value }} apps of the Phase operator in {{ $labels.namespace }}: "
        "they are read at every polling interval instead, which uses up more of the quota.",
        means="A probe tells with one call whether anything in an app changed. Without it every question to the app "
        "is read at every interval: changes arrive as before, at a higher price.",
        threshold="A probe is tried again every ten minutes.",
        cure="Give the service account the permission to read environments (`Environments: read`) in the app; the "
        "Event `ProbeUnavailable` names it.",
    ),
    Alert(
        name="PhaseOperatorQueueLate",
        severity=Severity.WARNING,
        expr=_each("max", "max_over_time(phase_operator_queue_oldest_seconds[10m])", "queue") + " > 120",
        lasting="15m",
        summary="Work of the Phase operator waits for minutes.",
        description="In the queue {{ $labels.queue }} of the Phase operator in {{ $labels.namespace }} something that "
        "is due has waited for {{ $value | humanizeDuration }}.",
        means="What is due is not begun. Either the workers stand still, or there is more to do than they can.",
        threshold="10,000 resources are synced from nothing in [less than two minutes](figures.md). The "
        "highest value of ten minutes is taken, so that a queue that comes and goes counts. Liveness does not look at "
        "it: no restart makes a queue shorter.",
        cure="Look at the CPU of the pod and for a CPU limit, then at how long requests to Kubernetes take. "
        "[Settings](settings.md#what-to-change-and-when) tells what `--workers` and `--phase-workers` bound.",
    ),
    Alert(
        name="PhaseOperatorNotReady",
        severity=Severity.WARNING,
        expr=_each("sum", 'phase_operator_resources{ready="false"}')
        + " > 0\nand\n"
        + _each("max", "phase_operator_not_ready_seconds")
        + " > 900",
        lasting="2m",
        summary="PhaseSecrets are not ready.",
        description="PhaseSecrets of the Phase operator in {{ $labels.namespace }} that are not ready: {{ $value }}. "
        "`kubectl get phs -A` shows which, and the reason.",
        means="Something keeps PhaseSecrets from being in step, one of them for 15 minutes or longer. Their targets "
        "keep what they hold.",
        threshold="What heals by itself does so within a minute or two: access that is granted, a token Secret that "
        "comes after its PhaseSecret, a Phase that is restarted. The time is that in the status: it takes one "
        "PhaseSecret that is not ready all the while, and a restart of the operator does not begin it anew.",
        cure="`kubectl get phs -A` has the reason of each; [troubleshooting](troubleshooting.md) says what to do "
        "about it.",
    ),
    Alert(
        name="PhaseOperatorNotJudged",
        severity=Severity.WARNING,
        expr=_each("sum", 'phase_operator_resources{ready="unknown"}') + " > 0",
        lasting="15m",
        summary="PhaseSecrets have no verdict.",
        description="PhaseSecrets that the Phase operator in {{ $labels.namespace }} sees and that have no Ready "
        "condition yet: {{ $value }}.",
        means="The operator sees PhaseSecrets and has not brought their first run to an end, or cannot write what "
        "came of it.",
        threshold="10,000 resources are synced from nothing in [less than two minutes](figures.md); where the quota "
        "is small, Phase's answers take minutes.",
        cure="See whether PhaseOperatorStatusWritesFail, PhaseOperatorQueueLate or PhaseOperatorThrottled fires too, "
        "then read the operator's log.",
    ),
    Alert(
        name="PhaseOperatorStale",
        severity=Severity.WARNING,
        expr=_each("max", "phase_operator_source_staleness_seconds") + " > 5400",
        lasting="15m",
        summary="A source has not been confirmed for a long time.",
        description="A source of the Phase operator in {{ $labels.namespace }} was last confirmed {{ $value | "
        "humanizeDuration }} ago. Its targets may hold what Phase held then.",
        means="Neither a probe nor a read has told for 90 minutes whether a source changed. Its targets keep the last "
        "good answer.",
        threshold="Every source is read once an hour, however long its `pollingInterval` is (`--full-read-seconds`); "
        "half an hour is for quota and retries. If you raise that setting, raise this too. Where all intervals are "
        "short, a threshold of 15 minutes tells more.",
        cure="Most often PhaseOperatorNotReady or PhaseOperatorThrottled fires too and says why. Else force a read "
        "with the annotation `secrets.phase.dev/sync`, and report it if that is what it took.",
    ),
    Alert(
        name="PhaseOperatorThrottled",
        severity=Severity.WARNING,
        expr=_each("sum", 'increase(phase_operator_phase_requests_total{status="429"}[10m])') + " > 0",
        lasting="30m",
        summary="Phase keeps refusing calls for the quota.",
        description="Phase has refused calls of the operator in {{ $labels.namespace }} for the quota, again and "
        "again for half an hour. Changes arrive late.",
        means="The operator keeps a quota so that Phase need not refuse. It is refused all the same: others use the "
        "account too, or Phase allows less than the operator believes.",
        threshold="A single refusal is how the quota of a self-hosted Phase is learned, twice an hour. This takes one "
        "in each ten minutes, for half an hour.",
        cure="Set `--phase-quota` to what Phase allows, give the operator an account of its own, or ask for longer "
        "intervals.",
    ),
    Alert(
        name="PhaseOperatorWaitsForQuota",
        severity=Severity.WARNING,
        expr=_each("max", "phase_operator_quota_wait_seconds") + " > 300",
        lasting="15m",
        summary="Calls to Phase wait for the quota for minutes.",
        description="A call to Phase of the operator in {{ $labels.namespace }} has waited {{ $value | "
        "humanizeDuration }} for the quota of its account. Changes arrive so much later.",
        means="More is asked of Phase than the quota of an account allows. Nothing is lost: the calls are made one "
        "after the other, the most urgent first.",
        threshold="After a start, or when much changes at once, calls wait for some minutes: 120 in a minute go to "
        "Phase's cloud. This takes more than five minutes, for a quarter of an hour.",
        cure="Ask for longer intervals, divide the load between accounts, or raise `--phase-quota` if Phase allows "
        "more. `phase_operator_quota_waiting_calls` tells how many calls wait.",
    ),
    Alert(
        name="PhaseOperatorAnswersFillMemory",
        severity=Severity.WARNING,
        expr=_each("max", "phase_operator_answers_bytes")
        + " / "
        + _each("max", "phase_operator_answers_limit_bytes")
        + " > 0.7",
        lasting="30m",
        summary="Answers of Phase take nearly all the memory that they may.",
        description="Answers of Phase take {{ $value | humanizePercentage }} of the memory that the Phase operator in "
        "{{ $labels.namespace }} has for them. Answers that are new or grow will be refused.",
        means="The last quarter of `--answers-mib` is kept back for small answers and for what is read again. A "
        "namespace that asks for more is told `AnswerTooLarge`; what is held stays, and so do all targets.",
        threshold="One namespace may take half, two together two thirds. An answer is held while the next one is read, "
        "which takes seconds; this takes half an hour.",
        cure="Raise `--answers-mib` and the pod's memory limit with it, or select less in the namespaces whose "
        "PhaseSecrets read whole environments. `phase_operator_answers_refused_total` with the `limit` `memory` counts "
        "what was refused so far.",
    ),
    Alert(
        name="PhaseOperatorCertificateEnds",
        severity=Severity.WARNING,
        expr=_each("min", "phase_operator_phase_certificate_expiry_timestamp_seconds") + " - time() < 14 * 86400",
        lasting="1h",
        summary="The certificate of Phase runs out soon.",
        description="A certificate of Phase that the Phase operator in {{ $labels.namespace }} is shown holds for "
        "{{ $value | humanizeDuration }} more. After that nothing follows Phase.",
        means="A host that PhaseSecrets name shows a certificate near its end. Once it has run out, the status says "
        "`PhaseUnavailable` and targets stay as they are.",
        threshold="Certificates of 90 days are renewed by most tools when 30 are left; at 14 that has failed. A "
        "certificate that holds for less than 14 days from the start fires always: patch the number.",
        cure="The log's lines `certificate of Phase` name host and end. Renew it there; the operator sees the new one "
        "with its next call.",
    ),
    Alert(
        name="PhaseOperatorWatchRestarts",
        severity=Severity.WARNING,
        expr=_each("sum", "increase(phase_operator_watch_restarts_total[15m])", "watch") + " > 3",
        lasting="30m",
        summary="A watch of the Phase operator breaks again and again.",
        description="The watch of {{ $labels.watch }} of the Phase operator in {{ $labels.namespace }} was started "
        'again {{ printf "%.0f" $value }} times in the last 15 minutes.',
        means="What happens in the cluster is seen late: edited PhaseSecrets, rotated tokens, targets changed by hand.",
        threshold="An API server that is replaced breaks a watch a few times within minutes. This takes more than "
        "three in each quarter of an hour, for half an hour.",
        cure="The log says `watch interrupted` with the reason: rights, the CRD, a proxy between operator and API "
        "server that ends long connections.",
    ),
    Alert(
        name="PhaseOperatorNamespaceUnserved",
        severity=Severity.WARNING,
        expr=_each("max", "phase_operator_namespaces_unserved") + " > 0",
        lasting="15m",
        summary="A watched namespace cannot be served.",
        description="Namespaces that the Phase operator in {{ $labels.namespace }} is to watch and cannot: "
        "{{ $value }}.",
        means="A namespace that `--namespace` names does not exist, or the operator's Role there is missing. Its "
        "PhaseSecrets are not followed; the others are.",
        threshold="A namespace that is made with its Role is served within 15 s.",
        cure="`/readyz` of the leader names them, with the right that is missing, and so does the log "
        "(`watch interrupted`). Make the namespace or its Role, or take it out of `--namespace`.",
    ),
    Alert(
        name="PhaseOperatorInternalErrors",
        severity=Severity.WARNING,
        expr=_each("sum", "increase(phase_operator_internal_errors_total[15m])", "task") + " > 0",
        lasting="1m",
        summary="The Phase operator meets a bug of its own.",
        description="The task {{ $labels.task }} of the Phase operator in {{ $labels.namespace }} met what nobody "
        'expected, {{ printf "%.0f" $value }} times in the last 15 minutes.',
        means="A bug. It costs the object that it was about, or a pause of the task; everything else goes on.",
        threshold="No number of bugs is in order. The alert ends a quarter of an hour after the last one.",
        cure="The log has an error with the `task`, the `object` if there is one, its type and its trace. "
        "Please report these; they hold no values. A PhaseSecret that it is about says `InternalError`.",
    ),
    Alert(
        name="PhaseOperatorStatusWritesFail",
        severity=Severity.WARNING,
        expr=_each(
            "sum", f'increase(phase_operator_kubernetes_requests_total{{resource="{_STATUS}", code!~"2..|404"}}[10m])'
        )
        + " > 5",
        lasting="15m",
        summary="The Phase operator cannot write statuses.",
        description='{{ printf "%.0f" $value }} writes of the status of PhaseSecrets failed in the last 10 minutes '
        "for the Phase operator in {{ $labels.namespace }}. What `kubectl get phs` shows is old.",
        means="PhaseSecrets show what was true before, and `phase_operator_resources` counts what they show: "
        "PhaseOperatorNotReady cannot be trusted meanwhile.",
        threshold="One status that fails for good is tried every 45 seconds or sooner, more than ten times in ten "
        "minutes. 404 is a PhaseSecret that went meanwhile.",
        cure="The log says `status not written` with the API server's words. Most likely the rights on "
        "`phasesecrets/status` are missing, or the CRD is older than the operator.",
    ),
    Alert(
        name="PhaseOperatorRestartsFail",
        severity=Severity.WARNING,
        expr=_each("sum", "increase(phase_operator_workload_restart_failures_total[15m])") + " > 3",
        lasting="15m",
        summary="The Phase operator cannot restart workloads.",
        description='Workloads could not be looked at or restarted {{ printf "%.0f" $value }} times in the last 15 '
        "minutes for the Phase operator in {{ $labels.namespace }}. They run with what their Secrets held before.",
        means="Pods go on with values that Phase does not hold any more. The targets themselves are in step.",
        threshold="A failure that passes is over at the next try. One that stays is tried once a minute or more often.",
        cure="`status.targets[].notRestarted` and the Events `RestartDelayed` name the workload and the API server's "
        "words; see [troubleshooting](troubleshooting.md#restartdelayed).",
    ),
    Alert(
        name="PhaseOperatorRestartsWait",
        severity=Severity.INFO,
        expr=_each("max", "phase_operator_restarts_waiting") + " > 0",
        lasting="1h",
        summary="Workloads wait for their restart.",
        description="Targets of the Phase operator in {{ $labels.namespace }} with workloads that have not run with "
        "what they hold for an hour or longer: {{ $value }}.",
        means="Somebody paused a workload, a roll-out is stuck, or its strategy leaves the restart to people.",
        threshold="A roll-out that is stuck gives up after `progressDeadlineSeconds`, ten minutes by default.",
        cure="`status.targets[].notRestarted` says which workload waits for what; see "
        "[troubleshooting](troubleshooting.md#restartdelayed).",
    ),
)


def groups() -> list[dict[str, Any]]:
    """Return the rule groups as Prometheus reads them."""
    return [{"name": "phase-operator", "rules": [_rule(alert) for alert in ALERTS]}]


def rule_object() -> dict[str, Any]:
    """Return the groups as a PrometheusRule beside the operator of `deploy/base`."""
    return {
        "apiVersion": "monitoring.coreos.com/v1",
        "kind": "PrometheusRule",
        "metadata": {"name": "phase-operator", "namespace": "phase-system"},
        "spec": {"groups": groups()},
    }


def _rule(alert: Alert) -> dict[str, Any]:
    return {
        "alert": alert.name,
        "expr": " ".join(alert.expr.split()),
        "for": alert.lasting,
        "labels": {"severity": str(alert.severity)},
        "annotations": {
            "summary": alert.summary,
            "description": alert.description,
            "runbook": f"{PAGE}#{alert.name.lower()}",
        },
    }
