"""`render`: what it reads, what it tells, and how it ends; test_render_golden.py has the objects."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from phase_dev import documents
from phase_operator.cli import cli
from support.canary import Canary
from support.cli_files import resource, written

GOOD: dict[str, Any] = {"phaseApp": "shop", "managedSecretReferences": [{"secretName": "shop"}]}
ENTRIES = {
    "DB_HOST": "db",
    "DB_PASSWORD": "secret",
    "LEVEL": {"value": "info", "type": "config"},
    "DEEP": {"value": "x", "path": "/deep"},
}


def call(*arguments: str, **given: Any) -> Result:
    return CliRunner().invoke(cli, ["render", *arguments], prog_name="phase-operator", **given)


def rendered(
    folder: Path, *arguments: str, entries: Any = None, fields: Mapping[str, Any] = {}, **metadata: Any
) -> Result:
    """Render one PhaseSecret with a file of entries."""
    (folder / "entries.json").write_text(json.dumps(ENTRIES if entries is None else entries))
    file = written(folder, resource({**GOOD, **fields}, **metadata))
    return call("-f", file, "--entries", str(folder / "entries.json"), *arguments)


def test_yaml_is_the_object_with_masks_for_its_values(tmp_path: Path) -> None:
    result = rendered(tmp_path)

    assert result.stdout == (
        "apiVersion: v1\n"
        "kind: Secret\n"
        "metadata:\n"
        "  name: shop\n"
        "  namespace: team\n"
        "  labels:\n"
        "    app.kubernetes.io/managed-by: phase-operator\n"
        "    secrets.phase.dev/target: 'true'\n"
        "  annotations:\n"
        "    secrets.phase.dev/owner: team/shop\n"
        "type: Opaque\n"
        "data:\n"
        "  DB_HOST: '********'\n"
        "  DB_PASSWORD: '********'\n"
        "  LEVEL: '********'\n"
    )
    assert (result.stderr, result.exit_code) == ("", 0)


def test_json_is_a_list_as_kubectl_takes_it(tmp_path: Path) -> None:
    found = json.loads(rendered(tmp_path, "-o", "json", "--show-values").stdout)

    assert (found["apiVersion"], found["kind"]) == ("v1", "List")
    assert [each["data"]["DB_HOST"] for each in found["items"]] == ["ZGI="]


def test_env_has_a_heading_for_each_of_several_objects(tmp_path: Path) -> None:
    fields = {"managedConfigMapReferences": [{"configMapName": "shop"}]}

    several = rendered(tmp_path, "-o", "env", "--show-values", fields=fields)
    one = rendered(tmp_path, "-o", "env", "--target", "configmap/shop", fields=fields)

    assert several.stdout == "# Secret team/shop\nDB_HOST=db\nDB_PASSWORD=secret\n# ConfigMap team/shop\nLEVEL=info\n"
    assert one.stdout == "LEVEL='********'\n"


def test_env_of_a_value_that_is_no_text_is_an_error(tmp_path: Path) -> None:
    fields = {"managedSecretReferences": [{"secretName": "a", "processors": {"B": {"type": "base64"}}}]}

    result = rendered(tmp_path, "-o", "env", "--show-values", fields=fields, entries={"B": "/w=="})

    assert result.exit_code == 1
    assert "Secret team/a: format dotenv holds text in UTF-8 only" in result.stderr
    assert rendered(tmp_path, "-o", "env", fields=fields, entries={"B": "/w=="}).stdout == "B='********'\n"


def test_a_folder_gets_a_private_file_for_each_key(tmp_path: Path) -> None:
    folder = tmp_path / "out" / "new"

    result = rendered(tmp_path, "-o", "dir", "--output-dir", str(folder), "--show-values")

    inner = folder / "team" / "secrets" / "shop"
    assert result.stdout == f"{inner}\n"
    assert {file.name: file.read_text() for file in inner.iterdir()} == {
        "DB_HOST": "db",
        "DB_PASSWORD": "secret",
        "LEVEL": "info",
    }
    assert {file.stat().st_mode & 0o777 for file in inner.iterdir()} == {0o600}


def test_a_folder_that_holds_something_is_left_alone(tmp_path: Path) -> None:
    folder = tmp_path / "out"
    folder.mkdir()
    (folder / "mine").write_text("mine")

    result = rendered(tmp_path, "-o", "dir", "--output-dir", str(folder))

    assert (result.exit_code, [each.name for each in folder.iterdir()]) == (2, ["mine"])


def test_entries_that_are_left_out_are_told_with_why(tmp_path: Path) -> None:
    fields = {
        "recursive": True,
        "keys": {"include": ["*", "NO_SUCH"]},
        "managedSecretReferences": [
            {
                "secretName": "shop",
                "path": "/deep",
                "keys": {"exclude": ["DEEP"]},
                "processors": {"GONE": {"asName": "x"}},
                "template": {"metadata": {"labels": {"app.kubernetes.io/instance": "x"}}, "data": {"a": "b"}},
            }
        ],
        "managedConfigMapReferences": [{"configMapName": "shop"}],
        "suspend": True,
    }
    entries = ENTRIES | {"OTHER": {"value": "y", "path": "/deep"}}

    result = rendered(tmp_path, fields=fields, entries=entries)

    assert result.stderr == (
        'warning: PhaseSecret team/shop: spec.keys.include: no entry matches "NO_SUCH"\n'
        "warning: PhaseSecret team/shop: spec.suspend is true: the operator writes nothing\n"
        'note: Secret team/shop: leaves out 1 entry, since it takes none of that type: "LEVEL"\n'
        "note: Secret team/shop: leaves out 2 entries, since it takes those of another folder: "
        '"DB_HOST", "DB_PASSWORD"\n'
        'note: Secret team/shop: leaves out 1 entry, since its own patterns say so: "DEEP"\n'
        'warning: Secret team/shop: template.metadata.labels: "app.kubernetes.io/instance" is left out: by it, tools '
        "know what is theirs\n"
        'warning: Secret team/shop: processors: no entry has the key "GONE"\n'
        'note: ConfigMap team/shop: leaves out 4 entries, since it takes none of that type: "DB_HOST", "DB_PASSWORD", '
        '"DEEP", "OTHER"\n'
    )
    assert result.exit_code == 0


REFUSED = [
    pytest.param({"managedSecretReferences": [{"secretName": "a", "processors": {"DB_HOST": {"asName": "LEVEL"}}}]},
                 "error: Secret team/a: KeyCollision: ", id="a collision"),
    pytest.param({"managedSecretReferences": [{"secretName": "a", "secretType": "kubernetes.io/tls"}]},
                 "error: Secret team/a: TypeMismatch: ", id="a type that the keys do not fit"),
    pytest.param({"managedSecretReferences": [{"secretName": "a", "keys": {"include": ["X"]}}]},
                 "error: Secret team/a: NoEntries: ", id="no entry for a target"),
    pytest.param({"phaseAppEnvPath": "/none"}, "error: PhaseSecret team/shop: NoEntries: ", id="no entry at all"),
    pytest.param({"managedSecretReferences": [{"secretName": "a", "template": {"data": {"a": "{{ X }}"}}}]},
                 "error: Secret team/a: TemplateFailed: ", id="a template without its value"),
    pytest.param({"redeployLabelSelector": "a in ("}, ": spec.redeployLabelSelector: InvalidSpec: ", id="a selector"),
]  # fmt: skip


@pytest.mark.parametrize(("fields", "words"), REFUSED)
def test_a_target_that_cannot_be_made_is_an_error_of_its_own(
    tmp_path: Path, fields: dict[str, Any], words: str
) -> None:
    targets = [*fields.get("managedSecretReferences", ()), {"secretName": "good"}]

    result = rendered(tmp_path, fields=fields | {"managedSecretReferences": targets})

    assert words in result.stderr
    assert result.exit_code == 1
    names = [each["metadata"]["name"] for each in documents.load_all(result.stdout)]
    assert names == (["good"] if words.startswith("error: Secret") else [])


def test_a_type_that_needs_a_flag_of_the_operator_is_rendered_with_a_warning(tmp_path: Path) -> None:
    fields = {"managedSecretReferences": [{"secretName": "a", "secretType": "bootstrap.kubernetes.io/token"}]}

    result = rendered(tmp_path, fields=fields, entries={"token-id": "a" * 6, "token-secret": "b" * 16})

    assert "takes --allow-impersonation-types of the operator" in result.stderr
    assert result.exit_code == 0


def test_one_target_is_chosen_by_its_name_and_the_errors_of_others_do_not_count(tmp_path: Path) -> None:
    bad = {"secretName": "bad", "secretType": "kubernetes.io/tls"}
    fields = {"managedSecretReferences": [bad, {"secretName": "good"}]}

    assert rendered(tmp_path, "--target", "good", fields=fields).exit_code == 0
    assert rendered(tmp_path, "--target", "Secret/bad", fields=fields).exit_code == 1
    missing = rendered(tmp_path, "--target", "configmap/good", fields=fields)
    assert missing.exit_code == 2
    assert '"Secret/bad", "Secret/good"' in missing.stderr


def test_a_config_map_without_entries_is_made_empty_as_the_operator_does(tmp_path: Path) -> None:
    fields = {"managedConfigMapReferences": [{"configMapName": "shop"}]}

    result = rendered(tmp_path, fields=fields, entries={"A": "a"})

    assert [each["kind"] for each in documents.load_all(result.stdout)] == ["Secret", "ConfigMap"]
    assert result.exit_code == 0


def test_an_unresolved_reference_is_an_error_or_a_warning_as_the_spec_says(tmp_path: Path) -> None:
    entries = {"A": "${B}"}

    fails = rendered(tmp_path, entries=entries)
    warns = rendered(tmp_path, entries=entries, fields={"onSecretReferenceError": "Warn"})

    assert (fails.exit_code, fails.stdout) == (1, "")
    assert (
        'error: PhaseSecret team/shop: UnresolvedReferences: Phase left references unresolved in "/A"' in fails.stderr
    )
    assert "warning: PhaseSecret team/shop: Phase left references unresolved" in warns.stderr
    assert warns.exit_code == 0


def test_a_version_has_a_name_that_no_version_has(tmp_path: Path) -> None:
    fields = {"managedSecretReferences": [{"secretName": "shop", "versioned": {}}]}

    [found] = documents.load_all(rendered(tmp_path, fields=fields).stdout)

    assert found["metadata"]["name"] == "shop-xxxxxxxxxx"
    assert found["immutable"] is True


def test_a_merged_share_has_its_keys_and_the_type_for_a_new_object(tmp_path: Path) -> None:
    target = {"secretName": "shop", "creationPolicy": "Merge", "secretType": "kubernetes.io/basic-auth"}

    [found] = documents.load_all(rendered(tmp_path, fields={"managedSecretReferences": [target]}).stdout)

    assert found["metadata"] == {"name": "shop", "namespace": "team", "labels": {"secrets.phase.dev/target": "true"}}
    assert found["type"] == "kubernetes.io/basic-auth"


def test_a_share_whose_mark_would_be_too_long_is_an_error(tmp_path: Path) -> None:
    target = {"secretName": "shop", "creationPolicy": "Merge"}
    entries = {f"K{number:0199}": "x" for number in range(1300)}

    result = rendered(tmp_path, fields={"managedSecretReferences": [target]}, entries=entries)

    assert "error: Secret team/shop: TooLarge: 1300 keys are too many for their length" in result.stderr
    assert (result.exit_code, result.stdout) == (1, "")


def test_nulls_that_the_api_server_drops_are_not_there(tmp_path: Path) -> None:
    result = rendered(tmp_path, fields={"keys": None, "suspend": None, "phaseAppEnv": None, "authentication": None})

    assert (result.stderr, result.exit_code) == ("", 0)


def test_a_resource_that_an_api_server_would_refuse_is_not_rendered(tmp_path: Path) -> None:
    file = written(tmp_path, resource(GOOD | {"phaseAp": "x"}), resource(GOOD, "good"))
    (tmp_path / "e.env").write_text("A=a\n")

    result = call("-f", file, "--entries", str(tmp_path / "e.env"))

    assert result.stderr == f"error: {file}:15: spec.phaseAp: there is no such field\n"
    assert [
        each["metadata"]["annotations"]["secrets.phase.dev/owner"] for each in documents.load_all(result.stdout)
    ] == ["team/good"]
    assert result.exit_code == 1


@pytest.mark.parametrize(
    ("kind", "spec", "words"),
    [
        ("PhaseDynamicSecret", GOOD | {"dynamicSecret": "s3"}, "nothing can be rendered before a lease"),
        ("PhasePushSecret", {"phaseApp": "shop", "sources": [{"secretName": "db"}]}, "it makes entries in Phase"),
    ],
)
def test_a_kind_without_objects_is_a_sentence(tmp_path: Path, kind: str, spec: dict[str, Any], words: str) -> None:
    alone, beside = resource(spec, kind=kind), resource(GOOD)
    (tmp_path / ".env").write_text("A=a\n")

    for bodies, code in (([alone], 1), ([alone, beside], 0)):
        result = call("-f", written(tmp_path, *bodies), "--entries", str(tmp_path / ".env"))

        assert f"{kind} team/shop: {words}" in result.stderr
        assert result.exit_code == code


def test_a_resource_without_namespace_is_in_that_of_the_flag(tmp_path: Path) -> None:
    body = resource(GOOD)
    del body["metadata"]["namespace"]
    (tmp_path / "e.yaml").write_text("A: a\n")

    for flags, namespace in ([], "default"), (["-n", "team"], "team"):
        result = call("-f", written(tmp_path, body), "--entries", str(tmp_path / "e.yaml"), *flags)

        [found] = documents.load_all(result.stdout)
        assert found["metadata"]["namespace"] == namespace


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ([], "name files or folders"),
        (["-f", "{file}"], "give --entries FILE, or a token of Phase by --token-file"),
        (["-f", "{file}", "--entries", "{file}.txt"], "give --entries-format"),
        (["-f", "{file}", "--entries", "{file}/no.yaml"], "Not a directory"),
        (["-f", "{file}", "-o", "dir"], "-o dir and --output-dir go together"),
        (["-f", "{file}", "--output-dir", "x"], "-o dir and --output-dir go together"),
        (["-f", "-", "--entries", "-"], "the standard input is one of"),
        (["-f", "{other}", "--entries", "{file}"], "the files hold no PhaseSecret, and 1 objects of other kinds"),
        (["-f", "{file}", "--token-file", "{token}", "--host", "x"], "--host: this is no URL"),
        (["-f", "{file}", "--token-file", "{token}", "--default-host", "x"], "--default-host: this is no URL of Phase"),
        (
            ["-f", "{hosted}", "--token-file", "{token}", "--default-host", "https://other.example"],
            "the token is sent there only with --host https://phase.example",
        ),
        (["-f", "{hosted}", "--token-file", "{token}"], "the token is sent there only with --host https://phase.example"),
        (["-f", "{file}", "--token-file", "{file}/none"], "does not exist"),
        (["-k", "{file}", "--entries", "{file}"], "kustomize"),
    ],
)  # fmt: skip
def test_a_missing_or_wrong_option_is_a_usage_error(
    tmp_path: Path, arguments: list[str], words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("PHASE_TOKEN", raising=False)
    (tmp_path / "token").write_text("pss_service:v1:x")
    paths = {
        "file": written(tmp_path, resource(GOOD)),
        "hosted": written(tmp_path, resource(GOOD | {"phaseHost": "https://phase.example"}), name="hosted.yaml"),
        "other": written(tmp_path, {"apiVersion": "v1", "kind": "Secret"}, name="other.yaml"),
        "token": str(tmp_path / "token"),
    }

    result = call(*(each.format(**paths) for each in arguments))

    assert (result.exit_code, result.stdout) == (2, "")
    assert words in result.stderr


def test_no_value_is_shown_unless_that_is_asked(tmp_path: Path, canary: Canary) -> None:
    value = canary.value("entry")
    entries = {
        "A": value,
        "B": {"value": value, "path": "/" + "x" * 64},
        "C": {"value": value, "type": "config", "tags": ["a"]},
        "D": f"${{{value}}}",
    }
    targets = [
        {"secretName": "a"},
        {"secretName": "b", "processors": {"A": {"type": "base64"}}},
        {
            "secretName": "c",
            "secretType": "kubernetes.io/tls",
            "processors": {"A": {"asName": "tls.crt"}, "C": {"asName": "tls.key"}},
        },
        {"secretName": "d", "format": "dockerconfigjson"},
        {"secretName": "e", "template": {"data": {"a": "{{ A | nope }}"}}},
        {"secretName": "f", "template": {"data": {"a": "{{ X }}{{ A }}"}}},
    ]

    for output in (["-o", "yaml"], ["-o", "json"], ["-o", "env", "--target", "a"], ["-o", "dir", "--output-dir", "{}"]):
        for policy in ("Fail", "Warn"):
            folder = tmp_path / f"{output[1]}{policy}"
            result = rendered(
                tmp_path,
                *(each.format(folder) for each in output),
                entries=entries,
                fields={"managedSecretReferences": targets, "onSecretReferenceError": policy},
            )
            canary.watch(result.output)
            assert result.exit_code in (0, 1)
            if folder.exists():
                canary.watch(folder)
