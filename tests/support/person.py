"""Somebody at a terminal: gives commands to the command line, with the rights of a role in one namespace.

Rule: whatever a command prints is watched for leaks.
"""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from click.testing import CliRunner, Result

from phase_dev.cluster import ControlPlane
from phase_operator.cli import cli
from support.accounts import role_binding
from support.api import api_of
from support.canary import Canary
from support.cluster_fixture import may
from support.operator_process import eventually


@dataclass(frozen=True)
class Person:
    """A kubeconfig, and whose output is watched."""

    kubeconfig: Path
    canary: Canary

    def does(self, *arguments: str, code: int | None = None, stdin: str | None = None) -> Result:
        """Give a command in this process and return how it ended; `code` is the exit code that it has to have."""
        environment = {"KUBECONFIG": str(self.kubeconfig), "PHASE_TOKEN": None, "NO_COLOR": "1"}
        result = CliRunner().invoke(cli, arguments, env=environment, input=stdin, prog_name="kubectl phase")
        self.canary.watch(result.output)
        if result.exception is not None and not isinstance(result.exception, SystemExit):
            raise result.exception
        assert code in (None, result.exit_code), f"exit {result.exit_code}: {result.output}"
        return result

    def reads(self, *arguments: str) -> Any:
        """Give a command that prints JSON, and return it."""
        return json.loads(self.does(*arguments, "-o", "json", code=0).stdout)


def administrator(plane: ControlPlane, canary: Canary) -> Person:
    """Return the administrator of a cluster."""
    return Person(plane.kubeconfig, canary)


def person(plane: ControlPlane, namespace: str, canary: Canary, role: str | None) -> Person:
    """Return somebody with a role in a namespace, such as `view` or `edit`; None: with no rights at all."""
    api, name = api_of(plane), role or "nobody"
    api.create({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": name}}, namespace)
    kubeconfig = plane.service_account_kubeconfig(namespace, name)
    if role is not None:
        api.create(role_binding(name, role, name, namespace), namespace)
        asked = ("get", "phasesecrets.secrets.phase.dev", namespace, f"{namespace}:{name}")
        eventually(lambda: may(plane, *asked), what=f"{role} may read PhaseSecrets")
    return Person(kubeconfig, canary)
