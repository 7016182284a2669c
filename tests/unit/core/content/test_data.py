"""What a target holds: which entries it takes, and as keys, a file or texts."""

import base64
import json
from typing import Any

import pytest

from phase_operator.api.reasons import Reason
from phase_operator.core.errors import ExpectedError, Invalid, Waiting
from phase_operator.core.source.folders import folders
from phase_operator.core.source.query import ask_of, source_query
from phase_operator.core.source.selection import select
from phase_operator.core.targets.desired import Desired
from phase_operator.core.targets.rendering import renderings
from phase_operator.core.values import Entry
from support.builders import DIGEST_KEY, config_entry, entry, owner, parsed
from support.canary import Canary

TREE = [
    entry("ROOT", "r"),
    entry("DB", "d", path="/api"),
    entry("DEEP", "x", path="/api/v2"),
    entry("DB", "other", path="/apis"),
    config_entry("LEVEL", "debug", path="/api"),
]


ROUTES = [
    pytest.param({"template": {"data": {"k": "{{ S }}"}}}, id="a text"),
    pytest.param({"template": {"data": {"k": '{{ entries["S"] | base64 }}'}}}, id="a text by item"),
    pytest.param({"template": {"metadata": {"annotations": {"a": "{{ S }}"}}}}, id="an annotation"),
    pytest.param({"template": {"metadata": {"labels": {"a": "{{ S }}"}}}}, id="a label"),
    pytest.param({"template": {"data": {"k": "{{ s }}"}}, "nameTransformer": "lower-snake"}, id="renamed"),
    pytest.param({"keys": {"include": ["S", "C"]}}, id="named in keys"),
    pytest.param({"format": "json"}, id="a file"),
    pytest.param({"format": "dotenv", "keys": {"include": ["*"]}}, id="a file of every key"),
    pytest.param({"processors": {"S": {"asName": "C2"}}}, id="renamed by a processor"),
    pytest.param({"path": "/"}, id="a folder"),
    pytest.param({"template": {"data": {"k": "{{ C }}"}, "mergePolicy": "Merge"}}, id="merged"),
]
TEXT = {"url": "postgres://{{ DB_USER }}:{{ DB_PASSWORD | url }}@db"}
DB = [entry("DB_USER", "u"), entry("DB_PASSWORD", "p@ss")]


def written(entries: list[Entry], **fields: Any) -> list[Desired]:
    """Return all targets of a spec, made from what Phase holds."""
    spec = parsed(**fields)
    chosen = select(entries, source_query(ask_of(spec, "team"), "account"), spec.keys, folders(spec))
    return [each.render(owner()) for each in renderings(spec, "team", chosen, DIGEST_KEY)]


def secret(entries: list[Entry], *, spec: dict[str, Any] | None = None, **target: Any) -> dict[str, str]:
    """Return the data of the one Secret, as text."""
    [found] = written(entries, managedSecretReferences=[{"secretName": "shop", **target}], **(spec or {}))
    return {key: base64.b64decode(value).decode() for key, value in found.manifest["data"].items()}


def refusal(entries: list[Entry], **target: Any) -> ExpectedError:
    with pytest.raises(ExpectedError) as caught:
        secret(entries, **target)
    return caught.value


class TestFolders:
    def test_one_folder_is_asked_for_by_name(self) -> None:
        assert source_query(ask_of(parsed(phaseAppEnvPath="/api/"), "team"), "account").path == "/api"

    @pytest.mark.parametrize(
        "fields",
        [
            pytest.param({"recursive": True}, id="recursive"),
            pytest.param({"managedSecretReferences": [{"secretName": "a", "path": "/api"}]}, id="a target below"),
        ],
    )
    def test_more_than_one_is_one_read_of_all(self, fields: dict[str, Any]) -> None:
        fields = {"managedSecretReferences": [{"secretName": "a"}, {"secretName": "b", "path": "/api"}]} | fields
        fields["managedSecretReferences"] = [{"secretName": "z"}, *fields["managedSecretReferences"]]

        assert source_query(ask_of(parsed(**fields), "team"), "account").path is None

    def test_a_folder_is_taken_without_those_below_it(self) -> None:
        assert secret(TREE[:3], spec={"phaseAppEnvPath": "/api"}) == {"DB": "d"}

    def test_recursive_takes_the_folders_below(self) -> None:
        assert secret(TREE[:3], spec={"phaseAppEnvPath": "/api", "recursive": True}) == {"DB": "d", "DEEP": "x"}

    def test_a_name_that_begins_alike_is_not_below(self) -> None:
        assert secret(TREE, spec={"phaseAppEnvPath": "/api", "recursive": True})["DB"] == "d"

    def test_equal_keys_of_two_folders_collide_and_both_are_named(self) -> None:
        found = refusal(TREE, spec={"recursive": True})

        assert found.reason is Reason.KEY_COLLISION
        assert "/api/DB" in found.message
        assert "/apis/DB" in found.message

    def test_each_target_takes_its_own_folder(self) -> None:
        one, two, three = written(
            TREE,
            managedSecretReferences=[
                {"secretName": "root"},
                {"secretName": "api", "path": "/api/", "keys": {"exclude": ["L*"]}},
                {"secretName": "deep", "path": "/api/v2"},
            ],
        )

        assert [one.keys, two.keys, three.keys] == [{"ROOT"}, {"DB"}, {"DEEP"}]

    @pytest.mark.parametrize("path", ["/", "/apis", "/api-v2", "/other/api"])
    def test_a_folder_outside_the_resources_own_is_refused_by_its_field(self, path: str) -> None:
        spec = parsed(
            phaseAppEnvPath="/api", managedSecretReferences=[{"secretName": "a"}, {"secretName": "b", "path": path}]
        )

        with pytest.raises(Invalid) as caught:
            folders(spec)

        assert "spec.managedSecretReferences[1].path" in caught.value.message


class TestKeysAndTypes:
    def test_a_target_takes_the_keys_that_it_names(self) -> None:
        entries = [entry("DB_HOST"), entry("DB_PASSWORD"), entry("API_KEY")]

        assert secret(entries, keys={"include": ["DB_*"], "exclude": ["*_PASSWORD"]}).keys() == {"DB_HOST"}

    def test_a_prefix_stands_before_every_key_but_those_named(self) -> None:
        found = secret([entry("A"), entry("B")], prefix="APP_", processors={"B": {"asName": "b"}})

        assert found.keys() == {"APP_A", "b"}

    @pytest.mark.parametrize(
        ("types", "keys"),
        [(["config"], {"C"}), (["sealed"], {"S"}), (["secret", "config"], {"A", "C"})],
        ids=["config", "sealed", "secret and config"],
    )
    def test_a_secret_takes_the_types_that_it_names(self, types: list[str], keys: set[str]) -> None:
        entries = [entry("A"), entry("S", kind="sealed"), config_entry("C")]

        assert secret(entries, types=types).keys() == keys

    def test_a_target_that_nothing_is_for_says_so(self) -> None:
        assert refusal([entry("A")], keys={"include": ["B"]}).reason is Reason.NO_ENTRIES


class TestFiles:
    def test_all_entries_are_one_file(self) -> None:
        assert secret([entry("B", "2"), entry("A", "1")], format="dotenv") == {".env": "A=1\nB=2\n"}

    def test_the_key_of_the_file_is_the_users(self) -> None:
        found = secret([entry("A_B", "1")], format="json", fileKey="settings.json", nameTransformer="camel")

        assert {key: json.loads(text) for key, text in found.items()} == {"settings.json": {"aB": "1"}}

    def test_a_docker_login_is_made_of_its_parts(self) -> None:
        entries = [entry("REGISTRY", "registry.example"), entry("USERNAME", "u"), entry("PASSWORD", "p")]

        found = secret(entries, format="dockerconfigjson", secretType="kubernetes.io/dockerconfigjson")

        assert json.loads(found[".dockerconfigjson"])["auths"]["registry.example"]["username"] == "u"


class TestTexts:
    def test_a_template_stands_instead_of_the_entries(self) -> None:
        assert secret(DB, template={"data": TEXT}) == {"url": "postgres://u:p%40ss@db"}

    def test_merge_keeps_the_entries_and_a_text_wins(self) -> None:
        texts = TEXT | {"DB_USER": "{{ DB_USER }}!"}

        found = secret(DB, template={"data": texts, "mergePolicy": "Merge"})

        assert found == {"DB_USER": "u!", "DB_PASSWORD": "p@ss", "url": "postgres://u:p%40ss@db"}

    def test_names_are_those_after_renaming(self) -> None:
        found = secret(DB, nameTransformer="lower-kebab", template={"data": {"u": '{{ entries["db-user"] }}'}})

        assert found == {"u": "u"}

    def test_a_missing_key_is_named(self) -> None:
        found = refusal(DB, template={"data": {"u": "{{ NOT_THERE }}"}})

        assert isinstance(found, Waiting)
        assert "NOT_THERE" in found.message

    def test_labels_may_quote_config_and_nothing_else(self, canary: Canary) -> None:
        metadata = {"metadata": {"annotations": {"level": "{{ LEVEL }}"}}}
        [found] = written(
            [config_entry("LEVEL", "debug"), entry("A")],
            managedSecretReferences=[{"secretName": "shop", "template": metadata}],
        )
        assert found.manifest["metadata"]["annotations"]["level"] == "debug"

        refused = refusal(
            [entry("LEVEL", canary.value("level")), entry("A")],
            template={"metadata": {"labels": {"level": "{{ LEVEL }}"}}},
        )
        assert "LEVEL" in refused.message


class TestConfigMaps:
    """A secret value has no way into a ConfigMap: every route that a spec has is tried."""

    @pytest.mark.parametrize("route", ROUTES)
    @pytest.mark.parametrize("kind", ["secret", "sealed", "unheard-of"])
    def test_no_route_leads_there(self, route: dict[str, Any], kind: str, canary: Canary) -> None:
        text = canary.value("secret")
        entries = [entry("S", text, kind=kind), config_entry("C", "fine")]

        try:
            found = written(
                entries,
                recursive=True,
                managedSecretReferences=[],
                managedConfigMapReferences=[{"configMapName": "shop", **route}],
            )
        except ExpectedError as error:
            canary.watch(error.message)
            return

        for each in found:
            shown = json.dumps(each.manifest)
            canary.watch(shown)
            assert base64.b64encode(text.encode()).decode() not in shown

    def test_text_and_bytes_go_where_kubernetes_keeps_them(self) -> None:
        raw = base64.b64encode(b"\xff\x00").decode()
        [found] = written(
            [config_entry("T", "text"), config_entry("B", raw)],
            managedSecretReferences=[],
            managedConfigMapReferences=[
                {"configMapName": "shop", "processors": {"B": {"type": "base64"}}, "immutable": True}
            ],
        )

        assert (found.manifest["data"], found.manifest["binaryData"]) == ({"T": "text"}, {"B": raw})
        assert found.manifest["immutable"] is True


def test_a_rendering_counts_what_it_leaves_out_with_the_reason() -> None:
    spec = parsed(
        managedSecretReferences=[{"secretName": "shop", "path": "/api", "keys": {"exclude": ["DB"]}}],
        managedConfigMapReferences=[{"configMapName": "shop"}],
        recursive=True,
    )

    secret_, config_map = renderings(spec, "team", TREE, DIGEST_KEY)

    assert [(str(each.why), each.count, each.keys) for each in secret_.left_out] == [
        ("Type", 1, ("LEVEL",)),
        ("Path", 2, ("DB", "ROOT")),
        ("Keys", 1, ("DB",)),
    ]
    assert [(str(each.why), each.count, each.keys) for each in config_map.left_out] == [
        ("Type", 4, ("DB", "DEEP", "ROOT"))
    ]
