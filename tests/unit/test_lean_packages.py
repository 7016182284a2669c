"""What the operator imports of the Kubernetes client, and that the rest of it is still there."""

import json
import subprocess
import sys
from importlib.metadata import version

import pytest

# Packages that only parts of the client import which nobody here uses.
NOT_NEEDED = {"requests", "requests_oauthlib", "oauthlib", "websocket", "jsonschema", "kubernetes_validate", "urllib3"}


def seen(program: str) -> object:
    """Run a program in an interpreter of its own and return what it prints, as JSON."""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=60)
    return json.loads(done.stdout)


@pytest.mark.parametrize(
    "module", ["phase_operator.wiring", "phase_operator.cli.commands.get", "phase_operator.handlers.watcher"]
)
def test_only_the_parts_of_the_client_are_imported_that_are_used(module: str) -> None:
    loaded = seen(f"import json, sys, {module}; print(json.dumps(sorted(sys.modules)))")

    assert isinstance(loaded, list)
    assert {"kubernetes.aio.client.api_client", "kubernetes.client.models"} & set(loaded)
    assert NOT_NEEDED & {each.partition(".")[0] for each in loaded} == set()


@pytest.mark.parametrize(
    "asked",
    [
        "import kubernetes.config; found = kubernetes.config.load_kube_config",
        "import kubernetes.client; found = kubernetes.client.CoreV1Api",
        "from kubernetes import client; found = client.V1Secret",
        "from kubernetes import aio; found = aio.client.ApiClient",
        "import kubernetes; found = kubernetes.informer.SharedInformer",
        "import kubernetes.aio.watch; found = kubernetes.aio.watch.Watch",
        "from kubernetes.aio.dynamic import DynamicClient; found = DynamicClient",
        "import kopf; found = kopf.operator",
    ],
)
def test_every_other_part_is_there_for_those_who_ask(asked: str) -> None:
    assert seen(f"import phase_operator.wiring; {asked}; print('true' if callable(found) else 'false')") is True


def test_names_that_only_the_package_itself_has_are_there_for_those_who_ask() -> None:
    asked = "import json, phase_operator.kube, kubernetes as k; print(json.dumps([k.__version__, k.__project__]))"

    assert seen(asked) == [version("kubernetes"), "kubernetes"]


def test_a_name_that_a_package_has_not_is_the_usual_error() -> None:
    asked = "import phase_operator.kube, kubernetes; print('true' if hasattr(kubernetes, 'nothing') else 'false')"

    assert seen(asked) is False


def test_a_client_that_was_imported_before_is_left_as_it_is() -> None:
    asked = "import kubernetes, phase_operator.kube, json; print(json.dumps(hasattr(kubernetes, 'informer')))"

    assert seen(asked) is True
