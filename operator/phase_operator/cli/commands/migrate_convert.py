"""`kubectl phase migrate convert`: PhaseSecrets out of the resources of another operator."""

import json
from collections.abc import Sequence

import click

from phase_operator.cli.common.failures import ExitCode, Failure
from phase_operator.cli.common.options import (
    HELP,
    ClusterOptions,
    cluster_options,
    example,
    files_option,
    output_option,
)
from phase_operator.cli.common.terminal import print_documents, say
from phase_operator.cli.migrating.converters import KINDS, Conversions, Other
from phase_operator.cli.migrating.converters import convert as converted
from phase_operator.cli.migrating.draft import Named
from phase_operator.cli.migrating.official import Version
from phase_operator.cli.migrating.reading import originals


@click.command(
    context_settings=HELP,
    epilog=example("kubectl phase migrate convert --from eso -f external-secrets.yaml > phase-secrets.yaml"),
)
@click.option(
    "--from",
    "source",
    type=click.Choice([each.value for each in (*Other, *Version)]),
    required=True,
    help="Whose resources they are.",
)
@files_option()
@cluster_options(all_namespaces=True)
@click.option("--app", default="", metavar="NAME", help="App of Phase, by name or id.")
@click.option("--env", "environment", default="", metavar="NAME", help="Environment of the app.")
@click.option("--token-secret", default="", metavar="NAME", help="Secret with the token of Phase.")
@output_option("yaml", "json")
def convert(
    source: str,
    files: tuple[str, ...],
    at: ClusterOptions,
    app: str,
    environment: str,
    token_secret: str,
    output: str,
) -> int:
    """Print a PhaseSecret for each resource; what cannot be said is a comment.

    A document with an open question is suspended. Exit with 1 if there is one.
    """
    if source in list(Version):
        raise Failure(f"resources of {source} work as they are: see `migrate check --from {source}`", ExitCode.USAGE)
    other = Other(source)
    found = originals(files, at, KINDS[other])
    conversions = converted(found, other, Named(app, environment, token_secret), at.namespace or "")
    _print(conversions, output)
    for kind, count in conversions.left_out.items():
        say(f"left out: {count} of kind {kind}")
    if not conversions.made:
        raise Failure(f"there is no {' or '.join(_kinds(other))} to convert")
    return ExitCode.OK if all(each.is_ready for each in conversions.made) else ExitCode.NO


def _kinds(other: Other) -> Sequence[str]:
    return [each.kind for each in KINDS[other] if each.is_converted]


def _print(conversions: Conversions, output: str) -> None:
    if output == "json":
        click.echo(json.dumps([each.as_json() for each in conversions.made], indent=2))
        return
    print_documents(each.as_yaml() for each in conversions.made)
    opens = sum(not each.is_ready for each in conversions.made)
    if opens:
        say(f"{opens} of {len(conversions.made)} are not ready to apply: see TODO in each")
