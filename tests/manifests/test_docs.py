"""The pages say what is there: links, verbs, settings and commands."""

import ast
import re
import shlex
from collections.abc import Callable, Iterable, Iterator
from functools import cache
from pathlib import Path

import click
import pytest

from manifests.objects import ROOT
from phase_dev.cli import main as phase_dev
from phase_operator.cli import cli as phase_operator
from phase_operator.settings import PREFIX, Settings

INDEX = ROOT / "docs/README.md"
PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), ROOT / "deploy/README.md", *ROOT.glob("helm/*/*.md")])
COMMANDS: dict[str, click.Command] = {
    "phase-dev": phase_dev,
    "phase-operator": phase_operator,
    "kubectl phase": phase_operator,
}


def faults(find: Callable[[Path], Iterable[str]]) -> list[str]:
    """Return what is wrong with which page, a line each."""
    return [f"{page.relative_to(ROOT)}: {fault}" for page in PAGES for fault in find(page)]


def links(page: Path) -> Iterator[str]:
    """Yield the targets of a page's relative links; what looks like one in code is none."""
    for target in re.findall(r"\]\(([^)\s]+)\)", without_code(page.read_text())):
        if not re.match(r"[a-z]+:", target):
            yield target


def without_code(text: str) -> str:
    """Take out fenced blocks and spans of code."""
    return re.sub(r"`[^`\n]*`", "", re.sub(r"^ *```.*?^ *```", "", text, flags=re.DOTALL | re.MULTILINE))


def code(text: str) -> Iterator[str]:
    """Yield every line of the fenced and indented blocks, and every span of code."""
    for block in re.findall(r"^ *```[^\n]*\n(.*?)^ *```", text, re.DOTALL | re.MULTILINE):
        yield from block.splitlines()
    rest = re.sub(r"^ *```.*?^ *```", "", text, flags=re.DOTALL | re.MULTILINE)
    yield from re.findall(r"^ {4}(.*)$", rest, re.MULTILINE)
    yield from re.findall(r"`([^`\n]+)`", rest)


@cache
def anchors(page: Path) -> set[str]:
    """Return what the headings of a page can be linked by."""
    text = re.sub(r"^```.*?^```", "", page.read_text(), flags=re.DOTALL | re.MULTILINE)
    headings = re.findall(r"^#+ (.+)$", text, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def called(line: str) -> Iterator[tuple[str, list[str]]]:
    """Yield our commands that a line of shell calls, each with its words up to the first option."""
    place = r"(?:^|[$|;&] ?|\btime |\.venv/bin/)\s*"
    for name, rest in re.findall(rf"{place}(phase-dev|phase-operator|kubectl phase)((?: +[a-z][-a-z]*)+)", line):
        yield name, shlex.split(rest)


def unknown(command: click.Command, words: list[str]) -> str | None:
    """Return the first word that is no subcommand, or None if the command takes them."""
    if not isinstance(command, click.Group) or not words:
        return None
    found = command.get_command(click.Context(command), words[0])
    return words[0] if found is None else unknown(found, words[1:])


def test_every_relative_link_leads_somewhere() -> None:
    def dead(page: Path) -> Iterator[str]:
        for target in links(page):
            path, _, anchor = target.partition("#")
            file = (page.parent / path).resolve() if path else page
            if not file.exists() or (anchor and anchor not in anchors(file)):
                yield target

    assert faults(dead) == []


def test_every_verb_of_make_exists() -> None:
    verbs = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))

    def named(page: Path) -> set[str]:
        return {verb for line in code(page.read_text()) for verb in re.findall(r"(?:^|[ $])make +([a-z]+)\b", line)}

    assert faults(lambda page: named(page) - verbs) == []
    assert named(ROOT / "CONTRIBUTING.md")


def test_every_command_of_ours_exists() -> None:
    def wrong(page: Path) -> Iterator[str]:
        for line in code(page.read_text()):
            for name, words in called(line):
                if unknown(COMMANDS[name], words) is not None:
                    yield f"{name} {' '.join(words)}"

    assert faults(wrong) == []


def test_every_variable_of_ours_is_a_setting() -> None:
    known = {f"{PREFIX}{name.upper()}" for name in Settings.model_fields} | {PREFIX}

    assert faults(lambda page: set(re.findall(rf"{PREFIX}[A-Z_]*", page.read_text())) - known) == []


def test_the_settings_page_tells_every_setting() -> None:
    page = (ROOT / "docs/operating/settings.md").read_text()

    for name in Settings.model_fields:
        assert f"| `--{name.replace('_', '-')}` | `{PREFIX}{name.upper()}` |" in page


def test_the_page_about_logs_has_every_line() -> None:
    """With its level; the messages of InternalErrors are its methods' arguments, and errors all of them."""
    calls = [
        node
        for file in (ROOT / "operator/phase_operator").rglob("*.py")
        for node in ast.walk(ast.parse(file.read_text()))
        if isinstance(node, ast.Call)
    ]
    said = {(name, level) for call in calls for name, level in spoken(call)}
    page = (ROOT / "docs/operating/logs.md").read_text()

    told = {
        (message, level)
        for names, level in re.findall(r"^\| (`.*?`) \| (\w+) \|", page, re.MULTILINE)
        for message in re.findall("`([^`]+)`", names)
    }
    assert len(said) > 20
    assert told == said


def spoken(call: ast.Call) -> Iterator[tuple[str, str]]:
    """Yield the message of a call that logs, and its level."""
    match call:
        case ast.Call(func=ast.Attribute(value=ast.Name(id="log"), attr=level), args=[ast.Constant(value=str(text))]):
            yield text, level
        case ast.Call(
            func=ast.Attribute(attr="attempt" | "attempt_now" | "caught" | "succeeded" | "value_or"),
            args=[ast.Constant(value=str(text)), *_],
        ):
            yield text, "error"


def test_the_index_links_every_page() -> None:
    linked = {(INDEX.parent / target.partition("#")[0]).resolve() for target in links(INDEX)}

    pages = {page for page in PAGES if page.is_relative_to(ROOT / "docs")} - {INDEX}
    assert {str(page.relative_to(ROOT)) for page in pages - linked} == set()


def test_no_page_names_what_does_not_belong_there() -> None:
    """The repository stands on its own: no paths of a machine, no address of a package index."""
    odd = re.compile(r"/work/|\.\./shared|/root/|https?://[^\s)]*(pypi|simple)/")

    assert [str(page.relative_to(ROOT)) for page in PAGES if odd.search(page.read_text())] == []


@pytest.mark.parametrize(
    ("line", "wrong"),
    [
        pytest.param("$ phase-dev cluster run --nodes 1", None, id="a subcommand of a group"),
        pytest.param("$ phase-dev cluster fly", "fly", id="none of a group"),
        pytest.param("phase-operator preview", "preview", id="none of the program"),
        pytest.param("phase-operator crds | kubectl apply -f -", None, id="before a pipe"),
    ],
)
def test_the_check_of_commands_notices_an_unknown_word(line: str, wrong: str | None) -> None:
    (name, words), *_ = called(line)

    assert unknown(COMMANDS[name], words) == wrong
