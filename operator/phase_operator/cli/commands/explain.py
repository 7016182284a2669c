"""`kubectl phase explain`: what a reason means, or what is wrong with a resource, and what to do."""

from collections.abc import Mapping
from typing import Any

import click

from phase_operator.cli.common.options import HELP, ClusterOptions, cluster_options, example
from phase_operator.cli.looking.explanations import of_reason, of_resource, reason_of, reasons, written
from phase_operator.core.text import clean, hint


@click.command(
    context_settings=HELP,
    epilog=example("kubectl phase explain AppEncrypted", "kubectl phase explain phasesecret/shop"),
)
@click.argument("what", metavar="REASON|[KIND/]NAME")
@cluster_options()
def explain(what: str, at: ClusterOptions) -> None:
    """Say what a REASON means and what to do; for a resource, also what its status says and what to run next.

    If a resource has the name of a reason, write KIND/NAME.
    """
    reason = None if "/" in what else reason_of(what)
    if reason is not None:
        click.echo(written(of_reason(*reason)))
        return
    if "/" not in what and what != what.lower():
        # No object of Kubernetes has capitals in its name.
        raise click.UsageError(f'there is no reason "{clean(what)}"{hint(what, reasons())}')
    click.echo(written(of_resource(_read(at, what))))


def _read(at: ClusterOptions, what: str) -> Mapping[str, Any]:
    # Imported here: a reason is explained without a cluster, and should not wait for the Kubernetes client.
    from phase_operator.cli.common.cluster import connected, namespace_of, waited_for
    from phase_operator.cli.common.resources import given

    which = given(what)

    async def read() -> Mapping[str, Any]:
        async with connected(at) as cluster:
            return await cluster.get(which.resource, namespace_of(at, cluster), which.name)

    return waited_for(read())
