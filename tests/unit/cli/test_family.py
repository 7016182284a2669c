"""A tree shows where a resource comes from and goes to, and nothing in it can forge a line."""

import json
from typing import Any

import pytest

from phase_operator.api import names
from phase_operator.cli.tracing.drawing import Node, drawn
from phase_operator.cli.tracing.family import family
from phase_operator.cli.tracing.readers import Reader, policies_of, reader
from phase_operator.core.refs import Kind, TargetRef
from phase_operator.core.rollout.progress import WorkloadKind
from phase_operator.core.rollout.workload import Workload, read_workload
from phase_operator.core.values import ObjectKey
from support.world import deployment
from unit.cli.things import HOSTILE, SHOP, condition, resource, target_status


def tree(found: dict[str, Any], readers: list[Reader] | None = None) -> list[str]:
    return list(drawn(family(found, lambda _: readers, lambda *_: True)))


def workload(reads: str = "shop", **metadata: Any) -> Workload:
    document = deployment("web", reads)
    document["metadata"] |= {"namespace": "shop", **metadata}
    found = read_workload(WorkloadKind.DEPLOYMENT, document)
    assert found is not None
    return found


def test_a_phase_secret_is_between_phase_and_its_workloads() -> None:
    status = {
        "source": {"entries": 3},
        "targets": [
            target_status(restarted=["Deployment web"], notRestarted=["StatefulSet db: it is paused"]),
            target_status("old", ready=False, reason="TargetConflict", message="it is managed by Helm"),
            target_status("flags", kind="ConfigMap", namespace="web", version="flags-0123456789", keys=1),
        ],
    }
    found = resource(
        spec={"phaseApp": "shop", "phaseAppEnvPath": "/web", "phaseHost": "https://p.example"}, status=status
    )

    assert tree(found) == [
        "Phase shop/production:/web: at https://p.example, 3 entries",
        "└─ PhaseSecret shop/shop: ready",
        "   ├─ Secret shop: in step, 2 keys",
        "   │  ├─ Deployment web: restarted for it",
        "   │  └─ StatefulSet db: not restarted: it is paused",
        "   ├─ Secret old: not in step: TargetConflict: it is managed by Helm, 2 keys",
        "   └─ ConfigMap web/flags: in step, 1 key, newest version flags-0123456789",
    ]


def test_readers_are_shown_beside_what_the_status_says() -> None:
    found = resource(status={"targets": [target_status(restarted=["Deployment web"])]})
    readers = [
        Reader("Deployment web", "reads all keys", True, "follows it"),
        Reader("CronJob job", 'reads "A"', False, "does not follow it: its annotation is false"),
    ]

    assert tree(found, readers)[-2:] == [
        "      ├─ Deployment web: restarted for it, reads all keys, follows it",
        '      └─ CronJob job: reads "A", does not follow it: its annotation is false',
    ]


def test_a_lease_is_shown_with_its_end() -> None:
    leases = [
        {"attempt": "aaaa0000", "state": "Active", "endsAt": "2026-01-01T01:00:00Z"},
        {"attempt": "bbbb0000", "state": "Asking"},
    ]
    found = resource(
        names.KIND_PHASE_DYNAMIC_SECRET,
        spec={"phaseApp": "shop", "phaseAppEnvPath": "/aws", "dynamicSecret": "bucket"},
        status={"leases": leases, "targets": [target_status()]},
    )

    assert tree(found) == [
        'Phase shop/production:/aws: dynamic secret "bucket"',
        "└─ PhaseDynamicSecret shop/shop: ready",
        "   ├─ Lease aaaa0000: active, ends at 2026-01-01T01:00:00Z",
        "   ├─ Lease bbbb0000: asking",
        "   └─ Secret shop: in step, 2 keys",
    ]


def test_a_push_goes_from_its_sources_to_phase() -> None:
    status = {
        "source": {"entries": 2},
        "entriesInStep": 1,
        "sources": [
            {"kind": "Secret", "name": "db", "entries": 1, "resourceVersion": "5"},
            {"kind": "ConfigMap", "name": "web", "entries": 1, "resourceVersion": "6"},
        ],
        "entries": [
            {"path": "/", "key": "URL", "source": "Secret/db", "version": 3},
            {"path": "/web/", "key": "HOST", "source": "ConfigMap/web", "state": "Adding"},
        ],
    }
    found = resource(names.KIND_PHASE_PUSH_SECRET, spec={"phaseAppId": "id-1"}, status=status)

    assert tree(found) == [
        "┌─ Secret db: 1 entry",
        "├─ ConfigMap web: 1 entry",
        "PhasePushSecret shop/shop: ready",
        "└─ Phase id-1/production:/: 1 of 2 in step",
        "   ├─ /URL: of Secret/db, version 3",
        "   └─ /web/HOST: of ConfigMap/web, adding",
    ]


def test_a_resource_that_nobody_judged_says_so() -> None:
    found = resource(status={"conditions": []})

    assert tree(found)[1] == "└─ PhaseSecret shop/shop: not judged yet by an operator"


def test_a_suspension_shows_its_reason() -> None:
    found = resource(
        metadata={"annotations": {names.ANNOTATION_SUSPENDED_BECAUSE: "a migration"}},
        spec={"phaseApp": "shop", "suspend": True},
        status={"conditions": [condition("Ready", "False", "Suspended", "as it is")]},
    )

    assert tree(found)[1].endswith("not ready: Suspended: as it is, suspended because: a migration")


def test_nothing_of_others_makes_a_line_or_moves_the_cursor() -> None:
    hostile = {"kind": "Secret", "namespace": HOSTILE, "name": HOSTILE, "version": HOSTILE, "reason": HOSTILE}
    status = {
        "conditions": [condition("Ready", "False", HOSTILE, HOSTILE)],
        "targets": [hostile | {"message": HOSTILE, "restarted": [HOSTILE, f"{HOSTILE}: {HOSTILE}"]}, {"kind": HOSTILE}],
        "sources": [{"kind": HOSTILE, "name": HOSTILE}],
        "entries": [{"path": HOSTILE, "key": HOSTILE, "source": HOSTILE, "state": HOSTILE}],
        "leases": [{"attempt": HOSTILE, "state": HOSTILE, "endsAt": HOSTILE}],
    }
    spec = dict.fromkeys(("phaseApp", "phaseHost", "phaseAppEnv", "phaseAppEnvPath", "dynamicSecret"), HOSTILE)
    for kind in (names.KIND_PHASE_SECRET, *names.LEDGERS):
        annotations = {names.ANNOTATION_SUSPENDED_BECAUSE: HOSTILE}
        lines = tree(resource(kind, metadata={"annotations": annotations}, spec=spec, status=status))

        assert all(line.isprintable() for line in lines)


def test_a_long_list_is_cut_in_text_and_whole_in_json() -> None:
    entries = [{"path": "/", "key": f"K{number}", "source": "Secret/db"} for number in range(2000)]
    node = family(resource(names.KIND_PHASE_PUSH_SECRET, status={"entries": entries}), lambda _: None, lambda *_: True)

    lines = list(drawn(node))

    assert len(lines) == 43
    assert lines[-1] == "   └─ and 1960 more; -o json has all of them"
    assert len(json.loads(json.dumps(node.as_json()))["children"][0]["children"]) == 2000


def test_a_node_without_kind_or_words_is_its_name() -> None:
    assert list(drawn(Node("", "a"))) == ["a"]


@pytest.mark.parametrize(
    ("restart", "metadata", "is_follower", "told"),
    [
        ({"workloads": "All"}, {}, True, "follows it"),
        ({}, {"annotations": {names.ANNOTATION_REDEPLOY: "true"}}, True, "follows it"),
        ({}, {}, False, f"does not follow it: it lacks the annotation {names.ANNOTATION_REDEPLOY}"),
        ({"workloads": "None"}, {}, False, "does not follow it: the target's restart.workloads is None"),
        (
            {"workloads": "All"},
            {"annotations": {names.ANNOTATION_REDEPLOY: "false"}},
            False,
            f"does not follow it: its annotation {names.ANNOTATION_REDEPLOY} is false",
        ),
        (
            {"workloads": "All", "selector": "tier=api"},
            {"labels": {"tier": "web"}},
            False,
            "does not follow it: a selector does not match its labels",
        ),
    ],
)
def test_a_reader_that_does_not_follow_says_why(
    restart: dict[str, str], metadata: dict[str, Any], is_follower: bool, told: str
) -> None:
    spec = {"phaseApp": "shop", "managedSecretReferences": [{"secretName": "shop", "restart": restart}]}
    policies = policies_of(resource(spec=spec), ObjectKey("shop", "shop"))

    found = reader(workload(**metadata), SHOP, policies[SHOP])

    assert found == Reader("Deployment web", "reads all keys", is_follower, told)


def test_a_workload_that_reads_something_else_is_no_reader() -> None:
    assert reader(workload(reads="other"), SHOP, None) is None
    assert reader(workload(), TargetRef(Kind.CONFIG_MAP, SHOP.key), None) is None
    assert reader(workload(namespace="elsewhere"), SHOP, None) is None


def test_a_spec_that_is_not_valid_has_no_followers() -> None:
    assert policies_of(resource(spec={"managedSecretReferences": 7}), ObjectKey("shop", "shop")) == {}
    found = reader(workload(), SHOP, None)
    assert found is not None
    assert found.follows == "does not follow it: the spec does not name the target, or is not valid"


@pytest.mark.parametrize(
    ("spec", "source", "line"),
    [
        ({}, {}, "Phase"),
        ({}, {"host": "https://p.example"}, "at https://p.example"),
        ({"phaseHost": "https://named.example"}, {"host": "https://p.example"}, "at https://named.example"),
    ],
)
def test_a_tree_names_the_host_that_was_asked(spec: dict[str, Any], source: dict[str, Any], line: str) -> None:
    first = tree(resource(spec={"phaseApp": "shop", **spec}, status={"source": source}))[0]

    assert line in first
    assert ("at " in first) == line.startswith("at ")
