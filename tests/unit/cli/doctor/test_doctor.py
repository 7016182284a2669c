"""`doctor` without a cluster: what it refuses, and how it ends."""

from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from phase_operator.cli import cli
from support.canary import Canary

NOBODY = """
apiVersion: v1
kind: Config
current-context: nobody
contexts: [{name: nobody, context: {cluster: nobody, user: nobody}}]
clusters: [{name: nobody, cluster: {server: "http://127.0.0.1:9"}}]
users: [{name: nobody, user: {}}]
"""


def doctor(*arguments: str, **variables: str) -> Result:
    return CliRunner().invoke(cli, ["doctor", *arguments], env=variables, prog_name="kubectl phase")


@pytest.mark.parametrize("flags", [(), ("--pre",), ("-o", "json"), ("-A",)], ids=" ".join)
def test_a_cluster_that_is_not_reached_is_exit_code_3_and_a_sentence(flags: tuple[str, ...], tmp_path: Path) -> None:
    kubeconfig = tmp_path / "config"
    kubeconfig.write_text(NOBODY)

    result = doctor("--kubeconfig", str(kubeconfig), *flags)

    assert (result.exit_code, result.stdout) == (3, "")
    assert "the API server at http://127.0.0.1:9 does not answer" in result.stderr


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--pre", "--bundle", "x.tgz"], "give either --pre or --bundle"),
        (["-n", "shop", "-A"], "give either -n or -A"),
        (["--phase", "https://phase.example"], "--phase needs a token"),
        (["--token-stdin"], "name with --phase URL"),
        (["-o", "xml"], "'xml' is not one of"),
    ],
    ids=["pre and bundle", "n and A", "no token", "no host", "no format"],
)
def test_options_that_contradict_each_other_are_a_usage_error(arguments: list[str], said: str) -> None:
    result = doctor(*arguments, PHASE_TOKEN="")

    assert (result.exit_code, result.stdout) == (2, "")
    assert said in result.stderr


def test_a_bundle_is_not_written_over_a_file(tmp_path: Path) -> None:
    there = tmp_path / "support.tgz"
    there.write_text("mine")

    result = doctor("--bundle", str(there))

    assert result.exit_code == 2
    assert there.read_text() == "mine"


def test_a_token_of_the_environment_is_not_sent_unless_a_phase_is_named(tmp_path: Path, canary: Canary) -> None:
    kubeconfig = tmp_path / "config"
    kubeconfig.write_text(NOBODY)

    result = doctor("--kubeconfig", str(kubeconfig), PHASE_TOKEN=canary.value("token"))

    canary.watch(result.output)
    # It fails at the cluster: Phase, which would be asked first, is not.
    assert result.exit_code == 3


@pytest.mark.parametrize("url", ["https://[x", "phase.example", "https://ada:password@phase.example", "ftp://x"])
def test_a_host_that_is_no_url_is_a_usage_error(url: str, canary: Canary) -> None:
    canary.token("ada:password")

    result = doctor("--phase", url, PHASE_TOKEN=canary.value("token"))

    canary.watch(result.output)
    assert (result.exit_code, result.stdout) == (2, "")
    assert "--phase: this is no URL of Phase" in result.stderr
