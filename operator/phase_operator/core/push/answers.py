"""What answers to our own calls add to a look, so that they are judged as if they had been found there."""

from collections.abc import Iterable
from dataclasses import replace

from phase_operator.core.push.looks import Listed, Look, Written
from phase_operator.core.push.marks import Mark
from phase_operator.core.push.steps import Delete, Post, Put


def after_post(look: Look, step: Post, mark: Mark, written: Iterable[Written]) -> Look:
    """Return the look with the entries that a POST was answered to have made."""
    wanted = {each.place: each for each in step.entries}
    made = (
        Listed(
            each.id,
            each.place,
            each.version,
            wanted[each.place].type.value,
            wanted[each.place].tags,
            (mark,),
            written_from=wanted[each.place].source,
        )
        for each in written
        if each.place in wanted
    )
    return look.with_answered(made)


def after_put(look: Look, step: Put, mark: Mark, written: Iterable[Written]) -> Look:
    """Return the look with the entries as a PUT was answered to have left them."""
    changes = {each.entry.id: each for each in step.changes}
    left: list[Listed] = []
    for each in written:
        if (change := changes.get(each.id)) is None:
            continue
        entry = change.entry
        marks = entry.marks if change.is_marked is None else (mark,) if change.is_marked else ()
        kind = entry.type if change.type is None else change.type
        tags = entry.tags if change.tags is None else change.tags
        changed = replace(entry, version=each.version, type=kind, tags=tags, marks=marks, written_from=change.source)
        left.append(changed)
    return look.with_answered(left)


def after_delete(look: Look, step: Delete) -> Look:
    """Return the look without the entries that a DELETE was answered to have deleted."""
    return look.without_deleted(step.ids)
