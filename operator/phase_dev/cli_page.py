"""docs/cli.md from the commands themselves: what each says of itself, in Markdown.

Rule: nothing about a command is said here; what reads badly on the page is repaired at the command.
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence

import click

from phase_operator.cli import COMMANDS, cli
from phase_operator.cli.common.failures import INTERRUPTED, MEANINGS
from phase_operator.cli.common.options import HELP

PAGE = "docs/cli.md"
_PROGRAM, _OPERATOR = "kubectl phase", "phase-operator"
# What so many commands have in the same words is told once.
_SHARED_BY = 4
_EXAMPLE = "Example:"
# `run` has the table of settings.
_SETTINGS_COMMAND = "run"
_SETTINGS = "Every setting is an option and a variable: [Settings](operating/settings.md) has them all."
_HEAD = "| option | default | meaning |\n|---|---|---|"
_SECTIONS = tuple(dict.fromkeys(each.section for each in COMMANDS))

Named = tuple[click.Context, click.Command]


def exit_codes() -> str:
    """Return the table of exit codes."""
    rows = [f"| {code.value} | {text} |" for code, text in MEANINGS.items()]
    return "\n".join(["| exit code | meaning |", "|---|---|", *rows, f"| {INTERRUPTED} | Ctrl-C ended it. |"])


def commands() -> str:
    """Return a table of all commands, the options that many share, and a section for each command."""
    found = [*named()]
    shared = _shared(found)
    text = [_overview(found), "## Options of many commands", "\n".join([_HEAD, *shared])]
    for section in _SECTIONS:
        text.append(f"## {section}")
        of_it = {each.name for each in COMMANDS if each.section == section}
        text += [part for ctx, command in found if _first(ctx) in of_it for part in _section(ctx, command, shared)]
    return "\n\n".join(text)


def named() -> Iterator[Named]:
    """Yield every command that does something, with the context that knows its whole name."""
    yield from _of_group(click.Context(cli, info_name=_PROGRAM, **HELP))  # type: ignore[arg-type]


def examples(command: click.Command) -> list[str]:
    """Return the examples in a command's help."""
    lines = (command.epilog or "").splitlines()
    return [line.strip() for line in lines[lines.index(_EXAMPLE) + 1 :]] if _EXAMPLE in lines else []


def _of_group(ctx: click.Context) -> Iterator[Named]:
    group = ctx.command
    assert isinstance(group, click.Group)
    for name in group.list_commands(ctx):
        command = group.get_command(ctx, name)
        assert command is not None
        inner = click.Context(command, info_name=name, parent=ctx)
        if isinstance(command, click.Group):
            yield from _of_group(inner)
        else:
            yield inner, command


def _overview(found: Sequence[Named]) -> str:
    """Return a table of the commands in the order of their sections, each with a link to its first heading."""
    links: dict[str, str] = {}
    for ctx, _ in found:
        links.setdefault(_first(ctx), "-".join(_words(ctx)))
    rows = ["| command | what it does |", "|---|---|"]
    for section in _SECTIONS:
        rows += [
            f"| [`{each.name}`](#{links[each.name]}) | {each.about} |" for each in COMMANDS if each.section == section
        ]
    return "\n".join(rows)


def _first(ctx: click.Context) -> str:
    return _words(ctx)[0]


def _words(ctx: click.Context) -> list[str]:
    """Return the name of a command without the program's."""
    return ctx.command_path.removeprefix(_PROGRAM).split()


def _section(ctx: click.Context, command: click.Command, shared: Sequence[str]) -> Iterator[str]:
    name = " ".join(_words(ctx))
    yield f"### {name}"
    yield from (" ".join(each.split()) for each in (command.help or "").split("\n\n"))
    program = _OPERATOR if name == _SETTINGS_COMMAND else _PROGRAM
    usage = " ".join([program, name, *command.collect_usage_pieces(ctx)])
    yield "\n".join(["```console", f"$ {usage}", "```"])
    yield "\n".join(["```console", *(f"$ {each}" for each in examples(command)), "```"])
    if name == _SETTINGS_COMMAND:
        yield _SETTINGS
        return
    rows = [*_rows(ctx, command)]
    own = [row for row in rows if row not in shared]
    if own:
        yield "\n".join([_HEAD, *own])
    if len(own) < len(rows):
        names = ", ".join(f"`{row.split('`')[1].split()[0].rstrip(',')}`" for row in rows if row in shared)
        yield f"And [options of many commands](#options-of-many-commands): {names}."


def _shared(found: Sequence[Named]) -> list[str]:
    """Return the rows that several commands have in the same words, the most frequent first."""
    counted = Counter(row for ctx, command in found if _first(ctx) != _SETTINGS_COMMAND for row in _rows(ctx, command))
    return [row for row, count in counted.most_common() if count >= _SHARED_BY]


def _rows(ctx: click.Context, command: click.Command) -> Iterator[str]:
    for option in command.params:
        record = option.get_help_record(ctx)
        if not isinstance(option, click.Option) or record is None or option.name == "help":
            continue
        extra = option.get_help_extra(ctx)
        about = (option.help or "").strip()
        about += " **Required.**" if option.required else ""
        about += f" {_range(str(extra['range']))}." if "range" in extra else ""
        yield f"| `{_cell(record[0])}` | {_default(option, extra, ctx)} | {_cell(about)} |"


def _range(text: str) -> str:
    """Return a range as people say it; click has it as `1<=x<=9` and `x>=1`."""
    least, _, most = text.partition("<=x<=")
    return f"From {least} to {most}" if most else text.replace("x>=", "At least ").replace("x<=", "At most ")


def _default(option: click.Option, extra: Mapping[str, object], ctx: click.Context) -> str:
    told = [f"`{extra['default']}`"] if "default" in extra else []
    told += [f"`${option.envvar}`"] if isinstance(option.envvar, str) else []
    return ", ".join(told)


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")
