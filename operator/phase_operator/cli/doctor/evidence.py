"""What goes into a support bundle, as the text of each file.

Rule: no data of a Secret or ConfigMap is asked for, and every object goes through `redacted`. What cannot be read is
said in its file. Each list and each text is bounded.
"""

import asyncio
import json
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from dataclasses import asdict
from typing import Any

from phase_operator import __version__
from phase_operator.cli.doctor import redacted
from phase_operator.cli.doctor.deployed import Operator
from phase_operator.cli.doctor.facts import Facts, Running
from phase_operator.cli.doctor.findings import Finding, Unread, known
from phase_operator.cli.doctor.gathering import TARGETS, Place, first
from phase_operator.cli.doctor.others import Lease
from phase_operator.cli.doctor.report import lines
from phase_operator.cli.doctor.running import Answer, Pod, leader_of
from phase_operator.core.text import clean, without_tokens
from phase_operator.kube.user_cluster import UserCluster
from phase_operator.kube.user_errors import UserError
from phase_operator.kube.user_resources import CONFIG_MAPS, EVENTS, OURS, SECRETS, Resource

MOST_OBJECTS = 5_000
# Characters of the log that are kept, from its end, and lines that are asked for.
MOST_OF_LOG = 5 * 1024 * 1024
_LINES = 20_000
# Bytes of metrics: with those of each resource there may be many.
_MOST_OF_METRICS = 16 * 1024 * 1024
# Seconds that one file may take.
_PATIENCE = 60.0
_ABOUT = """Support bundle of phase-operator {version}.

No data of Secrets or ConfigMaps was read for it. Labels, annotations and finalizers of others, messages of Events,
texts of templates and variables that are no settings are left out or masked, and so is what looks like a token.
Names are as people gave them, also in the log: look through the files before you send them.
"""
Files = dict[str, str]
Redact = Callable[[Mapping[str, Any]], dict[str, Any]]


async def evidence_of(cluster: UserCluster, place: Place, facts: Facts, findings: Sequence[Finding]) -> Files:
    """Return the files of a bundle by their names."""
    files = {"README.txt": _ABOUT.format(version=__version__)}
    files["findings.txt"] = without_tokens("\n".join(lines(findings, marks=False)) + "\n")
    files["findings.json"] = _json([asdict(each) for each in findings])
    files["cluster.json"] = _json(_of_cluster(facts))
    for kind in OURS:
        files[f"resources/{kind.plural}.json"] = await _listed(cluster, kind, place.namespace, redacted.resource)
    for kind in (SECRETS, CONFIG_MAPS):
        files[f"targets/{kind.plural}.json"] = await _listed(
            cluster, kind, place.namespace, _as_target, labels=TARGETS, metadata=True
        )
    if facts.running is not None:
        files |= await _of_operator(cluster, facts.running)
    return files


def _of_cluster(facts: Facts) -> dict[str, Any]:
    crds = {name: redacted.definition(each) for name, each in facts.crds.items() if isinstance(each, dict)}
    return {
        "version": dict(known(facts.version, {})),
        "crds": crds,
        "operators": [_operator(each) for each in facts.others.operators[:MOST_OBJECTS]],
        "leases": [{**asdict(each), "holder": redacted.MASKED} for each in facts.others.leases],
        "marked": list(facts.others.marked),
        "rewritten": list(facts.others.rewritten),
    }


async def _of_operator(cluster: UserCluster, running: Running) -> Files:
    operator, home = running.operator, running.operator.namespace
    files = {
        "operator/deployment.json": _json(redacted.deployment(operator.body)),
        "operator/pods.json": _json([redacted.pod(each.body) for each in known(running.pods, ())]),
        "operator/lease.json": _lease(running.lease),
        "operator/networkpolicies.json": _objects(running.policies, redacted.network_policy),
        "operator/poddisruptionbudgets.json": _objects(running.budgets, redacted.budget),
        "operator/events.json": await _listed(cluster, EVENTS, home, redacted.event),
        "operator/readyz.txt": "".join(f"{name}:\n{_said(each)}\n" for name, each in running.answers.items()),
    }
    leader = leader_of(running.lease, running.pods)
    if leader is None:
        return files | {"operator/log.txt": "no leader was found\n"}
    files["operator/log.txt"] = await _text(_log(cluster, leader, operator.container))
    if operator.metrics_port:
        files["operator/metrics.txt"] = await _text(_metrics(cluster, leader, operator.metrics_port))
    return files


async def _listed(
    cluster: UserCluster,
    kind: Resource,
    namespace: str,
    redact: Redact,
    *,
    labels: str = "",
    metadata: bool = False,
) -> str:
    """Return the first objects of a kind as JSON."""
    return await _text(_redacted(cluster.each(kind, namespace, labels=labels, metadata=metadata), redact))


async def _redacted(objects: AsyncIterator[Mapping[str, Any]], redact: Redact) -> str:
    found = [redact(each) async for each in first(objects, MOST_OBJECTS)]
    return _json({"complete": len(found) < MOST_OBJECTS, "items": found})


async def _text(text: Awaitable[str]) -> str:
    """Return a text without tokens, or why it could not be read."""
    try:
        async with asyncio.timeout(_PATIENCE):
            return without_tokens(await text)
    except UserError as error:
        return f"not read: {error.message}\n"
    except TimeoutError:
        return f"not read within {_PATIENCE:g} s\n"


async def _log(cluster: UserCluster, pod: Pod, container: str) -> str:
    """Return the end of a container's log."""
    kept: deque[str] = deque()
    size = 0
    query = [("container", container), ("tailLines", str(_LINES))]
    async for line in cluster.log(pod.namespace, pod.name, query):
        kept.append(line)
        size += len(line) + 1
        while size > MOST_OF_LOG:
            size -= len(kept.popleft()) + 1
    return "".join(f"{line}\n" for line in kept)


async def _metrics(cluster: UserCluster, pod: Pod, port: int) -> str:
    return (await cluster.ask_pod(pod.namespace, pod.name, port, "/metrics", most=_MOST_OF_METRICS)).text


def _as_target(body: Mapping[str, Any]) -> dict[str, Any]:
    return {"metadata": redacted.metadata(body)}


def _operator(found: Operator) -> dict[str, Any]:
    """Return which operator it is: others than the one that is examined may be a tenant's."""
    names = ("namespace", "name", "is_official", "image", "replicas", "ready")
    return {name: getattr(found, name) for name in names}


def _lease(found: Lease | Unread | None) -> str:
    if isinstance(found, Unread):
        return f"not read: {found.why}\n"
    return _json(None if found is None else asdict(found))


def _objects(found: Sequence[Mapping[str, Any]] | Unread, redact: Redact) -> str:
    return f"not read: {found.why}\n" if isinstance(found, Unread) else _json(list(map(redact, found)))


def _said(answer: Answer | Unread) -> str:
    if isinstance(answer, Unread):
        return f"not read: {answer.why}"
    return without_tokens("\n".join([f"status {answer.status}", *map(clean, answer.lines)]))


def _json(document: object) -> str:
    return without_tokens(json.dumps(document, indent=1, ensure_ascii=False)) + "\n"
