"""Whether the operator runs: its pods, its leader, and what the leader says of itself.

Rule: the operator's namespace is trusted to name its objects, not to be kind to a terminal: every text is made safe.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from phase_operator import __version__
from phase_operator.cli.common.leader import pod_of as holder_of
from phase_operator.cli.common.standing import conditions, is_true, ready_of
from phase_operator.cli.doctor.deployed import Operator, tag_of
from phase_operator.cli.doctor.findings import Finding, Unread, Verdict, shown
from phase_operator.cli.doctor.others import Lease
from phase_operator.core.json_access import at, mapping, mappings, number, text
from phase_operator.core.text import clean, counted

PODS, LEADER, READY = "pods", "leader", "readyz"
_MANY_RESTARTS = 3
_KILLED = "OOMKilled"
_OK = 200
_CURES = {
    "ImagePullBackOff": "Correct the image's name, or give the namespace the registry's imagePullSecrets.",
    "ErrImagePull": "Correct the image's name, or give the namespace the registry's imagePullSecrets.",
    "CrashLoopBackOff": "Read why it ends: kubectl -n {namespace} logs {pod} --previous",
    _KILLED: "Raise the memory limit of the Deployment, or select less of Phase (docs/operating/figures.md).",
}


@dataclass(frozen=True, slots=True)
class Pod:
    """A pod of the operator."""

    namespace: str
    name: str
    is_ready: bool
    restarts: int
    image: str
    # Why it is not ready, and why it ended last, in one word; "" if that is not known.
    waits_for: str
    ended_by: str
    body: Mapping[str, Any]

    @property
    def version(self) -> str:
        """The tag of its image; the image itself if it has none."""
        return tag_of(self.image) or self.image


@dataclass(frozen=True, slots=True)
class Answer:
    """What a pod answers at /readyz."""

    status: int
    lines: tuple[str, ...]


def pod_of(body: Mapping[str, Any]) -> Pod:
    """Return what the API server knows of a pod."""
    metadata, status = mapping(body.get("metadata")), mapping(body.get("status"))
    containers = list(mappings(status.get("containerStatuses")))
    waiting = (text(at(each, ("state", "waiting")).get("reason")) for each in containers)
    ended = (
        text(at(each, (state, "terminated")).get("reason")) for each in containers for state in ("lastState", "state")
    )
    images = (text(each.get("image")) for each in mappings(at(body, ("spec",)).get("containers")))
    unscheduled = text(conditions(body).get("PodScheduled", {}).get("reason"))
    return Pod(
        namespace=text(metadata.get("namespace")),
        name=text(metadata.get("name")),
        is_ready=is_true(ready_of(body)),
        restarts=max((number(each.get("restartCount")) for each in containers), default=0),
        image=next(images, ""),
        waits_for=next(filter(None, waiting), "") or unscheduled,
        ended_by=next(filter(None, ended), ""),
        body=body,
    )


def check_pods(operator: Operator, pods: Sequence[Pod] | Unread) -> Finding:
    """Return whether all pods are there and ready, and of one version."""
    if isinstance(pods, Unread):
        return pods.finding(PODS)
    if problem := _not_running(operator, pods) or _restarted(pods):
        return problem
    versions = sorted({each.version for each in pods})
    if len(versions) > 1:
        cure = (
            f"Wait for the roll-out: kubectl -n {operator.namespace} rollout status deployment/{clean(operator.name)}"
        )
        return Finding(PODS, Verdict.NOTE, f"pods run different versions: {shown(versions)}", cure)
    ready = f"{counted(len(pods), 'pod')} of {clean(str(operator))} ready"
    if versions == [__version__]:
        return Finding(PODS, Verdict.OK, f"{ready}, version {__version__}")
    cure = "Use the command line of the operator's version, or upgrade the operator and its CRDs."
    return Finding(
        PODS, Verdict.NOTE, f"{ready}, with image tag {shown(versions)}; this program is {__version__}", cure
    )


def check_leader(operator: Operator, lease: Lease | Unread | None, pods: Sequence[Pod] | Unread, now: float) -> Finding:
    """Return whether somebody leads, and whether it is one of the pods."""
    if not operator.elects:
        return _without_election(operator)
    if isinstance(lease, Unread):
        return lease.finding(LEADER)
    place = f"{operator.namespace}/{operator.lease}"
    if lease is None or not lease.holder:
        said = f"nobody holds the Lease {clean(place)}"
        return Finding(LEADER, Verdict.BAD, said, "No replica works. Look at the pods, and at their rights on Leases.")
    holder = clean(holder_of(lease.holder) or lease.holder)
    if not lease.is_held(now):
        said = f"{holder} holds the Lease {clean(place)}, and renewed it last {_since(lease.renewed, now)}"
        cure = "No replica works, or none reaches the API server. Read the pods' logs for `lease not known`."
        return Finding(LEADER, Verdict.BAD, said, cure)
    if isinstance(pods, Unread) or leader_of(lease, pods) is not None:
        return Finding(LEADER, Verdict.OK, f"{holder} leads by the Lease {clean(place)}")
    said = f"{holder} leads, and is no pod of {clean(str(operator))}"
    return Finding(
        LEADER, Verdict.NOTE, said, "An operator runs elsewhere, or this pod has just gone: look again in a minute."
    )


def leader_of(lease: Lease | Unread | None, pods: Sequence[Pod] | Unread) -> Pod | None:
    """Return the pod that holds the Lease; the only one if there is no election."""
    if isinstance(pods, Unread):
        return None
    if lease is None and len(pods) == 1:
        return pods[0]
    return next((each for each in pods if isinstance(lease, Lease) and _is_of(lease, each)), None)


def check_ready(answers: Mapping[str, Answer | Unread]) -> Finding:
    """Return what the pods say of themselves at /readyz."""
    heard = {name: each for name, each in answers.items() if isinstance(each, Answer)}
    if not heard:
        unread = (each for each in answers.values() if isinstance(each, Unread))
        return next(unread, Unread("no pod could be asked")).finding(READY)
    if unready := [f"{clean(name)}: {_said(each)}" for name, each in heard.items() if each.status != _OK]:
        cure = "The words after the pod's name say what it waits for; its log has more."
        return Finding(READY, Verdict.BAD, "; ".join(unready), cure)
    if notes := _notes(heard.values()):
        return Finding(READY, Verdict.NOTE, notes, "Grant or create what it names; nothing has to be restarted.")
    return Finding(READY, Verdict.OK, f"{counted(len(heard), 'pod')} answered ok")


def _said(answer: Answer) -> str:
    return shown(answer.lines) or str(answer.status)


def _notes(answers: Iterable[Answer]) -> str:
    """Return what pods say besides that they are ready, each once."""
    return shown(dict.fromkeys(line for each in answers for line in each.lines if line != "ok"))


def _not_running(operator: Operator, pods: Sequence[Pod]) -> Finding | None:
    if not operator.replicas:
        cure = f"kubectl -n {operator.namespace} scale deployment/{clean(operator.name)} --replicas=2"
        return Finding(PODS, Verdict.BAD, f"{clean(str(operator))} is scaled to 0", cure)
    if not pods:
        cure = f"kubectl -n {operator.namespace} describe replicaset -l app.kubernetes.io/name=phase-operator"
        return Finding(PODS, Verdict.BAD, f"{clean(str(operator))} has no pod", cure)
    unready = [each for each in pods if not each.is_ready]
    if not unready:
        return None
    said = ", ".join(f"{clean(each.name)}{_waits(each)}" for each in unready[:3])
    verdict = Verdict.BAD if len(unready) == len(pods) else Verdict.NOTE
    return Finding(PODS, verdict, f"{len(unready)} of {counted(len(pods), 'pod')} not ready: {said}", _cure(unready[0]))


def _restarted(pods: Sequence[Pod]) -> Finding | None:
    restarting = [each for each in pods if each.restarts >= _MANY_RESTARTS]
    if not restarting:
        return None
    said = ", ".join(f"{clean(each.name)} {each.restarts} times{_last_end(each)}" for each in restarting[:3])
    return Finding(PODS, Verdict.NOTE, f"pods were restarted: {said}", _cure(restarting[0], restarting[0].ended_by))


def _cure(pod: Pod, why: str = "") -> str:
    known = _CURES.get(why) or _CURES.get(pod.ended_by if pod.ended_by == _KILLED else pod.waits_for)
    template = known or "kubectl -n {namespace} describe pod {pod}"
    return template.format(namespace=clean(pod.namespace), pod=clean(pod.name))


def _waits(pod: Pod) -> str:
    return f" ({clean(pod.waits_for)})" if pod.waits_for else ""


def _last_end(pod: Pod) -> str:
    return f" (last by {clean(pod.ended_by)})" if pod.ended_by else ""


def _since(renewed: float | None, now: float) -> str:
    return "never" if renewed is None else f"{now - renewed:.0f} s ago"


def _without_election(operator: Operator) -> Finding:
    if operator.replicas > 1:
        replicas = counted(operator.replicas, "replica")
        said = f"{replicas} of {clean(str(operator))} work against each other: election is off"
        return Finding(LEADER, Verdict.BAD, said, "Turn --leader-elect on, or run one replica.")
    return Finding(LEADER, Verdict.OK, "one replica works without an election")


def _is_of(lease: Lease, pod: Pod) -> bool:
    """Return whether a pod holds a Lease: its host name, which is cut to 63 characters, and some digits identify it."""
    return holder_of(lease.holder) == pod.name[:63]


def lines_of(answer: str) -> Iterator[str]:
    """Yield the lines of an answer that say something, each made safe for display."""
    yield from (clean(line) for line in answer.splitlines()[:50] if line.strip())
