"""The option by which commands are told the operator's setting of a host for resources that name none."""

from typing import Any

import click

from phase_operator.cli.common.options import Decorator
from phase_operator.core.access.default_host import parse_default_host
from phase_operator.settings import default_host


def default_host_option() -> Decorator[Any]:
    """Give a command a parameter `default_host`; None if it is not told."""
    return click.option(
        "--default-host",
        metavar="URL",
        default=lambda: default_host() or None,
        callback=_usable,
        help="Host of Phase for resources that name none, as the operator's setting. Default: "
        "$PHASE_OPERATOR_DEFAULT_HOST, else Phase's cloud.",
    )


def _usable(_: click.Context, __: click.Parameter, host: str | None) -> str | None:
    try:
        return None if host is None else parse_default_host(host)
    except ValueError as error:
        raise click.UsageError(f"--default-host: {error}") from None
