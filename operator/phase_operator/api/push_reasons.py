"""The reasons that only a PhasePushSecret has, with their meanings and cures.

Rule: no page names a reason that no user can see. The operator does not act on the kind yet; once it does, these are
members of Reason and stand in the CATALOGUE of api/reasons.py, from which the pages are made.
"""

from collections.abc import Mapping

from phase_operator.api.reasons import Entry

PUSH_CATALOGUE: Mapping[str, Entry] = {
    "EntryConflict": Entry(
        "Somebody else has an entry that the spec wants, or an entry may not be deleted: another mark is on it, it was "
        "made in Phase, Phase rotates it, or somebody changed it since. It stays as it is; the message names it and "
        "who has it.",
        "Give the source another folder, prefix or key, or have the other side give the entry up. With updatePolicy: "
        "Replace, an entry that nobody's mark is on is taken over. What is not wanted any more, delete in Phase.",
        stalled=True,
    ),
    "EntrySealed": Entry(
        "The value or type of a sealed entry would have to change, and Phase changes neither. The entry keeps its old "
        "value.",
        "Delete the entry in Phase, and it is made with the new value. Or set onTypeChange: Replace, and the operator "
        "deletes and makes it by itself, and it is missing in between.",
        stalled=True,
    ),
    "SourceNotFound": Entry(
        "A Secret or ConfigMap that the spec names does not exist. What was pushed of it stays in Phase.",
        "Create it, or take it out of spec.sources; the operator notices either.",
        stalled=True,
    ),
    "EntriesUnclear": Entry(
        "The operator called Phase, and got no answer that says whether entries were made or changed. It looks at what "
        "Phase has for 130 seconds, and makes nothing twice meanwhile.",
        "Nothing to do: it passes. If it comes again and again, look at the way between the operator and Phase.",
        stalled=False,
    ),
}
