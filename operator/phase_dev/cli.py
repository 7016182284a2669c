"""The `phase-dev` command: one subcommand per tool, imported only when it is called."""

import importlib

import click

# name -> (module, attribute). Lazy, so that `phase-dev server` does not pay for the cluster and the reverse.
COMMANDS = {
    "cluster": ("phase_dev.cluster.cli", "cluster"),
    "server": ("phase_dev.server.cli", "server"),
    "demo": ("phase_dev.demo.cli", "demo"),
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
        command = getattr(importlib.import_module(module), attribute)
        if not isinstance(command, click.Command):
            raise TypeError(f"{module}.{attribute} is not a click command")
        return command


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
def main() -> None:
    """Tools beside phase-operator: an embedded Phase server, a Kubernetes control plane on loopback, a demo."""
