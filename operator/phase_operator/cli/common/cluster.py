"""Commands that talk to the cluster of the person's kubeconfig."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from typing import Any, TypeVar

import click

from phase_operator.cli.common.failures import ExitCode, Failure
from phase_operator.cli.common.needs import needs_of
from phase_operator.cli.common.options import ClusterOptions
from phase_operator.cli.common.rights import roles_for
from phase_operator.core.values import ObjectKey
from phase_operator.kube.user_cluster import UserCluster, user_cluster
from phase_operator.kube.user_errors import Trouble, UserError
from phase_operator.kube.user_resources import Request
from phase_operator.settings import platform_proxies, pod_namespace

# Requests at once.
_AT_ONCE = 8
Work = TypeVar("Work")
Result = TypeVar("Result")


def waited_for(work: Coroutine[Any, Any, Result]) -> Result:
    """Run a command's work to its end and return its result; what fails at the cluster is raised as a Failure."""
    with of_cluster():
        return asyncio.run(work)


@contextmanager
def of_cluster() -> Iterator[None]:
    """Raise what goes wrong between a command and the cluster as the Failure that it means."""
    try:
        yield
    except UserError as error:
        message = error.message
        if error.trouble is Trouble.NO_RIGHT and error.request is not None:
            message = (
                f"{message}; this gives what the command needs:\n{roles_for([*_needed(error.request), *error.more])}"
            )
        code = ExitCode.NO_CLUSTER if error.trouble is Trouble.UNREACHABLE else ExitCode.NO
        raise Failure(message, code) from error


def _needed(denied: Request) -> list[Request]:
    """Return the rights that the command that runs needs, the one that was found to lack first."""
    context = click.get_current_context(silent=True)
    if context is None:
        return [denied]
    names = []
    while context.parent is not None:
        names.append(context.info_name or "")
        context = context.parent
    given = click.get_current_context().params
    lease = ObjectKey(given["operator_namespace"], given["operator_lease"]) if "operator_lease" in given else None
    return needs_of(" ".join(reversed(names)), denied, lease)


@asynccontextmanager
async def connected(at: ClusterOptions) -> AsyncIterator[UserCluster]:
    """Connect to the cluster that the options name; its requests raise UserError."""
    async with user_cluster(at.kubeconfig, at.context, platform_proxies(), pod_namespace()) as cluster:
        yield cluster


def namespace_of(at: ClusterOptions, cluster: UserCluster) -> str:
    """Return the namespace of a command; "" for all of them."""
    return "" if at.all_namespaces else at.namespace or cluster.namespace


async def all_of(works: Sequence[Work], do: Callable[[Work], Awaitable[Result]]) -> list[Result]:
    """Do a piece of work for each, a few at once, and return the results in their order."""
    places = asyncio.Semaphore(_AT_ONCE)

    async def one(work: Work) -> Result:
        async with places:
            return await do(work)

    return list(await asyncio.gather(*map(one, works)))
