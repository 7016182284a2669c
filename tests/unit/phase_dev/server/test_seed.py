"""A seed is taken as a whole or refused in one sentence that names the field."""

from pathlib import Path
from typing import Any

import pytest

from phase_dev.server.model import App, DynamicSecret
from phase_dev.server.seed import app_id, load_seed, parse_seed, records_of
from phase_dev.server.seed_parts import SeedError
from unit.phase_dev.server.builders import START


def dynamic(*others: dict[str, Any], **settings: object) -> dict[str, Any]:
    """Return a seed with a dynamic secret, others, and a static secret in the same folder."""
    environment = {
        "name": "e",
        "secrets": [{"key": "taken"}],
        "dynamicSecrets": [{"name": "d", **settings}, *others],
    }
    return {"apps": [{"name": "a", "environments": [environment]}]}


@pytest.mark.parametrize(
    ("content", "field"),
    [
        pytest.param({"apps": [{"name": "a", "sso": True}]}, "apps[0].sso", id="unknown field"),
        pytest.param({"apps": [{}]}, "apps[0].name", id="missing name"),
        pytest.param(
            {"apps": [{"name": "a", "environments": [{"name": "e", "secrets": [{"key": "K", "type": "Config"}]}]}]},
            "apps[0].environments[0].secrets[0].type",
            id="unknown type",
        ),
        pytest.param({"accounts": [{"name": "x", "access": {"nope": ["*"]}}]}, "accounts[0].access", id="unknown app"),
        pytest.param({"accounts": [{"name": "x", "role": "Nope"}]}, "accounts[0].role", id="unknown role"),
        pytest.param({"accounts": [{"name": "x", "tokens": [{"value": "short"}]}]}, "tokens[0].value", id="bad token"),
        pytest.param({"apps": [{"name": "a", "encryption": "e2e"}]}, "apps[0].encryption", id="unknown mode"),
        pytest.param(
            {"apps": [{"name": "a", "encryption": "E2E", "sse": True}]}, "apps[0].sse", id="two modes at once"
        ),
        pytest.param(
            {
                "apps": [
                    {
                        "name": "a",
                        "encryption": "E2E",
                        "environments": [{"name": "e", "dynamicSecrets": [{"name": "d"}]}],
                    }
                ]
            },
            "apps[0].environments[0].dynamicSecrets",
            id="dynamic secrets of an encrypted app",
        ),
        pytest.param(
            {
                "apps": [
                    {
                        "name": "a",
                        "sse": False,
                        "environments": [{"name": "e", "secrets": [{"key": "K", "lifecycle": "rotating"}]}],
                    }
                ]
            },
            "apps[0].environments[0].secrets[0].lifecycle",
            id="rotating secrets of an encrypted app",
        ),
        pytest.param([], "the file", id="not a mapping"),
        pytest.param(
            {"organisations": [{"cloud": {"delay": -1}}]}, "organisations[0].cloud.delay", id="a delay below 0"
        ),
        pytest.param(dynamic(defaultTtl=59), "dynamicSecrets[0].defaultTtl", id="a lease of less than a minute"),
        pytest.param(
            dynamic(defaultTtl=120, maxTtl=60), "dynamicSecrets[0].defaultTtl", id="a default over the maximum"
        ),
        pytest.param(dynamic(keyMap={"password": "P"}), "dynamicSecrets[0].keyMap", id="an unknown credential"),
        pytest.param(dynamic(keyMap={"username": " "}), "dynamicSecrets[0].keyMap.username", id="an empty key"),
        pytest.param(
            dynamic(keyMap={"username": "K", "access_key_id": "K"}),
            "keyMap.access_key_id",
            id="a key for two credentials",
        ),
        pytest.param(dynamic(keyMap={"username": "TAKEN"}), "keyMap.username", id="a key of a static secret"),
        pytest.param(dynamic({"name": "d"}), "dynamicSecrets[1].name", id="a name twice in a folder"),
        pytest.param(dynamic({"name": "e"}), "dynamicSecrets[1].keyMap.username", id="keys of another in the folder"),
        pytest.param(dynamic(usernameTemplate="a user"), "usernameTemplate", id="no user name"),
        pytest.param(
            dynamic(usernameTemplate="x" * 50 + "{{ random }}"), "usernameTemplate", id="too long a user name"
        ),
    ],
)
def test_a_mistake_names_its_field(content: Any, field: str) -> None:
    with pytest.raises(SeedError) as caught:
        list(records_of(parse_seed(content), START))

    assert field in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_seed_that_is_not_yaml_is_refused_in_one_line(tmp_path: Path) -> None:
    path = tmp_path / "seed.yaml"
    path.write_text("apps: [")

    with pytest.raises(SeedError) as caught:
        load_seed(path)

    assert "\n" not in str(caught.value)


def test_a_missing_file_is_told(tmp_path: Path) -> None:
    with pytest.raises(SeedError):
        load_seed(tmp_path / "nope.yaml")


def test_ids_are_the_same_on_every_start() -> None:
    first, second = load_seed(None), load_seed(None)

    assert [app_id(app) for app in first.apps] == [app_id(app) for app in second.apps]
    assert [r.id for r in records_of(first, START)] == [r.id for r in records_of(second, START)]


def test_the_default_data_set_shows_what_phase_has() -> None:
    seed = load_seed(None)
    environments = [environment for app in seed.apps for environment in app.environments]
    found = [secret for environment in environments for secret in environment.secrets]

    assert [app.name for app in seed.apps if not app.has_sse] == ["billing"]
    assert {secret.type for secret in found} == {"secret", "sealed", "config"}
    assert any(secret.tags for secret in found)
    assert any(secret.path != "/" for secret in found)
    assert any("${staging." in secret.value for secret in found)


@pytest.mark.parametrize(
    ("said", "sse"),
    [
        pytest.param({}, True, id="nothing"),
        pytest.param({"encryption": "SSE"}, True, id="SSE"),
        pytest.param({"encryption": "E2E"}, False, id="E2E"),
        pytest.param({"sse": False}, False, id="the older word"),
        pytest.param({"encryption": "E2E", "sse": False}, False, id="both, alike"),
    ],
)
def test_an_app_says_how_it_is_encrypted(said: dict[str, Any], sse: bool) -> None:
    [app] = [r for r in records_of(parse_seed({"apps": [{"name": "a", **said}]}), START) if isinstance(r, App)]

    assert app.sse is sse


def test_names_and_keys_are_unique_in_their_folder_alone() -> None:
    seed = parse_seed(dynamic({"name": "d", "path": "/jobs"}, keyMap={"username": "USER"}))

    found = [record for record in records_of(seed, START) if isinstance(record, DynamicSecret)]

    assert [(d.name, d.path) for d in found] == [("d", "/"), ("d", "/jobs")]
    assert found[0].id != found[1].id
    assert [entry.key_name for entry in found[0].key_map] == ["USER", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"]
    assert [entry.masked for entry in found[0].key_map] == [False, False, True]
