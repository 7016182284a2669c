"""`migrate` on files: what it prints, and how it ends."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from phase_operator.cli import cli
from support.canary import Canary

SAMPLES = Path(__file__).parent / "migrating/samples"


@pytest.fixture(autouse=True)
def _no_variables(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("PHASE_TOKEN", raising=False)
    monkeypatch.setenv("KUBECONFIG", str(tmp_path / "none"))


def migrate(*arguments: str | Path, stdin: str | None = None) -> Result:
    return CliRunner().invoke(cli, ["migrate", *map(str, arguments)], input=stdin, prog_name="kubectl phase")


SAME = """
apiVersion: secrets.phase.dev/v1alpha1
kind: PhaseSecret
metadata: {name: same, namespace: team}
spec:
  phaseAppId: 72b9ddd5-8fce-49ab-89d9-c431d53a9552
  managedSecretReferences: [{secretName: same}]
"""


def test_help_names_the_three_commands() -> None:
    shown = migrate("--help").stdout

    assert [line.split()[0] for line in shown.splitlines() if line.startswith("  ") and line.strip()][-3:] == [
        "check",
        "convert",
        "adopt",
    ]


def test_the_table_of_a_check_has_the_worst_first() -> None:
    result = migrate("check", "--from", "official-v2", "-f", SAMPLES / "official.yaml")

    assert result.stdout == (SAMPLES / "official.table.txt").read_text()
    assert result.exit_code == 1


def test_a_point_that_cannot_be_judged_is_told_beside_the_table() -> None:
    result = migrate("check", "--from", "official-v2", "-f", SAMPLES / "official.yaml")

    assert result.stderr == (
        "Not judged: whether phaseAppEnv is the whole name of an environment, and no other holds it"
        " (team/same and 2 more)\n"
        "Not judged: keys that collide, empty values, dynamic secrets, and whether the data fit secretType"
        " (team/same and 2 more)\n"
        "Not judged: whether phaseApp is the whole name of an app (team/shop)\n"
        "Not judged: which entries phaseAppEnvTag selects: it is the whole tag here, and part of one there"
        " (team/shop)\n"
        "Not judged: whether the values of processors with type base64 are base64 (team/shop)\n"
        "4 resources: 4 stops with a reason\n"
        "What holds for every resource: docs/migration.md, under What differs.\n"
    )


def test_a_resource_without_a_difference_ends_in_0() -> None:
    result = migrate("check", "--from", "official-v2", "-f", "-", stdin=SAME)

    assert (result.exit_code, result.stdout) == (0, "")
    assert "1 resource: 1 without a difference\n" in result.stderr


def test_a_check_in_json_has_every_finding() -> None:
    shown = json.loads(migrate("check", "--from", "official-v1", "-f", SAMPLES / "official.yaml", "-o", "json").stdout)

    [broken] = [each for each in shown["resources"] if each["name"] == "broken"]
    assert broken == {
        "namespace": "team",
        "name": "broken",
        "differs": True,
        "findings": [
            {
                "severity": "stops",
                "where": "spec",
                "what": "InvalidSpec: spec.pollingInterval: Input should be greater than or equal to 5",
                "cure": "correct it before the move",
            }
        ],
        "notJudged": [],
    }


@pytest.mark.parametrize("operator", ["eso", "doppler", "infisical"])
def test_a_check_of_another_operator_lists_what_cannot_be_said(operator: str) -> None:
    result = migrate("check", "--from", operator, "-f", SAMPLES / f"{operator}.yaml")

    assert result.exit_code == 1
    assert result.stdout.count("stops with a reason") > 2
    assert "SEVERITY " in result.stdout.splitlines()[0]


def test_a_setting_of_the_operator_counts() -> None:
    command = ("check", "--from", "official-v2", "-f", SAMPLES / "official.yaml")
    grants = ("--grant", "from=team,to=web,what=target", "--grant", "from=team,to=default,what=token")

    plain = migrate(*command).stdout
    hosts = ("--allow-phase-host", "https://phase.example", "--allow-phase-host", "https://console.phase.dev")
    granted = migrate(*command, *grants, *hosts).stdout
    impersonating = migrate(*command, "--allow-impersonation-types").stdout

    assert (plain.count("CrossNamespaceRefused"), plain.count("HostRefused"), plain.count("TypeNotSupported")) == (
        2,
        1,
        1,
    )
    assert "CrossNamespaceRefused" not in granted
    assert "HostRefused" not in granted
    assert "TypeNotSupported" not in impersonating


@pytest.mark.parametrize(
    "arguments",
    [
        pytest.param(("check",), id="no --from"),
        pytest.param(("check", "--from", "vault"), id="unknown"),
        pytest.param(("check", "--from", "official-v1", "-f", "-", "--grant", "x"), id="no grant"),
        pytest.param(("check", "--from", "official-v1", "-f", "-", "--host", "phase"), id="no host"),
        pytest.param(("check", "--from", "official-v1", "-f", "/does/not/exist"), id="no file"),
        pytest.param(("check", "--from", "official-v1", "-f", "-", "--entries", "-"), id="twice the input"),
        pytest.param(
            ("check", "--from", "official-v1", "-f", "-", "--entries", "x.txt"), id="entries without a format"
        ),
        pytest.param(("check", "--from", "official-v1", "-f", "-", "--entries", "/no/x.json"), id="no file of entries"),
        pytest.param(("check", "--from", "official-v1", "-n", "a", "-A"), id="-n and -A"),
        pytest.param(("convert", "--from", "official-v2"), id="nothing to convert"),
        pytest.param(("adopt", "--from", "official-v2", "--force"), id="--force for nothing"),
    ],
)
def test_wrong_usage_ends_in_2(arguments: tuple[str, ...]) -> None:
    result = migrate(*arguments, stdin="")

    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr


@pytest.mark.parametrize(
    ("command", "operator"),
    [("check", "official-v1"), ("check", "eso"), ("convert", "infisical"), ("adopt", "official-v2"), ("adopt", "eso")],
)
def test_no_cluster_ends_in_3(command: str, operator: str) -> None:
    result = migrate(command, "--from", operator)

    assert (result.exit_code, result.stdout) == (3, "")
    assert len(result.stderr.splitlines()) == 1


@pytest.mark.parametrize("text", ["a: [", "\x00", "- a\n", "kind: {a: b}: c"])
def test_a_file_without_objects_is_one_sentence(text: str) -> None:
    for command in ("check", "convert"):
        result = migrate(command, "--from", "eso", "-f", "-", stdin=text)

        assert (result.exit_code, result.stdout) == (2, "")
        assert len(result.stderr.splitlines()) == 1


def test_windows_line_ends_are_no_difference(tmp_path: Path) -> None:
    for name in ("eso", "doppler", "infisical"):
        file = tmp_path / f"{name}.yaml"
        file.write_bytes((SAMPLES / f"{name}.yaml").read_bytes().replace(b"\n", b"\r\n"))

        result = migrate("convert", "--from", name, "-f", file)

        assert result.stdout == (SAMPLES / f"{name}.phase.yaml").read_text()


def test_a_conversion_with_an_open_question_ends_in_1() -> None:
    result = migrate("convert", "--from", "doppler", "-f", SAMPLES / "doppler.yaml")

    assert result.exit_code == 1
    assert result.stdout == (SAMPLES / "doppler.phase.yaml").read_text()
    assert result.stderr == "2 of 3 are not ready to apply: see TODO in each\n"


def test_a_conversion_that_is_complete_ends_in_0() -> None:
    body = """
apiVersion: secrets.doppler.com/v1alpha1
kind: DopplerSecret
metadata: {name: web, namespace: team}
spec: {project: web, config: prd, tokenSecret: {name: doppler}, managedSecret: {name: web}, secrets: [A]}
"""

    result = migrate("convert", "--from", "doppler", "-f", "-", "--app", "shop", "--token-secret", "t", stdin=body)

    assert (result.exit_code, result.stderr) == (0, "")
    assert "phaseApp: shop" in result.stdout


def test_a_conversion_in_json_has_object_and_remarks() -> None:
    [first, *_] = json.loads(migrate("convert", "--from", "eso", "-f", SAMPLES / "eso.yaml", "-o", "json").stdout)

    assert (first["ready"], first["from"]["kind"]) == (True, "ExternalSecret")
    assert first["phaseSecret"]["kind"] == "PhaseSecret"
    assert {each["open"] for each in first["remarks"]} == {False}


def test_files_of_other_kinds_alone_are_said() -> None:
    result = migrate("convert", "--from", "eso", "-f", "-", stdin="kind: Deployment\napiVersion: apps/v1\n")

    assert (result.exit_code, result.stdout) == (1, "")
    [left_out, error] = result.stderr.splitlines()
    assert left_out == "left out: 1 of kind Deployment"
    assert error.endswith(": there is no ExternalSecret to convert")


def test_entries_of_a_file_are_compared_key_by_key(tmp_path: Path, canary: Canary) -> None:
    file = tmp_path / "entries.json"
    tags = {"DB_URL": "db", "DB_REPLICA": "db-main", "EMPTY": "db"}
    values = {"DB_URL": canary.value("one"), "DB_REPLICA": canary.value("two"), "EMPTY": ""}
    file.write_text(json.dumps({key: {"value": values[key], "tags": [tag]} for key, tag in tags.items()}))
    tagged = SAME.replace("  phaseAppId", "  phaseAppEnvTag: db\n  phaseAppId")

    result = migrate("check", "--from", "official-v2", "-f", "-", "--entries", file, stdin=tagged)

    canary.watch(result.output)
    assert result.exit_code == 1
    assert result.stdout == (
        "SEVERITY         RESOURCE    WHERE             WHAT DIFFERS\n"
        'breaks silently  team/same   Secret team/same  loses 1 key: "DB_REPLICA"; tag "db" is the whole tag here:'
        ' phaseAppEnvTags takes several, "db-main" among them\n'
        'differs          team/same   Secret team/same  gets 1 key with an empty value, left out there: "EMPTY"\n'
    )
    assert [line for line in result.stderr.splitlines() if line.startswith("Not judged")] == [
        "Not judged: whether phaseAppEnv is the whole name of an environment, and no other holds it (team/same)"
    ]
