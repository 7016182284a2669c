"""What the operator makes of a stored spec without anybody's help: the pure part of a run."""

from collections.abc import Iterable, Mapping
from typing import Any

from phase_operator.core.errors import ExpectedError
from phase_operator.core.source.folders import folders
from phase_operator.core.source.query import ask_of, source_query
from phase_operator.core.source.selection import select
from phase_operator.core.targets.desired import Desired
from phase_operator.core.targets.rendering import renderings
from phase_operator.core.values import Entry
from phase_operator.reconcile.context import parse_spec
from support.builders import DIGEST_KEY, KEY, owner


def evaluate(spec: Mapping[str, Any], entries: Iterable[Entry]) -> list[Desired | ExpectedError]:
    """Return an object or an error for each target, or the one error that the resource is told."""
    try:
        read = parse_spec(spec)
        chosen = select(entries, source_query(ask_of(read, "team"), "account"), read.keys, folders(read))
    except ExpectedError as error:
        return [error]
    found: list[Desired | ExpectedError] = []
    for each in renderings(read, KEY.namespace, chosen, DIGEST_KEY):
        try:
            found.append(each.render(owner()))
        except ExpectedError as error:
            found.append(error)
    return found
