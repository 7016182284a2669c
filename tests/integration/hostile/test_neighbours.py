"""Whatever one tenant does with the rights of `edit` and PhaseSecrets, his neighbour is served as if he were not there.

During each attack the neighbour changes a value and makes a new resource, three times: the change arrives within his
interval and 5 s, the new resource is ready within 5 s, /healthz answers within 1 s, no status of his changes, the
operator stays below 256 MiB and keeps its Lease.
"""

import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from phase_operator.api import names
from support.bad_phase import BEHAVIOURS
from support.neighbours import Hostile, Watching
from support.operator_process import eventually, meanwhile
from support.world import World, deployment

ROUNDS = 3
ASKS = {
    "do not answer": ("hang", "drip", "slow-head"),
    "answer too much": ("endless", "bomb", "one-bomb", "many", "large", "deep", "headers", "interim"),
    "answer odd things": ("page", "odd-date", "redirects", "resets", "garbage"),
    "refuse": ("refuses", "busy", "broken"),
    "look alike": ("names", "keys"),
}


def endure(watching: Watching) -> None:
    """Let the good tenant work for some rounds, and fail with every promise that was not kept."""
    for number in range(ROUNDS):
        watching.round(number)
    assert watching.figures.broken() == []


def test_there_is_an_attack_with_every_behaviour() -> None:
    assert sorted(sum(ASKS.values(), ("good",))) == sorted(BEHAVIOURS)


@pytest.mark.parametrize("hosts", [pytest.param(found, id=name) for name, found in ASKS.items()])
def test_hosts_of_his_own(hosts: tuple[str, ...], good: World, hostile: Hostile, watching: Watching) -> None:
    each = 48 // len(hosts)
    hostile.apply(
        *(hostile.asks(f"{host}-{number}", host, number) for host in hosts for number in range(each)),
    )
    eventually(lambda: any(hostile.phase.asked[host] for host in hosts), within=60, what="his hosts are asked")

    endure(watching)


def test_questions_that_a_proxy_refuses(good: World, hostile: Hostile, watching: Watching) -> None:
    """The host is the good tenant's own Phase, the token is invented, and the question is as long as it may be."""
    tags = ["é" * 60] * 10
    hostile.apply(
        *(
            {**hostile.asks(f"long-{number}", "good"), "spec": _spec(good, f"env-{number}", tags)}
            for number in range(12)
        ),
        check=False,
    )

    endure(watching)


def _spec(good: World, environment: str, tags: list[str]) -> dict[str, Any]:
    return {
        "phaseHost": good.phase.url,
        "phaseApp": "shop",
        "phaseAppEnv": environment,
        "phaseAppEnvTags": tags,
        "pollingInterval": 5,
        "managedSecretReferences": [{"secretName": environment}],
    }


def _patterns(hostile: Hostile) -> list[dict[str, Any]]:
    """Patterns that match nearly everything, over and over, for as many keys as an answer may have."""
    globs = [f"*{chr(97 + number % 26)}*{number}*" for number in range(64)]
    return [
        hostile.asks(f"patterns-{number}", "keys", keys={"include": globs, "exclude": [f"{each}?" for each in globs]})
        for number in range(20)
    ]


def _templates(hostile: Hostile) -> list[dict[str, Any]]:
    """Texts that each miss a key whose name nearly all have."""
    texts = {f"text-{number}": "{{ " + "A" * 150 + f"{number} }}}}" for number in range(16)}
    targets = [{"secretName": f"templates-{number}", "template": {"data": texts}} for number in range(64)]
    return [hostile.asks("templates", "keys", managedSecretReferences=targets)]


def _names(hostile: Hostile) -> list[dict[str, Any]]:
    """Apps and tags whose names are nearly those that there are."""
    return [
        hostile.asks(f"names-{number}", "names", phaseApp="a" * 180 + str(number), phaseAppEnvTags=["b" * 60])
        for number in range(10)
    ]


def _targets(hostile: Hostile) -> list[dict[str, Any]]:
    """PhaseSecrets that fight for the same objects, as wholes, as versions and as keys."""
    fields: list[dict[str, Any]] = [{}, {"adopt": True}, {"versioned": {"keep": 1}}, {"creationPolicy": "Merge"}]
    return [
        hostile.asks(
            f"fight-{number}",
            "good",
            managedSecretReferences=[{"secretName": f"prize-{prize}", **fields[number % 4]} for prize in range(16)],
        )
        for number in range(24)
    ]


SPECS: dict[str, Callable[[Hostile], list[dict[str, Any]]]] = {
    "patterns": _patterns,
    "templates": _templates,
    "names": _names,
    "targets": _targets,
}


@pytest.mark.parametrize("kind", SPECS)
def test_specs_that_are_much_work(kind: str, good: World, hostile: Hostile, watching: Watching) -> None:
    for document in SPECS[kind](hostile):
        hostile.apply(document, check=False)

    endure(watching)


def test_a_storm_of_edits(good: World, hostile: Hostile, watching: Watching) -> None:
    hostile.apply(*(hostile.asks(f"storm-{number}", "good") for number in range(50)))
    turn = iter(range(10_000))

    def storm() -> None:
        value = f"{next(turn)}-" + "x" * 1000
        hostile.kubectl("annotate", "phasesecrets", "--all", "--overwrite", f"{names.ANNOTATION_SYNC}={value}")

    with meanwhile(storm, every=0.1):
        endure(watching)


def test_statuses_that_he_writes_himself(good: World, hostile: Hostile, watching: Watching) -> None:
    hostile.apply(*(hostile.asks(f"status-{number}", "good") for number in range(4)))
    target = {"kind": "Secret", "name": "x", "namespace": good.namespace, "ready": True}
    strange: list[dict[str, Any]] = [
        {"targets": [{**target, "kind": "Nonsense"}]},
        {"targets": [{**target, "name": f"x-{number}"} for number in range(256)]},
        {"source": {"entries": 2**31 - 1, "appId": "x" * 64}, "lastForcedSync": "x" * 256},
        {"conditions": [], "observedGeneration": 2**60},
    ]
    for number, status in enumerate(strange):
        patch = json.dumps({"status": status})
        hostile.kubectl("patch", "phasesecret", f"status-{number}", "--subresource=status", "--type=merge", "-p", patch)

    endure(watching)


def test_workloads_that_never_come_up_hold_nobody_s_restart(good: World, hostile: Hostile, watching: Watching) -> None:
    hostile.apply(hostile.asks("stuck", "good"))
    for number in range(12):
        stuck = deployment(f"stuck-{number}", "stuck")
        stuck["metadata"]["annotations"] = {names.ANNOTATION_REDEPLOY: "true"}
        stuck["spec"]["progressDeadlineSeconds"] = 2**31 - 1
        stuck["spec"]["template"]["spec"]["nodeSelector"] = {"there-is": "no-such-node"}
        hostile.apply(stuck)

    endure(watching)


def test_objects_that_he_marks_as_others(good: World, hostile: Hostile, watching: Watching) -> None:
    """Secrets with every label and annotation of the operator's, that name the good tenant's PhaseSecret."""
    marks = {
        names.ANNOTATION_OWNER: f"{good.namespace}/shop",
        names.ANNOTATION_DIGEST: "00" * 32,
        names.ANNOTATION_KEYS: "A" * 4000,
        names.ANNOTATION_SEAL: "B" * 4000,
        names.ANNOTATION_ON_REMOVAL: "Delete",
    }
    labels = {names.LABEL_TARGET: names.LABEL_TARGET_VALUE, names.LABEL_VERSION_OF: "shop"}
    hostile.apply(
        *(
            {
                "apiVersion": "v1",
                "kind": kind,
                "metadata": {"name": f"marked-{number}", "labels": labels, "annotations": marks},
            }
            for kind in ("Secret", "ConfigMap")
            for number in range(50)
        )
    )

    endure(watching)
    assert hostile.kubectl("get", "secrets", "-l", names.LABEL_VERSION_OF, "-o", "name").count("marked-") == 50


def test_names_of_his_neighbour_s(good: World, hostile: Hostile, watching: Watching) -> None:
    """PhaseSecrets that name the good tenant's token, Secret and namespace in every place that takes a namespace."""
    token = {"serviceToken": {"serviceTokenSecretReference": {"secretNamespace": good.namespace, "secretName": "shop"}}}
    target = {"secretName": "shop", "secretNamespace": good.namespace}
    spies = [
        hostile.asks("token", "good", authentication=token),
        hostile.asks("target", "good", managedSecretReferences=[target]),
        hostile.asks("suspended", "good", suspend=True, managedSecretReferences=[target]),
        hostile.asks("restart", "good", managedSecretReferences=[{**target, "restart": "All"}]),
        hostile.asks("merge", "good", managedSecretReferences=[{**target, "creationPolicy": "Merge"}]),
        hostile.asks("versions", "good", managedSecretReferences=[{**target, "versioned": {"keep": 1}}]),
        hostile.asks("adopt", "good", managedSecretReferences=[{**target, "adopt": True}]),
    ]
    for each in spies:
        hostile.apply(each, check=False)

    endure(watching)
    refused = json.loads(hostile.kubectl("get", "phasesecrets", "-o", "json"))["items"]
    assert refused
    assert {reason for each in refused for reason in _reasons(each)} <= {"CrossNamespaceRefused", "InvalidSpec"}


def _reasons(found: dict[str, Any]) -> Iterator[str]:
    for condition in (found.get("status") or {}).get("conditions") or []:
        if condition["type"] == "Ready":
            yield condition["reason"]
