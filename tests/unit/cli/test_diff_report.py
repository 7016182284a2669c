"""The output of a diff, as literal text."""

import json

from phase_operator.cli.diffing.changes import Change, Sign, TargetDiff, Verdict
from phase_operator.cli.diffing.entries import EntryChange
from phase_operator.cli.diffing.report import Report, document, lines
from phase_operator.cli.diffing.restarts import ComingRestart
from support.builders import config_map_ref, secret_ref

CHANGED = TargetDiff(
    secret_ref(),
    Verdict.CHANGE,
    changes=(
        Change(Sign.ADDED, "key", "NEW", None, b"n"),
        Change(Sign.REMOVED, "key", "OLD", b"o"),
        Change(Sign.CHANGED, "key", "PASSWORD", b'be"fore\x1b', b"\xff\xfe"),
        Change(Sign.CHANGED, "label", "team", b"a", b"b"),
        Change(Sign.CHANGED, "deletionPolicy", "Retain -> Delete"),
    ),
)
REPORT = Report(
    "PhaseSecret team/shop",
    (
        CHANGED,
        TargetDiff(secret_ref("same"), Verdict.SAME),
        TargetDiff(config_map_ref(), Verdict.REFUSED, "TargetConflict: it exists and is not ours"),
        TargetDiff(secret_ref("old"), Verdict.LEFT),
    ),
    (EntryChange(Sign.ADDED, "/cluster/A", "would be made"), EntryChange(None, "", '"B": it is sealed')),
    (ComingRestart("Deployment team/web", (secret_ref(),)), ComingRestart("CronJob team/x", (secret_ref(),), "paused")),
    ("the spec has tags that match nothing",),
)


def printed(report: Report, *, show_values: bool = False) -> str:
    return "\n".join(line for line, _ in lines(report, show_values=show_values))


def test_a_report_shows_keys_and_no_values() -> None:
    assert (
        printed(REPORT)
        == """\
PhaseSecret team/shop
  Secret team/shop would change
    + NEW
    - OLD
    ~ PASSWORD
    ~ label team
    ~ deletionPolicy Retain -> Delete
  ConfigMap team/shop would be refused: TargetConflict: it exists and is not ours
  Secret team/old would stay, and nobody would write it any more
  + /cluster/A: would be made
  ! "B": it is sealed
  Deployment team/web would restart for "Secret team/shop"
  CronJob team/x would restart for "Secret team/shop", but not at once: paused
  note: the spec has tags that match nothing"""
    )


def test_values_are_shown_on_demand_without_a_sign_that_a_terminal_obeys() -> None:
    assert (
        printed(Report("r", [CHANGED]), show_values=True)
        == """\
r
  Secret team/shop would change
    + NEW: "n"
    - OLD: "o"
    ~ PASSWORD: "be\\"fore\\u001b" -> 2 bytes that are no text
    ~ label team: "a" -> "b"
    ~ deletionPolicy Retain -> Delete"""
    )


def test_nothing_to_do_is_one_line() -> None:
    assert printed(Report("PhaseSecret team/shop", [TargetDiff(secret_ref(), Verdict.SAME)])) == (
        "PhaseSecret team/shop: no change"
    )


def test_a_document_masks_values_unless_they_are_asked_for() -> None:
    hidden = json.dumps(document(REPORT))
    [password] = [each for each in document(REPORT, show_values=True)["targets"][0]["changes"] if each["name"] == "NEW"]

    assert "be\\\\" not in hidden
    assert json.loads(hidden)["targets"][0]["changes"][0] == {
        "sign": "+",
        "what": "key",
        "name": "NEW",
        "after": "********",
    }
    assert password["after"] == '"n"'


def test_text_of_others_is_safe_to_print() -> None:
    hostile = TargetDiff(secret_ref(), Verdict.KEPT, "no\x1b[2J\nfake: line")

    assert all(line.isprintable() for line, _ in lines(Report("r", [hostile])))
