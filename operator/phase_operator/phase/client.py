"""Phase's REST API, one method an endpoint: a call returns apps, environments or entries, or raises an error."""

import sys
from collections.abc import Mapping
from typing import TypeVar

from phase_operator.core.errors import ExpectedError
from phase_operator.core.source.answer_memory import Reservation
from phase_operator.core.source.apps import App, Environment
from phase_operator.core.values import DynamicKey, Entry, SecretValue
from phase_operator.phase import wire
from phase_operator.phase.credentials import parse
from phase_operator.phase.lookups import looking_up_for
from phase_operator.phase.readers import Reader, Whole
from phase_operator.phase.rows import Limits, Rows
from phase_operator.phase.session import Session, host_of
from phase_operator.reconcile.ports import Credential

Answer = TypeVar("Answer")
# Bytes that an app or an environment takes in addition to its texts.
_LISTED = 200


class PhaseClient:
    """The PhaseApi port. `key` makes names for accounts that reveal nothing about their tokens."""

    def __init__(self, session: Session, key: bytes, limits: Limits | None = None) -> None:
        self._session = session
        self._key = key
        self._limits = limits or Limits()

    def credential(self, token: SecretValue) -> Credential:
        """Parse a token in any of its forms; raise Waiting(TOKEN_INVALID) if it is not valid."""
        return parse(token, self._key)

    async def apps(self, base_url: str, credential: Credential, place: Reservation) -> list[App]:
        """Return the apps that the account sees; `place` grows to their size while they are read."""
        host = host_of(base_url)
        reader = Whole(host, wire.APPS, self._list_limit, place)
        found = wire.some((await self._get(base_url, credential, "apps", {}, reader, place)).data, host)
        place.resize(sum(_LISTED + sys.getsizeof(app.id) + sys.getsizeof(app.name) for app in found))
        return [App(app.id, app.name, place=place) for app in found]

    async def environments(
        self, base_url: str, credential: Credential, app_id: str, place: Reservation
    ) -> list[Environment]:
        """Return the environments of an app that the account may read, with revisions; `place` is used as in `apps`."""
        host = host_of(base_url)
        reader = Whole(host, wire.ENVIRONMENTS, self._list_limit, place)
        answer = await self._get(base_url, credential, "environments", {"app_id": app_id}, reader, place)
        found = wire.some(answer.data, host)
        # Names are kept twice: as they are, and case-folded.
        place.resize(sum(_LISTED + 2 * sys.getsizeof(each.name) + sys.getsizeof(each.revision) for each in found))
        return [Environment(each.name, each.revision, place) for each in found]

    async def entries(
        self,
        base_url: str,
        credential: Credential,
        *,
        app_id: str,
        environment: str,
        path: str | None,
        tags: tuple[str, ...],
        place: Reservation,
    ) -> list[Entry | DynamicKey]:
        """Return the entries of an environment: of one folder or all; with any of the tags, or all entries."""
        # Dynamic secrets are requested, so that messages can name their keys; without `lease`, none is leased.
        params = {"app_id": app_id, "env": environment, "dynamic": "true"}
        if path is not None:
            params["path"] = path
        if tags:
            params["tags"] = ",".join(tags)
        reader = Rows(host_of(base_url), self._limits, place)
        return await self._get(base_url, credential, "secrets", params, reader, place)

    @property
    def _list_limit(self) -> int:
        return min(wire.MAX_LIST, self._limits.size)

    async def _get(
        self,
        base_url: str,
        credential: Credential,
        route: str,
        params: Mapping[str, str],
        reader: Reader[Answer],
        place: Reservation,
    ) -> Answer:
        """Make a call and return its answer; an error is raised without its traceback.

        Errors are kept as long as they last, and the frames of a traceback hold bodies of answers. A lookup of the
        host's name counts for the namespace whose memory the answer takes.
        """
        try:
            with looking_up_for(place.namespace):
                return await self._session.call(
                    base_url, credential.header, "GET", route, params=params, reader=reader, is_question=True
                )
        except ExpectedError as error:
            error.__cause__ = error.__context__ = None
            raise error.with_traceback(None) from None
