"""The table of `get`: read once, and then followed line by line."""

from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from contextlib import aclosing
from dataclasses import replace
from typing import Any

import click

from phase_operator.api import names
from phase_operator.cli.common.resources import Given, parts
from phase_operator.cli.common.terminal import print_table, say
from phase_operator.cli.looking.following import Change, Collection, changes, merged
from phase_operator.cli.looking.freshness import Freshness, Known
from phase_operator.cli.looking.rows import Layout, Row, padded, row_of, widths_of, with_tones
from phase_operator.core.json_access import mapping, text
from phase_operator.kube.user_cluster import UserCluster

_DELETED = "Deleted"


class Look:
    """Reads the resources of these names, else those of a namespace with the labels; knows where changes follow on."""

    def __init__(self, cluster: UserCluster, namespace: str, named: Sequence[Given], labels: str) -> None:
        self._cluster = cluster
        # "" for all of them.
        self.namespace = namespace
        self._named = named
        self._labels = labels
        self.versions: dict[Collection, str] = {}

    async def bodies(self) -> AsyncIterator[Mapping[str, Any]]:
        """Yield the resources; raise UserError."""
        for each in self._named:
            body = await self._cluster.get(each.resource, self.namespace, each.name)
            one = Collection(each.resource, self.namespace, fields=f"metadata.name={each.name}")
            self.versions[one] = text(mapping(body.get("metadata")).get("resourceVersion"))
            yield body
        if self._named:
            return
        async for kind, page in parts(self._cluster, self.namespace, labels=self._labels):
            self.versions[Collection(kind, self.namespace, self._labels)] = page.version
            for item in page.items:
                yield item

    def changes(self) -> AsyncIterator[Change]:
        """Yield what changes after `bodies`; raise UserError."""
        return merged(*(changes(self._cluster, of, version) for of, version in self.versions.items()))

    def now(self) -> float | None:
        """Return the API server's time."""
        return self._cluster.now()


class Table:
    """The rows that pass a filter, and how they are printed."""

    def __init__(self, look: Look, freshness: Freshness, shows: Callable[[Row], bool], *, wide: bool) -> None:
        self._look = look
        self._freshness = freshness
        self._shows = shows
        self._layout = Layout(namespaces=not look.namespace, kinds=False, wide=wide)
        self._widths: list[int] | None = None
        self.rows: dict[tuple[str, str, str], Row] = {}

    async def show(self, *, watches: bool) -> None:
        """Print all rows, by namespace and name; raise UserError. One that is watched may get rows of other kinds."""
        async with aclosing(self._look.bodies()) as bodies:  # type: ignore[type-var]  # a generator can be closed
            rows = [row async for body in bodies if self._shows(row := row_of(body))]
        self.rows = {row.place: row for row in sorted(rows, key=lambda row: row.place)}
        kinds = {row.kind for row in rows} | ({of.resource.kind for of in self._look.versions} if watches else set())
        self._layout = replace(self._layout, kinds=len(kinds) > 1)
        if self.rows:
            await self._print_all()

    async def follow(self) -> None:
        """Print a row again whenever it shows something else, for ever; raise UserError."""
        async with aclosing(self._look.changes()) as found:  # type: ignore[type-var]  # as above
            async for change in found:
                row = row_of(change.body)
                before = self.rows.pop(row.place, None)
                if change.is_gone:
                    row = replace(row, ready=None, reason=_DELETED)
                elif self._shows(row):
                    self.rows[row.place] = row
                # A row that passes the filter no more is printed once more, as it is now.
                is_shown = before is not None or row.place in self.rows
                if is_shown and self._layout.is_news(row, before):
                    await self._print_again(row, is_gone=change.is_gone)

    async def _print_all(self) -> None:
        head, rows = self._layout.head(), list(self.rows.values())
        ages = await self._freshness.ages(_known(rows))
        now = self._look.now()
        cells = [self._layout.cells(row, now, ages.get(row.uid)) for row in rows]
        self._widths = widths_of(head, cells)
        print_table(head, [with_tones(each, head, row) for each, row in zip(cells, rows, strict=True)])
        if self._freshness.problem is not None and any(_known(rows)):
            say(f"CONFIRMED is not known: {self._freshness.problem}")

    async def _print_again(self, row: Row, *, is_gone: bool) -> None:
        if self._widths is None:
            # The first row that there is.
            await self._print_all() if row.place in self.rows else None
            return
        ages = await self._freshness.ages(_known([] if is_gone else [row]))
        cells = self._layout.cells(row, self._look.now(), ages.get(row.uid))
        line = with_tones(padded(cells, self._widths), self._layout.head(), row)
        click.echo("  ".join(line).rstrip())


def _known(rows: Iterable[Row]) -> list[Known]:
    """Return the PhaseSecrets among rows: of other kinds, nothing is confirmed by reading."""
    return [Known(row.namespace, row.name, row.uid) for row in rows if row.kind == names.KIND_PHASE_SECRET and row.uid]
