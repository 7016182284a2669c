"""Generated values inside the fence: the API server takes their Secrets where push is on, and else none of them."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from phase_dev.cluster import ControlPlane
from phase_operator.api import names
from support.operator_process import REPOSITORY, eventually
from support.push_stage import PushStage

pytestmark = pytest.mark.controlplane

HOME = "made"
FENCE = "phase-operator-fence"


class Fence:
    """The fence around the operator's account, as an overlay with these components makes it."""

    def __init__(self, plane: ControlPlane, folder: Path) -> None:
        self._plane, self._folder = plane, folder

    def stand(self, namespace: str, *components: str, takes: bool) -> None:
        """Put it up, and wait until it takes a Secret of generated values, or takes none."""
        paths = [os.path.relpath(REPOSITORY / "deploy" / each, self._folder) for each in components]
        (self._folder / "kustomization.yaml").write_text(yaml.safe_dump({"components": paths}))
        self._plane.kubectl("apply", "--server-side", "-k", self._folder)
        eventually(lambda: self._takes(namespace, "generated") == takes, what=f"the fence of {components} is in force")
        assert not self._takes(namespace, "another"), "it is there"

    def _takes(self, namespace: str, label: str) -> bool:
        account = self._plane.service_account_kubeconfig("phase-system", "phase-operator")
        trial = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "t", "labels": {names.LABEL_TARGET: label}}}
        arguments = ("-n", namespace, "create", "--dry-run=server", "-f", "-")
        done = self._plane.kubectl(*arguments, stdin=yaml.safe_dump(trial), kubeconfig=account, check=False)
        assert done.returncode == 0 or f"ValidatingAdmissionPolicy '{FENCE}'" in done.stderr, done.stderr
        return done.returncode == 0

    def fall(self) -> None:
        """Take it down."""
        kinds = "validatingadmissionpolicies,validatingadmissionpolicybindings"
        self._plane.kubectl("delete", kinds, FENCE, "--ignore-not-found")


@pytest.fixture
def fence(installed: ControlPlane, tmp_path: Path) -> Iterator[Fence]:
    """Give the fence, which is taken down in the end."""
    fence = Fence(installed, tmp_path)
    yield fence
    fence.fall()


def test_generated_values_pass_the_fence_with_push_and_not_without(world: PushStage, fence: Fence) -> None:
    fence.stand(world.namespace, "fence", takes=False)
    generate = [{"key": "SESSION_KEY", "kind": "Password"}]
    world.push_secret(sources=None, generate=generate, generateInto=HOME)

    message = world.until_said("TargetRefused")["message"]

    assert FENCE in message
    assert world.get("secret", HOME) is None
    assert world.entries() == []

    fence.stand(world.namespace, "fence", "push", takes=True)
    # An edit starts a run at once; the operator would come back by itself, too.
    world.push_secret(sources=None, generate=[*generate, {"key": "ID", "kind": "UUID"}], generateInto=HOME)
    world.until_in_step(2)

    # What is added to that Secret is another kind of write.
    more = [*generate, {"key": "ID", "kind": "UUID"}, {"key": "MORE", "kind": "UUID"}]
    world.push_secret(sources=None, generate=more, generateInto=HOME)
    world.until_in_step(3)

    assert world.data(HOME) == world.values()
    assert world.values().keys() == {"SESSION_KEY", "ID", "MORE"}
