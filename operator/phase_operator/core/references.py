"""Find `${...}` that Phase left unresolved, before it reaches a workload.

The server resolves references and gives no sign of where it could not; what is left must be told by its look. The
patterns are the server's own three (cross-app, cross-environment, local), so `${{ }}` is text, as it is there.
"""

import re
from collections.abc import Iterable

from phase_operator.core.values import Entry

_REFERENCES = (
    re.compile(r"\$\{(?!\{)[^{}:]+::[^{}.]+\.[^{}]+\}"),
    re.compile(r"\$\{(?!\{)[^{}.:/]+\.[^{}]+\}"),
    re.compile(r"\$\{(?!\{)[^{}.:]+\}"),
)


def unresolved(entries: Iterable[Entry]) -> tuple[str, ...]:
    """Return the sources (folder and key) of entries whose value still holds a reference, sorted."""
    return tuple(sorted(entry.source for entry in entries if holds_reference(entry.value.reveal())))


def holds_reference(text: str) -> bool:
    """Say whether any of the server's patterns is left in the text."""
    return "${" in text and any(pattern.search(text) for pattern in _REFERENCES)
