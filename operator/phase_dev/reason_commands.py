"""The commands that help with a reason, for the page of all reasons: those that `kubectl phase explain` names."""

from phase_operator.api import names
from phase_operator.api.reasons import Reason
from phase_operator.cli.common.subjects import Subject
from phase_operator.cli.looking.next_steps import Names, next_steps

_NAME = "shop"
# Reasons of the other two kinds; all else is of PhaseSecrets too.
_KINDS = {
    Reason.DYNAMIC_SECRET_NOT_FOUND: names.KIND_PHASE_DYNAMIC_SECRET,
    Reason.LEASE_REFUSED: names.KIND_PHASE_DYNAMIC_SECRET,
    Reason.ENTRY_CONFLICT: names.KIND_PHASE_PUSH_SECRET,
    Reason.ENTRY_SEALED: names.KIND_PHASE_PUSH_SECRET,
    Reason.SOURCE_NOT_FOUND: names.KIND_PHASE_PUSH_SECRET,
    Reason.NOT_ENABLED: names.KIND_PHASE_PUSH_SECRET,
}
# What helps with every reason is told once, at the top of the page.
_ALWAYS = ("kubectl phase events ", "kubectl phase sync ")


def reason_commands(reason: Reason) -> str:
    """Return a list of commands for a resource `shop` in a namespace `shop`; "" if none is special to the reason."""
    found = Names(
        kind=_KINDS.get(reason, names.KIND_PHASE_SECRET),
        namespace=_NAME,
        name=_NAME,
        token_namespace=_NAME,
        token=names.DEFAULT_TOKEN_SECRET,
        targets=(Subject("Secret", _NAME, _NAME),),
    )
    steps = [each for each in next_steps(reason, found) if not each.command.startswith(_ALWAYS)]
    return "\n".join(f"- `{each.command}`: {each.why}" for each in steps)
