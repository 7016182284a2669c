"""What the operator imports of the Kubernetes client, and that the rest of it is still there."""

import json
import subprocess
import sys
from importlib.metadata import version
from typing import Any

import pytest

# Packages that only parts of the client import which nobody here uses.
NOT_NEEDED = {"requests", "requests_oauthlib", "oauthlib", "websocket", "jsonschema", "kubernetes_validate", "urllib3"}
OPERATOR = "phase_operator.wiring"
ASKED = (
    "import kubernetes.config; found = kubernetes.config.load_kube_config",
    "import kubernetes.client; found = kubernetes.client.CoreV1Api",
    "from kubernetes import client; found = client.V1Secret",
    "from kubernetes import aio; found = aio.client.ApiClient",
    "import kubernetes; found = kubernetes.informer.SharedInformer",
    "import kubernetes.aio.watch; found = kubernetes.aio.watch.Watch",
    "from kubernetes.aio.dynamic import DynamicClient; found = DynamicClient",
    "import kopf; found = kopf.operator",
)
# Imports the operator once, which takes a second, and asks each question in a copy of this process: none has seen what
# another has imported.
PROGRAM = f"""
import json, os, sys, {OPERATOR}
loaded = sorted(sys.modules)

def is_there(asked):
    number = os.fork()
    if number:
        return os.waitpid(number, 0)[1] == 0
    code = 1
    try:
        names = {{}}
        exec(asked, names)
        code = 0 if callable(names["found"]) else 1
    finally:
        os._exit(code)

print(json.dumps([loaded, {{asked: is_there(asked) for asked in {ASKED!r}}}]))
"""


def seen(program: str) -> object:
    """Run a program in an interpreter of its own and return what it prints, as JSON."""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=60)
    return json.loads(done.stdout)


@pytest.fixture(scope="module")
def operator() -> tuple[list[str], dict[str, bool]]:
    """Give the modules that the operator imports, and which other parts of the client are there beside them."""
    found: Any = seen(PROGRAM)
    return found[0], found[1]


@pytest.mark.parametrize("module", [OPERATOR, "phase_operator.cli.commands.get", "phase_operator.handlers.watcher"])
def test_only_the_parts_of_the_client_are_imported_that_are_used(
    module: str, operator: tuple[list[str], dict[str, bool]]
) -> None:
    apart = f"import json, sys, {module}; print(json.dumps(sorted(sys.modules)))"
    loaded = operator[0] if module == OPERATOR else seen(apart)

    assert isinstance(loaded, list)
    assert {"kubernetes.aio.client.api_client", "kubernetes.client.models"} & set(loaded)
    assert NOT_NEEDED & {each.partition(".")[0] for each in loaded} == set()


@pytest.mark.parametrize("asked", ASKED)
def test_every_other_part_is_there_for_those_who_ask(asked: str, operator: tuple[list[str], dict[str, bool]]) -> None:
    assert operator[1][asked] is True


def test_names_that_only_the_package_itself_has_are_there_for_those_who_ask() -> None:
    asked = "import json, phase_operator.kube, kubernetes as k; print(json.dumps([k.__version__, k.__project__]))"

    assert seen(asked) == [version("kubernetes"), "kubernetes"]


def test_a_name_that_a_package_has_not_is_the_usual_error() -> None:
    asked = "import phase_operator.kube, kubernetes; print('true' if hasattr(kubernetes, 'nothing') else 'false')"

    assert seen(asked) is False


def test_a_client_that_was_imported_before_is_left_as_it_is() -> None:
    asked = "import kubernetes, phase_operator.kube, json; print(json.dumps(hasattr(kubernetes, 'informer')))"

    assert seen(asked) is True
