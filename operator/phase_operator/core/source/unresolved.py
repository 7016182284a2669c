"""Find `${...}` that Phase left unresolved, before it reaches a workload.

The server resolves references, and does not report where it could not. So an unresolved one is recognised by its form.
The patterns are the server's own three (cross-app, cross-environment, local), so `${{ }}` is plain text, as in Phase.
"""

import re
from collections.abc import Iterable

from phase_operator.api.reasons import Reason
from phase_operator.api.v1alpha1.phasesecret import OnSecretReferenceError
from phase_operator.core.errors import Waiting
from phase_operator.core.outcome import Warned
from phase_operator.core.text import listing
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
    """Return whether the text still matches one of the server's patterns."""
    return "${" in text and any(pattern.search(text) for pattern in _REFERENCES)


def check_references(entries: Iterable[Entry], policy: OnSecretReferenceError | None) -> Warned | None:
    """Apply onSecretReferenceError: raise Waiting under Fail, the default; return a warning under Warn."""
    left = unresolved(entries)
    if not left:
        return None
    message = f"Phase left references unresolved in {listing(left)}"
    if policy is OnSecretReferenceError.WARN:
        return Warned(Reason.UNRESOLVED_REFERENCES, message)
    raise Waiting(Reason.UNRESOLVED_REFERENCES, f"{message}; targets stay as they are")
