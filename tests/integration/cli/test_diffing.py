"""`diff`, `auth` and `init` on a real API server with an operator at work.

Invariant: what `diff` says before an apply is what the operator does after it; after that, `diff` says that nothing
would change.
"""

import base64
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml
from click.testing import CliRunner, Result

from phase_dev.cluster import ControlPlane
from phase_dev.server import EmbeddedPhase
from phase_operator.api import names
from phase_operator.cli import cli
from phase_operator.cli.common.failures import ExitCode
from support.canary import Canary
from support.followers import SETTLE, workload
from support.operator_process import OperatorProcess, eventually, running_operator
from support.person import person
from support.push_stage import push_secret
from support.world import World, phase_secret, secret

# Nothing is read for its interval while a test runs.
_NEVER = 3600
_HEAD = "apiVersion: secrets.phase.dev/v1alpha1\nkind: PhaseSecret\n"
_TOKEN = names.DEFAULT_TOKEN_SECRET


@pytest.fixture(scope="module")
def operator(
    installed: ControlPlane, phase: EmbeddedPhase, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[OperatorProcess]:
    flags = ("--push", "true", "--allow-phase-host", phase.url, *SETTLE)
    with running_operator(installed, tmp_path_factory.mktemp("operator"), *flags) as operator:
        yield operator


@dataclass
class Stage(World):
    """A namespace with a folder of its own in Phase, and a person at a terminal."""

    @property
    def folder(self) -> str:
        return f"/{self.namespace}"

    def person(self, role: str | None) -> Path:
        """Return the kubeconfig of somebody with a role in the namespace; None: with no rights."""
        return person(self.plane, self.namespace, self.canary, role).kubeconfig

    def does(self, *arguments: str, by: Path | None = None, stdin: str | None = None, **env: str) -> Result:
        """Give a command in the namespace, as the administrator or `by` another person."""
        found = {"PHASE_TOKEN": "", "PHASE_HOST": self.phase.url} | env
        cluster = () if arguments[0] == "init" else ("--kubeconfig", str(by or self.plane.kubeconfig))
        result = CliRunner().invoke(cli, [*arguments, "-n", self.namespace, *cluster], input=stdin, env=found)
        self.canary.watch(result.output)
        if result.exception is not None and not isinstance(result.exception, SystemExit):
            raise result.exception
        return result

    def spec(self, name: str = "shop", **spec: Any) -> dict[str, Any]:
        fields = {"phaseAppEnvPath": self.folder, "pollingInterval": _NEVER} | spec
        return phase_secret(name, self.phase.url, **fields)

    def said(self, document: Mapping[str, Any], *arguments: str, **env: Any) -> tuple[int, list[str]]:
        """Return what a diff of a document says: its exit code and its lines."""
        result = self.does("diff", "-f", "-", *arguments, stdin=yaml.safe_dump(document), **env)
        return result.exit_code, result.stdout.replace(self.namespace, "NS").splitlines()

    def sets(self, **values: str) -> None:
        for key, name in values.items():
            self.phase.set("shop", "production", key, self.canary.value(name), path=self.folder)


@pytest.fixture
def stage(
    installed: ControlPlane, phase: EmbeddedPhase, namespace: str, canary: Canary, operator: OperatorProcess
) -> Stage:
    for form in ("hex", "pss"):
        canary.token(phase.token("operator", form=form))
    stage = Stage(installed, namespace, phase, canary)
    stage.operator = operator
    stage.token()
    stage.sets(API_KEY="api key", DB_URL="db url")
    return stage


# diff


def test_a_diff_says_what_an_apply_then_does(stage: Stage) -> None:
    wanted = stage.spec()

    before = stage.said(wanted)
    stage.apply(wanted)
    stage.until_ready()
    after = stage.said(wanted)

    assert before == (1, ["PhaseSecret NS/shop", "  Secret NS/shop would be created", "    + API_KEY", "    + DB_URL"])
    assert sorted(stage.data() or {}) == ["API_KEY", "DB_URL"]
    assert after == (0, ["PhaseSecret NS/shop: no change"])


def test_a_diff_shows_each_kind_of_change_and_who_restarts(stage: Stage) -> None:
    first = [{"secretName": "shop"}, {"secretName": "old", "deletionPolicy": "Delete"}, {"secretName": "kept"}]
    stage.apply(stage.spec(managedSecretReferences=first), workload(name="web"), workload(name="other", spec=_idle()))
    stage.until_ready()
    stage.phase.set("shop", "production", "NEW", stage.canary.value("new"), path=stage.folder)
    stage.sets(DB_URL="another url")
    target = {"secretName": "shop", "template": {"metadata": {"labels": {"team": "a"}}}}
    edited = stage.spec(managedSecretReferences=[target], keys=_without("API_KEY"))
    # Phase is read now, and not at the next interval.
    edited["metadata"]["annotations"] = {names.ANNOTATION_SYNC: "now"}

    code, lines = stage.said(edited)
    stage.apply(edited)

    assert (code, lines) == (
        1,
        [
            "PhaseSecret NS/shop",
            "  Secret NS/shop would change",
            "    + NEW",
            "    - API_KEY",
            "    ~ DB_URL",
            "    + label team",
            "  Secret NS/old would be deleted",
            "    - API_KEY",
            "    - DB_URL",
            "  Secret NS/kept would stay, and nobody would write it any more",
            '  Deployment NS/web would restart for "Secret NS/shop"',
        ],
    )
    eventually(lambda: sorted(stage.data() or {}) == ["DB_URL", "NEW"], what="the Secret is as it was said")
    eventually(lambda: stage.get("secret", "old") is None, what="the Secret that is not named any more goes")
    assert sorted(stage.data("kept") or {}) == ["API_KEY", "DB_URL"]
    eventually(lambda: stage.said(edited)[0] == 0, what="nothing is left to do")


def _idle() -> dict[str, Any]:
    return {"containers": [{"name": "main", "image": "none"}]}


def _without(*keys: str) -> dict[str, Any]:
    return {"exclude": list(keys)}


def test_a_diff_tells_what_the_operator_refuses(stage: Stage) -> None:
    stage.apply(secret("shop", {"MINE": "text"}))

    code, lines = stage.said(stage.spec())

    assert (code, lines[0]) == (1, "PhaseSecret NS/shop")
    assert lines[1].startswith("  Secret NS/shop would be refused: TargetConflict: it exists and is not ours")


def test_a_diff_of_a_resource_shows_what_moved_in_phase(stage: Stage) -> None:
    stage.apply(stage.spec())
    stage.until_ready()
    stage.sets(DB_URL="another url")

    result = stage.does("diff", "phs/shop", "-o", "json")

    [found] = json.loads(result.stdout)
    assert result.exit_code == ExitCode.NO
    assert found["targets"][0]["changes"] == [
        {"sign": "~", "what": "key", "name": "DB_URL", "before": "********", "after": "********"}
    ]


def test_values_are_shown_only_on_demand(stage: Stage) -> None:
    stage.phase.set("shop", "production", "PLAIN", "seen", path=stage.folder)
    wanted = stage.spec(keys={"include": ["PLAIN"]})

    assert "    + PLAIN" in stage.said(wanted)[1]
    assert '    + PLAIN: "seen"' in stage.said(wanted, "--show-values")[1]


def test_an_encrypted_app_is_compared_with_the_full_token_of_the_secret(stage: Stage) -> None:
    stage.phase.set("billing", "production", "SEALED", stage.canary.value("sealed"), path=stage.folder)

    code, lines = stage.said(stage.spec(phaseApp="billing"))

    assert (code, lines[-1]) == (1, "    + SEALED")


def test_entries_of_a_file_stand_for_phase(stage: Stage, tmp_path: Path) -> None:
    stage.apply(stage.spec())
    stage.until_ready()
    held = {key: stage.canary.value(name) for key, name in {"API_KEY": "api key", "DB_URL": "other"}.items()}
    entries = {key: {"value": value, "path": stage.folder} for key, value in held.items()}
    (file := tmp_path / "entries.yaml").write_text(yaml.safe_dump(entries))
    calls = stage.phase.calls()

    code, lines = stage.said(stage.spec(), "--entries", str(file))

    assert (code, lines) == (1, ["PhaseSecret NS/shop", "  Secret NS/shop would change", "    ~ DB_URL"])
    assert stage.phase.calls() == calls


def test_a_dynamic_secret_is_a_sentence(stage: Stage) -> None:
    body = {"apiVersion": names.API_VERSION, "kind": "PhaseDynamicSecret", "metadata": {"name": "aws"}, "spec": {}}

    code, lines = stage.said(body)

    assert (code, lines[0]) == (0, "PhaseDynamicSecret NS/aws: no change")
    assert "nothing to compare" in lines[1]


def test_a_push_is_compared_with_the_entries_of_phase(stage: Stage) -> None:
    stage.apply(secret("db", {"PASSWORD": stage.canary.value("password"), "USER": stage.canary.value("user")}))
    push = push_secret("to-phase", stage.phase.url, f"{stage.folder}/push", pollingInterval=_NEVER)

    before = stage.said(push)
    stage.apply(push)
    eventually(lambda: _ready(stage, "to-phase"), what="it is pushed")
    after = stage.said(push)
    gone = stage.said(push | {"spec": push["spec"] | {"sources": [{"secretName": "db", "keys": _without("USER")}]}})

    folder = "/NS/push"
    assert before == (
        1,
        [
            "PhasePushSecret NS/to-phase",
            f"  + {folder}/PASSWORD: would be made",
            f"  + {folder}/USER: would be made",
        ],
    )
    assert after == (0, ["PhasePushSecret NS/to-phase: no change"])
    assert gone == (1, ["PhasePushSecret NS/to-phase", f"  - {folder}/USER: would be deleted"])


def _ready(stage: Stage, name: str) -> bool:
    found = stage.get("phasepushsecret", name) or {}
    return stage._condition(found).get("status") == "True"


def test_a_viewer_is_told_which_role_a_diff_takes(stage: Stage) -> None:
    viewer, editor, nobody = stage.person("view"), stage.person("edit"), stage.person(None)
    stage.apply(stage.spec())

    seen = stage.does("diff", "shop", by=viewer)
    denied = stage.does("diff", "shop", by=nobody)

    assert seen.exit_code > 1
    assert f"no right to get secrets/{_TOKEN} in namespace {stage.namespace}" in seen.stderr
    assert "kind: Role" in seen.stderr
    assert denied.exit_code > 1
    assert "get phasesecrets.secrets.phase.dev/shop" in denied.stderr
    assert stage.does("diff", "shop", by=editor).exit_code in (ExitCode.OK, ExitCode.NO)


def test_a_token_goes_to_no_host_that_only_a_resource_names(stage: Stage) -> None:
    with EmbeddedPhase() as other:
        wanted = stage.spec(phaseHost=other.url)
        result = stage.does("diff", "-f", "-", stdin=yaml.safe_dump(wanted))
        calls = other.calls()

    assert (result.exit_code, calls) == (ExitCode.USAGE, 0)
    assert f"only with --host {other.url}" in result.stderr


@pytest.mark.parametrize(
    ("text", "words"),
    [
        pytest.param("a: [", "standard input:", id="not YAML"),
        pytest.param("kind: Pod\napiVersion: v1\n", "no PhaseSecret or PhasePushSecret", id="another kind"),
        pytest.param(_HEAD, '"" is no name', id="no name"),
        pytest.param(_HEAD + "metadata: {name: ../../secrets/x}\n", "is no name", id="another path"),
        pytest.param(_HEAD + "metadata: {name: x, namespace: '..'}\n", "the namespace is ..", id="another place"),
        pytest.param(
            "apiVersion: secrets.phase.dev/v1alpha1\r\nkind: PhaseSecret\r\nmetadata: {name: a}\r\nspec:\r\n"
            "  phaseApp: 5\r\n",
            "standard input:5: spec.phaseApp",
            id="a bad field, with Windows line ends",
        ),
    ],
)
def test_a_file_that_cannot_be_used_is_a_sentence(stage: Stage, text: str, words: str) -> None:
    result = stage.does("diff", "-f", "-", stdin=text)

    assert result.exit_code > 1
    assert words in result.stderr
    assert len(result.stderr.splitlines()) == 1


def test_several_documents_are_compared_each(stage: Stage) -> None:
    both = [stage.spec("one"), secret("not-ours", {}), stage.spec("two")]

    result = stage.does("diff", "-f", "-", stdin=yaml.safe_dump_all(both))

    heads = [line for line in result.stdout.splitlines() if not line.startswith(" ")]
    assert heads == [f"PhaseSecret {stage.namespace}/{name}" for name in ("one", "two")]


# auth


def _held(stage: Stage, name: str) -> dict[str, str]:
    found = stage.get("secret", name) or {}
    return {key: base64.b64decode(each).decode() for key, each in (found.get("data") or {}).items()}


def test_a_token_is_stored_and_never_written_over_unasked(stage: Stage) -> None:
    token, other = stage.phase.token("operator", form="pss"), stage.phase.token("operator", form="hex")

    dry = stage.does("auth", "create", "mine", "--dry-run", PHASE_TOKEN=token)
    first = stage.does("auth", "create", "mine", "--allowed-hosts", stage.phase.url, "--token-stdin", stdin=token)
    again = stage.does("auth", "create", "mine", PHASE_TOKEN=token)
    refused = stage.does("auth", "create", "mine", PHASE_TOKEN=other)
    replaced = stage.does("auth", "create", "mine", "--replace", PHASE_TOKEN=other)

    assert dry.stdout == "secret/mine created (dry run)\n"
    assert first.stdout == "secret/mine created\n"
    assert again.stdout == "secret/mine unchanged\n"
    assert (refused.exit_code, "--replace" in refused.stderr) == (ExitCode.NO, True)
    assert replaced.stdout == "secret/mine configured\n"
    assert _held(stage, "mine") == {"token": other}
    made = stage.get("secret", "mine") or {}
    assert made["metadata"]["annotations"][names.ANNOTATION_ALLOWED_HOSTS] == stage.phase.url


def test_other_keys_of_a_secret_stay(stage: Stage) -> None:
    stage.apply(secret("mine", {"password": "p"}))
    token = stage.phase.token("operator", form="pss")

    refused = stage.does("auth", "create", "mine", PHASE_TOKEN=token)
    stage.does("auth", "create", "mine", "--replace", PHASE_TOKEN=token)

    assert refused.exit_code == ExitCode.NO
    assert '"password"' in refused.stderr
    assert _held(stage, "mine") == {"password": "p", "token": token}


def test_a_target_never_gets_a_token(stage: Stage) -> None:
    stage.apply(stage.spec())
    stage.until_ready()
    token = stage.phase.token("operator", form="pss")

    result = stage.does("auth", "create", "shop", "--replace", PHASE_TOKEN=token)

    assert result.exit_code == ExitCode.NO
    assert "token" not in _held(stage, "shop")


def test_a_token_that_phase_refuses_is_not_stored(stage: Stage) -> None:
    bad = stage.canary.token("ServiceAccount " + "0123456789abcdef" * 4)

    refused = stage.does("auth", "create", "mine", PHASE_TOKEN=bad)
    unchecked = stage.does("auth", "create", "mine", "--no-check", PHASE_TOKEN=bad)

    assert (refused.exit_code, unchecked.stdout) == (ExitCode.NO_PHASE, "secret/mine created\n")


def test_the_token_of_a_secret_is_checked_within_its_hosts(stage: Stage) -> None:
    well = stage.does("auth", "check", "-o", "json")
    allowed = f"{names.ANNOTATION_ALLOWED_HOSTS}=https://phase.example"
    stage.plane.kubectl("-n", stage.namespace, "annotate", "secret", _TOKEN, allowed)
    bound = stage.does("auth", "check", "-o", "json")

    assert well.exit_code == ExitCode.OK
    assert [each["check"] for each in json.loads(well.stdout)][:3] == ["secret", "form", "account"]
    assert bound.exit_code == ExitCode.NO
    assert {each["check"]: each["level"] for each in json.loads(bound.stdout)} == {"secret": "ok", "host": "missing"}


def test_a_missing_right_to_make_a_secret_prints_the_role(stage: Stage) -> None:
    nobody = stage.person(None)

    result = stage.does("auth", "create", PHASE_TOKEN=stage.phase.token("operator", form="pss"), by=nobody)

    assert result.exit_code == ExitCode.NO
    assert f"no right to get secrets/{_TOKEN}" in result.stderr
    assert "kind: Role" in result.stderr


# init


def test_a_resource_of_init_is_taken_by_the_api_server_and_comes_in_step(stage: Stage) -> None:
    stage.phase.set("shop", "production", "LEVEL", "info", path=stage.folder, type="config")
    options = ("--app", "shop", "--env", "production", "--path", stage.folder, "--target", "made")

    written = stage.does("init", *options, PHASE_TOKEN=stage.phase.token("operator", form="pss")).stdout
    stage.plane.kubectl("apply", "--validate=strict", "-f", "-", stdin=written)
    stage.until_ready("made")

    assert sorted(stage.data("made") or {}) == ["API_KEY", "DB_URL"]
    assert (stage.get("configmap", "made") or {})["data"] == {"LEVEL": "info"}
