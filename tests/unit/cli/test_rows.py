"""What `get` shows of a resource."""

from typing import Any

import pytest

from phase_operator.cli.common.terminal import print_table
from phase_operator.cli.looking.rows import Layout, row_of, summary
from support.shown import HOSTILE, NOW, resource, target

PLAIN = Layout(namespaces=False, kinds=False, wide=False)
FULL = Layout(namespaces=True, kinds=True, wide=True)
WIDE = """\
NAMESPACE    KIND             NAME      APP/ENV:PATH       READY    REASON         TARGETS    KEYS    CHANGED    CONFIRMED    AGE    MESSAGE
team         PhaseSecret      shop      shop/Production:/  True     Synced         -          -       10m        12s          3d     1 target is in step
team         PhasePushSecret  to-phase  shop/Production:/  False    EntryConflict  -          3/4     10m        -            3d     somebody else has /A
"""  # noqa: E501 - a table as it is printed


def printed(capsys: pytest.CaptureFixture[str], layout: Layout, *bodies: dict[str, Any]) -> str:
    rows = [row_of(each) for each in bodies]
    print_table(layout.head(), [layout.cells(row, NOW, {"uid-of-shop": 12}.get(row.uid)) for row in rows])
    return capsys.readouterr().out


def test_the_table_has_a_line_for_each(capsys: pytest.CaptureFixture[str]) -> None:
    shop = resource(
        targets=[target(), target("other", ready=False, reason="TargetConflict")],
        keys=12,
        source={"appId": "a1", "environment": "production", "path": "/backend", "entries": 6},
    )
    new = resource("new", ready=None)

    assert (
        printed(capsys, PLAIN, shop, new)
        == """\
NAME    APP/ENV:PATH              READY    REASON       TARGETS    KEYS    CHANGED    CONFIRMED
shop    shop/production:/backend  True     Synced       1/2        12      10m        12s
new     shop/Production:/         Unknown  Reconciling  -          -       -          -
"""
    )


def test_the_wide_table_has_all_columns(capsys: pytest.CaptureFixture[str]) -> None:
    push = resource(
        "to-phase",
        kind="PhasePushSecret",
        ready="False",
        reason="EntryConflict",
        message="somebody else has /A",
        entriesInStep=3,
        source={"entries": 4},
    )

    assert printed(capsys, FULL, resource(), push) == WIDE


def test_a_status_about_an_older_spec_says_nothing_of_this_one() -> None:
    row = row_of(resource(observedGeneration=1))

    assert (row.ready, row.reason) == (None, "Reconciling")
    assert not row.is_ready


def test_the_app_is_named_by_its_id_if_the_spec_does() -> None:
    assert row_of(resource(spec={"phaseApp": None, "phaseAppId": "a-1"})).source == "a-1/Production:/"
    assert row_of(resource(spec={"phaseApp": None}, source={"appId": "a-2"})).source == "a-2/Production:/"


@pytest.mark.parametrize(
    "status",
    [{"ready": "False", "reason": "EnvironmentNotFound"}, {"reason": "Suspended"}, {"observedGeneration": 1}],
)
def test_a_status_of_an_earlier_spec_is_not_shown_for_this_one(status: dict[str, Any]) -> None:
    earlier = {"appId": "a1", "environment": "production", "path": "/old"}

    assert row_of(resource(spec={"phaseAppEnv": "nowhere"}, source=earlier, **status)).source == "shop/nowhere:/"


def test_a_hostile_resource_spoils_no_row_but_its_own(capsys: pytest.CaptureFixture[str]) -> None:
    hostile = resource(
        "mallory",
        reason=HOSTILE,
        message=HOSTILE,
        targets=[{"kind": HOSTILE, "name": HOSTILE, "ready": HOSTILE, "reason": HOSTILE}],
        keys=HOSTILE,
        lastSyncedTime=HOSTILE,
        source={"environment": HOSTILE, "path": [HOSTILE]},
        spec={"phaseApp": HOSTILE, "phaseAppEnvPath": {"x": HOSTILE}},
    )

    text = printed(capsys, FULL, resource(), hostile)

    assert len(text.splitlines()) == 3
    assert max(map(len, text.splitlines())) < 1100
    assert all(line.isprintable() for line in text.splitlines())
    # The columns that come after the longest one are where they are in the other row.
    head, good, _ = text.splitlines()
    assert good[head.index("READY") :].startswith("True")


@pytest.mark.parametrize(
    "broken",
    [
        {},
        {"metadata": None, "spec": None, "status": None},
        {"metadata": [], "spec": "x", "status": 7},
        {"status": {"conditions": "x", "targets": {"a": 1}}},
        {"status": {"conditions": [None, 5, {"type": "Ready"}], "targets": [None, {}]}, "metadata": {"name": 5}},
    ],
)
def test_a_row_can_be_made_of_anything(broken: dict[str, Any]) -> None:
    row = row_of(broken)

    assert len(FULL.cells(row, NOW, None)) == len(FULL.head())
    assert not row.is_ready


def test_a_row_is_news_if_it_shows_something_else() -> None:
    before, same = row_of(resource()), row_of(resource())
    failed = row_of(resource(ready="False", reason="AccessDenied"))
    synced = row_of(resource(lastSyncedTime="2025-11-29T07:00:00Z"))
    said = row_of(resource(message="2 targets are in step"))

    assert PLAIN.is_news(before, None)
    assert not PLAIN.is_news(same, before)
    assert PLAIN.is_news(failed, before)
    assert PLAIN.is_news(synced, before)
    assert (PLAIN.is_news(said, before), FULL.is_news(said, before)) == (False, True)


def test_the_summary_counts_what_is_not_known_as_not_ready() -> None:
    rows = [row_of(resource()), row_of(resource(ready=None)), row_of(resource(ready="False"))]

    assert summary(rows) == "1 ready, 2 not"
