"""What holds for every command: its help, what it refuses, and what it says where no cluster or no Phase is."""

from pathlib import Path

import click
import pytest
from click.testing import CliRunner, Result

from phase_operator.cli import cli
from support.canary import Canary
from support.operator_process import free_port
from support.sealing import SealedAccount

_MANIFEST = """\
apiVersion: secrets.phase.dev/v1alpha1
kind: PhaseSecret
metadata: {name: shop}
spec: {phaseApp: shop, phaseAppEnv: production, managedSecretReferences: [{secretName: shop}]}
"""
_KUBECONFIG = """\
apiVersion: v1
kind: Config
current-context: here
contexts: [{name: here, context: {cluster: here, user: me}}]
clusters: [{name: here, cluster: {server: SERVER}}]
users: [{name: me, user: USER}]
"""
# Each command that asks a cluster, in every form in which it does.
ASKING = (
    "get",
    "get shop",
    "get -w",
    "get -o json",
    "explain shop",
    "events shop",
    "events shop -w",
    "logs shop",
    "logs shop -f",
    "tree shop",
    "tree cm/shop --workloads",
    "trace secret/shop#KEY",
    "sync shop",
    "sync --all --no-wait",
    "suspend shop --reason maintenance",
    "resume --all --wait",
    "diff shop",
    "diff -f FILE",
    "render -f FILE --token-from-cluster",
    "auth check",
    "auth create --no-check --token-file TOKEN",
    "doctor",
    "doctor --pre",
    "check",
    "migrate check --from official-v1",
    "migrate check --from eso",
    "migrate convert --from doppler",
    "migrate adopt --from official-v2 --yes",
    "uninstall --keep-secrets --yes",
    "uninstall --keep-secrets --crds --dry-run",
)
# Those that ask none.
OFFLINE = ("render", "lint", "init", "crds", "version", "run", "completion")


def commands() -> list[tuple[str, ...]]:
    """Return the words of every command and group."""
    found: list[tuple[str, ...]] = []
    left: list[tuple[tuple[str, ...], click.Command]] = [((), cli)]
    while left:
        words, command = left.pop()
        if words:
            found.append(words)
        if isinstance(command, click.Group):
            context = click.Context(command)
            for name in command.list_commands(context):
                each = command.get_command(context, name)
                assert each is not None
                left.append(((*words, name), each))
    return sorted(found)


COMMANDS = commands()
WITH_NAMESPACE = sorted(
    words
    for words in COMMANDS
    if "--namespace NAMESPACE" in CliRunner().invoke(cli, [*words, "-h"], env={"COLUMNS": "200"}).stdout
    and words != ("run",)
)


@pytest.fixture
def given(tmp_path: Path, canary: Canary) -> "Given":
    return Given(tmp_path, canary)


class Given:
    """A person with files, whose output is watched."""

    def __init__(self, folder: Path, canary: Canary) -> None:
        self.folder = folder
        self._canary = canary
        (folder / "manifest.yaml").write_text(_MANIFEST)
        (folder / "token").write_text(canary.token(SealedAccount().token()))

    def call(self, command: str, kubeconfig: Path) -> Result:
        """Give a command, and return how it ended: by itself, with no traceback."""
        files = {"FILE": self.folder / "manifest.yaml", "TOKEN": self.folder / "token"}
        words = [str(files.get(word, word)) for word in command.split()]
        return self.ended(words, KUBECONFIG=str(kubeconfig))

    def ended(self, words: list[str], **variables: str) -> Result:
        environment = {"PHASE_TOKEN": None, "PHASE_HOST": None, "NO_COLOR": "1", **variables}
        result = CliRunner().invoke(cli, words, env=environment, prog_name="kubectl phase")
        self._canary.watch(result.output)
        if result.exception is not None and not isinstance(result.exception, SystemExit):
            raise result.exception
        assert all(line.isprintable() for line in result.output.splitlines())
        return result

    def kubeconfig(self, server: str, user: str = "{}") -> Path:
        """Write a kubeconfig."""
        path = self.folder / "kubeconfig"
        path.write_text(_KUBECONFIG.replace("SERVER", server).replace("USER", user))
        return path


def test_every_command_is_tried_here() -> None:
    tried = {command.split()[0] for command in ASKING} | {*OFFLINE}

    assert {words[0] for words in COMMANDS} <= tried


@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
def test_every_command_has_help_in_any_width(words: tuple[str, ...], given: Given) -> None:
    long, short = (given.ended([*words, flag]) for flag in ("--help", "-h"))
    narrow = given.ended([*words, "-h"], COLUMNS="40")

    assert (long.exit_code, long.stderr, long.stdout) == (0, "", short.stdout)
    assert long.stdout.startswith(f"Usage: kubectl phase {' '.join(words)}")
    assert narrow.exit_code == 0


@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
def test_every_command_refuses_an_option_that_there_is_not(words: tuple[str, ...], given: Given) -> None:
    result = given.ended([*words, "--fly"])

    assert (result.exit_code, result.stdout) == (2, "")
    assert "--fly" in result.stderr


@pytest.mark.parametrize("namespace", ["", "..", ".", "a/b", "%2e", "SHOP", "a" * 64, "\x1b[2J", "\ud800"], ids=ascii)
@pytest.mark.parametrize("words", WITH_NAMESPACE, ids=" ".join)
def test_every_command_refuses_a_namespace_that_cannot_be_one(
    words: tuple[str, ...], namespace: str, given: Given
) -> None:
    result = given.ended([*words, "-n", namespace])

    assert (result.exit_code, result.stdout) == (2, "")
    assert "is no name of a namespace" in result.stderr


@pytest.mark.parametrize(
    "name", ["..", ".", "phs/..", "phs/.", "%2e%2e", "SHOP", "a" * 254, "\x1b[2J", "\ud800"], ids=ascii
)
@pytest.mark.parametrize("words", ["get", "events", "logs", "tree", "sync", "suspend", "resume", "diff"])
def test_commands_refuse_a_name_that_would_be_another_path(words: str, name: str, given: Given) -> None:
    result = given.call(words, given.kubeconfig("http://127.0.0.1:1"))
    refused = given.ended([words, name], KUBECONFIG=str(given.kubeconfig("http://127.0.0.1:1")))

    assert result.exit_code in (2, 3)
    assert (refused.exit_code, refused.stdout) == (2, "")
    assert "is no name of an object" in refused.stderr


@pytest.mark.parametrize("command", ASKING)
def test_commands_say_that_there_is_no_kubeconfig(command: str, given: Given) -> None:
    result = given.call(command, given.folder / "nowhere")

    [line] = result.stderr.splitlines()
    assert (result.exit_code, result.stdout) == (3, "")
    assert line.startswith(f"kubectl phase: cannot use the kubeconfig: there is no file {given.folder}")


@pytest.mark.parametrize("command", ASKING)
def test_commands_say_that_nobody_answers(command: str, given: Given) -> None:
    server = f"http://127.0.0.1:{free_port()}"

    result = given.call(command, given.kubeconfig(server))

    [line] = result.stderr.splitlines()
    assert (result.exit_code, result.stdout) == (3, "")
    assert f"the API server at {server} does not answer: the connection is refused; does `kubectl version`" in line


@pytest.mark.parametrize(
    ("content", "says"),
    [
        pytest.param("", "is none", id="empty"),
        pytest.param("- a", "is none", id="list"),
        pytest.param("\0", "unacceptable character", id="binary"),
        pytest.param(_KUBECONFIG.replace("SERVER", "5"), "is none", id="server of another type"),
        pytest.param(_KUBECONFIG.replace("SERVER", '""'), "is no URL", id="no server"),
        pytest.param(_KUBECONFIG.replace("SERVER", "https://a:99999999"), "is no URL", id="no port"),
        pytest.param(_KUBECONFIG.replace("SERVER", "https://me:pa55word@a"), "a URL with a password", id="password"),
        pytest.param(
            _KUBECONFIG.replace("SERVER", '"https://a", certificate-authority-data: aGVsbG8='),
            "a certificate or key in it cannot be read",
            id="no certificate",
        ),
        pytest.param(
            _KUBECONFIG.replace("SERVER", "https://a").replace(
                "USER",
                "{exec: {apiVersion: client.authentication.k8s.io/v1, command: /no/such/program, args: [--flag]}}",
            ),
            'the program "/no/such/program" that signs you in gave no token',
            id="no program",
        ),
    ],
)
def test_a_kubeconfig_that_cannot_be_used_is_told_in_one_line(
    content: str, says: str, given: Given, canary: Canary
) -> None:
    canary.token("pa55word")
    path = given.folder / "kubeconfig"
    path.write_text(content.replace("USER", "{}"))

    result = given.call("get", path)

    [line] = result.stderr.splitlines()
    assert (result.exit_code, result.stdout) == (3, "")
    assert line.startswith("kubectl phase: cannot use the kubeconfig: ")
    assert says in line
