"""`trace`: where a Secret or ConfigMap, or one of its keys, comes from."""

import json

import click

from phase_operator.cli.common.cluster import connected, namespace_of, waited_for
from phase_operator.cli.common.failures import ExitCode
from phase_operator.cli.common.options import HELP, ClusterOptions, cluster_options, example, output_option
from phase_operator.cli.common.resources import OF_TARGETS, given
from phase_operator.cli.tracing.lines import Trace, trace
from phase_operator.cli.tracing.objects import metadata_of, writers_of
from phase_operator.cli.tracing.origin import origin
from phase_operator.core.refs import TargetRef
from phase_operator.core.values import ObjectKey

_KINDS = {resource: kind for kind, resource in OF_TARGETS.items()}


@click.command("trace", context_settings=HELP, epilog=example("kubectl phase trace secret/shop#DATABASE_URL"))
@click.argument("named", metavar="secret/NAME[#KEY] | configmap/NAME[#KEY]")
@output_option("text", "json")
@cluster_options()
def command(at: ClusterOptions, named: str, output: str) -> None:
    """Show which resource writes an object or a key of it, from where in Phase, and who applied that resource.

    Exit code 1 if no resource of this operator writes it.
    """
    name, _, key = named.partition("#")
    asked = given(name, objects=True)
    if asked.resource not in _KINDS:
        raise click.UsageError("write secret/NAME or configmap/NAME, with #KEY behind it for one key")
    found = waited_for(_trace(at, TargetRef(_KINDS[asked.resource], ObjectKey("", asked.name)), key))
    if output == "json":
        click.echo(json.dumps({"managed": found.is_managed, "lines": [[*each] for each in found.lines]}, indent=2))
    else:
        width = max(len(label) for label, _ in found.lines)
        for label, said in found.lines:
            click.echo(f"{label:{width}}   {said}")
    if not found.is_managed:
        raise click.exceptions.Exit(ExitCode.NO)


async def _trace(at: ClusterOptions, target: TargetRef, key: str) -> Trace:
    async with connected(at) as cluster:
        target = TargetRef(target.kind, ObjectKey(namespace_of(at, cluster), target.key.name))
        metadata = await metadata_of(cluster, target)
        found = origin(metadata)
        return trace(target, key, metadata, found, await writers_of(cluster, found))
