"""`kubectl phase events`: what was reported about a resource and its targets."""

from contextlib import aclosing

import click

from phase_operator.cli.common.cluster import connected, namespace_of, waited_for
from phase_operator.cli.common.options import HELP, ClusterOptions, cluster_options, example
from phase_operator.cli.common.resources import Given, given
from phase_operator.cli.common.subjects import subjects_of
from phase_operator.cli.common.terminal import print_table, say
from phase_operator.cli.looking.event_rows import HEAD, MOST, EventFilter, EventRow, Newest, with_tone
from phase_operator.cli.looking.following import Collection, changes, merged
from phase_operator.cli.looking.rows import padded, widths_of
from phase_operator.kube.user_cluster import UserCluster
from phase_operator.kube.user_errors import Trouble, UserError
from phase_operator.kube.user_resources import EVENTS


@click.command(context_settings=HELP, epilog=example("kubectl phase events shop --watch"))
@click.argument("resource", metavar="[KIND/]NAME")
@cluster_options()
@click.option("-w", "--watch", "watches", is_flag=True, help="Go on with those that come, until Ctrl-C.")
def events(resource: str, at: ClusterOptions, watches: bool) -> None:
    """Show the Events of a resource and of its targets, the oldest first."""
    waited_for(_events(at, given(resource), watches=watches))


async def _events(at: ClusterOptions, which: Given, *, watches: bool) -> None:
    async with connected(at) as cluster:
        body = await cluster.get(which.resource, namespace_of(at, cluster), which.name)
        look = _Look(cluster, EventFilter(subjects_of(body)))
        await look.show(str(which))
        if watches:
            await look.follow()


class _Look:
    """Reads the Events of some namespaces, and prints those that pass."""

    def __init__(self, cluster: UserCluster, events: EventFilter) -> None:
        self._cluster = cluster
        self._filter = events
        self._versions: dict[Collection, str] = {}
        self._widths = widths_of(HEAD, [])
        # What was printed, by the Event's uid.
        self._printed: dict[str, EventRow] = {}

    async def show(self, name: str) -> None:
        newest = Newest()
        for number, namespace in enumerate(self._filter.namespaces):
            try:
                await self._read(namespace, newest)
            except UserError as error:
                # The targets may be where this person has no rights; the resource itself is not.
                if number == 0 or error.trouble is not Trouble.NO_RIGHT:
                    raise
                say(f"Events in namespace {namespace} are left out: {error.message}")
        rows, now = newest.rows(), self._cluster.now()
        self._printed = {row.uid: row for row in rows}
        cells = [row.cells(now) for row in rows]
        self._widths = widths_of(HEAD, cells)
        if rows:
            print_table(HEAD, [with_tone(each) for each in cells])
        else:
            say(f"no Events about {name}: Kubernetes keeps them for an hour")

    async def _read(self, namespace: str, newest: Newest) -> None:
        async for page in self._cluster.pages(EVENTS, namespace):
            self._versions[Collection(EVENTS, namespace)] = page.version
            for item in page.items:
                if (row := self._filter.row(item)) is not None:
                    newest.add(row)

    async def follow(self) -> None:
        coming = merged(*(changes(self._cluster, of, version) for of, version in self._versions.items()))
        async with aclosing(coming) as found:  # type: ignore[type-var]  # a generator can be closed
            async for change in found:
                row = None if change.is_gone else self._filter.row(change.body)
                if row is not None and self._printed.get(row.uid) != row:
                    self._note(row)
                    click.echo("  ".join(with_tone(padded(row.cells(self._cluster.now()), self._widths))).rstrip())

    def _note(self, row: EventRow) -> None:
        self._printed[row.uid] = row
        if len(self._printed) > 2 * MOST:
            # Kubernetes forgets Events, and whoever may write them must not fill this memory.
            del self._printed[next(iter(self._printed))]
