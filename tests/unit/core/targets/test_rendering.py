import base64
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from phase_operator.api.reasons import Reason
from phase_operator.core.errors import Waiting
from phase_operator.core.targets.desired import Desired
from phase_operator.core.targets.rendering import renderings
from phase_operator.core.values import Entry
from support.builders import DIGEST_KEY, config_entry, config_map_ref, entry, owner, parsed, secret_ref

SECRETS: list[dict[str, Any]] = [{"secretName": "shop"}]
CONFIG_MAPS: list[dict[str, Any]] = [{"configMapName": "shop"}]
MIXED: list[Entry] = [entry("S"), entry("SEALED", kind="sealed"), config_entry("C")]


def render(*entries: Entry, **fields: Any) -> list[Desired]:
    return [each.render(owner()) for each in renderings(parsed(**fields), "team", entries, DIGEST_KEY)]


def test_secrets_come_first_each_kind_in_the_order_of_the_spec() -> None:
    spec = parsed(
        managedSecretReferences=[{"secretName": "z"}, {"secretName": "a"}],
        managedConfigMapReferences=[{"configMapName": "z"}, {"configMapName": "a"}],
    )

    found = [each.ref for each in renderings(spec, "team", (), b"")]

    assert found == [secret_ref("z"), secret_ref("a"), config_map_ref("z"), config_map_ref("a")]


@pytest.mark.parametrize(
    ("given_namespace", "namespace"),
    [
        pytest.param(None, "team", id="not said"),
        pytest.param("", "team", id="said empty"),
        pytest.param("other", "other", id="said"),
    ],
)
def test_a_target_lies_in_the_resources_namespace_unless_said_otherwise(
    given_namespace: str | None, namespace: str
) -> None:
    spec = parsed(
        managedSecretReferences=[{"secretName": "shop", "secretNamespace": given_namespace}],
        managedConfigMapReferences=[{"configMapName": "shop", "configMapNamespace": given_namespace}],
    )

    found = [each.ref for each in renderings(spec, "team", (), b"")]

    assert found == [secret_ref(namespace=namespace), config_map_ref(namespace=namespace)]


def test_a_secret_takes_entries_of_every_type_as_long_as_there_is_no_config_map() -> None:
    [secret] = render(*MIXED, managedSecretReferences=SECRETS)

    assert secret.keys == {"S", "SEALED", "C"}


def test_a_config_map_takes_entries_of_type_config_and_the_secret_the_rest() -> None:
    secret, config_map = render(*MIXED, managedSecretReferences=SECRETS, managedConfigMapReferences=CONFIG_MAPS)

    assert secret.keys == {"S", "SEALED"}
    assert config_map.keys == {"C"}


@pytest.mark.parametrize(
    ("entries", "failing"),
    [
        pytest.param([entry("A")], [False, True], id="nothing of type config"),
        pytest.param([config_entry("A")], [True, False], id="nothing but config"),
        pytest.param([], [True, True], id="nothing at all"),
    ],
)
def test_a_target_without_entries_fails_and_leaves_the_others_alone(entries: list[Entry], failing: list[bool]) -> None:
    spec = parsed(managedSecretReferences=SECRETS, managedConfigMapReferences=CONFIG_MAPS)
    found = list(renderings(spec, "team", entries, DIGEST_KEY))

    for rendering, fails in zip(found, failing, strict=True):
        if fails:
            with pytest.raises(Waiting) as caught:
                rendering.render(owner())
            assert caught.value.reason is Reason.NO_ENTRIES
        else:
            assert rendering.render(owner()).keys == {"A"}


def test_each_target_has_spelling_and_type_of_its_own() -> None:
    first, second = render(
        entry("DB_HOST", "db"),
        entry("PASSWORD", "pw"),
        managedSecretReferences=[
            {"secretName": "one", "nameTransformer": "lower-kebab"},
            {
                "secretName": "two",
                "nameTransformer": "camel",
                "secretType": "kubernetes.io/basic-auth",
                "prefix": "x.",
                "processors": {"PASSWORD": {"asName": "password"}},
            },
        ],
    )

    assert first.keys == {"db-host", "password"}
    assert second.keys == {"x.dbHost", "password"}
    assert [first.manifest["type"], second.manifest["type"]] == ["Opaque", "kubernetes.io/basic-auth"]


def test_an_error_of_one_target_stops_no_other() -> None:
    spec = parsed(
        managedSecretReferences=[{"secretName": "bad", "processors": {"A": {"asName": "B"}}}, {"secretName": "good"}]
    )
    bad, good = renderings(spec, "team", [entry("A"), entry("B")], DIGEST_KEY)

    with pytest.raises(Waiting) as caught:
        bad.render(owner())

    assert caught.value.reason is Reason.KEY_COLLISION
    assert good.render(owner()).keys == {"A", "B"}


@given(st.dictionaries(st.from_regex(r"\A[A-Z][A-Z0-9_]{0,6}\Z"), st.booleans(), max_size=8))
def test_every_entry_goes_to_one_kind_and_no_secret_text_to_a_config_map(keys: dict[str, bool]) -> None:
    entries = [
        config_entry(key, f"open {key}") if config else entry(key, f"hidden {key}") for key, config in keys.items()
    ]
    entries = [entry("S", "hidden"), config_entry("C", "open"), *(each for each in entries if each.key not in "SC")]

    secret, config_map = render(*entries, managedSecretReferences=SECRETS, managedConfigMapReferences=CONFIG_MAPS)

    assert secret.keys | config_map.keys == {each.key for each in entries}
    assert not secret.keys & config_map.keys
    assert all(text.startswith("open") for text in config_map.manifest["data"].values())
    assert all(base64.b64decode(text).startswith(b"hidden") for text in secret.manifest["data"].values())
