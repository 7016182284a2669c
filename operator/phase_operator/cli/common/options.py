"""The options that commands share, named as kubectl names them.

Rule: a token is never an argument, since other processes of the machine can read arguments.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import reduce, wraps
from math import isfinite
from pathlib import Path
from typing import Any, TypeVar

import click

from phase_operator.core.errors import Invalid
from phase_operator.core.label_selector import EVERYTHING, parse_selector
from phase_operator.core.object_names import is_namespace, is_object_name
from phase_operator.core.text import clean

HELP = {"help_option_names": ["-h", "--help"]}
Command = TypeVar("Command", bound=Callable[..., Any])
Decorator = Callable[[Command], Command]
_FILE = click.Path(path_type=Path, dir_okay=False)


class _Name(click.ParamType[str]):
    """A text that Kubernetes takes for a name: `-n ""` or `-n ..` would be all namespaces."""

    def __init__(self, name: str, is_one: Callable[[str], bool]) -> None:
        self.name = name
        self._is_one = is_one

    def convert(self, value: str, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """Return a name as it is given; fail on what is none."""
        if not self._is_one(value):
            self.fail(f'"{clean(value)}" is no {self.name}', param, ctx)
        return value


NAMESPACE = _Name("name of a namespace", is_namespace)
OBJECT_NAME = _Name("name of an object", is_object_name)


def example(*commands: str) -> str:
    """Return the end of a command's help: how people call it. docs/cli.md shows it too."""
    # After \\b, click leaves the lines of a paragraph as they are.
    return "\n".join(["\b", "Example:", *(f"  {each}" for each in commands)])


def combined(*decorators: Decorator[Any]) -> Decorator[Any]:
    """Return one decorator for several; the first one's option is the first in `--help`."""
    return lambda command: reduce(lambda made, decorator: decorator(made), reversed(decorators), command)


@dataclass(frozen=True, slots=True)
class ClusterOptions:
    """Which cluster a command goes to, and which namespace."""

    kubeconfig: Path | None
    context: str | None
    # None: the namespace of the context.
    namespace: str | None
    all_namespaces: bool = False


def cluster_options(*, all_namespaces: bool = False) -> Decorator[Any]:
    """Give a command a parameter `at`, of ClusterOptions, by --kubeconfig, --context and -n; and -A if it takes it."""
    flags = [
        click.option(
            "-n", "--namespace", type=NAMESPACE, metavar="NAMESPACE", help="Namespace. Default: that of the context."
        ),
        click.option("--context", metavar="NAME", help="Context of the kubeconfig. Default: the current one."),
        click.option(
            "--kubeconfig",
            type=_FILE,
            envvar="KUBECONFIG",
            help="Kubeconfig. Default: $KUBECONFIG, else ~/.kube/config.",
        ),
    ]
    if all_namespaces:
        flags.insert(1, click.option("-A", "--all-namespaces", is_flag=True, help="All namespaces."))

    def decorate(command: Callable[..., Any]) -> Callable[..., Any]:
        @wraps(command)
        def run(*args: Any, **given: Any) -> Any:
            names = ("kubeconfig", "context", "namespace", "all_namespaces")
            at = ClusterOptions(**{name: given.pop(name) for name in names if name in given})
            if at.namespace and at.all_namespaces:
                raise click.UsageError("give either -n or -A")
            return command(*args, at=at, **given)

        return combined(*flags)(run)  # type: ignore[no-any-return]

    return decorate


def output_option(*formats: str) -> Decorator[Any]:
    """Give a command a parameter `output`: one of these formats, the first by default."""
    return click.option(
        "-o",
        "--output",
        type=click.Choice(formats),
        default=formats[0],
        show_default=True,
        help="Format of the output.",
    )


def selector_option() -> Decorator[Any]:
    """Give a command a parameter `selector`: labels, in kubectl's syntax."""
    return click.option(
        "-l", "--selector", default="", callback=_selector, metavar="LABELS", help="Only those with these labels."
    )


def _selector(context: click.Context, parameter: click.Parameter, given: str) -> str:
    try:
        selects_everything = parse_selector(given) == EVERYTHING
    except Invalid as error:
        raise click.BadParameter(clean(error.message), context, parameter) from error
    # A variable that was meant to hold labels and is blank must not act on all.
    if given and selects_everything:
        raise click.BadParameter("it names no label", context, parameter)
    return given


def _finite(context: click.Context, parameter: click.Parameter, seconds: float) -> float:
    if not isfinite(seconds):
        raise click.BadParameter("give a number of seconds", context, parameter)
    return seconds


def timeout_option(default: float) -> Decorator[Any]:
    """Give a command a parameter `timeout`, in seconds, of at least one."""
    return click.option(
        "--timeout",
        type=click.FloatRange(min=1),
        callback=_finite,
        default=default,
        show_default=True,
        metavar="SECONDS",
        help="How long to wait.",
    )


def files_option() -> Decorator[Any]:
    """Give a command a parameter `files`: paths of YAML, folders among them; `-` is the standard input."""
    return click.option(
        "-f",
        "--filename",
        "files",
        # For completion; whether it is there is found out when it is read.
        type=click.Path(allow_dash=True),
        multiple=True,
        metavar="FILE",
        help="YAML file or folder; - is the standard input. May be repeated.",
    )


def show_values_option() -> Decorator[Any]:
    """Give a command the flag that shows values."""
    return click.option("--show-values", is_flag=True, help="Show values of secrets, which are masked otherwise.")
