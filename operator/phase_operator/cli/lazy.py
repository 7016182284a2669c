"""A click group that imports a subcommand when it is called, so that one does not load the modules of another."""

import importlib
from collections.abc import Mapping
from typing import Any

import click


class LazyGroup(click.Group):
    """Knows its subcommands as name -> (module, attribute)."""

    def __init__(self, *args: Any, modules: Mapping[str, tuple[str, str]], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._modules = modules

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names in the order in which `--help` shows them."""
        return list(self._modules)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import and return a subcommand, or None if none has that name."""
        if cmd_name not in self._modules:
            return None
        module, attribute = self._modules[cmd_name]
        command: click.Command = getattr(importlib.import_module(module), attribute)
        return command
