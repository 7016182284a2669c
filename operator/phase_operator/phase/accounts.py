"""What Phase tells a service account of itself: its name, its role, and when its tokens expire.

Rule: this is for people. No decision of the operator depends on it.
"""

import math
import re
from dataclasses import dataclass

from phase_operator.api.reasons import Reason
from phase_operator.core.errors import Waiting
from phase_operator.core.json_access import mapping, text
from phase_operator.core.source.answer_memory import Reservation
from phase_operator.core.timestamps import moment_of
from phase_operator.phase import wire
from phase_operator.phase.client import without_frames
from phase_operator.phase.incremental import ELEMENT, IncrementalReader, Path
from phase_operator.phase.session import Route, Session, host_of
from phase_operator.reconcile.ports import Credential

# Ids go into the path of a request.
_ID = re.compile(r"[-0-9a-zA-Z]{1,64}")
_LARGEST = 1024 * 1024
_LONGEST_NAME = 256
_MOST_TOKENS = 100
# Apps are not read here, and are taken apart since a value is read as a whole.
_APPS, _TOKENS, _NAME, _ROLE = ("apps",), ("tokens",), ("name",), ("role",)
_ONE_APP, _ONE_TOKEN = (*_APPS, ELEMENT), (*_TOKENS, ELEMENT)
_OPENS = {(): "{", _APPS: "[", _ONE_APP: "{", (*_ONE_APP, "environments"): "[", _TOKENS: "["}


@dataclass(frozen=True, slots=True)
class AccountToken:
    """One of the tokens of an account; `expires_at` is in seconds since 1970, None if it never expires."""

    name: str
    expires_at: float | None

    @property
    def end(self) -> float:
        """When it ends: infinity if it never expires."""
        return math.inf if self.expires_at is None else self.expires_at


@dataclass(frozen=True, slots=True)
class ServiceAccount:
    """A service account as it sees itself. Phase does not tell which of the tokens was used."""

    name: str
    role: str
    tokens: tuple[AccountToken, ...]


class _AccountReader(IncrementalReader[Reservation]):
    def __init__(self, host: str, place: Reservation) -> None:
        super().__init__(host, _LARGEST, place, _OPENS, wire.MAX_SIGNS)
        self._name = ""
        self._role = ""
        self._tokens: list[AccountToken] = []

    def end(self) -> ServiceAccount:
        """Return the account; raise ExpectedError."""
        self._finish()
        return ServiceAccount(self._name, self._role, tuple(self._tokens))

    @property
    def _weight(self) -> int:
        return 0

    def _take(self, path: Path, value: object) -> None:
        if path == _NAME:
            self._name = text(value)[:_LONGEST_NAME]
        elif path == _ROLE:
            self._role = text(mapping(value).get("name"))[:_LONGEST_NAME]
        elif path == _ONE_TOKEN and len(self._tokens) < _MOST_TOKENS:
            said = mapping(value)
            self._tokens.append(AccountToken(text(said.get("name"))[:_LONGEST_NAME], moment_of(said.get("expiresAt"))))


class AccountClient:
    """Asks Phase about accounts."""

    def __init__(self, session: Session) -> None:
        self._session = session

    @without_frames
    async def service_account(
        self, base_url: str, credential: Credential, account_id: str, place: Reservation
    ) -> ServiceAccount:
        """Return a service account by its id; raise ExpectedError: its role may not allow it to see itself."""
        if not _ID.fullmatch(account_id):
            raise Waiting(Reason.UNEXPECTED_ANSWER, f"{host_of(base_url)} tells no id of the account")
        route = Route("service-account", f"/v1/service-accounts/{account_id}/")
        reader = _AccountReader(host_of(base_url), place)
        return await self._session.ask(base_url, credential.header, route, reader=reader, namespace=place.namespace)
