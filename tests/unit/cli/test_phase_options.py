"""Where a token comes from, and to which hosts it may go."""

import io
import sys
from collections.abc import Callable
from pathlib import Path

import click
import pytest
from click.testing import CliRunner, Result

from phase_operator.cli.common.failures import ExitCode, Failure
from phase_operator.cli.common.phase import TokenOptions, asked_token, check_host, host_option, token_options
from phase_operator.core.source.query import base_url
from phase_operator.core.values import SecretValue
from phase_operator.reconcile.ports import Token
from support.builders import TOKEN
from support.canary import Canary

OWN = Token(SecretValue("t"))
Ran = Callable[..., Result]


@pytest.fixture
def run(canary: Canary) -> Ran:
    """Give a command that says how long its token is."""

    @click.command()
    @token_options
    @host_option("Host.")
    def command(token_file: Path | None, token_stdin: bool, ca_file: Path | None, host: str | None) -> None:
        found = TokenOptions(token_file, token_stdin).read()
        click.echo(f"{host} {None if found is None else len(found.reveal())}")

    def ran(*arguments: str, stdin: str = "", **env: str) -> Result:
        result = CliRunner().invoke(command, arguments, input=stdin, env={"PHASE_TOKEN": "", "PHASE_HOST": "", **env})
        canary.watch(result.output)
        return result

    return ran


def test_a_token_is_read_from_a_file_the_input_or_the_environment(run: Ran, canary: Canary, tmp_path: Path) -> None:
    token = canary.value("token")
    (file := tmp_path / "token").write_text(f"{token}\r\n")

    assert run("--token-file", str(file)).output == f"None {len(token)}\n"
    assert run("--token-stdin", stdin=f" {token}\n").output == f"None {len(token)}\n"
    assert run(PHASE_TOKEN=token, PHASE_HOST="https://phase.example").output == f"https://phase.example {len(token)}\n"
    assert run().output == "None None\n"


@pytest.mark.parametrize(
    ("content", "arguments"),
    [
        pytest.param("", ["--token-stdin"], id="nothing"),
        pytest.param(" \n", ["--token-stdin"], id="blank"),
        pytest.param("x" * 5000, ["--token-stdin"], id="too long"),
        pytest.param("x", ["--token-file", "/does/not/exist"], id="no file"),
        pytest.param("x", ["--token-file", "/"], id="a folder"),
        pytest.param("x", ["--host", "ftp://x"], id="no host"),
        pytest.param("x", ["--host", "https://user:password@x"], id="a user in the host"),
    ],
)
def test_a_text_that_is_no_token_is_a_usage_error(run: Ran, content: str, arguments: list[str]) -> None:
    assert run(*arguments, stdin=content).exit_code == ExitCode.USAGE


def test_a_token_is_given_in_one_way(run: Ran, tmp_path: Path) -> None:
    (file := tmp_path / "token").write_text("x")

    assert run("--token-stdin", "--token-file", str(file), stdin="x").exit_code == ExitCode.USAGE


def test_without_a_terminal_nobody_is_asked_for_a_token(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO("a token that nobody gave"))

    with pytest.raises(click.UsageError, match="give the token with --token-file"):
        asked_token()


@pytest.mark.parametrize("host", ["https://console.phase.dev", "https://api.phase.dev"])
def test_a_token_may_go_to_phases_cloud(host: str) -> None:
    check_host(base_url(host), (), OWN)


@pytest.mark.parametrize("given", ["https://phase.example", "https://PHASE.example/service/public/"])
def test_a_token_may_go_to_the_host_that_the_person_names(given: str) -> None:
    check_host(base_url("https://phase.example"), (given,), OWN)


@pytest.mark.parametrize(
    ("url", "given"),
    [
        ("https://evil.example", None),
        ("https://evil.example", "https://phase.example"),
        ("http://phase.example", "https://phase.example"),
        ("https://phase.example:8443", "https://phase.example"),
        ("https://console.phase.dev.evil.example", None),
    ],
)
def test_a_token_goes_to_no_host_that_only_a_resource_names(url: str, given: str | None) -> None:
    """A resource may be anybody's, and names the host."""
    with pytest.raises(Failure, match="only with --host") as error:
        check_host(base_url(url), (given,), OWN)
    assert error.value.exit_code == ExitCode.USAGE
    with pytest.raises(Failure):
        check_host(base_url(url), (given,), OWN, TOKEN)


def test_a_secrets_annotation_says_where_its_token_goes() -> None:
    bound = Token(SecretValue("t"), "https://phase.example")

    check_host(base_url("https://phase.example"), (), bound, TOKEN)
    with pytest.raises(Failure, match="HostRefused"):
        check_host(base_url("https://console.phase.dev"), (), bound, TOKEN)
    with pytest.raises(Failure, match="HostRefused"):
        check_host(base_url("https://evil.example"), ("https://evil.example",), bound, TOKEN)
