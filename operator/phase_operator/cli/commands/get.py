"""`kubectl phase get`: which resources are in step, since when, and when that was last confirmed."""

from contextlib import aclosing
from dataclasses import dataclass
from typing import Any

import click

from phase_operator.api.reasons import Reason
from phase_operator.cli.common.cluster import connected, namespace_of, waited_for
from phase_operator.cli.common.failures import ExitCode
from phase_operator.cli.common.leader import OperatorOptions, operator_options
from phase_operator.cli.common.options import (
    HELP,
    ClusterOptions,
    cluster_options,
    example,
    output_option,
    selector_option,
)
from phase_operator.cli.common.resources import Given, given
from phase_operator.cli.common.terminal import say
from phase_operator.cli.looking.bodies import Bodies
from phase_operator.cli.looking.freshness import Freshness
from phase_operator.cli.looking.resource_table import Look, Table
from phase_operator.cli.looking.rows import Row, row_of, summary
from phase_operator.core.text import clean, hint

_TABLES = ("table", "wide")


@dataclass(frozen=True, slots=True)
class Wanted:
    """What the command line asks for."""

    named: tuple[Given, ...]
    labels: str
    not_ready: bool
    reason: str | None
    output: str
    watches: bool
    fails: bool

    @property
    def filters(self) -> bool:
        """Whether some may be left out."""
        return self.not_ready or self.reason is not None

    def shows(self, row: Row) -> bool:
        """Return whether a row passes the filters."""
        return not (self.not_ready and row.is_ready) and self.reason in (None, *row.reasons)


def _reason(_: click.Context, __: click.Parameter, value: str | None) -> str | None:
    if value is None:
        return None
    found = {str(each).casefold(): str(each) for each in Reason}
    if value.casefold() not in found:
        raise click.BadParameter(f'there is no reason "{clean(value)}"{hint(value, found.values())}')
    return found[value.casefold()]


@click.command(context_settings=HELP, epilog=example("kubectl phase get --all-namespaces --not-ready"))
@click.argument("resources", nargs=-1, metavar="[[KIND/]NAME]...")
@cluster_options(all_namespaces=True)
@selector_option()
@click.option("--not-ready", is_flag=True, help="Only those that are not ready.")
@click.option(
    "--reason", callback=_reason, metavar="REASON", help="Only those with this reason, or with a target of it."
)
@click.option("--fail", "fails", is_flag=True, help="Exit with 1 if one that is shown is not ready.")
@click.option("-w", "--watch", "watches", is_flag=True, help="Print a line again when it changes, until Ctrl-C.")
@output_option(*_TABLES, "yaml", "json", "name")
@operator_options
def get(
    resources: tuple[str, ...], at: ClusterOptions, operator: OperatorOptions, selector: str, **options: Any
) -> int:
    """Show resources of all three kinds: is each in step, since when, and when was that last confirmed?

    For the column CONFIRMED the operator is asked. That needs the right to get leases and pods/proxy in its
    namespace.
    """
    wanted = Wanted(tuple(map(given, resources)), selector, **options)
    if wanted.named and (at.all_namespaces or selector):
        raise click.UsageError("give either names, or -A and -l")
    if wanted.watches and (wanted.output not in _TABLES or wanted.fails):
        raise click.UsageError("-w prints a table until Ctrl-C: leave out --fail and other outputs")
    return waited_for(_get(at, operator, wanted))


async def _get(at: ClusterOptions, operator: OperatorOptions, wanted: Wanted) -> int:
    async with connected(at) as cluster:
        look = Look(cluster, namespace_of(at, cluster), wanted.named, wanted.labels)
        if wanted.output in _TABLES:
            table = Table(look, Freshness(cluster, operator), wanted.shows, wide=wanted.output == "wide")
            await table.show(watches=wanted.watches)
            rows = list(table.rows.values())
            say(summary(rows) if rows else _nothing(look))
            if wanted.watches:
                await table.follow()
        else:
            rows = await _print_bodies(look, wanted)
            if not rows and wanted.output == "name":
                say(_nothing(look))
    return ExitCode.NO if wanted.fails and not all(row.is_ready for row in rows) else ExitCode.OK


async def _print_bodies(look: Look, wanted: Wanted) -> list[Row]:
    rows, bodies = [], Bodies(wanted.output, is_one=len(wanted.named) == 1 and not wanted.filters)
    async with aclosing(look.bodies()) as found:  # type: ignore[type-var]  # a generator can be closed
        async for body in found:
            row = row_of(body)
            if wanted.shows(row):
                rows.append(row)
                bodies.print(body)
    bodies.end()
    return rows


def _nothing(look: Look) -> str:
    return f"no resources found in namespace {look.namespace}" if look.namespace else "no resources found"
