"""`phase-operator run`: start the operator.

Rule: every setting is a flag and an environment variable of the same name; both come from one model, so they agree.
"""

import asyncio
import gc
import sys
from collections.abc import Callable
from typing import Any

import click

from phase_operator.cli.commands.setting_options import setting_option
from phase_operator.cli.common.options import HELP, example
from phase_operator.settings import Settings, SettingsError, load

_BAD_SETTINGS = 2


def _flags(command: Callable[..., None]) -> Callable[..., None]:
    for name, field in reversed(Settings.model_fields.items()):
        command = setting_option(name, field)(command)
    return command


@click.command(
    context_settings=HELP, epilog=example("phase-operator run --log-level debug --namespace shop --namespace checkout")
)
@_flags
def run(**flags: Any) -> None:
    """Watch PhaseSecrets and keep their targets in step with Phase, until stopped."""
    # Modules stay: looking for garbage among them takes a sixth of the start. `wiring` begins with it.
    gc.disable()
    # Imported here: --help should not wait for kopf and the Kubernetes client.
    from phase_operator import wiring

    try:
        code = asyncio.run(wiring.run(load(flags)))
    except (SettingsError, wiring.StartError) as error:
        click.echo(f"phase-operator: {error}", err=True)
        code = _BAD_SETTINGS
    sys.exit(code)
