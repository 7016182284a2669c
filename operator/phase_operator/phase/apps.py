"""Names of apps -> ids.

Rule: exact first, then the only one that differs in case alone; several or none is an error that names what comes
close. The list of apps is read once for all resources of an account and kept for some minutes.
"""

import asyncio
import difflib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from phase_operator.api.reasons import Reason
from phase_operator.core.errors import Waiting
from phase_operator.core.keys import listing
from phase_operator.core.query import SourceQuery
from phase_operator.core.values import SecretValue
from phase_operator.phase.client import PhaseClient
from phase_operator.phase.wire import App
from phase_operator.reconcile.ports import Clock

_KEPT = 300.0
# A name that the list lacks may be of an app made since: the list is read again, but not more often than this.
_KEPT_ON_MISS = 10.0


@dataclass(slots=True)
class _Known:
    apps: Sequence[App] = ()
    read_at: float | None = None
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
        known = self._known.setdefault((query.base_url, query.account), _Known())
        async with known.lock:
            if not self._younger(known, _KEPT) or (
                not matching(name, known.apps) and not self._younger(known, _KEPT_ON_MISS)
            ):
                known.apps = await self._read(query.base_url, header)
                known.read_at = self._clock.monotonic()
        return pick(name, known.apps)

    def forget(self, query: SourceQuery) -> None:
        """Read the list again when it is next asked for: an id from it was not found."""
        self._known.pop((query.base_url, query.account), None)

    def _younger(self, known: _Known, seconds: float) -> bool:
        return known.read_at is not None and self._clock.monotonic() - known.read_at < seconds

    async def _read(self, base_url: str, header: SecretValue) -> list[App]:
        try:
            return await self._client.apps(base_url, header)
        except Waiting as error:
            if error.reason is not Reason.ACCESS_DENIED or "read apps" not in error.message:
                raise
            hint = "set spec.phaseAppId, or give the account's role the permission to read apps"
            raise Waiting(Reason.ACCESS_DENIED, f"{error.message}; {hint}") from error


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
        raise Waiting(Reason.APP_AMBIGUOUS, f'several apps are called "{name}"; set spec.phaseAppId to one of {ids}')
    raise Waiting(Reason.APP_NOT_FOUND, f'the account sees no app "{name}"{hint(name, [app.name for app in apps])}')


def hint(name: str, names: Iterable[str]) -> str:
    """Return what comes close to a name, as the end of a sentence."""
    folded = {each.casefold(): each for each in names}
    wanted = name.casefold()
    close = {folded[each] for each in difflib.get_close_matches(wanted, folded, n=5, cutoff=0.6)}
    close |= {each for fold, each in folded.items() if wanted in fold or fold in wanted}
    return f"; did you mean {listing(sorted(close))}?" if close else ""
