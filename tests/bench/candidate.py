"""What is put through `bench.compare`: a program, the objects that it works on, and how one sees that it has done so.

Texts have placeholders such as `${name}`; every other dollar, and every brace, is the text's own.
"""

import re
import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

# What a text may name, and where.
EVERYWHERE = {
    "phase": "the URL of Phase",
    "token": "a token of Phase, as its console shows it",
    "rest_token": "the same for the REST API alone: `Authorization: Bearer ServiceAccount ${rest_token}`",
    "interval": "seconds between looks at Phase",
    "size": "how many resources there are",
}
IN_A_NAMESPACE = {"namespace": "one of ten namespaces"}
IN_A_RESOURCE = {
    "name": "the resource's name, unlike any other",
    "app": "the name of its app in Phase",
    "app_id": "the id of that app",
    "environment": "the environment that it reads; its entries are KEY_0 to KEY_9",
}
IN_A_COMMAND = {
    "kubeconfig": "a kubeconfig of the service account or the administrator; KUBECONFIG names it, too",
    "namespaces": "all ten namespaces",
    "python": "the interpreter that runs the benchmark",
    "folder": "a folder for its files",
    "port1": "a free port on 127.0.0.1",
    "port2": "another one",
}
# Templates are read once for each resource.
_QUICK = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_PLACEHOLDER = re.compile(r"\$\{([a-z0-9_]+)\}")


class Unusable(Exception):
    """A text that cannot be filled in; the message is for who wrote it."""


def filled(text: str, values: Mapping[str, str], where: str) -> str:
    """Return a text with its placeholders filled in; one that is not known here is refused."""

    def value(found: re.Match[str]) -> str:
        if found[1] not in values:
            raise Unusable(f"{where}: there is no {found[0]} here; there are {', '.join(sorted(values))}")
        return values[found[1]]

    return _PLACEHOLDER.sub(value, text)


class Failed(Exception):
    """The program ended, or did not do its work; the message has the end of its log."""


@dataclass(frozen=True)
class Candidate:
    """A program and its objects."""

    name: str
    command: str
    # One document: the resource that makes one Secret.
    template: str
    # What is applied first: files, or folders with a kustomization.
    setup: tuple[Path, ...] = ()
    # Documents that each of the ten namespaces has.
    each_namespace: str = ""
    # Namespace and name; None is an administrator.
    account: tuple[str, str] | None = None
    # The name of the Secret.
    target: str = "${name}"
    # A condition of the resource that has to be true as well.
    condition: str | None = None

    def documents(self, values: Mapping[str, str]) -> list[dict[str, Any]]:
        """Return what a namespace has."""
        text = filled(self.each_namespace, values, "the documents of a namespace")
        return [each for each in yaml.safe_load_all(text) if each]

    def resource(self, values: Mapping[str, str]) -> dict[str, Any]:
        """Return a resource."""
        found = yaml.load(filled(self.template, values, "the template of a resource"), _QUICK)
        if not isinstance(found, dict):
            raise Unusable("the template of a resource: it is not one document with a mapping")
        found.setdefault("metadata", {}).setdefault("name", values["name"])
        return found

    def secret(self, values: Mapping[str, str]) -> str:
        """Return the name of a resource's Secret."""
        return filled(self.target, values, "the name of a target")

    def words(self, values: Mapping[str, str]) -> list[str]:
        """Return the words of the command."""
        return shlex.split(filled(self.command, values, "the command"))
