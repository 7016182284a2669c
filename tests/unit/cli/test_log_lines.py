"""What a line of the operator's log says about a resource."""

import io
import json
import logging
from typing import Any

import pytest

from phase_operator.cli.common.subjects import subjects_of
from phase_operator.cli.looking.log_lines import Cursor, Told, told
from phase_operator.telemetry import logs
from support.shown import HOSTILE, resource, target

OWN, *TARGETS = (each.in_logs for each in subjects_of(resource(targets=[target("env")])))
NAMES = frozenset((OWN, *TARGETS))


def line(**fields: Any) -> str:
    common = {"level": "INFO", "logger": "phase_operator.x", "message": "resource changed", "object": "team/shop"}
    return json.dumps(common | fields | {"time": "2026-11-26T03:57:41.513546+00:00"})


def text_of(written: str) -> str | None:
    found = told(written, NAMES, OWN)
    return None if found is None else found.text


def test_a_line_is_told_as_text() -> None:
    written = line(ready=True, reason="Synced", detail="1 target is in step", written=["Secret team/env"])

    assert told(written, NAMES, OWN) == Told(
        "2026-11-26T03:57:41 INFO    resource changed "
        'ready=true reason=Synced detail="1 target is in step" written=["Secret team/env"]',
        1795665461.513546,
    )


def test_a_line_about_a_target_names_it() -> None:
    assert text_of(line(object="Secret team/env", message="object deleted")) == (
        '2026-11-26T03:57:41 INFO    object deleted object="Secret team/env"'
    )


def test_the_restart_of_a_workload_is_about_the_targets_that_it_names() -> None:
    restarted = line(object="Deployment team/web", message="workload restarted", detail="Secret x/y, Secret team/env")

    assert "Deployment team/web" in (text_of(restarted) or "")


@pytest.mark.parametrize(
    "other",
    [
        line(object="team/shop-2"),
        line(object="other/shop"),
        line(object="PhasePushSecret:team/shop"),
        line(object=None),
        line(object="Deployment team/web", detail="Secret team/env-2"),
        line(object=["team/shop"]),
        "",
        "[]",
        "{",
        "null",
        "object=team/shop",
    ],
)
def test_a_line_about_others_is_not_shown(other: str) -> None:
    assert text_of(other) is None


def test_the_names_are_those_that_the_operator_logs() -> None:
    push = resource("to-phase", kind="PhasePushSecret")

    assert [each.in_logs for each in subjects_of(push)] == ["PhasePushSecret:team/to-phase"]
    assert (OWN, TARGETS) == ("team/shop", ["Secret team/env"])


@pytest.mark.parametrize("about", ["team/shop", "Secret team/env"])
def test_an_operator_that_logs_text_is_understood(about: str) -> None:
    written = _logged("text", {"object": about, "detail": "1 target"})

    found = told(written, NAMES, OWN)
    assert found is not None
    assert found.text == " ".join(written.split())
    assert found.at is not None
    assert told(_logged("text", {"object": "team/shop-2", "detail": f"object={about}"}), NAMES, OWN) is None


def test_the_operators_own_format_is_understood() -> None:
    assert (text_of(_logged("json", {"object": "team/shop", "reason": "Synced"})) or "").endswith(
        "INFO    resource changed reason=Synced"
    )


def _logged(form: str, fields: dict[str, str]) -> str:
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    handler.setFormatter(logs._formatter(form))
    record = logging.makeLogRecord(
        {"name": "phase_operator.x", "msg": "resource changed", "levelname": "INFO"} | fields
    )
    handler.emit(record)
    return stream.getvalue().rstrip("\n")


def test_text_of_others_is_one_bounded_line() -> None:
    found = text_of(line(detail=HOSTILE, source=[HOSTILE], message=HOSTILE, level=HOSTILE))

    assert found is not None
    assert found.isprintable()
    assert len(found) < 2000


def test_a_trace_keeps_its_last_lines() -> None:
    flat = HOSTILE.replace("\r\n", "")
    found = text_of(line(error="KeyError", trace="\n".join(f"  line {number} {flat}" for number in range(500))))

    assert found is not None
    head, *trace = found.splitlines()
    assert head.endswith("error=KeyError")
    assert len(trace) == 60
    assert trace[-1].startswith("    line 499")
    assert all(each.isprintable() for each in trace)


def test_a_log_that_is_opened_again_goes_on_after_what_was_shown() -> None:
    cursor = Cursor(600)
    assert cursor.query() == [("sinceSeconds", "600")]
    first = [Told("a", 100.25), Told("b", 101.5), Told("c", 101.5)]
    assert all(map(cursor.is_new, first))

    assert cursor.query() == [("sinceTime", "1970-01-01T00:01:41Z")]
    assert [cursor.is_new(each) for each in [*first, Told("d", 101.75), Told("no time", None)]] == [
        *(False, False, False),
        *(True, True),
    ]


def test_a_log_is_shown_from_its_beginning_unless_it_is_said_since_when() -> None:
    assert Cursor(None).query() == []
