"""Commands that ask Phase, on the embedded server: for apps with SSE and for end-to-end encrypted ones.

Invariant: what a command reads for a PhaseSecret is what the operator reads, whatever route the app needs.
"""

import asyncio
import json
import os
import pty
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
import yaml
from click.testing import CliRunner, Result

from phase_dev.server import EmbeddedPhase
from phase_operator.api.reasons import Reason
from phase_operator.api.v1alpha1 import PhaseSecretSpec
from phase_operator.cli import cli
from phase_operator.cli.common.failures import ExitCode
from phase_operator.cli.common.phase import phase as connected
from phase_operator.core.errors import ExpectedError
from phase_operator.core.values import SecretValue, Snapshot
from phase_operator.reconcile.context import parse_spec
from support.canary import Canary

READS_ONLY_SECRETS = {"Secrets": ["read"], "Apps": ["read"]}
SEED: dict[str, Any] = {
    "roles": {"Narrow": READS_ONLY_SECRETS, "Narrowest": {"Secrets": ["read"]}},
    "apps": [
        {
            "name": app,
            "encryption": mode,
            "environments": [
                {
                    "name": "Production",
                    "secrets": [
                        {"key": "A", "value": "a-of-" + app, "path": "/"},
                        {"key": "B", "value": "${A}", "path": "/back/end", "tags": ["db"]},
                        {"key": "LEVEL", "value": "info", "type": "config"},
                    ],
                },
                {"name": "Staging", "secrets": []},
            ],
        }
        for app, mode in (("shop", "SSE"), ("vault", "E2E"))
    ],
    "accounts": [
        {"name": "operator", "kind": "service", "access": {"shop": ["*"], "vault": ["*"]}},
        {"name": "narrow", "kind": "service", "role": "Narrow", "access": {"shop": ["Production"]}},
        {"name": "narrowest", "kind": "service", "role": "Narrowest", "access": {"shop": ["Production"]}},
        {"name": "sealed", "kind": "service", "access": {"vault": ["Production"]}},
        {"name": "nobody", "kind": "service", "access": {}},
        {"name": "person", "kind": "user", "access": {"shop": ["Production"], "vault": ["Production"]}},
        {"name": "old", "kind": "legacy", "access": {"shop": ["Production"]}},
    ],
}


@pytest.fixture(scope="module")
def server() -> Iterator[EmbeddedPhase]:
    with EmbeddedPhase(SEED) as phase:
        yield phase


@pytest.fixture
def phase(server: EmbeddedPhase, canary: Canary) -> EmbeddedPhase:
    for account in SEED["accounts"]:
        for form in ("hex", "pss"):
            canary.token(server.token(account["name"], form))
    return server


def run(phase: EmbeddedPhase, canary: Canary, *arguments: str, account: str = "operator", form: Any = "pss") -> Result:
    env = {"PHASE_TOKEN": phase.token(account, form), "PHASE_HOST": phase.url, "KUBECONFIG": "/does/not/exist"}
    result = CliRunner().invoke(cli, arguments, env=env)
    canary.watch(result.output)
    return result


def read(phase: EmbeddedPhase, account: str = "operator", form: Any = "pss", **fields: Any) -> Snapshot:
    said = {"phaseHost": phase.url, "phaseApp": "shop", "managedSecretReferences": [{"secretName": "any"}]} | fields
    spec: PhaseSecretSpec = parse_spec(said)

    async def work() -> Snapshot:
        async with connected(None) as reader:
            return await reader.read(spec, "team", SecretValue(phase.token(account, form)))

    return asyncio.run(work())


def keys(answer: Snapshot) -> list[str]:
    return [entry.source for entry in answer.entries]


@pytest.mark.parametrize("app", ["shop", "vault"])
@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        pytest.param({}, ["/A", "/LEVEL"], id="the root folder"),
        pytest.param({"phaseAppEnvPath": "/back/end"}, ["/back/end/B"], id="a folder"),
        pytest.param({"recursive": True}, ["/A", "/LEVEL", "/back/end/B"], id="all folders"),
        pytest.param({"recursive": True, "phaseAppEnvTags": ["db"]}, ["/back/end/B"], id="a tag"),
        pytest.param({"phaseAppEnv": "staging"}, [], id="an empty environment"),
    ],
)
def test_a_read_takes_the_entries_of_the_spec_by_either_route(
    phase: EmbeddedPhase, app: str, fields: dict[str, Any], expected: list[str]
) -> None:
    assert keys(read(phase, phaseApp=app, **fields)) == expected
    assert keys(read(phase, phaseApp=None, phaseAppId=phase.app_id(app), **fields)) == expected


def test_references_of_an_encrypted_app_are_resolved(phase: EmbeddedPhase) -> None:
    [entry] = read(phase, phaseApp="vault", phaseAppEnvPath="/back/end").entries

    assert entry.value == SecretValue("a-of-vault")


@pytest.mark.parametrize(
    ("account", "form", "fields", "reason"),
    [
        pytest.param("operator", "hex", {"phaseApp": "vault"}, Reason.APP_ENCRYPTED, id="no keys"),
        pytest.param("operator", "pss", {"phaseApp": "shpo"}, Reason.APP_NOT_FOUND, id="no app"),
        pytest.param("operator", "pss", {"phaseAppEnv": "prod"}, Reason.ENVIRONMENT_NOT_FOUND, id="no environment"),
        pytest.param("narrow", "hex", {"phaseAppEnv": "prod"}, Reason.ENVIRONMENT_NOT_FOUND, id="none, and no names"),
        pytest.param("narrowest", "hex", {}, Reason.ACCESS_DENIED, id="no list of apps"),
        pytest.param("narrow", "pss", {"phaseAppEnv": "staging"}, Reason.ACCESS_DENIED, id="no access"),
    ],
)
def test_a_failed_read_is_the_operators_reason(
    phase: EmbeddedPhase, account: str, form: str, fields: dict[str, Any], reason: Reason
) -> None:
    with pytest.raises(ExpectedError) as error:
        read(phase, account, form, **fields)

    assert error.value.reason is reason


def test_an_unknown_environment_is_told_with_those_that_there_are(phase: EmbeddedPhase) -> None:
    with pytest.raises(ExpectedError, match='"Production", "Staging"'):
        read(phase, phaseAppEnv="prod")


def test_a_full_token_needs_no_permission_to_list_apps(phase: EmbeddedPhase) -> None:
    assert keys(read(phase, "narrowest", "pss")) == ["/A", "/LEVEL"]


# auth check


def levels(result: Result) -> dict[str, str]:
    return {each["check"]: each["level"] for each in json.loads(result.output)}


def test_a_token_is_told_in_a_table(phase: EmbeddedPhase, canary: Canary) -> None:
    result = run(phase, canary, "auth", "check")

    head, *rows = result.output.splitlines()
    told = dict(row.split(maxsplit=1) for row in rows if not row.startswith("Environments"))
    assert head.split() == ["CHECK", "RESULT", "WHAT"]
    assert told["form"].split(maxsplit=1)[1] == (
        "a service account's token; with the keys of end-to-end encrypted apps"
    )
    assert told["account"].startswith('ok        "operator", id ')
    assert told["account"].endswith(", role Service, organisation acme")
    assert told["expiry"].split() == ["ok", "never"]
    assert [row.split(maxsplit=2)[2] for row in rows if row.startswith("app ")] == [
        'shop: SSE, environments "Production", "Staging"',
        'vault: end-to-end encrypted, environments "Production", "Staging"',
    ]
    assert rows[-1].split() == ["Environments:", "read", "ok", "allowed"]
    assert result.exit_code == ExitCode.OK


def test_a_missing_permission_to_list_environments_is_told(phase: EmbeddedPhase, canary: Canary) -> None:
    result = run(phase, canary, "auth", "check", "-o", "json", account="narrow")

    assert levels(result)["Environments: read"] == "!"
    assert result.exit_code == ExitCode.OK


@pytest.mark.parametrize(
    ("account", "form"),
    [pytest.param("nobody", "pss", id="no app"), pytest.param("sealed", "hex", id="an encrypted app and no keys")],
)
def test_a_token_that_reads_nothing_is_a_no(phase: EmbeddedPhase, canary: Canary, account: str, form: str) -> None:
    result = run(phase, canary, "auth", "check", "-o", "json", account=account, form=form)

    assert levels(result)["apps"] == "missing"
    assert result.exit_code == ExitCode.NO


@pytest.mark.parametrize("account", ["person", "old"])
def test_other_kinds_of_token_are_told(phase: EmbeddedPhase, canary: Canary, account: str) -> None:
    result = run(phase, canary, "auth", "check", "-o", "json", account=account)

    found = levels(result)
    assert found["form"] == ("!" if account == "person" else "ok")
    assert found["expiry"] == "!"
    assert result.exit_code == ExitCode.OK


def test_an_expiry_is_told(canary: Canary) -> None:
    token = {"name": "ci", "value": "ab" * 32, "expiresAt": "2030-01-01T00:00:00Z"}
    account = {"name": "operator", "kind": "service", "access": {"shop": ["*"]}, "tokens": [token]}
    with EmbeddedPhase({"apps": SEED["apps"], "accounts": [account]}) as phase:
        canary.token("ab" * 32)
        result = run(phase, canary, "auth", "check", "-o", "json", form="hex")

    assert {"check": "expiry", "level": "ok", "text": "2030-01-01T00:00:00Z"} in json.loads(result.output)


def test_a_token_that_phase_does_not_know_is_refused(phase: EmbeddedPhase, canary: Canary) -> None:
    env = {"PHASE_TOKEN": canary.token("ServiceAccount " + "0123456789abcdef" * 4), "PHASE_HOST": phase.url}

    result = CliRunner().invoke(cli, ["auth", "check", "-o", "json"], env=env)

    canary.watch(result.output)
    assert result.exit_code == ExitCode.NO_PHASE
    assert levels(result)["phase"] == "missing"


def test_a_text_that_is_no_token_is_not_sent(phase: EmbeddedPhase, canary: Canary) -> None:
    before = phase.calls()
    env = {"PHASE_TOKEN": canary.value("no token"), "PHASE_HOST": phase.url}

    result = CliRunner().invoke(cli, ["auth", "check", "-o", "json"], env=env)

    canary.watch(result.output)
    assert (result.exit_code, levels(result), phase.calls()) == (ExitCode.NO, {"form": "missing"}, before)


def test_a_host_that_is_not_there_is_told(canary: Canary) -> None:
    env = {"PHASE_TOKEN": canary.token("ab" * 32), "PHASE_HOST": "http://127.0.0.1:1"}

    for command in (["auth", "check"], ["init", "--app", "x"]):
        result = CliRunner().invoke(cli, command, env=env)
        canary.watch(result.output)
        assert result.exit_code == ExitCode.NO_PHASE
        assert "cannot be reached" in result.output


def test_certificates_that_are_none_are_a_sentence(phase: EmbeddedPhase, canary: Canary, tmp_path: Path) -> None:
    (file := tmp_path / "ca.pem").write_text("nothing")

    result = run(phase, canary, "auth", "check", "--phase-ca-file", str(file))

    assert result.exit_code == ExitCode.USAGE
    assert result.stderr == f"cli: --phase-ca-file: {file} holds no certificates in PEM\n"


def test_a_proxy_that_cannot_be_used_is_a_sentence(phase: EmbeddedPhase, canary: Canary) -> None:
    env = {"PHASE_TOKEN": phase.token("operator"), "PHASE_HOST": phase.url, "HTTPS_PROXY": ":::no"}

    result = CliRunner().invoke(cli, ["auth", "check"], env=env)

    canary.watch(result.output)
    assert result.exit_code == ExitCode.USAGE
    assert "HTTPS_PROXY is no proxy that can be used" in result.stderr


# init


@pytest.mark.parametrize("app", ["shop", "vault"])
def test_a_phase_secret_is_written_for_what_is_chosen(phase: EmbeddedPhase, canary: Canary, app: str) -> None:
    arguments = ("--app", app, "--env", "production", "--path", "/", "--target", "mine", "-n", "team")

    found = yaml.safe_load(run(phase, canary, "init", *arguments).output)

    assert found["metadata"] == {"name": "mine", "namespace": "team"}
    assert found["spec"] == {
        "phaseHost": phase.url,
        "phaseApp": app,
        "phaseAppEnv": "Production",
        "phaseAppEnvPath": "/",
        "authentication": {"serviceToken": {"serviceTokenSecretReference": {"secretName": "phase-service-token"}}},
        "managedSecretReferences": [{"secretName": "mine"}],
        "managedConfigMapReferences": [{"configMapName": "mine"}],
    }
    assert keys(read(phase, phaseApp=app, phaseAppEnv=found["spec"]["phaseAppEnv"]))


def test_a_folder_without_config_entries_gets_no_config_map(phase: EmbeddedPhase, canary: Canary) -> None:
    result = run(phase, canary, "init", "--app", "shop", "--env", "Production", "--path", "/back/end")

    assert "managedConfigMapReferences" not in yaml.safe_load(result.output)["spec"]


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        pytest.param([], "--app is missing; choose one of: shop, vault", id="app"),
        pytest.param(["--app", "shpo"], "--app: there is no shpo; choose one of: shop, vault", id="another app"),
        pytest.param(["--app", "shop"], "--env is missing; choose one of: Production, Staging", id="environment"),
        pytest.param(
            ["--app", "shop", "--env", "Production"],
            "--path is missing; choose one of: /, /back, /back/end",
            id="folder",
        ),
    ],
)
def test_a_missing_choice_is_named_with_the_choices(
    phase: EmbeddedPhase, canary: Canary, arguments: list[str], named: str
) -> None:
    result = run(phase, canary, "init", *arguments)

    assert result.exit_code == ExitCode.USAGE
    assert f"Error: {named}\n" in result.output


def test_the_only_choice_is_taken(phase: EmbeddedPhase, canary: Canary) -> None:
    result = run(phase, canary, "init", "--path", "/", account="sealed")

    assert yaml.safe_load(result.output)["spec"]["phaseApp"] == "vault"


def test_a_file_is_not_written_over(phase: EmbeddedPhase, canary: Canary, tmp_path: Path) -> None:
    arguments = ("init", "--app", "shop", "--env", "Staging", "--output", str(tmp_path / "shop.yaml"))

    first, second = run(phase, canary, *arguments), run(phase, canary, *arguments)

    assert (first.exit_code, second.exit_code) == (ExitCode.OK, ExitCode.USAGE)
    assert yaml.safe_load((tmp_path / "shop.yaml").read_text())["kind"] == "PhaseSecret"


def test_a_token_is_needed_and_never_an_argument(canary: Canary) -> None:
    result = CliRunner().invoke(cli, ["init"], env={"PHASE_TOKEN": "", "PHASE_HOST": ""})

    assert result.exit_code == ExitCode.USAGE
    assert "--token-stdin" in result.output


# At a terminal


# Takes the terminal for its own, so that Ctrl-C reaches the program that it becomes.
BECOME = """
import fcntl, os, sys, termios
fcntl.ioctl(0, termios.TIOCSCTTY, 0)
os.execv(sys.executable, [sys.executable, "-m", "phase_operator", *sys.argv[1:]])
"""


class Terminal:
    """The program in a terminal of its own: what is typed, and all that is seen there."""

    def __init__(self, *arguments: str, **env: str) -> None:
        self._fd, its = pty.openpty()
        command = [sys.executable, "-c", BECOME, *arguments]
        self._process = subprocess.Popen(
            command, stdin=its, stdout=its, stderr=its, env=os.environ | env, start_new_session=True
        )
        os.close(its)
        self.seen = ""

    def until(self, words: str) -> None:
        """Read until some words are seen; the end of the program is an error."""
        while words not in self.seen:
            self.seen += os.read(self._fd, 4096).decode()

    def types(self, line: str) -> None:
        os.write(self._fd, f"{line}\n".encode())

    def code(self) -> int:
        """Read to the end, and return the exit code."""
        # The end of a terminal is an error.
        with suppress(OSError):
            while True:
                self.seen += os.read(self._fd, 4096).decode()
        os.close(self._fd)
        return self._process.wait()


def test_at_a_terminal_what_is_missing_is_asked_and_the_token_is_not_shown(
    phase: EmbeddedPhase, canary: Canary, tmp_path: Path
) -> None:
    terminal = Terminal("init", "--output", str(tmp_path / "shop.yaml"), PHASE_HOST=phase.url, PHASE_TOKEN="")
    canary.watch(lambda: terminal.seen)

    terminal.until("Token of Phase (not shown): ")
    terminal.types(phase.token("operator", "pss"))
    terminal.until("app: number: ")
    terminal.types("1")
    terminal.until("env: number: ")
    terminal.types("9")
    terminal.until("9 is not in the range")
    terminal.types("1")
    terminal.until("path: number: ")
    terminal.types("3")
    terminal.until("Name of the Secret [shop]: ")
    terminal.types("")

    assert terminal.code() == ExitCode.OK, terminal.seen
    spec = yaml.safe_load((tmp_path / "shop.yaml").read_text())["spec"]
    assert (spec["phaseApp"], spec["phaseAppEnv"], spec["phaseAppEnvPath"]) == ("shop", "Production", "/back/end")


def test_ctrl_c_ends_a_question_at_once(phase: EmbeddedPhase, canary: Canary) -> None:
    terminal = Terminal("init", PHASE_HOST=phase.url, PHASE_TOKEN=phase.token("operator", "pss"))
    canary.watch(lambda: terminal.seen)

    terminal.until("app: number: ")
    terminal.types("\x03")

    assert terminal.code() == 130
