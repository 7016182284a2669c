"""A push that is played to its end: every call succeeds at once."""

from collections import Counter
from dataclasses import replace

from phase_operator.core.push.answers import after_delete, after_post, after_put
from phase_operator.core.push.desired import Wanted
from phase_operator.core.push.facts import Policies
from phase_operator.core.push.ledger import Ledger
from phase_operator.core.push.looks import Look, Written
from phase_operator.core.push.machine import next_step
from phase_operator.core.push.places import EntryPlace
from phase_operator.core.push.steps import Delete, LookAt, Post, Put, Step, WriteLedger
from phase_operator.core.values import SecretValue
from unit.core.push.builders import NOW, OURS, facts, wanted

MOST_STEPS = 400


def many(number: int, size: int = 4) -> tuple[Wanted, ...]:
    return tuple(
        wanted(EntryPlace("/cluster", f"K{each:04d}"), value=SecretValue("v" * size)) for each in range(number)
    )


def play(
    entries: tuple[Wanted, ...], there: Look, known: Ledger, policies: Policies, now: float = NOW
) -> tuple[list[Step], Ledger, Look]:
    """Do every step at once and with success, until there is nothing left to do."""
    known_facts = facts(*entries, policies=policies)
    steps: list[Step] = []
    while len(steps) < MOST_STEPS:
        steps.append(next_step(known, replace(known_facts, bits=len(steps)), now))
        match steps[-1]:
            case LookAt():
                there = replace(there, has_answers=False, at=now)
                known_facts = replace(known_facts, look=there)
                continue
            case WriteLedger(written):
                known = written
                known_facts = replace(
                    known_facts, ready=frozenset(each.attempt for each in written.rows.values() if each.attempt)
                )
            case Post() as post:
                made = (Written(f"id-{each.place.key}", each.place, 1) for each in post.entries)
                there = after_post(there, post, OURS, made)
            case Put() as put:
                changed = (Written(each.entry.id, each.entry.place, each.entry.version + 1) for each in put.changes)
                there = after_put(there, put, OURS, changed)
            case Delete() as delete:
                there = after_delete(there, delete)
            case _:
                return steps, known, there
        known_facts = replace(known_facts, look=there if known_facts.look is not None else None)
    raise AssertionError(f"it never rests: {[type(each).__name__ for each in steps[-8:]]}")


def calls(steps: list[Step]) -> Counter[str]:
    return Counter(type(each).__name__ for each in steps if isinstance(each, LookAt | Post | Put | Delete))
