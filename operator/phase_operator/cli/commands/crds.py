"""`phase-operator crds`: print the CustomResourceDefinitions.

Rule: the CRDs are generated from the models of this version, so what is piped into `kubectl apply --server-side` always
fits the operator that printed it.
"""

import click

from phase_operator.api import crd
from phase_operator.cli.common.options import HELP, example


@click.command(context_settings=HELP, epilog=example("kubectl phase crds | kubectl apply --server-side -f -"))
def crds() -> None:
    """Print the CustomResourceDefinitions of this version as YAML."""
    for definition in crd.DEFINITIONS:
        click.echo("---")
        click.echo(crd.as_yaml(crd.document(definition)), nl=False)
