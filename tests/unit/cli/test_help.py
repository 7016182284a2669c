"""What the commands say of themselves: in their help, on the page of all commands, and to a shell that completes."""

import os
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import click
import pytest
from click.shell_completion import CompletionItem
from click.testing import CliRunner

from phase_dev.cli_page import commands, examples, named
from phase_operator.cli import cli, main
from phase_operator.cli.commands.completion_scripts import VARIABLE, Shell, answer, script
from phase_operator.cli.common.failures import MEANINGS, ExitCode
from phase_operator.settings import PREFIX, Settings
from support import copies

ALL = [*named()]
IDS = [ctx.command_path for ctx, _ in ALL]
# What takes time to import; `--help` and `version` need none of it.
SLOW = ("kopf", "pydantic", "kubernetes", "aiohttp", "httpx", "yaml", "prometheus_client", "phase_operator.settings")
OPERATOR_ONLY = ("kopf", "prometheus_client", "phase_operator.wiring", "phase_operator.handlers")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Give a folder with the program under its names, as it is installed on a PATH; it runs as a copy."""
    copies.put(tmp_path, "phase-operator", "kubectl-phase")
    return tmp_path


def run(path: Path, *arguments: str | Path, **variables: str) -> str:
    found = {
        "PATH": f"{path}:{os.environ.get('PATH', os.defpath)}",
        "PYTHONPATH": os.pathsep.join(filter(None, sys.path)),
        **variables,
    }
    return subprocess.run(arguments, env=found, capture_output=True, text=True, check=True, timeout=60).stdout


def imported(*arguments: str, looked_for: tuple[str, ...]) -> str:
    code = f"import sys; from phase_operator.cli import cli, main; {'; '.join(arguments)}"
    told = f"; print([name for name in {looked_for!r} if name in sys.modules], file=sys.stderr)"
    done = subprocess.run([sys.executable, "-c", code + told], capture_output=True, text=True, check=True, timeout=60)
    return done.stderr.strip()


@pytest.mark.parametrize("words", [["--help"], ["version"], ["--version"], ["completion", "bash"]], ids=" ".join)
def test_help_and_version_import_nothing_that_takes_time(words: list[str]) -> None:
    called = f"\ntry: cli({words!r}, prog_name='phase-operator')\nexcept SystemExit: pass\npass"

    assert imported(called, looked_for=SLOW) == "[]"


def test_the_help_of_no_command_but_run_imports_the_operator() -> None:
    helped = [[*ctx.command_path.split()[2:], "--help"] for ctx, _ in ALL if ctx.info_name != "run"]
    called = (
        f"\nfor words in {helped!r}:\n  try: cli(words)\n  except SystemExit as end: assert not end.code, words\npass"
    )

    assert imported(called, looked_for=OPERATOR_ONLY) == "[]"


@pytest.mark.parametrize(("ctx", "command"), ALL, ids=IDS)
def test_every_command_has_an_example_that_it_accepts(ctx: click.Context, command: click.Command) -> None:
    own = [line for line in examples(command) if _arguments(line, ctx.command_path) is not None]

    assert own
    for line in own:
        arguments = _arguments(line, ctx.command_path)
        assert arguments is not None
        inner = click.Context(command, info_name=ctx.info_name, parent=ctx.parent)
        inner.params = command.make_parser(inner).parse_args(arguments)[0]
        choices = ((each, inner.params.get(each.name or "")) for each in command.params)
        for parameter, given in choices:
            if isinstance(parameter.type, click.Choice) and isinstance(given, str):
                assert parameter.type.convert(given, parameter, inner)


def _arguments(line: str, path: str) -> list[str] | None:
    """Return the arguments of an example; None if it is none of this command."""
    words = shlex.split(line.replace("source <(", "").rstrip(")"))
    for sign in ("|", ">", "&&"):
        words = words[: words.index(sign)] if sign in words else words
    name = path.removeprefix("kubectl phase").split()
    for program in (["kubectl", "phase"], ["phase-operator"]):
        if words[: len(program) + len(name)] == [*program, *name]:
            return words[len(program) + len(name) :]
    return None


@pytest.mark.parametrize(("ctx", "command"), ALL, ids=IDS)
def test_every_help_ends_in_the_example_as_it_was_written(ctx: click.Context, command: click.Command) -> None:
    told = command.get_help(click.Context(command, info_name=ctx.info_name, parent=ctx.parent))

    for line in examples(command):
        assert f"\n    {line}" in told


@pytest.mark.parametrize(("ctx", "command"), ALL, ids=IDS)
def test_every_option_says_what_it_takes_and_what_it_is(ctx: click.Context, command: click.Command) -> None:
    for option in _options(command):
        assert (option.help or "").strip().endswith("."), option.name
        record = option.get_help_record(ctx)
        assert record is not None
        assert not record[0].endswith((" TEXT", " VALUE", " FLOAT", " INTEGER")) or option.name == "reason", record[0]


def _options(command: click.Command) -> Iterator[click.Option]:
    return (each for each in command.params if isinstance(each, click.Option) and not each.hidden)


def test_the_page_has_every_command_and_every_option() -> None:
    page = commands()

    for ctx, command in ALL:
        assert f"\n### {' '.join(ctx.command_path.split()[2:])}\n" in page
        for option in _options(command):
            if ctx.info_name != "run":
                assert any(each in page for each in option.opts), option.opts
    assert "VALUE" not in page


def test_every_exit_code_has_a_meaning() -> None:
    assert list(MEANINGS) == list(ExitCode)


def test_a_setting_tells_its_choices_its_range_its_default_and_its_variable() -> None:
    told = " ".join(CliRunner().invoke(cli, ["run", "--help"], prog_name="phase-operator").stdout.split())

    assert "--log-format [json|text] " in told
    workers = f"{Settings.model_fields['workers'].description} [env var: {PREFIX}WORKERS; default: 32; 1 to 256]"
    assert f"--workers NUMBER {workers}" in told
    assert f"[env var: {PREFIX}DRAIN_SECONDS; default: 4; 0 to 600]" in told
    assert "--push [true|false] " in told
    assert "--phase-ca-file FILE " in told
    assert " VALUE " not in told


@pytest.mark.parametrize(("ctx", "command"), [each for each in ALL if each[0].info_name == "run"], ids=["run"])
def test_the_help_of_a_setting_tells_its_bounds(ctx: click.Context, command: click.Command) -> None:
    for option in _options(command):
        extra = option.get_help_extra(ctx)
        if "default" in extra and not isinstance(Settings.model_fields[option.name or ""].default, bool):
            assert str(extra["default"]) == f"{Settings.model_fields[option.name or ''].default}".removesuffix(".0")


@pytest.mark.parametrize("shell", [Shell.BASH, Shell.ZSH, Shell.FISH])
def test_a_shell_gets_a_script_that_calls_the_program(shell: Shell) -> None:
    result = CliRunner().invoke(cli, ["completion", str(shell)])

    assert result.exit_code == 0
    assert result.stdout == script(shell)
    assert f"{VARIABLE}={shell}_complete" in result.stdout
    assert "phase-operator" in result.stdout.replace(VARIABLE, "")


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["phase-operator", "s"], {"plain,sync", "plain,suspend"}),
        (["phase-operator", "migrate", ""], {"plain,check", "plain,convert", "plain,adopt"}),
        (["phase-operator", "sync", "--wa"], {"plain,--wait"}),
        (["phase-operator", "get", "-o", "w"], {"plain,wide"}),
        (["phase-operator", "run", "--log-level", ""], {"plain,debug", "plain,info", "plain,warning", "plain,error"}),
        (["phase-operator", "lint", "--filename", "x"], {"file,x"}),
    ],
)
def test_the_program_answers_bash(path: Path, words: list[str], expected: set[str]) -> None:
    variables = {VARIABLE: "bash_complete", "COMP_WORDS": shlex.join(words), "COMP_CWORD": str(len(words) - 1)}
    told = run(path, "phase-operator", **variables)

    assert set(told.split()) == expected


@pytest.mark.skipif(shutil.which("bash") is None, reason="there is no bash")
def test_a_real_bash_completes(path: Path, tmp_path: Path) -> None:
    (tmp_path / "completion.bash").write_text(run(path, "phase-operator", "completion", "bash"))
    asked = (
        f"source {tmp_path}/completion.bash; complete -p phase-operator; "
        'COMP_WORDS=(phase-operator migrate check --from e); COMP_CWORD=4; "$(complete -p phase-operator | '
        'sed \'s/.*-F \\([^ ]*\\) .*/\\1/\')" phase-operator; echo "${COMPREPLY[@]}"'
    )

    *_, completed = run(path, "bash", "--norc", "-c", asked).splitlines()

    assert completed == "eso"


def test_the_program_for_kubectl_answers_as_cobra_does(path: Path) -> None:
    program = path / "kubectl_complete-phase"
    program.write_text(run(path, "kubectl-phase", "completion", "kubectl"))
    program.chmod(0o755)

    *candidates, directive = run(path, program, "auth", "").splitlines()
    assert [each.partition("\t")[0] for each in candidates] == ["check", "create"]
    assert directive == ":4"
    assert run(path, program, "get", "-o", "").split() == ["table", "wide", "yaml", "json", "name", ":4"]
    assert run(path, program, "lint", "-f", "").split() == [":0"]


def test_an_answer_to_kubectl_has_a_line_a_candidate() -> None:
    plain = CompletionItem("sync", help="Read\nnow.")

    assert answer([plain]) == "sync\tRead now.\n:4"
    assert answer([CompletionItem("", type="dir")]) == ":16"
    assert answer([CompletionItem("x", type="file")]) == ":0"
    assert answer([]) == ":4"


def test_the_program_is_called_by_the_name_by_which_it_was_started(path: Path) -> None:
    assert run(path, "kubectl-phase", "get", "--help").startswith("Usage: kubectl phase get ")
    assert run(path, "phase-operator", "get", "--help").startswith("Usage: phase-operator get ")
    assert callable(main)
