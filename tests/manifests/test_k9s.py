"""The plugin for k9s has the fields that k9s knows, and runs commands that our program takes."""

import re
import shlex
from typing import Any

import click
import pytest

from manifests.objects import ROOT
from phase_dev import documents
from phase_operator.api.crd import DEFINITIONS
from phase_operator.cli import cli

PLUGIN = ROOT / "contrib/k9s/phase.yaml"
# https://k9scli.io/topics/plugins and k9s' own schema of such a file, which takes no other field.
REQUIRED = {"shortCut": str, "description": str, "scopes": list, "command": str}
OPTIONAL = {
    "override": bool,
    "confirm": bool,
    "dangerous": bool,
    "background": bool,
    "overwriteOutput": bool,
    "args": list,
}
# What k9s puts in place of a variable, for a row of a view.
ROW = {"$RESOURCE_NAME": "phasesecrets", "$NAMESPACE": "shop", "$NAME": "shop", "$CONTEXT": "kind-kind"}


@pytest.fixture(scope="module")
def plugins() -> dict[str, dict[str, Any]]:
    found = documents.load(PLUGIN.read_text())
    assert found.keys() == {"plugins"}
    plugins: dict[str, dict[str, Any]] = found["plugins"]
    return plugins


def test_the_plugin_has_the_fields_of_k9s(plugins: dict[str, dict[str, Any]]) -> None:
    known = REQUIRED | OPTIONAL

    for name, found in plugins.items():
        assert REQUIRED.keys() <= found.keys() <= known.keys(), name
        assert [field for field, value in found.items() if not isinstance(value, known[field])] == [], name
        assert all(isinstance(each, str) for each in found["args"]), name


def test_each_key_of_the_plugin_has_one_meaning(plugins: dict[str, dict[str, Any]]) -> None:
    keys = [found["shortCut"] for found in plugins.values()]

    assert len(set(keys)) == len(keys)
    assert [each for each in keys if not re.fullmatch(r"(Shift|Ctrl)-[A-Z]", each)] == []


def test_the_plugin_is_for_all_kinds_of_ours(plugins: dict[str, dict[str, Any]]) -> None:
    assert {tuple(found["scopes"]) for found in plugins.values()} == {tuple(each.plural for each in DEFINITIONS)}


def test_the_plugin_asks_before_it_changes_what_is_served(plugins: dict[str, dict[str, Any]]) -> None:
    asks = {called(found)[0] for found in plugins.values() if found["confirm"]}

    assert {called(found)[0] for found in plugins.values()} == {"sync", "suspend", "resume", "explain"}
    assert asks == {"suspend", "resume"}


@pytest.mark.parametrize("plural", [each.plural for each in DEFINITIONS])
def test_the_program_takes_what_the_plugin_runs(plural: str, plugins: dict[str, dict[str, Any]]) -> None:
    for found in plugins.values():
        name, *arguments = called(found, {**ROW, "$RESOURCE_NAME": plural})

        context = click.Context(cli)
        command = cli.get_command(context, name)
        assert command is not None
        parsed = command.make_context(name, arguments, parent=context).params

        assert f"{plural}/shop" in str(parsed)
        assert "kind-kind" in str(parsed)


def called(plugin: dict[str, Any], row: dict[str, str] = ROW) -> list[str]:
    """Return the words that follow `kubectl phase` in what a shell is given; a variable is replaced as k9s does."""
    assert (plugin["command"], plugin["args"][0]) == ("sh", "-c")
    [line] = plugin["args"][1:]
    for variable in sorted(row, key=len, reverse=True):
        line = line.replace(variable, row[variable])
    assert "$" not in line
    program, plugin_name, *words = shlex.split(line.partition(" 2>&1 | less -K")[0])
    assert (program, plugin_name) == ("kubectl", "phase")
    return words
