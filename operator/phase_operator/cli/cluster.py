"""Commands that talk to the cluster of the person's kubeconfig."""

import asyncio
from collections.abc import AsyncIterator, Coroutine, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Any, TypeVar

from phase_operator.cli.failures import ExitCode, Failure
from phase_operator.cli.options import ClusterOptions
from phase_operator.cli.rights import role_for
from phase_operator.kube.user_cluster import Trouble, UserCluster, UserError, user_cluster
from phase_operator.settings import platform_proxies, pod_namespace

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
            message = f"{message}; this gives it:\n{role_for(error.request)}"
        code = ExitCode.NO_CLUSTER if error.trouble is Trouble.UNREACHABLE else ExitCode.NO
        raise Failure(message, code) from error


@asynccontextmanager
async def connected(at: ClusterOptions) -> AsyncIterator[UserCluster]:
    """Connect to the cluster that the options name; its requests raise UserError."""
    async with user_cluster(at.kubeconfig, at.context, platform_proxies(), pod_namespace()) as cluster:
        yield cluster


def namespace_of(at: ClusterOptions, cluster: UserCluster) -> str:
    """Return the namespace of a command; "" for all of them."""
    return "" if at.all_namespaces else at.namespace or cluster.namespace
