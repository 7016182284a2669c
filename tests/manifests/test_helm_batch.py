"""What renders the chart in most tests, helm's commands in one process, is helm: it answers the same, to the byte."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from manifests.conftest import Run, environment_of_go, local, path_of
from manifests.objects import CHART, ROOT
from manifests.test_deploy_and_chart import APIS, EVERYTHING
from phase_dev.cluster.catalog import HELM_BATCH
from support.helm_batch import HelmBatch

Command = tuple[list[str], str]


def template(values: dict[str, Any], *more: str, namespace: str = "phase-system") -> Command:
    words = ["template", "phase-operator", str(CHART), "--namespace", namespace, "--values", "-", *more]
    return words, json.dumps(local(values))


def untimed(text: str) -> str:
    """Leave out when a release was made, which helm tells of an installation."""
    return re.sub("^LAST DEPLOYED: .*$", "", text, flags=re.MULTILINE)


ALL_APIS = [word for api in APIS for word in ("--api-versions", api)]
COMMANDS = {
    "defaults": template({}, "--kube-version", "1.37", "--skip-tests"),
    "everything set, with its tests": template(EVERYTHING, "--kube-version", "1.32", *ALL_APIS),
    "a value that the schema does not know": template({"nonsense": 1}),
    "values that the schema refuses": template({"log": {"level": "loud"}}),  # two reasons come in any order
    "a value where values should be": template({"proxy": "x"}),
    "values that a template refuses": template({"extraEnv": [{"name": "A"}, {"name": "A"}]}),
    "values that are no YAML": (template({})[0], "{"),
    "a Kubernetes that is too old": template({}, "--kube-version", "1.30"),
    "another namespace": template({}, namespace="other"),
    "a word of helm's own about what it does": template({}, "--debug"),
    "no namespace and no values": (["template", "x", str(CHART), "--set", "image.registry=registry.example"], ""),
    "no such option": template({}, "--nonsense"),
    "no such command": (["nonsense"], ""),
    "no chart": (["template", "x", "/nowhere"], ""),
    "one file": template({}, "--show-only", "templates/service.yaml"),
    "notes": (["install", "x", str(CHART), "--dry-run=client", "--values", "-"], json.dumps(local({}))),
}


@pytest.fixture
def batch(tmp_path: Path) -> Iterator[HelmBatch]:
    batch = HelmBatch(path_of(HELM_BATCH), ROOT, environment_of_go(tmp_path), renewed_after=len(COMMANDS) * 2 - 1)
    yield batch
    batch.close()


def test_commands_in_one_process_are_answered_as_by_helm_and_forgotten(helm: Run, batch: HelmBatch) -> None:
    """Each command comes after another one the second time, and the last after a start."""
    wanted = {what: helm(*words, stdin=stdin) for what, (words, stdin) in COMMANDS.items()}

    for what in (*COMMANDS, *reversed(COMMANDS)):
        words, stdin = COMMANDS[what]
        found, told = batch.run(*words, stdin=stdin), wanted[what]
        assert found.returncode == told.returncode, what
        assert found.stderr == told.stderr, what
        assert untimed(found.stdout) == untimed(told.stdout), what
    assert {each.returncode for each in wanted.values()} == {0, 1}
