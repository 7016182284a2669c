"""The picture shows every panel of the dashboard, at its place and in Grafana's words."""

import math
from pathlib import Path
from xml.etree import ElementTree

import pytest

from phase_dev.monitoring import units
from phase_dev.monitoring.dashboard import dashboard
from phase_dev.monitoring.drawing import WIDTH, alone, box_of, broken, color_of, draw, legend
from phase_dev.monitoring.panels import Board, Kind, Line, Panel, Place, Target, fill, name_line, read_board
from phase_dev.monitoring.prometheus import Span, configuration
from phase_dev.monitoring.work import STORY, phase_secret, seed
from phase_dev.server.seed import parse_seed
from phase_dev.shell.errors import ToolError

BOARD = read_board(dashboard("note"))
SPAN = Span(start=1_000_000.0, end=1_000_480.0, step=5.0, scraped_every=5.0)
RISING = tuple((SPAN.start + 5.0 * number, float(number)) for number in range(97))


def graph(**other: object) -> Panel:
    """Return a graph."""
    place = Place(x=0, y=0, width=8, height=8)
    return Panel(kind=Kind.GRAPH, title="A graph", place=place, **{"unit": "short", "lowest": 0.0, **other})


def texts(board: Board, answers: dict[Panel, list[Line]]) -> list[str]:
    """Return what is written in the picture."""
    tree = ElementTree.fromstring(draw(board, answers, SPAN, "note"))
    return [each.text or "" for each in tree.iter("{http://www.w3.org/2000/svg}text")]


def board_of(panel: Panel) -> Board:
    """Return a dashboard of one panel."""
    return Board("Title", (), {}, (panel,))


def test_every_panel_is_drawn_with_what_its_queries_gave() -> None:
    answers = {
        panel: [Line(f"{panel.title} line", RISING) for _ in panel.targets] for panel in BOARD.panels if panel.targets
    }

    said = texts(BOARD, answers)

    assert not {panel.title for panel in BOARD.panels} - set(said)
    assert "No data" not in said
    assert "note" in said
    shown = {panel.title for panel in BOARD.panels if panel.kind is Kind.GRAPH or panel.text_mode == "name"}
    assert not {f"{title} line" for title in shown} - set(said)


def test_a_panel_without_an_answer_says_so() -> None:
    panels = [panel for panel in BOARD.panels if panel.targets]

    assert texts(BOARD, {}).count("No data") == len(panels) > 20


def test_every_query_can_be_filled_in() -> None:
    for panel in BOARD.panels:
        for target in panel.targets:
            filled = fill(target.expr, BOARD.variables, 5.0, 5.0)
            assert 'namespace=~".*", job=~".*"' in filled


def test_the_window_of_rates_is_grafanas() -> None:
    assert fill("rate(a[$__rate_interval])", {}, 5.0, 5.0) == "rate(a[20s])"
    assert fill("rate(a[${__rate_interval}])", {}, 5.0, 60.0) == "rate(a[65s])"


def test_an_unknown_variable_is_no_query() -> None:
    with pytest.raises(ToolError, match=r"\$cluster"):
        fill('up{cluster="$cluster"}', {}, 5.0, 5.0)


def test_an_unknown_type_of_panel_is_told_with_its_title() -> None:
    text = dashboard("note").replace('"type": "stat"', '"type": "gauge"')

    with pytest.raises(ToolError, match='"Ready": type is gauge'):
        read_board(text)


@pytest.mark.parametrize(
    ("legend", "labels", "name"),
    [
        ("{{kind}}: {{ result }}", {"kind": "read", "result": "ok"}, "read: ok"),
        ("{{outcome}} {{reason}}", {"outcome": "Synced"}, "Synced"),
        ("", {"__name__": "up", "job": "a"}, 'up{job="a"}'),
    ],
)
def test_lines_have_the_names_that_the_legend_gives(legend: str, labels: dict[str, str], name: str) -> None:
    assert name_line(legend, labels) == name


def test_panels_lie_on_the_grid_inside_the_picture() -> None:
    boxes = [box_of(panel.place) for panel in BOARD.panels]

    assert min(left for left, *_ in boxes) == pytest.approx(WIDTH - max(left + wide for left, _, wide, _ in boxes))
    for number, (left, top, wide, high) in enumerate(boxes):
        for other_left, other_top, other_wide, other_high in boxes[:number]:
            apart = left >= other_left + other_wide or other_left >= left + wide
            assert apart or top >= other_top + other_high or other_top >= top + high


@pytest.mark.thorough
def test_the_same_answers_give_the_same_picture() -> None:
    answers = {panel: [Line("a line", RISING)] for panel in BOARD.panels if panel.targets}

    assert draw(BOARD, answers, SPAN, "note") == draw(BOARD, answers, SPAN, "note")


def test_an_axis_has_its_unit() -> None:
    memory = graph(unit="bytes")
    line = Line("pod", tuple((when, 90 * 1024.0**2) for when, _ in RISING))

    assert {"0 MiB", "75 MiB"} <= set(texts(board_of(memory), {memory: [line]}))


@pytest.mark.parametrize(
    ("unit", "value", "said"),
    [
        ("short", 0, "0"),
        ("short", 236, "236"),
        ("short", 12_345, "12.3 K"),
        ("s", 0, "0 s"),
        ("s", 0.0042, "4.20 ms"),
        ("s", 71, "1.18 min"),
        ("s", 7_776_000, "12.9 weeks"),
        ("bytes", 104_857_600, "100 MiB"),
        ("percentunit", 0.031, "3.10%"),
        ("ops", 0.25, "0.25 ops/s"),
        ("furlongs", 3, "3 furlongs"),
        ("s", math.nan, "-"),
    ],
)
def test_values_are_written_in_their_unit(unit: str, value: float, said: str) -> None:
    assert units.write(unit, value) == said


def test_a_line_is_not_drawn_across_what_is_missing() -> None:
    points = [(0.0, 1.0), (5.0, 1.0), (10.0, math.nan), (15.0, 1.0), (30.0, 2.0), (35.0, 2.0)]

    values = [value for _, value in broken(points, 5.0)]

    assert [math.isnan(value) for value in values] == [False, False, True, False, True, False, False]
    assert alone(values) == [3]


def test_a_legend_keeps_to_its_rows_and_tells_what_it_leaves_out() -> None:
    names = [f"a line with the number {number}" for number in range(30)]

    shown, columns = legend(names, 500.0)

    assert (len(shown), columns) == (6, 2)
    assert shown == [*names[:5], "… and 25 more"]
    assert legend(["short"], 500.0)[0] == ["short"]


def test_a_number_takes_the_color_of_its_threshold() -> None:
    ready = next(panel for panel in BOARD.panels if panel.title == "Not ready")

    assert color_of(ready, 0) != color_of(ready, 1)
    assert color_of(ready, 1) == color_of(ready, 100)


def test_a_name_cannot_become_markup_of_the_picture() -> None:
    panel = graph(targets=(Target(expr="up", legend="{{a}}"),))

    assert "<b>&" in texts(board_of(panel), {panel: [Line("<b>&", RISING)]})


def test_values_that_are_no_numbers_leave_the_legend() -> None:
    panel = graph()
    line = Line("p99", tuple((when, math.nan) for when, _ in RISING))

    said = texts(board_of(panel), {panel: [line]})

    assert "p99" in said
    assert "No data" not in said


def test_pods_are_labelled_as_the_pod_monitor_labels_them() -> None:
    assert '"job_name": "system/phase-operator"' in configuration("system", {"a": 1}, 5.0)
    assert '{"targets": ["127.0.0.1:1"], "labels": {"namespace": "system", "pod": "a"}}' in configuration(
        "system", {"a": 1}, 5.0
    )


def test_the_story_is_told_in_order_and_its_fleet_finds_its_apps() -> None:
    assert [each.at for each in STORY] == sorted(each.at for each in STORY)
    held = {(app.name, environment.name) for app in parse_seed(seed()).apps for environment in app.environments}
    fleet = [phase_secret(number, "http://phase")["spec"] for number in range(100)]
    assert {(spec["phaseApp"], spec["phaseAppEnv"]) for spec in fleet} < held


def test_the_dashboard_that_people_import_is_the_one_that_is_drawn() -> None:
    shipped = Path(__file__).parents[4] / "deploy/monitoring/dashboard.json"

    assert read_board(shipped.read_text()).panels == BOARD.panels
