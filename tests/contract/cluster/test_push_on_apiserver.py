"""Sources and homes of pushes on a real API server: what the unit tests' servers do of it, it does."""

import base64
import itertools
import os
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import pytest

from phase_operator.api import names
from phase_operator.core.label_selector import parse_selector
from phase_operator.core.refs import Kind
from phase_operator.core.source.answer_memory import MIB, AnswerMemory
from phase_operator.core.values import ObjectKey, SecretValue
from phase_operator.kube.client import KubeClient, load_configuration
from phase_operator.kube.push_homes import KubePushHomes
from phase_operator.kube.push_sources import KubePushSources
from support.api import Api, api_of
from support.namespaces import remove_namespaces
from support.operator_process import install_once

pytestmark = pytest.mark.controlplane
_numbers = itertools.count(1)


@dataclass
class Stage:
    """A namespace, and the operator's connection to it under the rights that we ship."""

    api: Api
    client: KubeClient
    namespace: str

    def secret(self, name: str, type_: str = "Opaque", labels: dict[str, str] | None = None, **data: str) -> None:
        metadata = {"name": name, "namespace": self.namespace, "labels": labels or {}}
        encoded = {key: base64.b64encode(each.encode()).decode() for key, each in data.items()}
        self.api.create({"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "type": type_, "data": encoded})

    def key(self, name: str) -> ObjectKey:
        return ObjectKey(self.namespace, name)


@pytest.fixture
async def stage(control_plane: Any) -> AsyncIterator[Stage]:
    """Give a namespace of the test's own."""
    install_once(control_plane)
    api = api_of(control_plane)
    namespace = f"push-{os.getpid()}-{next(_numbers)}"
    api.create({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace}})
    configuration = await load_configuration(control_plane.service_account_kubeconfig("phase-system", "phase-operator"))
    client = KubeClient(configuration, lambda *_: None)
    yield Stage(api, client, namespace)
    await client.close()
    remove_namespaces(control_plane, namespace)


async def test_sources_are_found_selected_and_read(stage: Stage) -> None:
    stage.secret("db", labels={"app": "x", "n": "5"}, user="ada")
    stage.secret("release", "helm.sh/release.v1", labels={"app": "x"}, release="r")
    stage.secret("other", labels={"app": "y"})
    sources = KubePushSources(stage.client, lambda _: False)

    found = await sources.look(Kind.SECRET, stage.key("db"), [parse_selector("app")])
    release = await sources.look(Kind.SECRET, stage.key("release"), [])
    assert found is not None
    assert release is not None
    assert (found.type, release.type, found.labels["app"]) == ("", "helm.sh/release.v1", "x")
    assert await sources.look(Kind.SECRET, stage.key("none"), []) is None

    for spelled, expected in (
        ("app=x", {"db": "", "release": "helm.sh/release.v1"}),
        ("app in (x,y),!n", {"other": "", "release": "helm.sh/release.v1"}),
        ("n>4", {"db": ""}),
        ("app,app notin (x)", {"other": ""}),
    ):
        selected = await sources.select(stage.namespace, [parse_selector(spelled)], 100)
        assert {each.name: each.type for each in selected} == expected, spelled

    read = await sources.read(Kind.SECRET, stage.key("db"), AnswerMemory(MIB).open(stage.namespace))
    assert read is not None
    assert (read.data, read.version, read.uid, read.type) == ({"user": b"ada"}, found.version, found.uid, "Opaque")


async def test_a_home_is_made_once_and_written_as_it_was_read(stage: Stage) -> None:
    homes = KubePushHomes(stage.client)
    owner = ObjectKey(stage.namespace, "to-phase", names.KIND_PHASE_PUSH_SECRET)
    key = stage.key("made")

    assert await homes.keep(key, owner, None, {"A": SecretValue("a")}, {"A": "1"})
    assert not await homes.keep(key, owner, None, {"A": SecretValue("other")}, {})
    before = await homes.home(key)
    assert before is not None
    assert (before.owner, before.values, before.rotations) == (str(owner), {"A": b"a"}, {"A": "1"})
    assert await homes.keep(key, owner, before, {"B": SecretValue("b")}, {})
    assert not await homes.keep(key, owner, before, {"A": SecretValue("late")}, {})
    after = await homes.home(key)
    assert after is not None
    assert (after.values, after.rotations) == ({"A": b"a", "B": b"b"}, {"A": "1"})

    stage.api.delete("secret", key.name, namespace=stage.namespace)
    assert not await homes.keep(key, owner, after, {"A": SecretValue("late")}, {})
    stage.secret(key.name, A="somebody's")
    assert not await homes.keep(key, owner, after, {"A": SecretValue("late")}, {})
    theirs = await homes.home(key)
    assert theirs is not None
    assert (theirs.owner, theirs.values) == ("", {})
