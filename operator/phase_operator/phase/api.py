"""The PhaseApi port over the client: one question, one snapshot."""

from phase_operator.api.reasons import Reason
from phase_operator.core.errors import ExpectedError, Waiting
from phase_operator.core.keys import listing
from phase_operator.core.query import SourceQuery
from phase_operator.core.values import SecretValue, Snapshot
from phase_operator.phase.apps import Apps
from phase_operator.phase.client import PhaseClient
from phase_operator.phase.credentials import parse
from phase_operator.phase.errors import clean
from phase_operator.phase.nearness import hint
from phase_operator.reconcile.ports import Clock, Credential


class Phase:
    """Answers questions. `key` makes names for accounts that say nothing about their tokens."""

    def __init__(self, client: PhaseClient, clock: Clock, key: bytes) -> None:
        self._client = client
        self._apps = Apps(client, clock)
        self._key = key

    def credential(self, token: SecretValue) -> Credential:
        """Parse any spelling of a token; raise Waiting(TOKEN_INVALID) if it is none."""
        return parse(token, self._key)

    async def read(self, query: SourceQuery, credential: Credential) -> Snapshot:
        """Answer the question; raise Waiting or Transient, with the server's own words."""
        try:
            return await self._read(query, credential.header)
        except ExpectedError as error:
            # The error is kept for as long as it lasts, and the frames and causes behind it hold bodies of answers.
            error.__cause__ = error.__context__ = None
            raise error.with_traceback(None) from None

    async def _read(self, query: SourceQuery, header: SecretValue) -> Snapshot:
        app_id = await self._apps.id_of(query, header)
        try:
            entries = await self._client.secrets(
                query.base_url, header, app_id=app_id, env=query.environment, path=query.path, tags=query.tags
            )
        except Waiting as error:
            if error.reason is Reason.APP_NOT_FOUND:
                self._apps.forget(query)
            if error.reason is not Reason.ENVIRONMENT_NOT_FOUND:
                raise
            refused = error
        else:
            return Snapshot.of(app_id, entries)
        raise await self._named(refused, query, header, app_id)

    async def _named(self, error: Waiting, query: SourceQuery, header: SecretValue, app_id: str) -> Waiting:
        """Put the names that the account does see beside the one that was not found."""
        try:
            found = [each.name for each in await self._client.environments(query.base_url, header, app_id)]
        except ExpectedError:
            # The names are a help, not the answer: the server's own words do without.
            return error
        if not found or query.environment.casefold() in {name.casefold() for name in found}:
            return error
        missing = f'app {query.app} has no environment "{query.environment}"{hint(query.environment, found)}'
        return Waiting(error.reason, f"{missing} (the account sees: {listing(sorted(map(clean, found)))})")
