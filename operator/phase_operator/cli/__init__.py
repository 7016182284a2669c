"""The command line: arguments in, exit code out. Subcommands are imported when they are called."""

import importlib

import click

from phase_operator import __version__

# name -> (module, attribute): `phase-operator crds` does not pay for kopf and the Kubernetes client.
COMMANDS = {
    "run": ("phase_operator.cli.run", "run"),
    "crds": ("phase_operator.cli.crds", "crds"),
}


class LazyGroup(click.Group):
    """A group whose subcommands are imported on first use."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names in the order in which `--help` shows them."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import and return one subcommand, or None when there is none of that name."""
        if cmd_name not in COMMANDS:
            return None
        module, attribute = COMMANDS[cmd_name]
        command: click.Command = getattr(importlib.import_module(module), attribute)
        return command


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="phase-operator")
def main() -> None:
    """Keep Secrets and ConfigMaps in step with Phase."""
