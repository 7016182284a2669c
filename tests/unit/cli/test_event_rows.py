"""Which Events are about a resource, and how they are shown."""

from typing import Any

import pytest

from phase_operator.cli.common.subjects import Subject, subjects_of
from phase_operator.cli.common.terminal import print_table
from phase_operator.cli.looking.event_rows import HEAD, EventFilter, EventRow, Newest
from support.shown import HOSTILE, NOW, resource, target

SHOP = resource(targets=[target("env"), target("env", namespace="web"), target("files", version="files-1a")])
FILTER = EventFilter(subjects_of(SHOP))


def event(kind: str = "PhaseSecret", name: str = "shop", namespace: str = "team", **more: Any) -> dict[str, Any]:
    about = {"kind": kind, "name": name, "namespace": namespace, "uid": more.pop("about", "")}
    common = {"type": "Normal", "reason": "Synced", "message": "1 target is in step", "count": 1}
    times = {"lastTimestamp": "2025-11-29T07:05:40Z"}
    return {"involvedObject": about, "metadata": {"uid": more.pop("uid", "e-1")}} | common | times | more


def row(at: float, uid: str) -> EventRow:
    return EventRow(at, uid, 1, "Normal", "Synced", "phasesecret/shop", "")


def test_a_resource_and_its_targets_are_its_subjects() -> None:
    assert subjects_of(SHOP) == [
        Subject("PhaseSecret", "team", "shop", "uid-of-shop"),
        Subject("Secret", "team", "env"),
        Subject("Secret", "web", "env"),
        Subject("Secret", "team", "files"),
        Subject("Secret", "team", "files-1a"),
    ]
    assert FILTER.namespaces == ["team", "web"]


def test_subjects_are_bounded_and_of_the_kinds_of_targets() -> None:
    hostile = resource(targets=[target("role", kind="Role"), *(target(f"t-{number}") for number in range(5000))])

    found = subjects_of(hostile)

    assert len(found) == 256
    assert {each.kind for each in found} == {"PhaseSecret", "Secret"}


def test_the_table_has_a_line_for_each_event(capsys: pytest.CaptureFixture[str]) -> None:
    events = [
        event(),
        event("Secret", "env", "web", type="Warning", reason="TargetConflict", message="not ours", count=5),
    ]

    print_table(HEAD, [found.cells(NOW) for each in events if (found := FILTER.row(each)) is not None])

    assert (
        capsys.readouterr().out
        == """\
LAST SEEN    TYPE     REASON          OBJECT            MESSAGE
60s          Normal   Synced          phasesecret/shop  1 target is in step
60s          Warning  TargetConflict  secret/web/env    not ours (x5)
"""
    )


@pytest.mark.parametrize(
    "other",
    [
        pytest.param(event(name="other"), id="another name"),
        pytest.param(event(namespace="web"), id="another namespace"),
        pytest.param(event("Deployment"), id="another kind"),
        pytest.param(event(about="uid-of-one-before"), id="one that had the name before"),
        pytest.param({}, id="nothing"),
        pytest.param({"involvedObject": "shop"}, id="no object"),
    ],
)
def test_an_event_about_others_is_left_out(other: dict[str, Any]) -> None:
    assert FILTER.row(other) is None


def test_an_event_about_the_resource_passes_with_its_uid_or_without_any() -> None:
    assert FILTER.row(event(about="uid-of-shop")) is not None
    assert FILTER.row(event()) is not None


def test_a_hostile_event_is_a_line_like_others(capsys: pytest.CaptureFixture[str]) -> None:
    hostile = event(reason=HOSTILE, message=HOSTILE, type=HOSTILE, lastTimestamp=HOSTILE, count=HOSTILE, uid=HOSTILE)

    found = FILTER.row(hostile)
    assert found is not None
    print_table(HEAD, [found.cells(NOW)])

    text = capsys.readouterr().out
    assert len(text.splitlines()) == 2
    assert all(line.isprintable() and len(line) < 500 for line in text.splitlines())


@pytest.mark.parametrize(
    "times",
    [
        {"eventTime": "2025-11-29T07:05:40.5Z"},
        {"firstTimestamp": "2025-11-29T07:05:40Z"},
        {"series": {"count": 3, "lastObservedTime": "2025-11-29T07:05:40Z"}, "eventTime": "2025-11-29T01:00:00Z"},
    ],
)
def test_the_time_is_the_last_of_those_that_an_event_has(times: dict[str, Any]) -> None:
    found = FILTER.row(event(lastTimestamp=None) | times)

    assert found is not None
    assert found.cells(NOW)[0] in ("59s", "60s")


def test_only_the_newest_are_kept_the_oldest_first() -> None:
    newest = Newest(most=3)
    for number in (5, 1, 4, 9, 2):
        newest.add(row(float(number), f"e-{number}"))

    assert [each.at for each in newest.rows()] == [4.0, 5.0, 9.0]


def test_events_of_one_moment_and_no_uid_can_be_compared() -> None:
    newest = Newest(most=2)
    for _ in range(5):
        newest.add(row(1.0, ""))

    assert len(newest.rows()) == 2
