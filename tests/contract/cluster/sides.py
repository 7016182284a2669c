"""The fake and the real cluster behind one interface: the port under test, and what others do to the objects."""

import base64
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from phase_dev.cluster import ControlPlane
from phase_operator.api import names
from phase_operator.core.refs import Kind, TargetRef
from phase_operator.core.values import ObjectKey
from phase_operator.kube.client import KubeClient
from phase_operator.kube.target_cache import TargetCache
from phase_operator.reconcile.ports import Cluster
from support.api import api_of
from support.fakes import FakeCluster
from support.world import deployment, phase_secret, secret

_KINDS = {Kind.SECRET: "secret", Kind.CONFIG_MAP: "configmap"}


class Side(Protocol):
    """A cluster with a namespace of the test's own."""

    namespace: str

    @property
    def cluster(self) -> Cluster:
        """The port under test."""

    def edit(self, ref: TargetRef, data: Mapping[str, str | None]) -> None:
        """Let another client make the object or change its data; None takes a key out."""

    def delete(self, ref: TargetRef) -> None:
        """Let another client delete the object."""

    def data(self, ref: TargetRef) -> dict[str, str] | None:
        """Return the object's data as text, or None if it is not there."""

    def uid(self, ref: TargetRef) -> str:
        """Return the object's uid."""

    def token(self, key: ObjectKey, data: Mapping[str, str], hosts: str | None = None) -> None:
        """Make a Secret that is read for a token."""

    def resource(self, key: ObjectKey) -> str:
        """Make a PhaseSecret and return its uid."""

    def begin_orphaning(self, key: ObjectKey) -> None:
        """Delete the PhaseSecret as `kubectl delete --cascade=orphan` does, with nobody who ends it."""

    def end(self, key: ObjectKey) -> None:
        """Let the PhaseSecret be gone."""

    def mention(self, name: str) -> None:
        """Make a pod template that names a Secret."""

    def status(self, key: ObjectKey) -> dict[str, Any]:
        """Return the PhaseSecret's status."""

    def is_guarded(self, key: ObjectKey) -> bool:
        """Say whether our finalizer is on the PhaseSecret."""

    def label(self, ref: TargetRef, name: str, value: str) -> None:
        """Let another client label the object."""

    def labels(self, ref: TargetRef) -> dict[str, str]:
        """Return the object's labels."""

    def annotate(self, ref: TargetRef, name: str, value: str | None) -> None:
        """Let another client annotate the object; None takes the annotation off."""


@dataclass
class FakeSide:
    """The fake that unit tests use."""

    namespace: str = "team"
    cluster: FakeCluster = field(default_factory=FakeCluster)
    # How many PhaseSecrets were made: each has a uid of its own.
    made: int = 0

    def edit(self, ref: TargetRef, data: Mapping[str, str | None]) -> None:
        encoded = {key: value if value is None else _encode(ref, value) for key, value in data.items()}
        self.cluster.edit(ref, encoded)

    def delete(self, ref: TargetRef) -> None:
        self.cluster.delete(ref)

    def data(self, ref: TargetRef) -> dict[str, str] | None:
        found = self.cluster.objects.get(ref)
        return None if found is None else {key: _decode(ref, value) for key, value in found.part("data").items()}

    def uid(self, ref: TargetRef) -> str:
        return self.cluster.objects[ref].uid

    def token(self, key: ObjectKey, data: Mapping[str, str], hosts: str | None = None) -> None:
        if "token" in data:
            self.cluster.tokens[key] = data["token"]
        if hosts is not None:
            self.cluster.token_hosts[key] = hosts

    def is_guarded(self, key: ObjectKey) -> bool:
        return key in self.cluster.guarded

    def label(self, ref: TargetRef, name: str, value: str) -> None:
        self.cluster.edit(ref, labels={name: value})

    def labels(self, ref: TargetRef) -> dict[str, str]:
        return self.cluster.objects[ref].part("metadata", "labels")

    def annotate(self, ref: TargetRef, name: str, value: str | None) -> None:
        self.cluster.edit(ref, annotations={name: value})

    def resource(self, key: ObjectKey) -> str:
        self.made += 1
        uid = f"uid-of-{key.name}-{self.made}"
        self.cluster.uids[key] = uid
        body = phase_secret(key.name, "https://phase.example")
        self.cluster.bodies[key] = {**body, "metadata": {**body["metadata"], "uid": uid}}
        return uid

    def begin_orphaning(self, key: ObjectKey) -> None:
        body = self.cluster.bodies[key]
        ending = {**body["metadata"], "deletionTimestamp": "2030-01-01T00:00:00Z"}
        self.cluster.bodies[key] = {**body, "metadata": ending}

    def end(self, key: ObjectKey) -> None:
        del self.cluster.bodies[key]

    def mention(self, name: str) -> None:
        self.cluster.mentions.add(name)

    def status(self, key: ObjectKey) -> dict[str, Any]:
        return self.cluster.statuses.get(key, {})


@dataclass
class RealSide:
    """The edge to Kubernetes on a real API server, under the operator's own rights; others are the admin."""

    plane: ControlPlane
    namespace: str
    cluster: Cluster
    known: TargetCache
    client: KubeClient

    def edit(self, ref: TargetRef, data: Mapping[str, str | None]) -> None:
        encoded = {key: value if value is None else _encode(ref, value) for key, value in data.items()}
        if self.data(ref) is None:
            body = {"apiVersion": "v1", "kind": str(ref.kind), "metadata": {"name": ref.key.name}, "data": encoded}
            self._create(body)
        else:
            self._patch(ref, {"data": encoded})
        self.known.drop(ref)

    def delete(self, ref: TargetRef) -> None:
        api_of(self.plane).delete(_KINDS[ref.kind], ref.key.name, self.namespace)
        self.known.drop(ref)

    def data(self, ref: TargetRef) -> dict[str, str] | None:
        found = self._get(_KINDS[ref.kind], ref.key.name)
        return found and {key: _decode(ref, value) for key, value in (found.get("data") or {}).items()}

    def uid(self, ref: TargetRef) -> str:
        return str((self._get(_KINDS[ref.kind], ref.key.name) or {})["metadata"]["uid"])

    def token(self, key: ObjectKey, data: Mapping[str, str], hosts: str | None = None) -> None:
        body = secret(key.name, dict(data))
        if hosts is not None:
            body["metadata"]["annotations"] = {names.ANNOTATION_ALLOWED_HOSTS: hosts}
        self._create(body)

    def resource(self, key: ObjectKey) -> str:
        return str(self._create(phase_secret(key.name, "https://phase.example"))["metadata"]["uid"])

    def begin_orphaning(self, key: ObjectKey) -> None:
        self._kubectl("delete", "phasesecret", key.name, "--cascade=orphan", "--wait=false")

    def end(self, key: ObjectKey) -> None:
        self._kubectl("delete", "phasesecret", key.name)

    def mention(self, name: str) -> None:
        self._create(deployment("reader", name, replicas=0))

    def status(self, key: ObjectKey) -> dict[str, Any]:
        found = dict((self._get("phasesecret", key.name) or {}).get("status") or {})
        return {} if found == {"observedGeneration": -1} else found

    def is_guarded(self, key: ObjectKey) -> bool:
        found = self._get("phasesecret", key.name) or {"metadata": {}}
        return names.FINALIZER in found["metadata"].get("finalizers", [])

    def label(self, ref: TargetRef, name: str, value: str) -> None:
        self._patch(ref, {"metadata": {"labels": {name: value}}}, manager="kubectl-label")
        self.known.drop(ref)

    def labels(self, ref: TargetRef) -> dict[str, str]:
        return dict((self._get(_KINDS[ref.kind], ref.key.name) or {})["metadata"].get("labels") or {})

    def annotate(self, ref: TargetRef, name: str, value: str | None) -> None:
        self._patch(ref, {"metadata": {"annotations": {name: value}}})
        self.known.drop(ref)

    def _get(self, kind: str, name: str) -> dict[str, Any] | None:
        return api_of(self.plane).get(kind, name, self.namespace)

    def _create(self, document: dict[str, Any]) -> dict[str, Any]:
        return api_of(self.plane).create(document, self.namespace, fieldManager="kubectl-create")

    def _patch(self, ref: TargetRef, change: dict[str, Any], manager: str = "kubectl-patch") -> None:
        api_of(self.plane).patch(_KINDS[ref.kind], ref.key.name, self.namespace, change, fieldManager=manager)

    def _kubectl(self, *arguments: str) -> str:
        return self.plane.kubectl("-n", self.namespace, *arguments).stdout


def _encode(ref: TargetRef, text: str) -> str:
    return base64.b64encode(text.encode()).decode() if ref.kind is Kind.SECRET else text


def _decode(ref: TargetRef, text: str) -> str:
    return base64.b64decode(text).decode() if ref.kind is Kind.SECRET else text
