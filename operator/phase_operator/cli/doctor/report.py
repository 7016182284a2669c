"""Findings as a person or a program reads them."""

import json
from collections.abc import Iterator, Sequence
from typing import Any

import click

from phase_operator.cli.common.rights import roles_for
from phase_operator.cli.common.terminal import Tone, is_for_people, toned
from phase_operator.cli.doctor.findings import Finding, Verdict
from phase_operator.core.text import counted
from phase_operator.kube.user_resources import Request

_MARKS = {Verdict.OK: "✓", Verdict.NOTE: "!", Verdict.BAD: "✗", Verdict.UNKNOWN: "?"}
_WORDS = {Verdict.OK: "ok", Verdict.NOTE: "note", Verdict.BAD: "FAIL", Verdict.UNKNOWN: "unknown"}
_TONES = {Verdict.OK: Tone.GOOD, Verdict.NOTE: Tone.NOTE, Verdict.BAD: Tone.BAD, Verdict.UNKNOWN: Tone.FAINT}
_IN_SUMMARY = {
    Verdict.OK: "ok",
    Verdict.NOTE: "to note",
    Verdict.BAD: "failed",
    Verdict.UNKNOWN: "not known",
}


def lines(findings: Sequence[Finding], *, marks: bool) -> Iterator[str]:
    """Yield a line for each finding, the lines of its cure below it, and how many there are of each verdict."""
    words = _MARKS if marks else _WORDS
    begin, width = max(map(len, words.values())), max((len(each.name) for each in findings), default=0)
    for each in findings:
        word = toned(words[each.verdict].ljust(begin), _TONES[each.verdict])
        yield f"{word}  {each.name.ljust(width)}  {each.sentence}"
        for line in each.cure.splitlines():
            yield f"{' ' * (begin + 4)}{line}"
    yield summary(findings)


def summary(findings: Sequence[Finding]) -> str:
    """Return how many checks came to which verdict."""
    numbers = {verdict: sum(each.verdict is verdict for each in findings) for verdict in Verdict}
    said = ", ".join(f"{number} {_IN_SUMMARY[verdict]}" for verdict, number in numbers.items() if number)
    return f"{counted(len(findings), 'check')}: {said}"


def as_json(findings: Sequence[Finding], lacking: Sequence[Request]) -> str:
    """Return the findings for programs, and the rights for lack of which something is not known."""
    document: dict[str, Any] = {
        "checks": [
            {"name": each.name, "verdict": str(each.verdict), "sentence": each.sentence, "cure": each.cure}
            for each in findings
        ],
        "missingRights": [str(each) for each in dict.fromkeys(lacking)],
    }
    return json.dumps(document, indent=2, ensure_ascii=False)


def print_findings(findings: Sequence[Finding], lacking: Sequence[Request], output: str) -> None:
    """Print findings as lines or as JSON; as lines, with the Roles that let the person check the rest."""
    if output == "json":
        click.echo(as_json(findings, lacking))
        return
    for line in lines(findings, marks=is_for_people()):
        click.echo(line)
    if lacking:
        click.echo("\nTo check what is not known you need these rights; an administrator can give them:")
        click.echo(roles_for(lacking), nl=False)
