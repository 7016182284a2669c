"""A click group that imports a subcommand when it is called, so that one does not load the modules of another.

`--help` imports none: the group has a line about each.
"""

import importlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, NoReturn

import click
from click.shell_completion import CompletionItem

from phase_operator.cli.common.failures import ending, to_a_reader


@dataclass(frozen=True, slots=True)
class Lazy:
    """A subcommand: its name, where it is, what `--help` says of it, and below which heading."""

    name: str
    module: str
    attribute: str
    about: str
    section: str = "Commands"


class LazyGroup(click.Group):
    """Knows its subcommands by name, and imports each when it is called."""

    def __init__(self, *args: Any, lazies: Sequence[Lazy], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._lazies = {each.name: each for each in lazies}

    def main(  # type: ignore[override]  # click's overloads say only that it does not return
        self, args: Sequence[str] | None = None, prog_name: str | None = None, **extra: Any
    ) -> NoReturn:
        """Run the command line and exit with a code of `failures.ExitCode`."""
        run = partial(super().main, args, prog_name, **{**extra, "standalone_mode": False})
        raise SystemExit(ending(run))

    def invoke(self, ctx: click.Context) -> Any:
        """Run the subcommand; a reader of its output that goes away is no error."""
        return to_a_reader(partial(super().invoke, ctx))

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names in the order in which `--help` shows them."""
        return list(self._lazies)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import and return a subcommand, or None if none has that name."""
        found = self._lazies.get(cmd_name)
        if found is None:
            return None
        command: click.Command = getattr(importlib.import_module(found.module), found.attribute)
        return command

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        """Return the subcommands and options that begin like this; no subcommand is imported for it."""
        own = [CompletionItem(each.name, help=each.about) for each in self._lazies.values()]
        options = click.Command.shell_complete(self, ctx, incomplete)
        return [*(each for each in own if each.value.startswith(incomplete)), *options]

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write a line for each subcommand, below the headings of their sections."""
        for section in dict.fromkeys(each.section for each in self._lazies.values()):
            with formatter.section(section):
                formatter.write_dl(
                    [(each.name, each.about) for each in self._lazies.values() if each.section == section]
                )
