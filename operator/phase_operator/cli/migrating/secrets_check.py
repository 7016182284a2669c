"""Whether the Secrets that stand in the cluster are taken over, and what that takes out of them."""

from collections.abc import Iterator

from phase_operator.cli.migrating.findings import Finding, Severity
from phase_operator.core.refs import TargetRef
from phase_operator.core.targets.desired import Desired
from phase_operator.core.targets.observed import Observed
from phase_operator.core.targets.ownership import OFFICIAL_MANAGERS, objection
from phase_operator.core.text import clean, clean_listing
from phase_operator.core.values import ObjectKey

_BY_HAND = "hand it over by `migrate adopt`"


def of_secret(key: ObjectKey, ref: TargetRef, observed: Observed, desired: Desired | None) -> Iterator[Finding]:
    """Yield what becomes of a Secret; `desired` is None if it is not known what Phase has for it."""
    where = clean(str(ref))
    if desired is None:
        yield from _unknown(key, where, observed)
        return
    lost = sorted(set(observed.foreign_keys) - desired.keys)
    why = objection(desired, observed)
    if why is not None:
        cure = f"{_BY_HAND}, which takes out {clean_listing(lost)}" if lost else _BY_HAND
        yield Finding(Severity.STOPS, where, f"TargetConflict: {clean(why.why)}", cure)
    elif lost and not desired.policy.merges:
        what = f"it is handed over, and these keys are taken out: {clean_listing(lost)}"
        yield Finding(Severity.BREAKS, where, what, "put them into Phase, or leave the Secret to whoever writes them")


def may_be_taken(observed: Observed) -> bool:
    """Return whether it depends on its keys alone that a Secret is taken over by itself."""
    makers = {(each.manager in OFFICIAL_MANAGERS, each.operation) for each in observed.field_managers}
    return makers == {(True, "Update")} and not (observed.owner or observed.controller or observed.parts)


def _unknown(key: ObjectKey, where: str, observed: Observed) -> Iterator[Finding]:
    if observed.belongs_to(key) or may_be_taken(observed):
        return
    if observed.owner:
        what = f"TargetConflict: it belongs to PhaseSecret {clean(observed.owner)}"
        yield Finding(Severity.STOPS, where, what, "one of the two has to give it up")
        return
    by = observed.controller or ", ".join(dict.fromkeys(each.manager for each in observed.field_managers))
    yield Finding(Severity.STOPS, where, f"TargetConflict: others made it: {clean(by) or 'unknown'}", _BY_HAND)
