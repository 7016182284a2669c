"""Read from the API server's message who refused a request, without repeating free text.

Rule: a text is shown only if it is built here, from parts that match a narrow pattern. Policies and webhooks may quote
the object, so only their name is read from their messages.
"""

import re
from typing import Final

# Names of policies, bindings and webhooks are DNS names.
_NAME: Final = r"[a-z0-9](?:[a-z0-9.-]{0,251}[a-z0-9])?"
# The start of a refusal. Matched only at the start, since a value quoted further on may look like anything.
_OBJECT = r'[a-z]{1,63}(?:\.[a-z0-9.-]{1,253})?(?: "[a-z0-9.:-]{1,253}")? is forbidden: '
_POLICY = re.compile(rf"{_OBJECT}((?:Validating|Mutating)AdmissionPolicy) '({_NAME})' with binding '{_NAME}' ")
_WEBHOOK = re.compile(rf'admission webhook "({_NAME})" (?:denied|attempted)\b')
_NOT_CALLED = re.compile(rf'Internal error occurred: failed calling webhook "({_NAME})"')
# If the message may be that of a policy or webhook, nothing else in it is believed.
_ADMISSION = re.compile(r"admission ?(?:policy|webhook)|with binding '|denied (?:the )?request", re.IGNORECASE)

_VERBS = "get|list|watch|create|update|patch|delete|deletecollection"
# RBAC's sentence, from its first word; what an authorizer appends is not read.
_RBAC = re.compile(
    rf'(?:{_OBJECT}|forbidden: )User "(?P<user>[A-Za-z0-9:@._-]{{1,320}})" cannot (?P<verb>{_VERBS}) '
    r'(?:path "(?P<path>/[a-z0-9/._-]{0,100})"|resource "(?P<resource>[a-z/]{1,100})" '
    r'in API group "(?P<group>[a-z0-9.-]{0,253})" '
    r'(?:in the namespace "(?P<namespace>[a-z0-9-]{1,63})"|at the cluster scope))'
)
# The quota's name and its counts: "requested: secrets=1, used: secrets=5, limited: secrets=5".
_COUNT = r"[a-z0-9./-]{1,100}=[0-9]{1,12}[A-Za-z]{0,2}"
_COUNTS = rf"{_COUNT}(?:,{_COUNT}){{0,50}}"
_QUOTA = re.compile(
    rf"{_OBJECT}exceeded quota: (?P<name>{_NAME}), requested: (?P<requested>{_COUNTS}), used: (?P<used>{_COUNTS}), "
    rf"limited: (?P<limited>{_COUNTS})"
)
HIDDEN = "its words may quote values and are not shown"


def denied_by(message: str) -> str:
    """Return the admission policy or webhook that denied a request, safe to show; "" if none did."""
    if found := _WEBHOOK.match(message):
        return f'admission webhook "{found[1]}"'
    if found := _POLICY.match(message):
        return f"{found[1]} {found[2]}"
    return "an admission policy or webhook" if _ADMISSION.search(message) and not not_called(message) else ""


def not_called(message: str) -> str:
    """Return the webhook that the API server could not call, safe to show; "" if the message is another one."""
    found = _NOT_CALLED.match(message)
    return f'admission webhook "{found[1]}"' if found else ""


def _resource(found: re.Match[str]) -> str:
    group = f' in API group "{found["group"]}"' if found["group"] else ""
    where = f'in the namespace "{found["namespace"]}"' if found["namespace"] else "at the cluster scope"
    return f"{found['resource']}{group} {where}"


def permitted_words(message: str) -> str:
    """Return the text to show for a 401 or 403: RBAC's sentence, a quota's counts, or a note that it is hidden."""
    if found := _RBAC.match(message):
        return f'User "{found["user"]}" cannot {found["verb"]} {found["path"] or _resource(found)}'
    if found := _QUOTA.fullmatch(message):
        counts = f"requested {found['requested']}, used {found['used']}, limited {found['limited']}"
        return f"exceeded quota {found['name']}: {counts}"
    return "Unauthorized" if message == "Unauthorized" else HIDDEN
