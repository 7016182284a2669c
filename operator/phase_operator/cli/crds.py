"""`phase-operator crds`: print the CustomResourceDefinitions.

Rule: it prints what the models of this very version say, so that a CRD that is piped into `kubectl apply --server-side`
never is one of another version.
"""

import click

from phase_operator.api import crd


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
def crds() -> None:
    """Print the CustomResourceDefinitions of this version as YAML."""
    for definition in crd.DEFINITIONS:
        click.echo("---")
        click.echo(crd.as_yaml(crd.document(definition)), nl=False)
