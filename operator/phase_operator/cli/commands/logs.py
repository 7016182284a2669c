"""`kubectl phase logs`: what the operator logged about one resource."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import aclosing
from dataclasses import dataclass

import click

from phase_operator.cli.common.ages import duration
from phase_operator.cli.common.cluster import connected, namespace_of, waited_for
from phase_operator.cli.common.failures import Failure
from phase_operator.cli.common.leader import NoLeaderError, OperatorOptions, leader, operator_options
from phase_operator.cli.common.options import HELP, ClusterOptions, cluster_options, example
from phase_operator.cli.common.resources import Given, given
from phase_operator.cli.common.rights import roles_for
from phase_operator.cli.common.subjects import subjects_of
from phase_operator.cli.common.terminal import say
from phase_operator.cli.looking.log_lines import Cursor, told
from phase_operator.kube.user_cluster import UserCluster
from phase_operator.kube.user_errors import Trouble, UserError
from phase_operator.kube.user_resources import LEASES, PODS, Request

# Before the log is opened again, of the same leader or of the next one.
_PAUSE = 1.0
# As in every manifest that we ship.
_CONTAINER = "operator"


def _seconds(_: click.Context, __: click.Parameter, value: str | None) -> int | None:
    if value is None:
        return None
    try:
        seconds = duration(value)
    except ValueError as error:
        raise click.BadParameter(str(error)) from error
    if seconds < 1:
        raise click.BadParameter("at least 1s")
    return seconds


@click.command(context_settings=HELP, epilog=example("kubectl phase logs shop --since 1h"))
@click.argument("resource", metavar="[KIND/]NAME")
@cluster_options()
@click.option("-f", "--follow", "follows", is_flag=True, help="Go on with what comes, until Ctrl-C.")
@click.option("--since", callback=_seconds, metavar="DURATION", help="Only what is newer, such as 10m or 1h30m.")
@operator_options
def logs(resource: str, at: ClusterOptions, operator: OperatorOptions, *, follows: bool, since: int | None) -> None:
    """Show what the operator's leader logged about a resource and its targets, as text.

    This needs the right to get leases and pods/log in the operator's namespace.
    """
    waited_for(_logs(at, operator, given(resource), Cursor(since), follows=follows))


async def _logs(at: ClusterOptions, operator: OperatorOptions, which: Given, cursor: Cursor, *, follows: bool) -> None:
    async with connected(at) as cluster:
        body = await cluster.get(which.resource, namespace_of(at, cluster), which.name)
        own, *targets = (each.in_logs for each in subjects_of(body))
        reader = _Reader(cluster, operator, frozenset((own, *targets)), own, cursor)
        if follows:
            await reader.follow()
        elif not await reader.read():
            say(f"the operator's log says nothing about {which}")


@dataclass(slots=True)
class _Reader:
    """Prints the lines about some objects."""

    cluster: UserCluster
    operator: OperatorOptions
    names: frozenset[str]
    own: str
    cursor: Cursor
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep

    async def read(self) -> bool:
        """Print what the leader has logged; return whether it was anything."""
        try:
            return await self._read(follows=False)
        except (NoLeaderError, UserError) as error:
            raise self._explained(error) from error

    async def follow(self) -> None:
        """Print what is logged, by one leader after another."""
        has_begun = False
        while True:
            try:
                await self._read(follows=True)
                has_begun = True
            except (NoLeaderError, UserError) as error:
                if not has_begun or not _passes(error):
                    raise self._explained(error) from error
                # One leader is gone, and the next one is not there yet.
            await self.sleep(_PAUSE)

    async def _read(self, *, follows: bool) -> bool:
        found = False
        pod = await leader(self.cluster, self.operator)
        query = [("container", _CONTAINER), *self.cursor.query(), *([("follow", "true")] if follows else [])]
        log = self.cluster.log(self.operator.namespace, pod, query)
        async with aclosing(log) as lines:  # type: ignore[type-var]  # a generator can be closed
            async for line in lines:
                if (text := told(line, self.names, self.own)) is not None and self.cursor.is_new(text):
                    found = True
                    click.echo(text.text)
        return found

    def _explained(self, error: NoLeaderError | UserError) -> Exception:
        if isinstance(error, NoLeaderError):
            return Failure(str(error))
        at = self.operator
        if error.trouble is Trouble.NOT_FOUND:
            return Failure(f"{error.message}; --operator-namespace says where the operator is")
        if error.trouble is not Trouble.NO_RIGHT:
            return error
        needed = roles_for(
            [Request("get", LEASES, at.namespace, at.lease), Request("get", PODS, at.namespace, subresource="log")]
        )
        return Failure(f"{error.message}; this gives what the command needs:\n{needed}")


def _passes(error: NoLeaderError | UserError) -> bool:
    return isinstance(error, NoLeaderError) or error.trouble is Trouble.NOT_FOUND
