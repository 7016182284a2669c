"""Options are spelt and understood as kubectl's are."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import click
import pytest
from click.testing import CliRunner

from phase_operator.cli.common.options import (
    ClusterOptions,
    cluster_options,
    combined,
    files_option,
    output_option,
    selector_option,
    show_values_option,
    timeout_option,
)


def given(decorator: Callable[..., Any], *arguments: str, **environment: str) -> tuple[int, dict[str, Any], str]:
    """Return the exit code, the parameters that a command got, and what was told."""
    got: dict[str, Any] = {}

    @click.command()
    @decorator
    def command(**parameters: Any) -> None:
        got.update(parameters)

    result = CliRunner().invoke(command, arguments, env={"KUBECONFIG": None, **environment})
    return result.exit_code, got, result.output


def test_a_command_gets_its_place_as_one_value() -> None:
    _, got, _ = given(cluster_options(), "-n", "shop", "--context", "test", "--kubeconfig", "file")

    assert got == {"at": ClusterOptions(Path("file"), "test", "shop")}


def test_nothing_said_is_the_context_of_the_person() -> None:
    assert given(cluster_options(all_namespaces=True))[1] == {"at": ClusterOptions(None, None, None)}


def test_the_variable_names_the_kubeconfig_and_the_option_wins() -> None:
    _, by_variable, _ = given(cluster_options(), KUBECONFIG="a:b")
    _, by_option, _ = given(cluster_options(), "--kubeconfig", "c", KUBECONFIG="a:b")

    assert by_variable["at"].kubeconfig == Path("a:b")
    assert by_option["at"].kubeconfig == Path("c")


def test_a_namespace_and_all_of_them_is_a_usage_error() -> None:
    code, got, told = given(cluster_options(all_namespaces=True), "-n", "shop", "-A")

    assert (code, got) == (2, {})
    assert "either -n or -A" in told


def test_all_namespaces_is_only_where_it_means_something() -> None:
    assert given(cluster_options(), "-A")[0] == 2
    assert given(cluster_options(all_namespaces=True), "-A")[1]["at"].all_namespaces is True


def test_an_output_is_one_of_the_formats_and_the_first_by_default() -> None:
    option = output_option("table", "json")

    assert given(option)[1] == {"output": "table"}
    assert given(option, "-o", "json")[1] == {"output": "json"}
    assert given(option, "-o", "xml")[0] == 2


@pytest.mark.parametrize(("text", "code"), [("1", 0), ("0.5", 2), ("nan", 2), ("inf", 2), ("soon", 2)])
def test_a_timeout_is_at_least_a_second(text: str, code: int) -> None:
    assert given(timeout_option(60), "--timeout", text)[0] == code


@pytest.mark.parametrize(
    ("labels", "code"),
    [
        ("", 0),
        ("team", 0),
        ("!team", 0),
        ("tier in (a,b),team!=x", 0),
        pytest.param(" ", 2, id="blank: a variable that is not set must not mean everything"),
        ("team in", 2),
        ("a=b=c", 2),
        ("a b", 2),
        pytest.param("a=\x1b[2J", 2, id="control characters"),
    ],
)
def test_labels_are_judged_before_anything_is_asked(labels: str, code: int) -> None:
    found, _, told = given(selector_option(), "--selector", labels)

    assert found == code
    assert "\x1b" not in told


def test_the_other_options_have_kubectls_names() -> None:
    decorate = combined(selector_option(), files_option(), show_values_option())

    _, got, _ = given(decorate, "-l", "a=b", "-f", "x.yaml", "-f", "-", "--show-values")

    assert got == {"selector": "a=b", "files": ("x.yaml", "-"), "show_values": True}


def test_combined_options_are_in_their_order_in_the_help() -> None:
    _, _, told = given(combined(selector_option(), show_values_option()), "--help")

    assert told.index("--selector") < told.index("--show-values")


def test_no_option_takes_a_token() -> None:
    for decorator in (cluster_options(all_namespaces=True), files_option(), output_option("a"), timeout_option(1)):
        assert "--token " not in given(decorator, "--help")[2]
