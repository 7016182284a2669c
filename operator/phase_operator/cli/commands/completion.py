"""`completion`: print what makes a shell complete commands and options."""

import click

from phase_operator.cli.commands.completion_scripts import Shell, script
from phase_operator.cli.common.options import HELP, example


@click.command(
    context_settings=HELP,
    epilog=example(
        "source <(phase-operator completion bash)",
        "phase-operator completion fish > ~/.config/fish/completions/phase-operator.fish",
        "kubectl phase completion kubectl > kubectl_complete-phase",
    ),
)
@click.argument("shell", type=click.Choice([str(each) for each in Shell]), metavar="bash|zsh|fish|kubectl")
def completion(shell: str) -> None:
    """Print the script that makes a shell complete commands, options and choices of `phase-operator`.

    The first example belongs into ~/.bashrc; for zsh, which takes the word zsh, into ~/.zshrc.

    For `kubectl phase`, kubectl's own completion asks a program on the PATH; `completion kubectl` prints that program.
    Names of resources are not completed.
    """
    click.echo(script(Shell(shell)), nl=False)
