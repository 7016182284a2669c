from typing import Any

import pytest

from phase_operator.cli.migrating.phase_webhook import phase_webhook, provider_of

REMOTE = {"key": "/backend", "version": "production", "property": "DB_URL"}
APP = "72b9ddd5-8fce-49ab-89d9-c431d53a9552"


def store(url: object) -> dict[str, Any]:
    return {"spec": {"provider": {"webhook": {"url": url}}}}


def test_each_parameter_is_taken_from_its_field() -> None:
    found = phase_webhook(
        store(
            f"https://api.phase.dev/v1/secrets/?app_id={APP}&env={{{{ .remoteRef.version }}}}"
            "&path={{ .remoteRef.key | urlquery }}"
            "{{ if .remoteRef.property }}&key={{ .remoteRef.property }}{{ end }}"
        )
    )

    assert found is not None
    assert found.host == ""
    parts = {name: found.part(name, REMOTE) for name in ("app_id", "env", "path", "key", "tags")}
    assert parts == {"app_id": APP, "env": "production", "path": "/backend", "key": "DB_URL", "tags": ""}


def test_a_parameter_may_be_a_text() -> None:
    found = phase_webhook(store(f"https://phase.example/service/public/v1/secrets?app_id={APP}&env=dev&path=%2Fa%20b"))

    assert found is not None
    assert found.host == "https://phase.example/service/public"
    assert (found.part("env", {}), found.part("path", {})) == ("dev", "/a b")


def test_a_webhook_that_is_not_understood_gives_nothing() -> None:
    found = phase_webhook(
        store("https://api.phase.dev/v1/secrets/?env=x-{{ .remoteRef.version }}&app_id={{ .app.id }}")
    )

    assert found is not None
    assert (found.part("env", REMOTE), found.part("app_id", REMOTE)) == ("", "")


@pytest.mark.parametrize(
    "url",
    ["https://vault.example/v1/secret", "", 5, None, "https://api.phase.dev/v1/secrets/", "ftp://x/v1/secrets/?a=b"],
)
def test_another_url_is_no_webhook_of_phase(url: object) -> None:
    assert phase_webhook(store(url)) is None


def test_a_url_that_is_made_to_take_long_does_not() -> None:
    assert phase_webhook(store("https://" + "a" * 100_000 + "/v1/secrets/?" + "{{ if" * 100_000)) is None


def test_the_provider_is_named() -> None:
    assert provider_of({"spec": {"provider": {"vault": {}}}}) == "vault"
    assert provider_of({"spec": []}) == ""
