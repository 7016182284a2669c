"""The operator installed with Roles in some namespaces, as deploy/overlays/namespaced does it for one."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import yaml

from phase_dev.cluster import ControlPlane
from support.api import api_of
from support.namespaces import remove_namespaces
from support.operator_process import REPOSITORY


@dataclass(frozen=True)
class Roles:
    """A namespace for an operator that may do nothing but what Roles in other namespaces let it."""

    plane: ControlPlane
    home: str
    watched: tuple[dict[str, Any], ...]

    def let_into(self, namespaces: Iterable[str]) -> None:
        """Give it what it needs in these namespaces."""
        for namespace in namespaces:
            for each in self.watched:
                api_of(self.plane).create({**each, "metadata": {**each["metadata"], "namespace": namespace}})

    def keep_out_of(self, namespace: str) -> None:
        """Take its rights in a namespace away."""
        for each in self.watched:
            api_of(self.plane).delete(each["kind"], each["metadata"]["name"], namespace)


def roles_in(plane: ControlPlane, home: str) -> Roles:
    """Install everything but the Deployment in `home`, and nothing in a watched namespace yet."""
    overlay = str(REPOSITORY / "deploy/overlays/namespaced")
    manifests = plane.kubectl("kustomize", overlay).stdout.replace("phase-system", home)
    wanted = [each for each in yaml.safe_load_all(manifests) if each["kind"] != "Deployment"]
    watched = [each for each in wanted if each["metadata"].get("namespace") == "default"]
    rest = [each for each in wanted if each not in watched]
    plane.kubectl("apply", "--server-side", "-f", "-", stdin=yaml.safe_dump_all(rest))
    return Roles(plane, home, tuple(watched))


@contextmanager
def namespaces(plane: ControlPlane, prefix: str, count: int) -> Iterator[list[str]]:
    """Make so many namespaces until the block ends."""
    names = [f"{prefix}-{number:03}" for number in range(count)]
    api = api_of(plane)
    for name in names:
        api.create({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}})
    yield names
    remove_namespaces(plane, *names)
