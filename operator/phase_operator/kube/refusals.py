"""Who refused a request, read from the API server's message without repeating what its author wrote.

Rule: a text is shown only if it is made here of parts that fit a narrow form. Policies and webhooks may quote the
object, so of their messages nothing but their name is read.
"""

import re
from typing import Final

# Names of policies, bindings and webhooks are DNS names.
_NAME: Final = r"[a-z0-9](?:[a-z0-9.-]{0,251}[a-z0-9])?"
# How a refusal begins. It has to begin so: a value that is quoted further on may look like anything.
_OBJECT = r'[a-z]{1,63}(?:\.[a-z0-9.-]{1,253})?(?: "[a-z0-9.:-]{1,253}")? is forbidden: '
_POLICY = re.compile(rf"{_OBJECT}((?:Validating|Mutating)AdmissionPolicy) '({_NAME})' with binding '{_NAME}' ")
_WEBHOOK = re.compile(rf'admission webhook "({_NAME})" (?:denied|attempted)\b')
_NOT_CALLED = re.compile(rf'Internal error occurred: failed calling webhook "({_NAME})"')
# As soon as a policy or webhook may be speaking, nothing else of the message is believed.
_ADMISSION = re.compile(r"admission ?(?:policy|webhook)|with binding '|denied (?:the )?request", re.IGNORECASE)

_VERBS = "get|list|watch|create|update|patch|delete|deletecollection"
# RBAC's sentence, from its first word on; what an authorizer adds behind it is not read.
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
    """Return the admission policy or webhook that denied a request, fit to be shown; "" if none did."""
    if found := _WEBHOOK.match(message):
        return f'admission webhook "{found[1]}"'
    if found := _POLICY.match(message):
        return f"{found[1]} {found[2]}"
    return "an admission policy or webhook" if _ADMISSION.search(message) and not not_called(message) else ""


def not_called(message: str) -> str:
    """Return the webhook that the API server could not ask, fit to be shown; "" if that is not what a message says."""
    found = _NOT_CALLED.match(message)
    return f'admission webhook "{found[1]}"' if found else ""


def permitted_words(message: str) -> str:
    """Return what may be shown of a 401 or 403: RBAC's sentence, a quota's counts, or that its words are hidden."""
    if found := _RBAC.match(message):
        if found["path"]:
            return f'User "{found["user"]}" cannot {found["verb"]} {found["path"]}'
        where = f'in the namespace "{found["namespace"]}"' if found["namespace"] else "at the cluster scope"
        group = f' in API group "{found["group"]}"' if found["group"] else ""
        return f'User "{found["user"]}" cannot {found["verb"]} {found["resource"]}{group} {where}'
    if found := _QUOTA.fullmatch(message):
        counts = f"requested {found['requested']}, used {found['used']}, limited {found['limited']}"
        return f"exceeded quota {found['name']}: {counts}"
    return "Unauthorized" if message == "Unauthorized" else HIDDEN
