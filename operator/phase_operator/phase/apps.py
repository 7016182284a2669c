"""Names of apps -> ids.

Rule: exact first, then the only one that differs in case alone; several or none is an error that names what comes
close. The list of apps is read once for all resources of an account and kept for some minutes.
"""

import asyncio
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from phase_operator.api.reasons import Reason
from phase_operator.core.errors import ExpectedError, Waiting
from phase_operator.core.keys import listing
from phase_operator.core.query import SourceQuery
from phase_operator.core.values import SecretValue
from phase_operator.phase.client import PhaseClient
from phase_operator.phase.nearness import hint
from phase_operator.phase.wire import App
from phase_operator.reconcile.ports import Clock

_KEPT = 300.0
# A name that the list lacks may be of an app made since: the list is read again, but not more often than this.
_KEPT_ON_MISS = 10.0
_BY_ID = "set spec.phaseAppId"


@dataclass(slots=True)
class _Known:
    apps: Sequence[App] = ()
    read_at: float | None = None
    # Grows with every attempt, so that whoever waited for one shares its result, good or bad.
    attempts: int = 0
    failure: ExpectedError | None = None
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)


class Apps:
    """The apps that each account sees."""

    def __init__(self, client: PhaseClient, clock: Clock) -> None:
        self._client = client
        self._clock = clock
        self._known: dict[tuple[str, str], _Known] = {}

    async def id_of(self, query: SourceQuery, header: SecretValue) -> str:
        """Return the id of a query's app; raise Waiting(APP_NOT_FOUND or APP_AMBIGUOUS)."""
        if query.app.id is not None:
            # The server compares ids with case, and its own are lower-case.
            return query.app.id.lower()
        name = query.app.name or ""
        known = self._of_account(query)
        attempts = known.attempts
        async with known.lock:
            if known.attempts == attempts and not self._serves(known, name):
                await self._refresh(known, query.base_url, header)
        if known.failure is not None and not self._serves(known, name):
            raise known.failure.with_traceback(None)
        return pick(name, known.apps)

    def forget(self, query: SourceQuery) -> None:
        """Read the list again when it is next asked for: an id from it was not found."""
        if query.app.id is None and (known := self._known.get((query.base_url, query.account))):
            known.read_at = None

    def _of_account(self, query: SourceQuery) -> _Known:
        key = (query.base_url, query.account)
        if key not in self._known:
            # Accounts come and go with rotated tokens; what is out of date serves nobody.
            self._known = {each: known for each, known in self._known.items() if self._is_kept(known)}
            self._known[key] = _Known()
        return self._known[key]

    def _is_kept(self, known: _Known) -> bool:
        return known.lock.locked() or self._younger(known, _KEPT)

    def _serves(self, known: _Known, name: str) -> bool:
        return self._younger(known, _KEPT if len(matching(name, known.apps)) == 1 else _KEPT_ON_MISS)

    def _younger(self, known: _Known, seconds: float) -> bool:
        return known.read_at is not None and self._clock.monotonic() - known.read_at < seconds

    async def _refresh(self, known: _Known, base_url: str, header: SecretValue) -> None:
        try:
            known.apps, known.failure = await self._client.apps(base_url, header), None
            known.read_at = self._clock.monotonic()
        except ExpectedError as error:
            # What is known stays: names that are on the list need no other.
            known.failure = _explained(error)
        known.attempts += 1


def matching(name: str, apps: Iterable[App]) -> list[App]:
    """Return the apps of that exact name, or else those that differ in case alone."""
    every = list(apps)
    return [app for app in every if app.name == name] or [
        app for app in every if app.name.casefold() == name.casefold()
    ]


def pick(name: str, apps: Sequence[App]) -> str:
    """Return the id of the one app that a name means; raise Waiting."""
    found = matching(name, apps)
    if len(found) == 1:
        return found[0].id
    if found:
        ids = listing(sorted(app.id for app in found))
        raise Waiting(Reason.APP_AMBIGUOUS, f'several apps are called "{name}"; {_BY_ID} to one of {ids}')
    raise Waiting(Reason.APP_NOT_FOUND, f'the account sees no app "{name}"{hint(name, [app.name for app in apps])}')


def _explained(error: ExpectedError) -> ExpectedError:
    """Say what helps against the two refusals that only the list of apps meets."""
    if error.reason is Reason.ACCESS_DENIED and "permission" in error.message:
        return Waiting(error.reason, f"{error.message}; {_BY_ID}, or give the account's role the permission Apps: read")
    if error.reason is Reason.UNEXPECTED_ANSWER and "answers 404" in error.message:
        return type(error)(error.reason, f"{error.message}; if it is Phase before v2.69.0, {_BY_ID}")
    return error
