"""Golden pairs on a real API server: one operator makes of all of them what tests/unit/core/test_golden.py computes.

`render` prints the same objects, byte for byte but for the order of their fields, which the API server sorts.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from phase_dev import documents
from phase_dev.cluster import ControlPlane
from phase_dev.server import EmbeddedPhase
from phase_operator.api import names
from phase_operator.cli import cli
from phase_operator.cli.rendering.objects import without_keyed
from phase_operator.core.json_access import canonical, without
from support.api import api_of
from support.cli_files import pair_written
from support.golden import Pair, pairs, shown
from support.namespaces import remove_namespaces
from support.operator_process import eventually
from support.shared_operator import SharedOperator
from support.world import phase_secret, secret

pytestmark = pytest.mark.controlplane

PAIRS = pairs()


@dataclass(frozen=True)
class Standing:
    """All PhaseSecrets by name and all targets, once every PhaseSecret has its verdict."""

    resources: dict[str, Any]
    objects: list[dict[str, Any]]

    def of(self, pair: Pair) -> list[dict[str, Any]]:
        """Return the objects that a pair's PhaseSecret made."""
        owner = f"{namespace_of(pair)}/{pair.name}"
        return [each for each in self.objects if annotations(each).get(names.ANNOTATION_OWNER) == owner]


@pytest.fixture(scope="module")
def standing(installed: ControlPlane, module_operator: SharedOperator) -> Iterator[Standing]:
    """Apply every pair's PhaseSecret, each with a namespace and an app of its own, and wait for the verdicts."""
    module_operator.operator()
    with EmbeddedPhase(seed()) as phase:
        token = phase.token("operator", form="pss")
        parts = (
            namespaces(),
            [in_namespace(pair, secret(names.DEFAULT_TOKEN_SECRET, {"token": token})) for pair in PAIRS],
            [in_namespace(pair, resource(pair, phase.url)) for pair in PAIRS],
        )
        for part in parts:
            apply(installed, part)
        found = eventually(lambda: judged(installed), within=60, what="every pair has its verdict")
        yield Standing(found, items(installed, "secrets,configmaps"))
        api = api_of(installed)
        for pair in PAIRS:
            api.delete("phasesecrets", namespace=namespace_of(pair))
        eventually(lambda: not items(installed, "phasesecrets"), within=60, what="every PhaseSecret goes")
    remove_namespaces(installed, *map(namespace_of, PAIRS))


def test_the_folder_is_read() -> None:
    assert len(PAIRS) >= 20


@pytest.mark.parametrize("pair", PAIRS, ids=lambda pair: pair.name)
def test_the_operator_makes_what_is_written(pair: Pair, standing: Standing) -> None:
    wanted = pair.document["objects"]

    found = [shown(each, namespace_of(pair)) for each in standing.of(pair)]

    assert by_place(found) == by_place(wanted)


@pytest.mark.parametrize("pair", PAIRS, ids=lambda pair: pair.name)
def test_render_prints_what_the_operator_writes(pair: Pair, standing: Standing, tmp_path: Path) -> None:
    uid = standing.resources[pair.name]["metadata"]["uid"]
    arguments = pair_written(tmp_path, pair, namespace_of(pair), uid)

    result = CliRunner().invoke(cli, ["render", *arguments, "--show-values"])

    printed = [canonical(each) for each in documents.load_all(result.stdout)]
    assert sorted(printed) == sorted(canonical(as_applied(each)) for each in standing.of(pair))


@pytest.mark.parametrize("pair", PAIRS, ids=lambda pair: pair.name)
def test_the_status_tells_what_is_refused_and_why(pair: Pair, standing: Standing) -> None:
    status = standing.resources[pair.name]["status"]

    refused = {f"{each['kind']} {each['name']}": each["reason"] for each in status["targets"] if not each["ready"]}

    assert refused == pair.document.get("refused", {})


def seed() -> dict[str, Any]:
    """Make a Phase with an app for every pair."""
    apps = [{"name": pair.name, "environments": [{"name": pair.environment, "secrets": pair.held}]} for pair in PAIRS]
    return {"apps": apps, "accounts": [{"name": "operator", "access": {pair.name: ["*"] for pair in PAIRS}}]}


def resource(pair: Pair, url: str) -> dict[str, Any]:
    """Make a pair's PhaseSecret."""
    made = phase_secret(pair.name, url)
    return made | {"spec": pair.spec(namespace_of(pair), phaseHost=url)}


def namespace_of(pair: Pair) -> str:
    """Name a pair's namespace: two pairs may have a target of one name, as two of our samples have."""
    return f"golden-{pair.name}"


def namespaces() -> list[dict[str, Any]]:
    """Make every pair's namespace."""
    return [{"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace_of(pair)}} for pair in PAIRS]


def in_namespace(pair: Pair, body: dict[str, Any]) -> dict[str, Any]:
    """Put an object into a pair's namespace."""
    return body | {"metadata": body["metadata"] | {"namespace": namespace_of(pair)}}


def apply(plane: ControlPlane, objects: list[dict[str, Any]]) -> None:
    """Apply objects that are not there yet."""
    for each in objects:
        assert api_of(plane).make(each, ""), each["metadata"]


def judged(plane: ControlPlane) -> dict[str, Any] | None:
    """Return the PhaseSecrets by name if every one says of its targets how they stand."""
    found = {each["metadata"]["name"]: each for each in items(plane, "phasesecrets")}
    return found if all((each.get("status") or {}).get("targets") for each in found.values()) else None


def items(plane: ControlPlane, kinds: str) -> list[dict[str, Any]]:
    """List objects of all pairs' namespaces."""
    found = [each for kind in kinds.split(",") for each in api_of(plane).items(kind)]
    ours = {namespace_of(pair) for pair in PAIRS}
    return [each for each in found if each["metadata"]["namespace"] in ours]


def as_applied(body: dict[str, Any]) -> dict[str, Any]:
    """Return an object as the operator applied it, without what its key goes into and what the API server added."""
    metadata = without(body["metadata"], "uid", "resourceVersion", "creationTimestamp", "managedFields")
    return without_keyed(body | {"metadata": metadata}, has_uid=True)


def annotations(body: dict[str, Any]) -> dict[str, str]:
    """Return an object's annotations."""
    return body["metadata"].get("annotations") or {}


def by_place(objects: list[dict[str, Any]]) -> dict[str, Any]:
    """Return objects by kind and name: lists have the API server's order."""
    return {f"{each['kind']} {each['metadata']['name']}": each for each in objects}
