"""The table in the docstring of decision.py is true: `decide` does what each of its rows says."""

from dataclasses import replace
from typing import Any, assert_never

import pytest

from phase_operator.core.rollout import decision
from phase_operator.core.rollout.baseline import Baseline, reference_id, write_baseline
from phase_operator.core.rollout.decision import Decision, LeaveAlone, Postpone, Restart, SaveBaseline, decide
from phase_operator.core.rollout.followers import FollowedTarget, Gap, Policy
from phase_operator.core.rollout.progress import Progress, WorkloadKind
from phase_operator.core.rollout.stall import Patience
from phase_operator.core.targets.fingerprint import KeyDigests
from support.builders import DIGEST_KEY
from support.workloads import EARLY, LATE, MIDDLE, Server, content, reads_all, secret

DB, CACHE = secret("db"), secret("cache")
OLD, NEW, OTHER = content(DB, A="one"), content(DB, A="two"), content(CACHE, B="one")
ANOTHER_TEMPLATE = b"before"
UNDER_WAY: dict[str, Any] = {"progress": Progress.UNDER_WAY}


def decided(
    noted: KeyDigests | None,
    held: KeyDigests | None,
    *,
    cache: KeyDigests | Gap = OTHER,
    template: bytes = b"",
    edited_at: str = EARLY,
    waits: Patience = Patience.FOR_THE_END,
    **standing: Any,
) -> Decision:
    """Decide for a workload that reads the Secrets `db` and `cache`.

    `noted` is what its baseline has of `db`; None: it has no baseline. `held` is what the Secret has; None: the
    workload follows neither of the two.
    """
    found = Server(WorkloadKind.DEPLOYMENT, reads_all("db"), reads_all("cache")).read()
    note = ""
    if noted is not None:
        contents = {"db": noted, "cache": OTHER}
        seen = {
            reference_id(each.kind, each.name, each.keys): contents[each.name].read(None) for each in found.references
        }
        note = write_baseline(Baseline(template or found.template_digest(), seen), found.uid, DIGEST_KEY)
    workload = replace(found, running=note, edited_at=edited_at, rollout_state=replace(found.rollout_state, **standing))
    followed_targets = (
        {}
        if held is None
        else {DB: FollowedTarget((Policy(),), held, MIDDLE), CACHE: FollowedTarget((Policy(),), cache, MIDDLE)}
    )
    return decide(workload, followed_targets, DIGEST_KEY, waits=waits)


def spelled(found: Decision) -> str:
    """Return a decision in the words of the table."""
    match found:
        case SaveBaseline():
            return "save"
        case LeaveAlone():
            return "leave alone"
        case Postpone(cause=cause):
            return f"postpone: `{cause.name}`"
        case Restart():
            return "restart"
        case _:
            assert_never(found)


def rows() -> dict[tuple[str, ...], str]:
    """Return the rows of the table: baseline, content and roll-out, and what they lead to."""
    lines = [line for line in (decision.__doc__ or "").splitlines() if line.startswith("|")]
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines[2:]]
    return {tuple(row[:3]): row[3] for row in cells}


USERS_OWN: dict[str, Any] = {"template": ANOTHER_TEMPLATE, "edited_at": LATE}
CASES: dict[tuple[str, ...], list[Decision]] = {
    ("none, or empty", "the workload reads none", "any"): [decided(None, None), decided(None, None, paused=True)],
    ("none", "any", "any"): [decided(None, NEW), decided(None, NEW, cache=Gap.ABSENT), decided(None, NEW, **UNDER_WAY)],
    ("there", "all of it was read", "any"): [
        decided(NEW, NEW, template=ANOTHER_TEMPLATE),
        decided(NEW, None, paused=True),
    ],
    ("there", "some unread, some missing", "any"): [
        decided(OLD, NEW, cache=Gap.ABSENT),
        decided(OLD, NEW, cache=Gap.ABSENT, paused=True),
        decided(OLD, NEW, cache=Gap.ABSENT, **UNDER_WAY),
    ],
    ("there", "some unread", "paused"): [decided(OLD, NEW, paused=True), decided(OLD, NEW, paused=True, **UNDER_WAY)],
    ("there", "some unread", "under way, and worth waiting for"): [
        decided(OLD, NEW, **UNDER_WAY),
        decided(OLD, NEW, **UNDER_WAY, **USERS_OWN, waits=Patience.WHILE_IT_GETS_ON),
    ],
    ("there", "some unread", "the user's own, after the write, over"): [decided(OLD, NEW, **USERS_OWN)],
    ("there", "some unread", "any other"): [
        decided(OLD, NEW),
        decided(OLD, NEW, progress=Progress.OVERDUE, **USERS_OWN),
        decided(OLD, NEW, template=ANOTHER_TEMPLATE, edited_at=EARLY),
        decided(OLD, NEW, **UNDER_WAY, waits=Patience.WHILE_IT_GETS_ON),
        decided(OLD, NEW, **UNDER_WAY, **USERS_OWN, waits=Patience.OVER),
    ],
}


def test_every_row_has_a_case() -> None:
    assert list(rows()) == list(CASES)


@pytest.mark.parametrize("row", [pytest.param(row, id=", ".join(row)) for row in CASES])
def test_the_row_is_what_is_decided(row: tuple[str, ...]) -> None:
    said = rows()[row]

    assert all(said.startswith(spelled(found)) for found in CASES[row]), [spelled(found) for found in CASES[row]]


def test_a_workload_whose_baseline_has_the_content_is_left_alone() -> None:
    assert rows()["there", "all of it was read", "any"].endswith("if that is news")
    assert decided(NEW, NEW) == LeaveAlone()
