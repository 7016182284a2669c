"""The page about troubleshooting.

Rule: what a reason means and its cure are the catalogue's words, which the command line has too. cases.yaml has the
causes, symptoms.md what people see before they know a reason.
"""

from collections.abc import Iterator
from pathlib import Path

from phase_dev.reason_commands import reason_commands
from phase_dev.troubleshooting.cases import CASES
from phase_operator.api.reasons import CATALOGUE, EVENTS, Reason

PAGE = "docs/operating/troubleshooting.md"
_SYMPTOMS = Path(__file__).with_name("symptoms.md")

_REASONS = """\
Every reason that a resource, an Event or a metric can show. `kubectl get phase` has it in the column Reason, and
`kubectl describe phs NAME` the message; the messages below are samples.
[`kubectl phase explain NAME`](../cli.md#explain) says the same of a resource, with its own names in the commands.

- **Action needed** means that nothing changes before you act. The operator tries again every 30 to 45 s, and at once
  when you edit the resource or its token. Without these words it passes by itself.
- The names are those of a resource `shop` in a namespace `shop`. `phs` is a PhaseSecret, `pds` a PhaseDynamicSecret and
  `pps` a PhasePushSecret.
- Two commands help with every reason: `kubectl phase events shop -n shop` shows what happened and when, and
  `kubectl phase sync shop -n shop` has it tried again now, and waits.
- To verify a fix, wait for the condition Ready; where that does not show it, the reason says what does:

  ```console
  $ kubectl -n shop wait --for=condition=Ready phs/shop --timeout=2m
  ```"""

# What core/rollout/progress.py, core/rollout/decision.py and reconcile/restarts/restarter.py say, and what to do.
_DELAYS = (
    ("it is paused: it is restarted when it is resumed", "Resume it: `kubectl rollout resume`."),
    (
        "its last roll-out is not over: it is restarted after that",
        "No Event. Nothing to do: [a stalled roll-out](../restarts.md#a-roll-out-that-cannot-end) is replaced.",
    ),
    (
        "one of its pods is not ready, and its controller replaces none until it is ...",
        "The restart replaced a stalled roll-out. Delete the pod if it does not recover: `kubectl delete pod`.",
    ),
    (
        "its turn has not come; 10 roll-outs at once",
        "Nothing to do; it makes no Event. `--restarts-at-once` sets the number, with [shares](../restarts.md#places).",
    ),
    (
        "its update strategy is OnDelete: running pods keep what they began with until they are deleted",
        "Delete its pods when it suits.",
    ),
    (
        "its update strategy has a partition: pods below it keep what they began with",
        "Lower the partition when it suits.",
    ),
    (
        "its pods need ..., and would not start without",
        "Restore the key or the object in the message, or remove the reference from the pod template.",
    ),
    (
        "it cannot be restarted: ...",
        (
            "Grant the right that the message names, or correct what an admission policy refuses. The operator tries "
            "again every few seconds."
        ),
    ),
    (
        "workloads cannot be looked at: ... (a kind may be named, or a workload that keeps changing)",
        "Grant the operator its rights, correct what the message names, or turn restarts off. Restarts may be missing.",
    ),
)


def page(note: str) -> str:
    """Return the page; `note` says where it comes from."""
    parts = [f"<!-- {note} -->", _SYMPTOMS.read_text().strip(), "## By reason", _REASONS]
    parts += [part for reason in CATALOGUE for part in _section(reason)]
    return "\n\n".join([*parts, *_of_events()]) + "\n"


def _section(reason: Reason) -> Iterator[str]:
    entry, case = CATALOGUE[reason], CASES[reason]
    yield f"### {reason.value}"
    yield f"{'**Action needed.** ' if entry.stalled else ''}{entry.meaning}"
    yield f"```text\n{case.message}\n```"
    yield f"**What to do:** {entry.cure}"
    rows = ["| cause | fix |", "|---|---|"]
    rows += [f"| {_cell(each.why)} | {_cell(each.fix)} |" for each in case.causes]
    yield "\n".join(rows)
    if commands := reason_commands(reason):
        yield commands
    if case.verify:
        yield f"**Verify:** {case.verify}"


def _of_events() -> Iterator[str]:
    delayed, contested = EVENTS["RestartDelayed"], EVENTS["TargetContested"]
    rows = ["| after the workload's name | what to do |", "|---|---|"]
    rows += [f"| {_cell(sentence)} | {_cell(cure)} |" for sentence, cure in _DELAYS]
    yield "### RestartDelayed"
    yield f"{delayed.meaning} See [restarts](../restarts.md)."
    yield "\n".join(rows)
    yield "### TargetContested"
    yield contested.meaning
    yield f"**What to do:** {contested.cure}"


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")
