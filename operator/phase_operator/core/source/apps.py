"""Find an app by the name in a spec.

Rule: an exact match wins, then the only name that differs in case alone. Several matches or none are an error that
lists similar names.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

from phase_operator.api.reasons import Reason
from phase_operator.core.errors import ExpectedError, Waiting
from phase_operator.core.source.answer_memory import Reservation
from phase_operator.core.source.by_name import ByName
from phase_operator.core.source.query import AppRef
from phase_operator.core.text import clean_listing, hint

_BY_ID = "set spec.phaseAppId"
# What to do if an app is end-to-end encrypted and the token has no keys.
TO_READ_ENCRYPTED = (
    "store the full token (pss_service:...), which has the keys, or enable SSE for the app in Phase's Console, under "
    "Encryption in the app's Settings"
)
# Similar names are searched for this many unknown names at most: each search takes milliseconds.
_HINTS = 20


@dataclass(frozen=True, slots=True)
class App:
    """An app that an account sees."""

    id: str
    name: str
    # Whether the app is end-to-end encrypted; None if the list does not tell.
    is_encrypted: bool | None = None
    # The memory of the list that this app is part of.
    place: Reservation | None = field(default=None, repr=False, compare=False)


@dataclass(frozen=True, slots=True)
class Environment:
    """An environment that an account may read. `revision` changes with every write; None if Phase sends none."""

    name: str
    revision: str | None = None
    place: Reservation | None = field(default=None, repr=False, compare=False)


def by_name(environments: Iterable[Environment]) -> Mapping[str, Environment]:
    """Return environments by their case-folded name, which is how a query names one.

    If several have a name but for case, its revision is None: which of them a query means is told by a read.
    """
    found: dict[str, Environment] = {}
    for each in environments:
        name = each.name.casefold()
        found[name] = each if name not in found else replace(each, revision=None)
    return found


class Directory:
    """An index by name of the apps that an account sees; there may be thousands of apps and of lookups."""

    def __init__(self, apps: Iterable[App] = ()) -> None:
        listed = list(apps)
        self._by_name = ByName(listed)
        self._modes = {app.id.lower(): app.is_encrypted for app in listed}
        self._hints = _HINTS

    def matching(self, name: str) -> list[App]:
        """Return the apps with exactly this name; if there are none, those whose name differs in case alone."""
        return self._by_name.matching(name)

    def is_encrypted(self, app_id: str) -> bool | None:
        """Return whether an app is end-to-end encrypted; None if the list does not tell, or does not have it."""
        return self._modes.get(app_id.lower())

    def pick(self, name: str) -> str:
        """Return the id of the one app with this name; raise Waiting if there are several or none."""
        found = self.matching(name)
        if len(found) == 1:
            return found[0].id
        if found:
            ids = clean_listing(app.id for app in found)
            raise Waiting(Reason.APP_AMBIGUOUS, f'several apps are called "{name}"; {_BY_ID} to one of {ids}')
        self._hints -= 1
        near = hint(name, self._by_name.names) if self._hints >= 0 else ""
        raise Waiting(Reason.APP_NOT_FOUND, f'the account sees no app "{name}"{near}')


def no_list(error: ExpectedError) -> ExpectedError:
    """Return the error with advice, if it is one of the refusals that only the list of apps meets."""
    if _lacks_permission(error):
        return Waiting(error.reason, f"{error.message}; {_BY_ID}, or give the account's role the permission Apps: read")
    if _lacks_route(error):
        return type(error)(error.reason, f"{error.message}; if it is Phase before v2.69.0, {_BY_ID}")
    if _lacks_environment(error):
        return Waiting(error.reason, f"{error.message}, and the list of apps has none; {_BY_ID}")
    return error


def is_list_alone(error: ExpectedError) -> bool:
    """Return whether it is one of the refusals that only the list of apps meets: other calls may well work."""
    return _lacks_permission(error) or _lacks_route(error) or _lacks_environment(error)


def _lacks_permission(error: ExpectedError) -> bool:
    return error.reason is Reason.ACCESS_DENIED and "permission" in error.message


def _lacks_route(error: ExpectedError) -> bool:
    return error.reason is Reason.UNEXPECTED_ANSWER and "answers 404" in error.message


def _lacks_environment(error: ExpectedError) -> bool:
    # Tokens of one app (pss_service:v1) answer only calls that name an environment.
    return error.reason is Reason.ACCESS_DENIED and "environment context" in error.message


def no_environment(error: ExpectedError, app: AppRef, environment: str, names: Iterable[str]) -> ExpectedError:
    """Return the error for an environment that Phase did not find, with the names that the account does see."""
    found = list(names)
    if error.reason is not Reason.ENVIRONMENT_NOT_FOUND or not found:
        return error
    if environment.casefold() in {name.casefold() for name in found}:
        return error
    missing = f'app {app} has no environment "{environment}"{hint(environment, found)}'
    return Waiting(error.reason, f"{missing} (the account sees: {clean_listing(found)})")
