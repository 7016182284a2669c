"""What the operator makes of a stored spec without anybody's help: the pure part of a run."""

from collections.abc import Iterable, Mapping
from typing import Any

from phase_operator.core.errors import ExpectedError
from phase_operator.core.pipeline import render_all
from phase_operator.core.targets.desired import Desired
from phase_operator.core.values import Entry, Snapshot
from phase_operator.reconcile.context import parse_spec
from support.builders import DIGEST_KEY, owner


def evaluate(spec: Mapping[str, Any], entries: Iterable[Entry]) -> list[Desired | ExpectedError]:
    """Return an object or an error for each target, or the one error of the resource."""
    try:
        found = render_all(parse_spec(spec), owner(), Snapshot("app", tuple(entries)), DIGEST_KEY)
    except ExpectedError as error:
        return [error]
    return [each.result for each in found]
