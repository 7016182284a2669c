"""End-to-end encrypted apps on a real API server: found out, read with a full token, refused to a REST token.

Nothing of the PhaseSecret says which kind its app is of. Intervals in which nothing happens are missed by the operator,
not waited for.
"""

from typing import Any

import pytest

from phase_dev.server import EmbeddedPhase
from support.world import World, secret

MISSES_TIME = True
APP, ENVIRONMENT = "billing", "Production"
SMTP = "smtp://billing:a-mail-password@mail.internal:587"
OF_ONE_APP = {
    "apps": [
        {
            "name": APP,
            "encryption": "E2E",
            "environments": [{"name": ENVIRONMENT, "secrets": [{"key": "CURRENCY", "value": "EUR"}]}],
        }
    ],
    "accounts": [{"name": "old", "kind": "legacy", "access": {APP: [ENVIRONMENT]}}],
}
TOKENS, ROWS, PUBLIC = "/secrets/tokens/", "/secrets/", "/v1/secrets/"


def ask(world: World, name: str = "shop", **spec: Any) -> None:
    """Apply a PhaseSecret of the encrypted app."""
    world.phase_secret(name, **{"phaseApp": APP, **spec})


def version(world: World, kind: str, name: str = "shop") -> str:
    """Return the resourceVersion of an object."""
    found = world.get(kind, name)
    assert found is not None
    return str(found["metadata"]["resourceVersion"])


def until_probed(world: World, route: str, times: int = 2) -> None:
    """Wait until Phase was asked so often from now."""
    world.phase.reset_calls()
    world.in_time(lambda: world.phase.calls(route=route) >= times, within=40, what=f"{times} calls of {route}")


@pytest.mark.parametrize("by_id", [False, True], ids=["name", "id"])
def test_an_encrypted_app_is_read_by_name_and_by_id(world: World, by_id: bool) -> None:
    spec: dict[str, Any] = {"phaseApp": None, "phaseAppId": world.phase.app_id(APP)} if by_id else {}
    ask(world, **spec)
    world.until_ready()
    assert world.data() == {"STRIPE_API_KEY": "a-long-live-key", "CURRENCY": "EUR", "SMTP_URL": SMTP}
    until_probed(world, TOKENS)
    assert world.phase.calls() == world.phase.calls(route=TOKENS)
    world.phase.reset_calls()

    world.phase.set(APP, ENVIRONMENT, "CURRENCY", "CHF")

    world.until_data(["shop"], CURRENCY="CHF")
    assert world.phase.calls(route=ROWS) == 1
    assert world.phase.calls(route=PUBLIC) == 0


def test_a_folder_tags_and_types_are_chosen_as_of_any_app(world: World) -> None:
    ask(world, "folder", phaseAppEnvPath="/mail")
    ask(world, "tagged", phaseAppEnvTags=["payments"])
    ask(world, "config", managedSecretReferences=None, managedConfigMapReferences=[{"configMapName": "config"}])
    for name in ("folder", "tagged", "config"):
        world.until_ready(name)

    assert world.data("folder") == {"SMTP_PASSWORD": "a-mail-password"}
    assert world.data("tagged") == {"STRIPE_API_KEY": "a-long-live-key"}
    assert (world.get("configmap", "config") or {})["data"] == {"CURRENCY": "EUR"}


def test_a_users_token_reads_it(world: World) -> None:
    world.token("user-token", account="developer")
    reference = {"serviceToken": {"serviceTokenSecretReference": {"secretName": "user-token"}}}
    ask(world, phaseAppEnv="Development", authentication=reference)
    world.until_ready()

    assert world.data() == {"STRIPE_API_KEY": "a-key-for-tests", "CURRENCY": "EUR"}


@pytest.mark.parametrize("by_id", [False, True], ids=["name", "id"])
def test_a_token_of_one_app_reads_it(world: World, by_id: bool) -> None:
    """It may neither list apps nor probe one, and Phase calls every app encrypted."""
    with EmbeddedPhase(seed=OF_ONE_APP) as phase:
        own = World(world.plane, world.namespace, phase, world.canary)
        own.token("old-token", account="old")
        reference = {"serviceToken": {"serviceTokenSecretReference": {"secretName": "old-token"}}}
        spec: dict[str, Any] = {"phaseApp": None, "phaseAppId": phase.app_id(APP)} if by_id else {}
        ask(own, authentication=reference, **spec)
        own.until_ready()

        phase.set(APP, ENVIRONMENT, "CURRENCY", "CHF")

        own.until_data(["shop"], CURRENCY="CHF")
        world.no_phase_secrets()


@pytest.mark.parametrize("form", ["hex", "bearer"])
def test_a_rest_token_is_told_what_it_lacks_and_the_full_one_heals_it(world: World, form: str) -> None:
    world.token(form=form)
    ask(world)
    refused = world.until_reason("AppEncrypted")
    assert "pss_service" in refused["message"]
    assert "SSE" in refused["message"]
    assert world.data() is None

    world.token()

    world.until_ready()
    assert (world.data() or {})["SMTP_URL"] == SMTP


def test_the_token_in_either_form_and_the_app_of_either_kind_rewrite_nothing(world: World) -> None:
    ask(world)
    world.until_ready()
    until_probed(world, TOKENS)
    written = version(world, "secret")
    world.token(form="hex")
    world.until_reason("AppEncrypted")
    assert version(world, "secret") == written

    world.phase.turn_sse(APP)

    world.in_time(lambda: world.condition().get("status") == "True", within=60, what="it heals by itself")
    world.phase.reset_calls()
    world.token()
    until_probed(world, "/v1/environments/")
    assert world.phase.calls(route=PUBLIC) == 0
    assert version(world, "secret") == written


def test_server_side_encryption_turned_on_reads_and_writes_nothing(world: World) -> None:
    ask(world)
    world.until_ready()
    until_probed(world, TOKENS)
    written, told = version(world, "secret"), version(world, "phasesecret")
    world.phase.reset_calls()

    world.phase.turn_sse(APP)

    world.in_time(lambda: world.phase.calls(route="/v1/environments/") >= 2, within=60, what="probes of the public API")
    until_probed(world, "/v1/environments/")
    assert world.phase.calls(route=TOKENS) == 0
    assert world.phase.calls(route=PUBLIC) + world.phase.calls(route=ROWS) == 0
    assert (version(world, "secret"), version(world, "phasesecret")) == (written, told)
    world.phase.set(APP, ENVIRONMENT, "CURRENCY", "CHF")
    world.until_data(["shop"], CURRENCY="CHF")


def test_an_app_that_phase_calls_unencrypted_for_a_moment_is_kept_in_step_and_nobody_hears_of_it(world: World) -> None:
    """The servers of one host may learn at different moments that server-side encryption is on."""
    ask(world)
    world.until_ready()
    until_probed(world, TOKENS)
    told = version(world, "phasesecret")
    world.phase.turn_sse(APP)
    until_probed(world, "/v1/environments/", times=1)
    world.phase.turn_sse(APP, on=False)
    world.phase.reset_calls()

    world.in_time(lambda: world.phase.calls(route=TOKENS) >= 2, within=20, what="its keyring is read again")
    assert version(world, "phasesecret") == told
    world.phase.set(APP, ENVIRONMENT, "CURRENCY", "CHF")

    world.until_data(["shop"], CURRENCY="CHF")


def test_a_referenced_environment_changes_its_readers_and_nobody_else(world: World) -> None:
    world.phase.set(APP, ENVIRONMENT, "LICENCE", "${shared::development.LICENCE}")
    ask(world)
    ask(world, "other", phaseAppEnv="Development")
    for name in ("shop", "other"):
        world.until_ready(name)
    assert (world.data() or {})["LICENCE"] == "lic-0001"
    until_probed(world, TOKENS)
    world.phase.reset_calls()

    world.phase.set("shared", "Development", "LICENCE", "lic-0002")

    world.until_data(["shop"], LICENCE="lic-0002")
    # The environment, and the one that it refers to.
    assert world.phase.calls(route=ROWS) == 2
    assert world.phase.calls(route=ROWS, env="Development", app=APP) == 0


def test_an_entry_that_cannot_be_decrypted_keeps_the_target_and_is_named(world: World) -> None:
    ask(world)
    world.until_ready()
    before = world.data()

    world.phase.damage(APP, ENVIRONMENT, "CURRENCY", "flipped")
    world.phase.set(APP, ENVIRONMENT, "STRIPE_API_KEY", "another")

    failed = world.until_reason("DecryptionFailed")
    assert "/CURRENCY" in failed["message"]
    assert world.data() == before
    world.phase.damage(APP, ENVIRONMENT, "CURRENCY", None)
    world.phase.set(APP, ENVIRONMENT, "STRIPE_API_KEY", "a third")
    world.until_data(["shop"], STRIPE_API_KEY="a third", CURRENCY="EUR")
    world.until_ready()


def test_access_that_is_withdrawn_is_told_and_comes_back(world: World) -> None:
    ask(world)
    world.until_ready()
    before = world.data()

    world.phase.withdraw("operator", APP, ENVIRONMENT)

    world.until_reason("EnvironmentNotFound")
    assert world.data() == before
    world.phase.grant("operator", APP, ENVIRONMENT)
    world.until_ready()


def test_too_many_keyrings_delay_the_public_api_in_nothing(world: World) -> None:
    ask(world)
    world.phase_secret("plain")
    for name in ("shop", "plain"):
        world.until_ready(name)
    world.phase.fail("status", status=429, route=TOKENS)

    world.phase.set("shop", "Production", "LOG_LEVEL", "error")

    world.until_data(["plain"], LOG_LEVEL="error")
    world.in_time(lambda: world.condition().get("reason") == "RateLimited", within=90, what="it is told as late")
    assert "address" in world.condition()["message"]
    assert world.condition("plain")["status"] == "True"
    world.phase.clear()
    world.in_time(lambda: world.condition()["status"] == "True", within=90, what="it is told no more")


def test_an_account_that_may_not_list_apps_finds_them_by_its_keys(world: World) -> None:
    world.phase.fail("status", status=403, text="You don't have permission to read apps.", route="/v1/apps/")
    ask(world)
    world.phase_secret("plain")
    for name in ("shop", "plain"):
        world.until_ready(name)

    world.apply(secret("unrelated", {"a": "b"}))
    assert (world.data() or {})["SMTP_URL"] == SMTP
