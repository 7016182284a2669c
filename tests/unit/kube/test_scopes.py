"""A namespace that refuses us costs itself, is named, and is taken up when it lets us in."""

import asyncio
from collections.abc import Sequence
from contextlib import asynccontextmanager
from typing import Any, cast

import pytest

from phase_operator.core.flow.backoff import look_again
from phase_operator.core.refs import Kind
from phase_operator.kube.client import KubeClient
from phase_operator.kube.errors import ApiError
from phase_operator.kube.scopes import Scopes
from phase_operator.kube.target_cache import TargetCache, TargetSink
from phase_operator.kube.watch import METADATA_ALONE, WHOLE, Callbacks, Collection, CollectionWatch, Form, Sink
from phase_operator.reconcile.internal_errors import InternalErrors
from support.clock import HandClock, settle
from unit.kube.test_watch import Nothing


class Namespaces:
    """An API server, some namespaces of which refuse us, with a watch of Secrets and one of ConfigMaps for each."""

    def __init__(self, *names: str, refused: tuple[str, ...] = (), kinds: Sequence[str] = ()) -> None:
        self.refused = set(refused)
        self.clock = HandClock()
        self.listing = asyncio.Semaphore(1)
        self.pauses: list[float] = []
        self.restarted: list[str] = []
        self.watches = [self._watch(kind, name) for name in names for kind in Kind]
        self.scopes = Scopes(names)
        for watch in self.watches:
            self.scopes.need(watch)
        for name in names:
            for plural in kinds:
                watch = self._watch_of(plural, name, Nothing(), form=WHOLE)
                self.watches.append(watch)
                self.scopes.show(plural, watch)
        self.goes_on = asyncio.Event()

    def _watch(self, kind: Kind, namespace: str) -> CollectionWatch:
        return self._watch_of(kind, namespace, TargetSink(kind, TargetCache(), lambda _: None, lambda: None))

    def _watch_of(self, collection: str, namespace: str, sink: Sink, *, form: Form = METADATA_ALONE) -> CollectionWatch:
        return CollectionWatch(
            cast("KubeClient", self),
            Collection(
                f"{collection} in {namespace}", f"/api/v1/namespaces/{namespace}/{collection}", namespace, form=form
            ),
            Callbacks(sink, self.restarted.append, is_back=lambda: None),
            self.clock,
            InternalErrors(),
            self._sleep,
        )

    async def request(self, _: str, path: str, **__: object) -> dict[str, Any]:
        """Answer a list, or refuse it."""
        if self.refused & {*path.split("/")[4:]}:
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
        assert all(watch.answered is None for watch in stage.watches)
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


KINDS = ["phasesecrets", "phasedynamicsecrets"]


@pytest.mark.parametrize("plural", KINDS)
async def test_a_namespace_that_refuses_a_kind_is_logged_once(plural: str, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    async with Namespaces("a", "b", refused=(plural,), kinds=KINDS) as stage:
        for _ in range(3):
            stage.goes_on.set()
            await settle()

    logged = [(record.getMessage(), vars(record)["watch"]) for record in caplog.records]
    assert sorted(logged) == [("watch interrupted", f"{plural} in {each}") for each in "ab"]


async def test_a_namespace_that_refuses_phase_secrets_is_not_served() -> None:
    async with Namespaces("a", refused=("phasesecrets",), kinds=KINDS) as stage:
        assert stage.scopes.unserved() == {"a": "phasesecrets in a: 403 Forbidden"}
        assert stage.scopes.problem() == "a is not served (phasesecrets in a: 403 Forbidden)"


async def test_a_namespace_whose_role_knows_phase_secrets_alone_is_served() -> None:
    """The Role may be one of an older version."""
    async with Namespaces("a", refused=("phasedynamicsecrets",), kinds=KINDS) as stage:
        assert stage.scopes.unserved() == {}
        assert stage.scopes.problem() is None
        assert stage.scopes.note() == (
            "phasedynamicsecrets in a are not served (403 Forbidden); apply the Role of this version there"
        )
        stage.refused.clear()
        for _ in range(2):
            stage.goes_on.set()
            await settle()
        assert stage.scopes.note() is None


async def test_a_namespace_that_stays_away_is_no_storm_and_no_restarted_watch() -> None:
    async with Namespaces("a", "gone", refused=("gone",)) as stage:
        for _ in range(50):
            stage.goes_on.set()
            await settle()

        assert min(stage.pauses[-10:]) > 10.0
        assert stage.restarted == ["Secret in gone", "ConfigMap in gone"]


def test_a_namespace_that_grants_access_is_served_within_15_seconds() -> None:
    assert max(look_again(failures=number, identity="x") for number in range(1, 200)) <= 15.0
