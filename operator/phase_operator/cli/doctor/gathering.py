"""Read the facts: the only part of the examination that asks the API server.

Rule: the number of requests depends on what we installed and not on how large the cluster is: lists come in parts, of
which so many are read, and of rights and Secrets so many are asked for. What is left out is said.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from phase_operator.api import names
from phase_operator.cli.common.leader import USUAL_HOME
from phase_operator.cli.common.resources import place_of
from phase_operator.cli.doctor.definitions import CRD_NAMES, Crds
from phase_operator.cli.doctor.deployed import OFFICIAL_LEASE, Operator, operator_of
from phase_operator.cli.doctor.facts import Facts, FactsBefore, Running
from phase_operator.cli.doctor.findings import Unread, known, read
from phase_operator.cli.doctor.of_phase import Seen
from phase_operator.cli.doctor.others import Lease, Others, lease_of
from phase_operator.cli.doctor.rights import (
    AccountRights,
    needs_of_doctor,
    needs_of_installer,
    needs_of_operator,
    needs_of_person,
)
from phase_operator.cli.doctor.running import Answer, Pod, lines_of, pod_of
from phase_operator.cli.doctor.tally import Tally
from phase_operator.cli.doctor.token_form import token_problem
from phase_operator.cli.doctor.used import Tokens
from phase_operator.core.json_access import at, mappings, text
from phase_operator.core.targets.ownership import OFFICIAL_MANAGERS
from phase_operator.core.text import clean
from phase_operator.core.timestamps import moment_of
from phase_operator.kube.user_cluster import UserCluster
from phase_operator.kube.user_errors import Suppressed, Trouble, UserError
from phase_operator.kube.user_resources import (
    BUDGETS,
    CONFIG_MAPS,
    CRDS,
    DEPLOYMENTS,
    LEASES,
    NETWORK_POLICIES,
    OURS,
    PODS,
    SECRETS,
    Request,
    Resource,
)

# At most so many of a list are read, and so many pods asked.
MOST_OBJECTS = 20_000
MOST_LEASES = 500
MOST_PODS = 5
# Seconds that a pod may take to answer.
_PATIENCE = 5.0
_OWN_LEASES = f"{names.LABEL_MANAGED_BY}={names.OPERATOR_NAME}"
TARGETS = f"{names.LABEL_TARGET}={names.LABEL_TARGET_VALUE}"


@dataclass(frozen=True, slots=True)
class Place:
    """Where to look: for resources (in all namespaces for ""), and for the operator, if the person says where it is."""

    namespace: str
    home: str | None

    @property
    def homes(self) -> tuple[str, ...]:
        """The namespaces in which the operator may be, the likeliest first."""
        every = (self.home,) if self.home else (USUAL_HOME, self.namespace)
        return tuple(dict.fromkeys(each for each in every if each))

    @property
    def words(self) -> str:
        """Return where resources are looked for."""
        return f"in namespace {self.namespace}" if self.namespace else "in all namespaces"


async def gather(cluster: UserCluster, place: Place, clock: Callable[[], float], seen: Seen | None) -> Facts:
    """Read the facts of a cluster; raise UserError if it is not reached. `clock` is for an API server without one."""
    version = await read(cluster.version())
    now = cluster.now() or clock()
    tally = await read(_tally(cluster, place.namespace, now))
    others = await _others(cluster, place, now, known(tally, Tally(now)).marked)
    operator = chosen(others.operators, place)
    home = operator.namespace if operator else place.homes[0]
    needs = needs_of_person(place.namespace, home)
    return Facts(
        now=now,
        where=place.words,
        version=version,
        crds=await _crds(cluster),
        others=others,
        running=None if operator is None else await _running(cluster, operator),
        person=await read(_reviews(cluster.may, needs)),
        needs=needs,
        own=await read(_reviews(cluster.may, needs_of_doctor(place.namespace, home, operator))),
        tally=tally,
        tokens=tally if isinstance(tally, Unread) else await _tokens(cluster, tally),
        phase=seen,
    )


async def gather_before(
    cluster: UserCluster, place: Place, clock: Callable[[], float], seen: Seen | None
) -> FactsBefore:
    """Read what counts before an installation; raise UserError if the cluster is not reached."""
    version = await read(cluster.version())
    now = cluster.now() or clock()
    return FactsBefore(
        now=now,
        version=version,
        crds=await _crds(cluster),
        others=await _others(cluster, place, now, ()),
        installer=await read(_reviews(cluster.may, needs_of_installer(place.homes[0]))),
        phase=seen,
    )


def chosen(operators: Iterable[Operator], place: Place) -> Operator | None:
    """Return the operator to examine: ours, that runs rather than one that does not, in the likeliest namespace."""
    ours = [each for each in operators if not each.is_official and each.namespace == (place.home or each.namespace)]

    def rank(each: Operator) -> tuple[bool, int, str]:
        likely = place.homes.index(each.namespace) if each.namespace in place.homes else len(place.homes)
        return not each.replicas, likely, str(each)

    return min(ours, key=rank, default=None)


async def first(
    objects: AsyncIterator[Mapping[str, Any]], most: int = MOST_OBJECTS
) -> AsyncIterator[Mapping[str, Any]]:
    """Yield the first objects of a list; the parts after them are not asked for."""
    left = most
    async for each in objects:
        yield each
        left -= 1
        if not left:
            return


async def _crds(cluster: UserCluster) -> Crds:
    found = await asyncio.gather(*(read(cluster.find(CRDS, "", name)) for name in CRD_NAMES))
    return dict(zip(CRD_NAMES, found, strict=True))


async def _others(cluster: UserCluster, place: Place, now: float, marked: Sequence[str]) -> Others:
    whole = await read(_operators(cluster, ""))
    parts = [whole]
    if isinstance(whole, Unread):
        parts = [await read(_operators(cluster, home)) for home in place.homes]
    leases = await read(_leases(cluster))
    rewritten = await read(_rewritten(cluster, place.namespace))
    return Others(
        operators=[each for part in parts for each in known(part, [])],
        leases=known(leases, []),
        marked=marked,
        rewritten=known(rewritten, []),
        now=now,
        hidden=[each for each in (whole, leases) if isinstance(each, Unread)],
    )


async def _operators(cluster: UserCluster, namespace: str) -> list[Operator]:
    deployments = first(cluster.each(DEPLOYMENTS, namespace))
    return [found async for each in deployments if (found := operator_of(each)) is not None]


async def _leases(cluster: UserCluster) -> list[Lease]:
    """Return the first Leases of each kind of operator: anybody may make more of them."""
    found = [lease_of(each) async for each in first(cluster.each(LEASES, "", labels=_OWN_LEASES), MOST_LEASES)]
    async for page in cluster.pages(LEASES, fields=f"metadata.name={OFFICIAL_LEASE}"):
        return [*found, *map(lease_of, page.items)]
    return found


async def _rewritten(cluster: UserCluster, namespace: str) -> list[str]:
    """Return the targets that a field manager of the official operator wrote after ours, by their metadata alone."""
    found: list[str] = []
    for kind in (SECRETS, CONFIG_MAPS):
        async for each in first(cluster.each(kind, namespace, labels=TARGETS, metadata=True)):
            managers = mappings(at(each, ("metadata",)).get("managedFields"))
            times = {text(by.get("manager")): moment_of(by.get("time")) or 0 for by in managers}
            if times and max(times, key=lambda manager: times[manager]) in OFFICIAL_MANAGERS:
                found.append(str(place_of(each)))
    return found


async def _running(cluster: UserCluster, operator: Operator) -> Running:
    home = operator.namespace
    labels = ",".join(f"{key}={value}" for key, value in sorted(operator.selector.items()))
    pods = await read(_pods(cluster, home, labels))
    needs, left_out = needs_of_operator(operator)

    def may(request: Request) -> Awaitable[bool]:
        return cluster.account_may(home, operator.account, request)

    return Running(
        operator=operator,
        account=AccountRights(await read(_reviews(may, needs)), left_out),
        lease=await read(_lease(cluster, operator)),
        pods=pods,
        answers=await _answers(cluster, known(pods, []), operator.health_port),
        policies=await read(cluster.list(NETWORK_POLICIES, home)),
        budgets=await read(cluster.list(BUDGETS, home)),
    )


async def _pods(cluster: UserCluster, namespace: str, labels: str) -> list[Pod]:
    return [pod_of(each) for each in await cluster.list(PODS, namespace, labels=labels)]


async def _lease(cluster: UserCluster, operator: Operator) -> Lease | None:
    found = await cluster.find(LEASES, operator.namespace, operator.lease)
    return None if found is None else lease_of(found)


async def _answers(cluster: UserCluster, pods: Sequence[Pod], port: int) -> dict[str, Answer | Unread]:
    if not port:
        return {}
    asked = pods[:MOST_PODS]
    answers = await asyncio.gather(*(_answer(cluster, each, port) for each in asked))
    return {pod.name: answer for pod, answer in zip(asked, answers, strict=True)}


async def _answer(cluster: UserCluster, pod: Pod, port: int) -> Answer | Unread:
    """Return what a pod answers; one that does not, or not soon, is not the cluster's fault."""
    try:
        async with asyncio.timeout(_PATIENCE):
            said = await read(cluster.ask_pod(pod.namespace, pod.name, port, "/readyz"))
    except (TimeoutError, UserError):
        return Unread(f"pod {clean(pod.name)} does not answer through the API server within {_PATIENCE:g} s")
    return said if isinstance(said, Unread) else Answer(said.status, tuple(lines_of(said.text)))


async def _reviews(ask: Callable[[Request], Awaitable[bool]], requests: Iterable[Request]) -> dict[Request, bool]:
    """Ask for each right: for the first one alone, since who may not ask for it may not ask for the others."""
    every = list(dict.fromkeys(requests))
    allowed = [await ask(each) for each in every[:1]]
    allowed += await asyncio.gather(*(ask(each) for each in every[1:]))
    return dict(zip(every, allowed, strict=True))


async def _tally(cluster: UserCluster, namespace: str, now: float) -> Tally:
    tally = Tally(now)
    for kind in OURS:
        # If the CRD is missing, that is another check's to say.
        with Suppressed(Trouble.NOT_FOUND):
            await _count(cluster, kind, namespace, tally)
    return tally


async def _count(cluster: UserCluster, kind: Resource, namespace: str, tally: Tally) -> None:
    number = 0
    async for each in first(cluster.each(kind, namespace)):
        tally.take(each)
        number += 1
    tally.is_cut = tally.is_cut or number >= MOST_OBJECTS


async def _tokens(cluster: UserCluster, tally: Tally) -> Tokens:
    places = list(tally.tokens)
    problems = await asyncio.gather(*(_token(cluster, *place) for place in places))
    return Tokens(dict(zip(places, problems, strict=True)), tally.tokens_left_out)


async def _token(cluster: UserCluster, namespace: str, name: str) -> str | Unread:
    found = await read(cluster.find(SECRETS, namespace, name))
    return found if isinstance(found, Unread) else token_problem(found)
