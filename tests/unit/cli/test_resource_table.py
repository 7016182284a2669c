"""The table of `get`, read once and then followed."""

from collections.abc import AsyncIterator, Callable, Iterable
from typing import Any

import pytest

from phase_operator.cli.looking.following import Change, Collection
from phase_operator.cli.looking.freshness import Known
from phase_operator.cli.looking.resource_table import Table
from phase_operator.cli.looking.rows import Row
from phase_operator.kube.user_resources import PHASE_SECRETS, PUSH_SECRETS
from support.shown import NOW, resource


class FakeLook:
    """Resources that are there, and what changes then."""

    namespace = "team"

    def __init__(self, *there: dict[str, Any], then: Iterable[Change] = ()) -> None:
        self._there = there
        self._then = then
        self.versions = {Collection(PHASE_SECRETS, "team"): "1", Collection(PUSH_SECRETS, "team"): "1"}

    async def bodies(self) -> AsyncIterator[dict[str, Any]]:
        for each in self._there:
            yield each

    async def changes(self) -> AsyncIterator[Change]:
        for each in self._then:
            yield each

    def now(self) -> float:
        return NOW


class FakeFreshness:
    """Knows one age, and counts who was asked about."""

    def __init__(self, problem: str | None = None) -> None:
        self.problem = problem
        self.asked: list[str] = []

    async def ages(self, wanted: Iterable[Known]) -> dict[str, int]:
        found = list(wanted)
        self.asked += [each.name for each in found]
        return {} if self.problem else {each.uid: 12 for each in found if each.name == "shop"}


def everything(_: Row) -> bool:
    return True


def unready(row: Row) -> bool:
    return not row.is_ready


def table(look: FakeLook, freshness: FakeFreshness, shows: Callable[[Row], bool] = everything) -> Table:
    return Table(look, freshness, shows, wide=False)  # type: ignore[arg-type]  # they have what is used of them


async def test_rows_come_by_namespace_and_name(capsys: pytest.CaptureFixture[str]) -> None:
    look = FakeLook(resource("b"), resource("a"), resource("shop"), resource("shop", kind="PhasePushSecret"))
    freshness = FakeFreshness()

    await table(look, freshness).show(watches=False)

    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[:2] for line in lines] == [
        ["KIND", "NAME"],
        ["PhaseSecret", "a"],
        ["PhaseSecret", "b"],
        ["PhasePushSecret", "shop"],
        ["PhaseSecret", "shop"],
    ]
    assert freshness.asked == ["a", "b", "shop"]


async def test_a_problem_with_confirmations_is_said_once_beside_the_table(capsys: pytest.CaptureFixture[str]) -> None:
    await table(FakeLook(resource("a"), resource("shop")), FakeFreshness("no right")).show(watches=False)

    told = capsys.readouterr()
    assert told.err == "CONFIRMED is not known: no right\n"
    assert [line.split()[-1] for line in told.out.splitlines()] == ["CONFIRMED", "-", "-"]


async def test_a_row_is_printed_again_when_it_shows_something_else(capsys: pytest.CaptureFixture[str]) -> None:
    failed = resource(ready="False", reason="AccessDenied")
    then = [Change(resource()), Change(failed), Change(failed), Change(resource("new")), Change(failed, is_gone=True)]
    rows = table(FakeLook(resource(), then=then), FakeFreshness())

    await rows.show(watches=True)
    await rows.follow()

    assert (
        capsys.readouterr().out
        == """\
KIND         NAME    APP/ENV:PATH       READY    REASON    TARGETS    KEYS    CHANGED    CONFIRMED
PhaseSecret  shop    shop/Production:/  True     Synced    -          -       10m        12s
PhaseSecret  shop    shop/Production:/  False    AccessDenied  -          -       10m        12s
PhaseSecret  new     shop/Production:/  True     Synced    -          -       10m        -
PhaseSecret  shop    shop/Production:/  Unknown  Deleted   -          -       10m        -
"""
    )


async def test_a_row_that_passes_the_filter_no_more_is_printed_once_more(capsys: pytest.CaptureFixture[str]) -> None:
    failed = resource(ready="False", reason="AccessDenied")
    then = [Change(resource()), Change(resource(keys=5)), Change(failed), Change(resource("other"))]
    rows = table(FakeLook(failed, then=then), FakeFreshness(), unready)

    await rows.show(watches=True)
    await rows.follow()

    assert [line.split()[3:5] for line in capsys.readouterr().out.splitlines()[1:]] == [
        ["False", "AccessDenied"],
        ["True", "Synced"],
        ["False", "AccessDenied"],
    ]


async def test_the_head_comes_with_the_first_row(capsys: pytest.CaptureFixture[str]) -> None:
    rows = table(FakeLook(then=[Change(resource(), is_gone=True), Change(resource())]), FakeFreshness())

    await rows.show(watches=True)
    assert capsys.readouterr().out == ""
    await rows.follow()

    assert [line.split()[1] for line in capsys.readouterr().out.splitlines()] == ["NAME", "shop"]
