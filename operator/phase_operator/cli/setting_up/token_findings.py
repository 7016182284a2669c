"""What Phase says about a token, as findings: one line each, with what to do.

Rule: nothing of the token is in a finding. What Phase does not tell is told as unknown, never as well.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from operator import attrgetter

from phase_operator.core.errors import ExpectedError
from phase_operator.core.source.apps import TO_READ_ENCRYPTED
from phase_operator.core.source.keyring import Identity, KeyedApp
from phase_operator.core.text import clean, clean_listing
from phase_operator.core.timestamps import timestamp
from phase_operator.phase.accounts import AccountToken, ServiceAccount

# More apps than anybody reads; each may have many environments.
_MOST_APPS = 50
_DAY = 24 * 60 * 60.0
_SOON = 14 * _DAY
_KINDS = {
    "ServiceAccount": "a service account's token",
    "User": "a person's token: use a service account, so that it outlives the person's access",
    "Service": "an old service token (pss_service:v1), which belongs to one app",
}


class Level(StrEnum):
    """How well it is."""

    OK = "ok"
    NOTE = "!"
    MISSING = "missing"


@dataclass(frozen=True, slots=True)
class Finding:
    """One line."""

    check: str
    level: Level
    text: str


@dataclass(frozen=True, slots=True)
class AppAccess:
    """An app that an account sees; `environments` is None if they cannot be listed."""

    id: str
    name: str
    is_encrypted: bool | None
    environments: Sequence[str] | None


def form(kind: str, *, has_keys: bool) -> Finding:
    """Return what kind of token it is; `kind` is Phase's own word."""
    keys = "with the keys of end-to-end encrypted apps" if has_keys else "without keys: for apps with SSE alone"
    return Finding("form", Level.NOTE if kind == "User" else Level.OK, f"{_KINDS.get(kind, kind)}; {keys}")


def account(identity: Identity, found: ServiceAccount | ExpectedError | None) -> Finding:
    """Return whose token it is, as far as Phase tells."""
    name, role = (found.name, found.role) if isinstance(found, ServiceAccount) else ("", "")
    known = (
        (name, f'"{clean(name)}"'),
        (identity.account_id, f"id {clean(identity.account_id)}"),
        (role, f"role {clean(role)}"),
        (identity.organisation, f"organisation {clean(identity.organisation)}"),
    )
    said = ", ".join(words for told, words in known if told)
    return Finding("account", Level.OK if said else Level.NOTE, said or "Phase does not tell whose it is")


def expiry(found: ServiceAccount | ExpectedError | None, now: float) -> Finding:
    """Return when the token expires. Phase tells this of all tokens of an account, and not which one was used."""
    if isinstance(found, ServiceAccount):
        # It was used just now, so it is none of those that are over.
        return _of_valid([each for each in found.tokens if each.end > now], now)
    why = "" if found is None else f" ({found.message}): it takes the permission ServiceAccounts: read"
    return Finding("expiry", Level.NOTE, f"unknown, Phase does not tell it{why}")


def _of_valid(tokens: Sequence[AccountToken], now: float) -> Finding:
    """Return when the first of the tokens expires, one of which this is."""
    first = min(tokens, key=attrgetter("end"), default=None)
    if first is None:
        return Finding("expiry", Level.NOTE, "unknown, Phase lists no token of the account")
    if first.expires_at is None:
        return Finding("expiry", Level.OK, "never")
    level, when = Level.NOTE if first.expires_at - now < _SOON else Level.OK, timestamp(first.expires_at)
    if len(tokens) == 1:
        return Finding("expiry", level, when)
    among = f"Phase does not tell which of the account's {len(tokens)} tokens this is"
    return Finding("expiry", level, f'{among}; the first to expire is "{clean(first.name)}" on {when}')


def apps(found: Sequence[AppAccess], *, has_keys: bool) -> Iterator[Finding]:
    """Yield which apps the account sees, and which of them cannot be read with this token."""
    if not found:
        yield Finding("apps", Level.MISSING, "none: give the account access to an environment of an app in Phase")
        return
    locked = [each for each in found if each.is_encrypted and not has_keys]
    for each in sorted(found, key=lambda app: app.name.casefold())[:_MOST_APPS]:
        yield _app(each, is_locked=each in locked)
    if len(found) > _MOST_APPS:
        yield Finding("apps", Level.OK, f"and {len(found) - _MOST_APPS} more apps")
    if len(locked) == len(found):
        yield Finding("apps", Level.MISSING, f"none can be read with this token: {TO_READ_ENCRYPTED}")


def _app(app: AppAccess, *, is_locked: bool) -> Finding:
    modes = {True: "end-to-end encrypted", False: "SSE", None: "mode unknown"}
    mode = modes[app.is_encrypted]
    if is_locked:
        return Finding("app", Level.NOTE, f"{clean(app.name)}: {mode}, cannot be read without the full token")
    if app.environments is None:
        where = "environments unknown"
    elif app.environments:
        where = f"environments {clean_listing(app.environments)}"
    else:
        return Finding("app", Level.NOTE, f"{clean(app.name)}: {mode}, no environment that the account may read")
    return Finding("app", Level.OK, f"{clean(app.name)}: {mode}, {where}")


def probing(error: ExpectedError | None, *, is_asked: bool) -> Finding:
    """Return whether the account may list environments, by which the operator sees that something changed."""
    check = "Environments: read"
    if not is_asked:
        return Finding(check, Level.NOTE, "not tried: it takes an app with SSE")
    if error is None:
        return Finding(check, Level.OK, "allowed")
    cost = "without it Phase is read in full at every interval, and PhasePushSecrets do not work"
    return Finding(check, Level.NOTE, f"{error.message}; {cost}: add it to the account's role")


def from_keys(found: Sequence[KeyedApp]) -> list[AppAccess]:
    """Return the apps and environments that a token has keys of."""
    return [AppAccess(each.id, each.name, each.is_encrypted, [it.name for it in each.environments]) for each in found]


def is_missing(findings: Sequence[Finding]) -> bool:
    """Return whether something that is needed is missing."""
    return any(each.level is Level.MISSING for each in findings)
