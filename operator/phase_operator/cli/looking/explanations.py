"""What a reason means and what to do, and the same of one resource with its own names.

Rule: the words are those of the catalogue, which the troubleshooting page has too. What a status says is shown as
bounded lines.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from textwrap import TextWrapper
from typing import Any

from phase_operator.api.reasons import CATALOGUE, EVENTS, Entry
from phase_operator.cli.common.standing import is_current, is_true, ready_of
from phase_operator.cli.common.subjects import Subject
from phase_operator.cli.looking.next_steps import NOT_YET, Step, names_in, next_steps
from phase_operator.core.json_access import mapping, mappings, strings, text
from phase_operator.core.text import clean

_INDENT = "  "
# A name with hyphens stays in one line, so that it can be copied.
_WRAP = TextWrapper(100, _INDENT, _INDENT, break_on_hyphens=False, break_long_words=False)
_LONGEST = 1000
# The most targets, and waiting restarts of one target, that are named.
_MOST = 20
_OF_A_PERSON = "A person has to act. In the meantime the operator tries again slowly."
_UNKNOWN = "This version of the command does not know the reason: the operator may be newer."
_NOT_JUDGED = (
    "The operator has not looked at this spec yet. That takes seconds. If it stays so, the operator does not run, or "
    "does not watch this namespace."
)


@dataclass(frozen=True, slots=True)
class Part:
    """A heading, and what is below it."""

    head: str
    lines: tuple[str, ...]


def reason_of(word: str) -> tuple[str, Entry] | None:
    """Return the reason of that name, in any case, with what the catalogue says of it; None if there is none."""
    return next(
        (
            (str(each), entry)
            for each, entry in (*CATALOGUE.items(), *EVENTS.items())
            if each.casefold() == word.casefold()
        ),
        None,
    )


def reasons() -> list[str]:
    """Return the names of all reasons."""
    return [*map(str, CATALOGUE), *EVENTS]


def of_reason(reason: str, entry: Entry) -> list[Part]:
    """Return the meaning and the cure of a reason."""
    cure = [entry.cure, *([_OF_A_PERSON] if entry.stalled else [])]
    return [Part(f"{reason}: what it means", (entry.meaning,)), Part("What to do", tuple(cure))]


def of_resource(body: Mapping[str, Any]) -> list[Part]:
    """Return what a resource says, what that means, which targets are not in step, and what to run next."""
    status, metadata = mapping(body.get("status")), mapping(body.get("metadata"))
    ready = ready_of(body)
    is_judged = bool(ready) and is_current(body)
    name = (
        f"{clean(text(body.get('kind')))} {clean(text(metadata.get('namespace')))}/{clean(text(metadata.get('name')))}"
    )
    targets = [each for each in mappings(status.get("targets")) if each.get("ready") is not True]
    reason = text(ready.get("reason")) if is_judged else NOT_YET
    steps = next_steps(reason, names_in(body, _subjects(targets)[:_MOST]))
    parts = _judged(name, ready, targets) if is_judged else [Part(f"{name} waits", (_NOT_JUDGED,))]
    return [*parts, *_waiting(status), Part("Next", tuple(_lines(steps)))]


def _judged(name: str, ready: Mapping[str, Any], targets: Sequence[Mapping[str, Any]]) -> list[Part]:
    """Return what the operator says of a resource and of the targets that are not in step, and what that means."""
    reason, verdict = text(ready.get("reason")), "is ready" if is_true(ready) else "is not ready"
    parts = [Part(f"{name} {verdict}: {clean(reason)}", _message(ready)), *_meanings([reason])]
    others = dict.fromkeys(text(each.get("reason")) for each in targets)
    return [*parts, *_of_targets(targets), *_meanings(each for each in others if each != reason)]


def written(parts: Sequence[Part]) -> str:
    """Return parts as text, in lines that are not too long to read."""
    blocks = []
    for part in parts:
        below = [line if line.startswith(_INDENT) else _WRAP.fill(line) for line in part.lines]
        blocks.append("\n".join([part.head, *below]))
    return "\n\n".join(blocks)


def _message(said: Mapping[str, Any]) -> tuple[str, ...]:
    message = clean(text(said.get("message")), _LONGEST)
    return (message,) if message else ()


def _meanings(reasons: Iterable[str]) -> list[Part]:
    found: list[Part] = []
    for word in list(reasons)[:_MOST]:
        known = reason_of(word)
        found += [Part(clean(word), (_UNKNOWN,))] if known is None else of_reason(*known)
    return found


def _subjects(targets: Iterable[Mapping[str, Any]]) -> list[Subject]:
    return [
        Subject(text(each.get("kind")), text(each.get("namespace")), text(each.get("name")))
        for each in targets
        if each.get("kind") in ("Secret", "ConfigMap")
    ]


def _of_targets(targets: Sequence[Mapping[str, Any]]) -> list[Part]:
    if not targets:
        return []
    lines = [
        f"{_name(each)}: {clean(text(each.get('reason')))}: {clean(text(each.get('message')), _LONGEST)}".rstrip(": ")
        for each in targets[:_MOST]
    ]
    rest = [f"and {len(targets) - _MOST} more"] if len(targets) > _MOST else []
    return [Part("Targets that are not in step", (*lines, *rest))]


def _waiting(status: Mapping[str, Any]) -> list[Part]:
    lines = []
    for target in list(mappings(status.get("targets")))[:_MOST]:
        said = strings(target.get("notRestarted"))
        lines += [f"{_name(target)}: {clean(each, _LONGEST)}" for each in said[:_MOST]]
    return [Part("Workloads that have not read the new content yet", tuple(lines[:_MOST]))] if lines else []


def _name(target: Mapping[str, Any]) -> str:
    return f"{clean(text(target.get('kind')))} {clean(text(target.get('namespace')))}/{clean(text(target.get('name')))}"


def _lines(steps: Iterable[Step]) -> Iterable[str]:
    for step in steps:
        # Indented already: a command stays in one line, so that it can be copied.
        yield f"{_INDENT}{step.command}"
        yield f"{_INDENT}    {step.why}"
