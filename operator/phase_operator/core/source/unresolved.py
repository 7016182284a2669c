"""Find `${...}` that is left unresolved, before it reaches a workload.

The server resolves references, and does not report where it could not. So an unresolved one is recognised by its form.
The patterns are the server's own three (cross-app, cross-environment, local), so `${{ }}` is plain text, as in Phase.
So is `${ X }`: no key of Phase begins and ends with a space, and templates of others are written so. And so is a colon
by itself, as in `${X:-y}` of shells, though a key of Phase may hold one.
Where references are resolved here, because an app is end-to-end encrypted, the entries carry the reason.
"""

import re
from collections.abc import Iterable, Mapping, Sequence

from phase_operator.api.reasons import Reason
from phase_operator.api.v1alpha1.phasesecret import OnSecretReferenceError
from phase_operator.core.errors import Waiting, shortened
from phase_operator.core.outcome import Warned
from phase_operator.core.text import SHOWN, clean, clean_listing
from phase_operator.core.values import Entry

# Leaves room for the rest of the message.
_LONGEST = 850
_REFERENCE = re.compile(
    # Not `${{`, and not `${ X }`.
    r"\$\{(?!\{)(?!\s(?:[^{}]*\s)?\})"
    # Another app's, another environment's (two colons in its key make it none), local.
    r"(?:[^{}:]+::[^{}.]+\.[^{}]+|(?![^{}]*::)[^{}.:/]+\.[^{}]+|[^{}.:]+)\}"
)


def unresolved(entries: Iterable[Entry]) -> tuple[str, ...]:
    """Return the sources (folder and key) of entries whose value still holds a reference, sorted."""
    return tuple(sorted(entry.source for entry in entries if entry.problem or holds_reference(entry.value.reveal())))


def holds_reference(text: str) -> bool:
    """Return whether the text still matches one of the server's patterns."""
    return "${" in text and _REFERENCE.search(text) is not None


def check_references(entries: Iterable[Entry], policy: OnSecretReferenceError | None) -> Warned | None:
    """Apply onSecretReferenceError: raise Waiting under Fail, the default; return a warning under Warn."""
    every = list(entries)
    left = unresolved(every)
    if not left:
        return None
    message = _message(left, {entry.source: entry.problem for entry in every if entry.problem})
    if policy is OnSecretReferenceError.WARN:
        return Warned(Reason.UNRESOLVED_REFERENCES, message)
    raise Waiting(Reason.UNRESOLVED_REFERENCES, f"{message}; targets stay as they are")


def _message(left: Sequence[str], problems: Mapping[str, str]) -> str:
    if not problems:
        return f"Phase left references unresolved in {clean_listing(left)}"
    shown = (f'"{clean(source)}"' + (f": {problems[source]}" if source in problems else "") for source in left[:SHOWN])
    more = f"; and {len(left) - SHOWN} more" if len(left) > SHOWN else ""
    return f"references are left unresolved in {shortened('; '.join(shown), _LONGEST)}{more}"
