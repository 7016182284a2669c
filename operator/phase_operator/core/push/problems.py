"""Why an entry is not pushed, in words for the person who reads the status; never with a word of a value."""

from dataclasses import dataclass
from enum import StrEnum

from phase_operator.api.reasons import Reason


class EntryReason(StrEnum):
    """Reasons of entries, beside those of the catalogue."""

    # Somebody else's: another mark is on it, or it was made in Phase.
    CONFLICT = "EntryConflict"
    # Its value or type would have to change, which Phase does for no sealed entry.
    SEALED = "EntrySealed"
    # Its source is not there (yet).
    SOURCE_NOT_FOUND = "SourceNotFound"
    # An answer was lost, and a look has to tell what Phase has.
    UNCLEAR = "EntriesUnclear"


@dataclass(frozen=True, slots=True)
class Problem:
    """Why an entry is not pushed; `text` names it."""

    reason: Reason | EntryReason
    text: str
