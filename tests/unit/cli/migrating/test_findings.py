from phase_operator.cli.migrating.findings import (
    Finding,
    Report,
    Severity,
    ordered,
    rows,
    summary,
    unjudged,
    worst_first,
)
from phase_operator.core.values import ObjectKey

NOTE = Finding(Severity.NOTE, "spec", "a note")
STOPS = Finding(Severity.STOPS, "spec", "it stops", "do this")
BREAKS = Finding(Severity.BREAKS, "spec", "it breaks")
ONE, TWO, THREE = (
    Report(ObjectKey("team", name), found) for name, found in (("a", [NOTE]), ("b", [STOPS, BREAKS]), ("c", []))
)


def test_the_worst_comes_first() -> None:
    assert [each.key.name for each in worst_first([THREE, ONE, TWO])] == ["b", "a", "c"]
    assert [row[1][3] for row in rows([ONE, TWO, THREE])] == ["it breaks", "it stops; do this", "a note"]


def test_a_note_is_no_difference() -> None:
    assert [each.differs for each in (ONE, TWO, THREE)] == [False, True, False]


def test_the_summary_counts_resources_by_their_worst() -> None:
    assert summary([ONE, TWO, THREE]) == "3 resources: 1 breaks silently, 1 note, 1 without a difference"
    assert summary([THREE]) == "1 resource: 1 without a difference"
    assert summary([]) == "no resources"


def test_findings_of_one_resource_are_bounded_and_come_once() -> None:
    many = [Finding(Severity.NOTE, f"spec[{number}]", "x") for number in range(1000)]

    assert ordered([NOTE, NOTE]) == [NOTE]
    assert ordered([*many, BREAKS])[0] == BREAKS
    assert len(ordered(many)) == 200


def test_a_point_that_was_not_judged_names_its_resources() -> None:
    first, second = (Report(ObjectKey("team", name), unjudged=["tags"]) for name in "ab")

    assert unjudged([first, second]) == {"tags": ["team/a", "team/b"]}


def test_text_of_others_is_safe_in_rows_and_in_json() -> None:
    evil = "a\x1b[31m\n\u202eb"
    report = Report(ObjectKey(evil, evil), [Finding(Severity.STOPS, evil, evil, evil)], [evil])

    [(_, row)] = rows([report])
    assert all(cell.isprintable() for cell in row)
    shown = report.as_json()
    assert all(each.isprintable() for each in (shown["namespace"], *shown["findings"][0].values(), *shown["notJudged"]))
