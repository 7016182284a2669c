"""What a comparison is made with: the cluster, Phase, the person's token, and a key for digests."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from phase_operator.cli.common.phase import PhaseReader, check_host
from phase_operator.cli.common.resources import OF_TARGETS
from phase_operator.cli.common.token_secret import token_for
from phase_operator.core.refs import TargetRef
from phase_operator.core.source.query import Ask
from phase_operator.core.values import Entry, SecretValue
from phase_operator.kube.user_cluster import UserCluster
from phase_operator.reconcile.ports import Token

Body = Mapping[str, Any]
SUSPENDED = "it is suspended: nothing would be done"


@dataclass(frozen=True, slots=True)
class Means:
    """What a comparison is made with."""

    cluster: UserCluster
    reader: PhaseReader
    # Random bytes of this process.
    digest_key: bytes = field(repr=False)
    # In seconds since 1970.
    now: Callable[[], float]
    # The person's own token, the host that the person names, and the operator's setting of a default host.
    token: SecretValue | None = None
    host: str | None = None
    default_host: str | None = None
    # Entries that stand for an answer of Phase.
    entries: Sequence[Entry] | None = field(default=None, repr=False)

    async def token_of(self, ask: Ask) -> Token:
        """Return the token to read with; raise UserError, or Failure if it may not go where the resource says."""
        token, place = await token_for(self.cluster, ask, self.token)
        check_host(ask.base_url, (self.host, self.default_host), token, place)
        return token

    async def object(self, ref: TargetRef) -> Body | None:
        """Return an object, or None; raise UserError."""
        return await self.cluster.find(OF_TARGETS[ref.kind], ref.key.namespace, ref.key.name)
