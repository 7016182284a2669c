"""The operator's settings as options of `run`.

Rule: an option tells what it takes, and Settings checks it, so that a flag and its variable have the same rules and the
same one-line error.
"""

from collections.abc import Mapping
from enum import StrEnum
from pathlib import Path
from typing import Any

import click
from click.shell_completion import CompletionItem
from pydantic.fields import FieldInfo

from phase_operator.cli.common.options import Decorator
from phase_operator.core.json_access import filled
from phase_operator.settings import PREFIX, REPEATED

_DEFAULT = " Default: "
# What those take whose type says nothing to a person.
_TAKEN = {
    "namespace": "NAMESPACE",
    "pod_namespace": "NAMESPACE",
    "grant": "GRANT",
    "allow_phase_host": "URL",
    "default_host": "URL",
    "host": "ADDRESS",
    "metrics_host": "ADDRESS",
}

# The types that a person knows by how their values are written, what a shell completes for them, and their word.
_BY_TYPE: Mapping[object, tuple[click.ParamType[Any], str]] = {
    bool: (click.Choice(["true", "false"]), "[true|false]"),
    Path | None: (click.Path(dir_okay=False), "FILE"),
    float: (click.FLOAT, "SECONDS"),
}


class _Told(click.ParamType[str]):
    """Says what an option takes, and leaves the check to Settings."""

    def __init__(self, kind: click.ParamType[Any], metavar: str) -> None:
        self._kind = kind
        self.name = kind.name
        self.taken = metavar

    def get_metavar(self, param: click.Parameter, ctx: click.Context) -> str:
        """Return what the help shows behind the flag."""
        return self.taken

    def shell_complete(self, ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
        """Return what a shell may complete: choices, or a file."""
        return self._kind.shell_complete(ctx, param, incomplete)


class SettingOption(click.Option):
    """A setting: its help also tells its variable, its default and its range."""

    def __init__(self, *args: Any, variable: str, usual: str, limits: str, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.variable, self.usual, self.limits = variable, usual, limits

    def get_help_extra(self, ctx: click.Context) -> Any:
        """Return what stands in brackets behind the help."""
        told = {"default": self.usual, "range": self.limits}
        return {"envvars": (self.variable,), **filled(told)}


def setting_option(name: str, field: FieldInfo) -> Decorator[Any]:
    """Give a command the option of a setting; its value is what was typed, for Settings to check."""
    about = field.description or ""
    # A flag of a switch needs no value: --flag is --flag=true.
    alone: Any = {"is_flag": False, "flag_value": "true"} if field.annotation is bool else {}
    return click.option(
        f"--{name.replace('_', '-')}",
        name,
        cls=SettingOption,
        type=_taken(name, field),
        multiple=name in REPEATED,
        help=about,
        variable=f"{PREFIX}{name.upper()}",
        usual="" if _DEFAULT in about else _shown(field.default),
        limits=_limits(field),
        **alone,
    )


def _taken(name: str, field: FieldInfo) -> _Told:
    kind = field.annotation
    if name in _TAKEN:
        return _Told(click.STRING, _TAKEN[name])
    if kind in _BY_TYPE:
        return _Told(*_BY_TYPE[kind])
    if isinstance(kind, type) and issubclass(kind, StrEnum):
        return _Told(click.Choice([str(each) for each in kind]), f"[{'|'.join(kind)}]")
    if kind in (int, int | None):
        return _Told(click.INT, "MIB" if name.endswith("_mib") else "NUMBER")
    return _Told(click.STRING, "NAME")


def _shown(default: object) -> str:
    if isinstance(default, bool):
        return str(default).lower()
    if isinstance(default, float):
        return f"{default:g}"
    return "" if default is None else str(default)


def _limits(field: FieldInfo) -> str:
    least, most = (
        next((getattr(each, name) for each in field.metadata if hasattr(each, name)), None) for name in ("ge", "le")
    )
    return "" if least is None or most is None else f"{least} to {most}"
