"""How a ledger is written: only over the one that was read, and only on the resource that is meant."""

from typing import Any

import pytest

from phase_operator.api import names
from phase_operator.api.crd import PHASE_PUSH_SECRET
from phase_operator.core.errors import Transient
from phase_operator.core.values import ObjectKey
from phase_operator.kube.cluster import KubeCluster
from phase_operator.kube.errors import from_answer
from phase_operator.kube.paths import KindPaths
from phase_operator.kube.phase_secrets import KubeResources
from phase_operator.kube.target_cache import TargetCache

KEY = ObjectKey("team", "uploads", names.KIND_PHASE_DYNAMIC_SECRET)
ROW = {"attempt": "0a1b2c3d", "state": "Asking"}
ATTEMPTS = {"setbacks": 0, "last": "2030-01-01T00:00:00Z"}


class Server:
    """An API server with one resource, which evaluates JSON patches as the real one does."""

    def __init__(self, status: dict[str, Any] | None, uid: str = "uid") -> None:
        self.body: dict[str, Any] = {"metadata": {"uid": uid, "resourceVersion": "1"}}
        if status is not None:
            self.body["status"] = status
        self.paths: list[str] = []

    async def request(self, verb: str, path: str, *, body: Any = None, **_: Any) -> Any:
        assert verb == "PATCH"
        self.paths.append(path)
        for change in body:
            self._apply(change)
        return {"metadata": {"resourceVersion": "2"}}

    def _apply(self, change: dict[str, Any]) -> None:
        *way, last = change["path"].strip("/").split("/")
        place: Any = self.body
        for part in way:
            if not isinstance(place, dict) or part not in place:
                raise from_answer(422, {"reason": "Invalid", "message": "is missing", "details": {}}, None)
            place = place[part]
        match change["op"]:
            case "test" if place.get(last) != change["value"]:
                raise from_answer(422, {"reason": "Invalid", "message": "testing value failed", "details": {}}, None)
            case "add":
                place[last] = change["value"]
            case "remove":
                del place[last]


def cluster(server: Any) -> KubeCluster:
    return KubeCluster(server, TargetCache(), None, lambda _: None)  # type: ignore[arg-type]


async def test_the_first_ledger_is_written_where_there_is_no_status() -> None:
    server = Server(None)

    assert await cluster(server).write_ledger(KEY, "uid", {}, {"leases": [ROW], "attempts": ATTEMPTS})

    assert server.body["status"] == {"leases": [ROW], "attempts": ATTEMPTS}
    assert server.paths == ["/apis/secrets.phase.dev/v1alpha1/namespaces/team/phasedynamicsecrets/uploads/status"]


async def test_the_rest_of_a_status_stays() -> None:
    before = {"conditions": [{"type": "Ready"}], "leases": [ROW]}
    server = Server(dict(before))

    assert await cluster(server).write_ledger(KEY, "uid", before, {"leases": [], "attempts": ATTEMPTS})

    assert server.body["status"] == {"conditions": [{"type": "Ready"}], "leases": [], "attempts": ATTEMPTS}


async def test_a_field_that_the_next_ledger_lacks_is_taken_out() -> None:
    before = {"leases": [ROW], "attempts": ATTEMPTS}
    server = Server(dict(before))

    assert await cluster(server).write_ledger(KEY, "uid", before, {"leases": []})

    assert server.body["status"] == {"leases": []}


async def test_a_ledger_that_another_process_has_written_is_not_overwritten() -> None:
    moved = {"leases": [ROW | {"state": "Active"}], "attempts": ATTEMPTS}
    read: tuple[dict[str, Any], ...] = (
        {},
        {"leases": []},
        {"leases": [ROW], "attempts": ATTEMPTS},
        moved | {"attempts": None},
    )
    for before in read:
        server = Server(dict(moved))

        assert not await cluster(server).write_ledger(KEY, "uid", before, {"leases": []}), before
        assert not await cluster(server).write_status(KEY, "uid", {"leases": []}, before=before), before
        assert server.body["status"] == moved


async def test_a_resource_that_was_made_anew_under_the_name_is_not_written() -> None:
    server = Server(None, uid="another")

    assert not await cluster(server).write_ledger(KEY, "uid", {}, {"leases": [ROW]})
    assert "status" not in server.body


async def test_a_status_is_replaced_while_the_ledger_is_as_it_was_read() -> None:
    before = {"leases": [ROW], "attempts": ATTEMPTS}
    server = Server(dict(before))

    assert await cluster(server).write_status(KEY, "uid", before | {"observedGeneration": 2}, before=before)

    assert server.body["status"] == before | {"observedGeneration": 2}


class Metadata:
    """An API server with one object, whose finalizers are asked for and patched."""

    def __init__(self, **metadata: Any) -> None:
        self.metadata = {"uid": "uid", "resourceVersion": "1", **metadata}
        self.patched: list[Any] = []

    async def request(self, verb: str, path: str, *, body: Any = None, **_: Any) -> Any:
        if verb == "PATCH":
            self.patched.append(body["metadata"]["finalizers"])
        return {"metadata": self.metadata}


async def test_each_finalizer_is_set_and_taken_off_beside_the_other() -> None:
    server = Metadata(finalizers=[names.FINALIZER, "of/another"])

    await cluster(server).set_finalizer(KEY, "uid", wanted=True, finalizer=names.FINALIZER_OUTSIDE)
    server.metadata["finalizers"] = server.patched[0]
    await cluster(server).set_finalizer(KEY, "uid", wanted=False, finalizer=names.FINALIZER_OUTSIDE)

    assert server.patched == [
        [names.FINALIZER, "of/another", names.FINALIZER_OUTSIDE],
        [names.FINALIZER, "of/another"],
    ]


async def test_nothing_is_begun_outside_for_a_resource_that_is_being_deleted() -> None:
    server = Metadata(deletionTimestamp="2030-01-01T00:00:00Z", finalizers=["of/another"])

    with pytest.raises(Transient, match="being deleted"):
        await cluster(server).set_finalizer(KEY, "uid", wanted=True, finalizer=names.FINALIZER_OUTSIDE)
    assert server.patched == []


def pushing(server: Any) -> KubeResources:
    return KubeResources(server, None, KindPaths([PHASE_PUSH_SECRET]))  # type: ignore[arg-type]


async def test_the_ledger_of_a_push_has_fields_of_its_own() -> None:
    key = ObjectKey("team", "to-phase", names.KIND_PHASE_PUSH_SECRET)
    before = {"entries": [{"key": "A"}], "pushedTo": {"appId": "app"}, "conditions": []}
    server = Server(dict(before))

    assert not await pushing(server).write_ledger(key, "uid", before | {"entries": []}, {"entries": [{"key": "B"}]})
    assert server.body["status"] == before
    assert await pushing(server).write_ledger(key, "uid", before, {"entries": [{"key": "B"}]})
    assert server.body["status"] == {"entries": [{"key": "B"}], "conditions": []}
