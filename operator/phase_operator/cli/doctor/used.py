"""Whether our resources are ready, and whether the token Secrets that they name can be used."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypeVar

from phase_operator.api import names
from phase_operator.api.reasons import CATALOGUE, Reason
from phase_operator.cli.doctor.findings import Finding, Unread, Verdict, shown
from phase_operator.cli.doctor.tally import IN_DELETION, NOT_SEEN, Group, Tally
from phase_operator.core.text import clean, counted

T = TypeVar("T")
RESOURCES, TOKENS = "resources", "tokens"
_WORST = 5
_CURES = {
    NOT_SEEN: "The operator has not looked at them: see that it runs, and that it watches their namespaces.",
    IN_DELETION: "A finalizer keeps them; the operator takes it off when it runs (docs/operating/install.md).",
    "": "The reason is of another version of the operator; use its command line.",
}


@dataclass(frozen=True, slots=True)
class Tokens:
    """The token Secrets that resources name: what is wrong with each, "" if nothing is; some may be left out."""

    found: Mapping[tuple[str, str], str | Unread]
    left_out: int = 0

    @property
    def unread(self) -> list[Unread]:
        """Why some could not be looked at."""
        return [each for each in self.found.values() if isinstance(each, Unread)]

    @property
    def wrong(self) -> dict[tuple[str, str], str]:
        """What is wrong, by the Secrets that cannot be used."""
        return {place: each for place, each in self.found.items() if isinstance(each, str) and each}


def check_resources(tally: Tally | Unread, where: str) -> Finding:
    """Return how many resources are ready, and why the others are not; what most namespaces have is first."""
    if isinstance(tally, Unread):
        return tally.finding(RESOURCES)
    if tally.is_cut:
        where = f"{where} (of the first {tally.all} alone)"
    if not tally.all:
        return Finding(RESOURCES, Verdict.OK, f"none {where}")
    said = _in_order(tally)
    if not tally.problems:
        return Finding(RESOURCES, Verdict.OK, f"{said} {where}")
    worst = tally.worst
    groups = "; ".join(_group(reason, group) for reason, group in worst[:_WORST])
    more = f"; {counted(len(worst) - _WORST, 'reason')} more" if len(worst) > _WORST else ""
    counts = f"{said}, {tally.not_ready} not ready" if said else f"none of {tally.all} ready"
    cures = "\n".join(_cure(reason) for reason, _ in worst[:_WORST])
    return Finding(RESOURCES, Verdict.BAD, f"{counts} {where}: {groups}{more}", cures)


def _in_order(tally: Tally) -> str:
    """Return how many resources have no problem, by what is known of them; "" if there is none."""
    numbers = (("ready", tally.ready), ("suspended", tally.suspended), ("new", tally.young))
    return ", ".join(f"{number} {word}" for word, number in numbers if number)


def check_tokens(tokens: Tokens | Unread, tally: Tally | Unread) -> Finding:
    """Return whether every token Secret is there and holds something that has the form of a token."""
    if isinstance(tokens, Unread):
        return tokens.finding(TOKENS)
    rest = f"; {counted(tokens.left_out, 'resource')} with others not looked at" if tokens.left_out else ""
    if wrong := tokens.wrong:
        cure = f"Store a service account token under the key `{names.TOKEN_KEY}`: kubectl phase auth create"
        return Finding(TOKENS, Verdict.BAD, f"{_listed(wrong, tally)}{rest}", cure)
    unread = tokens.unread
    good = len(tokens.found) - len(unread)
    if unread and not good:
        return unread[0].finding(TOKENS)
    if unread:
        said = f"{counted(good, 'Secret')} with a token, {len(unread)} not looked at: {unread[0].why}"
        return Finding(TOKENS, Verdict.UNKNOWN, f"{said}{rest}")
    said = f"{counted(good, 'Secret')} with a token of a valid form" if good else "no resource names one"
    return Finding(TOKENS, Verdict.OK, f"{said}{rest}")


def in_turns(found: Mapping[tuple[str, str], T]) -> dict[tuple[str, str], T]:
    """Return what is about objects with the first of each namespace first, then their second, and so on."""
    turns: dict[str, int] = {}
    order: dict[tuple[str, str], int] = {}
    for place in found:
        order[place] = turns[place[0]] = turns.get(place[0], 0) + 1
    return {place: found[place] for place in sorted(found, key=lambda each: order[each])}


def _listed(wrong: Mapping[tuple[str, str], str], tally: Tally | Unread) -> str:
    """Return the Secrets that cannot be used, each with the reason, and who names the first."""
    listed = [f"{namespace}/{name} {each}" for (namespace, name), each in in_turns(wrong).items()]
    return f"{shown(listed)}{_users(tally, next(iter(wrong)))}"


def _users(tally: Tally | Unread, place: tuple[str, str]) -> str:
    group = None if isinstance(tally, Unread) else tally.tokens.get(place)
    return f" (named by {shown(group.examples)})" if group else ""


def _group(reason: str, group: Group) -> str:
    more = ", ..." if group.number > len(group.examples) else ""
    return f"{reason or 'another reason'} {group.number} ({', '.join(map(clean, group.examples))}{more})"


def _cure(reason: str) -> str:
    known = CATALOGUE[Reason(reason)].cure if reason in set(Reason) else _CURES[reason]
    return f"{reason}: {known}" if reason else known
