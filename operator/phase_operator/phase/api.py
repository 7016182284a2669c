"""The PhaseApi port over the client: one question, one snapshot."""

from phase_operator.api.reasons import Reason
from phase_operator.core.errors import ExpectedError, Waiting
from phase_operator.core.query import SourceQuery
from phase_operator.core.values import SecretValue, Snapshot
from phase_operator.phase import wire
from phase_operator.phase.apps import Apps, hint
from phase_operator.phase.client import PhaseClient
from phase_operator.phase.credentials import parse
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
        header = credential.header
        app_id = await self._apps.id_of(query, header)
        try:
            found = await self._client.secrets(
                query.base_url, header, app_id=app_id, env=query.environment, path=query.path, tags=query.tags
            )
        except Waiting as error:
            if error.reason is Reason.APP_NOT_FOUND:
                self._apps.forget(query)
            if error.reason is Reason.ENVIRONMENT_NOT_FOUND:
                raise await self._environment_not_found(query, header, app_id, error) from error
            raise
        return Snapshot.of(app_id, wire.entries(found))

    async def _environment_not_found(
        self, query: SourceQuery, header: SecretValue, app_id: str, error: Waiting
    ) -> ExpectedError:
        try:
            names = [each.name for each in await self._client.environments(query.base_url, header, app_id)]
        except ExpectedError:
            # Only the names that come close are lost.
            return error
        message = f'app {query.app} has no environment "{query.environment}"{hint(query.environment, names)}'
        return Waiting(Reason.ENVIRONMENT_NOT_FOUND, message)
