"""When PhaseSecrets were last confirmed to be in step: asked of the operator's leader, through the API server.

Rule: it is a column beside others. Who may not ask, or finds no operator, gets all else, and one sentence that says why
this is missing.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from phase_operator.cli.common.leader import NoLeaderError, OperatorOptions, leader
from phase_operator.core.json_access import mapping, parsed
from phase_operator.core.text import clean
from phase_operator.kube.user_cluster import PodAnswer, UserCluster
from phase_operator.kube.user_errors import Trouble, UserError

_PATH = "/debug/sources"
# What the operator answers at a time, and what fits into the first line of a request.
_MOST, _LONGEST = 100, 6000
_NO_SUCH_PATH, _NO_LEADER = 404, 503


@dataclass(frozen=True, slots=True)
class Known:
    """A PhaseSecret that this person has seen, and so may ask for."""

    namespace: str
    name: str
    uid: str

    def __str__(self) -> str:
        return f"{self.namespace}/{self.name}/{self.uid}"


class Freshness:
    """Asks the leader; after a failure it asks no more."""

    def __init__(self, cluster: UserCluster, operator: OperatorOptions) -> None:
        self._cluster = cluster
        self._operator = operator
        self._pod: str | None = None
        # Why nothing is known: a sentence without its end.
        self.problem: str | None = None

    async def ages(self, wanted: Iterable[Known]) -> dict[str, int]:
        """Return by uid how many seconds ago each was last confirmed, of those for which that is known."""
        found: dict[str, int] = {}
        for batch in batches(wanted):
            if self.problem is None:
                found |= await self._asked(batch)
        return found

    async def _asked(self, batch: Sequence[Known]) -> dict[str, int]:
        at = self._operator
        try:
            if self._pod is None:
                self._pod = await leader(self._cluster, at)
            query = [("of", str(each)) for each in batch]
            answer = await self._cluster.ask_pod(at.namespace, self._pod, at.port, _PATH, query)
        except NoLeaderError as error:
            self.problem = str(error)
        except UserError as error:
            self.problem = _missing(error, at, self._pod)
        else:
            self.problem = _refusal(answer, self._pod)
            return ages_in(parsed(answer.text), batch) if self.problem is None else {}
        return {}


def batches(wanted: Iterable[Known]) -> Iterator[list[Known]]:
    """Yield parts that fit into one request each."""
    batch: list[Known] = []
    size = 0
    for each in wanted:
        length = len(quote(str(each), safe="")) + len("&of=")
        if batch and (len(batch) == _MOST or size + length > _LONGEST):
            yield batch
            batch, size = [], 0
        batch.append(each)
        size += length
    if batch:
        yield batch


def ages_in(answer: object, batch: Sequence[Known]) -> dict[str, int]:
    """Return the ages in an answer, of those who were asked for; whatever else it holds is passed over."""
    told: Mapping[str, Any] = mapping(mapping(answer).get("confirmed"))
    found = {each.uid: told.get(each.uid) for each in batch}
    return {uid: age for uid, age in found.items() if isinstance(age, int) and not isinstance(age, bool) and age >= 0}


def _refusal(answer: PodAnswer, pod: str) -> str | None:
    match answer.status:
        case 200:
            return None
        case status if status == _NO_SUCH_PATH:
            return f"the operator in pod {clean(pod)} is older than this command, and does not tell it"
        case status if status == _NO_LEADER:
            return f"the operator in pod {clean(pod)} does not lead any more: try again"
        case status:
            return f"the operator in pod {clean(pod)} answers {status}"


def _missing(error: UserError, at: OperatorOptions, pod: str | None) -> str:
    if error.trouble is Trouble.NOT_FOUND and pod is not None:
        return f"the pod {clean(pod)}, which holds the operator's Lease, is not in namespace {at.namespace}"
    if error.trouble is Trouble.NOT_FOUND:
        return f"no operator is found by the Lease {at.namespace}/{at.lease}; --operator-namespace says where it is"
    if error.trouble is Trouble.NO_RIGHT:
        return f"{error.message}, which an administrator may give"
    return error.message
