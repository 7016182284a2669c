"""A namespace that refuses us costs itself, is named, and is taken up when it lets us in."""

import asyncio
from contextlib import asynccontextmanager
from typing import Any, cast

import pytest

from phase_operator.core.flow.backoff import look_again
from phase_operator.core.refs import Kind
from phase_operator.kube.client import KubeClient
from phase_operator.kube.errors import ApiError
from phase_operator.kube.scopes import Scopes
from phase_operator.kube.target_cache import TargetCache, TargetSink
from phase_operator.kube.watch import MetadataWatch
from phase_operator.reconcile.internal_errors import InternalErrors
from support.clock import HandClock, settle


class Namespaces:
    """An API server, some namespaces of which refuse us, with a watch of Secrets and one of ConfigMaps for each."""

    def __init__(self, *names: str, refused: tuple[str, ...] = ()) -> None:
        self.refused = set(refused)
        self.clock = HandClock()
        self.listing = asyncio.Semaphore(1)
        self.pauses: list[float] = []
        self.restarted: list[str] = []
        self.watches = [self._watch(kind, name) for name in names for kind in Kind]
        self.scopes = Scopes(names, self.watches, self.restarted.append)
        self.goes_on = asyncio.Event()

    def _watch(self, kind: Kind, namespace: str) -> MetadataWatch:
        return MetadataWatch(
            cast("KubeClient", self),
            name=f"{kind} in {namespace}",
            path=f"/api/v1/namespaces/{namespace}/{kind}",
            scope=namespace,
            list_selector="",
            follow_selector="",
            sink=TargetSink(kind, TargetCache(), lambda _: None, lambda: None),
            restarted=self.restarted.append,
            is_back=lambda: None,
            clock=self.clock,
            internal_errors=InternalErrors(),
            sleep=self._sleep,
        )

    async def request(self, _: str, path: str, **__: object) -> dict[str, Any]:
        """Answer a list, or refuse it."""
        if path.split("/")[4] in self.refused:
            raise ApiError(403, "Forbidden", "")
        return {"metadata": {"resourceVersion": "1"}, "items": []}

    @asynccontextmanager
    async def watch(self, path: str, *_: object) -> Any:
        """Open a watch that shows nothing."""
        await self.request("GET", path)

        async def follow() -> Any:
            await asyncio.Event().wait()
            yield {}

        yield follow()

    async def _sleep(self, seconds: float) -> None:
        self.pauses.append(seconds)
        await self.goes_on.wait()
        self.goes_on.clear()

    async def __aenter__(self) -> "Namespaces":
        self._running = [asyncio.create_task(watch.run()) for watch in self.watches]
        await settle()
        return self

    async def __aexit__(self, *_: object) -> None:
        for task in self._running:
            task.cancel()
        await asyncio.wait(self._running)


async def test_a_namespace_that_refuses_us_is_named_and_the_others_are_served() -> None:
    async with Namespaces("a", "gone", refused=("gone",)) as stage:
        assert all(watch.answered.done() for watch in stage.watches)
        assert stage.scopes.served() == ["a"]
        assert stage.scopes.problem() is None
        assert "gone is not served" in (stage.scopes.note() or "")
        assert "403 Forbidden" in stage.scopes.unserved()["gone"]


async def test_if_all_refuse_us_that_is_a_problem() -> None:
    async with Namespaces("a", "b", refused=("a", "b")) as stage:
        assert stage.scopes.problem() == stage.scopes.note()
        assert stage.scopes.problem() is not None


async def test_a_namespace_that_grants_access_again_is_served() -> None:
    async with Namespaces("a", "late", refused=("late",)) as stage:
        opened = asyncio.create_task(stage.scopes.opened("late"))
        await settle()
        assert not opened.done()

        stage.refused.clear()
        for _ in range(2):
            stage.goes_on.set()
            await settle()

        assert opened.done()
        assert stage.scopes.unserved() == {}


async def test_the_watch_of_phase_secrets_is_told_once(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    scopes = Namespaces("a", "b").scopes

    for refusal in ("403 Forbidden", "403 Forbidden", None, None):
        scopes.record("a", "phasesecrets", refusal)

    assert [record.getMessage() for record in caplog.records] == ["watch interrupted", "watch works again"]


async def test_a_namespace_whose_role_knows_phase_secrets_alone_is_served() -> None:
    """The Role may be one of an older version."""
    scopes = Namespaces("a", "b").scopes

    scopes.record("a", "phasedynamicsecrets", "403 Forbidden")

    assert scopes.unserved() == {}
    assert scopes.problem() is None
    assert scopes.note() == (
        "phasedynamicsecrets in a are not served (403 Forbidden); apply the Role of this version there"
    )
    scopes.record("a", "phasedynamicsecrets", None)
    assert scopes.note() is None


async def test_a_namespace_that_stays_away_is_no_storm_and_no_restarted_watch() -> None:
    async with Namespaces("a", "gone", refused=("gone",)) as stage:
        for _ in range(50):
            stage.goes_on.set()
            await settle()

        assert min(stage.pauses[-10:]) > 10.0
        assert stage.restarted == ["Secret in gone", "ConfigMap in gone"]


def test_a_namespace_that_grants_access_is_served_within_15_seconds() -> None:
    assert max(look_again(failures=number, identity="x") for number in range(1, 200)) <= 15.0
