"""What is wrong with an encrypted app on a real API server: the reason names it, and the last good target stays.

Intervals in which nothing happens are missed by the operator, not waited for.
"""

from collections.abc import Callable
from typing import Any

import pytest

from phase_dev.server import EmbeddedPhase
from support.cluster_fixture import new_namespace
from support.operator_process import eventually
from support.world import World, phase_secret, secret

MISSES_TIME = True
APP, ENVIRONMENT = "billing", "Production"
TOKENS, ROWS = "/secrets/tokens/", "/secrets/"
TOKEN_SECRET = "phase-service-token"


def settled(world: World, **spec: Any) -> dict[str, str]:
    """Let a PhaseSecret of the encrypted app be read, and return what is in its target."""
    world.phase_secret(phaseApp=APP, **spec)
    world.until_ready()
    return world.data() or {}


def touched(world: World) -> None:
    """Write to the environment, so that it is read again."""
    world.phase.set(APP, ENVIRONMENT, "CURRENCY", "CHF")


def until_well(world: World) -> None:
    world.until(lambda: world.condition().get("status") == "True", within=120, what=f"it heals: {world.condition()}")


def until_told(world: World, name: str) -> dict[str, Any]:
    """Wait until the status names something, and return the condition."""

    def look() -> dict[str, Any] | None:
        found = world.condition()
        return found if name in found.get("message", "") else None

    return world.until(look, within=20, what=f"{name} is told")


def full_token(world: World, change: Callable[[list[str]], None]) -> None:
    """Store the account's full token with its fields changed."""
    fields = world.phase.token("operator", form="pss").split(":")
    change(fields)
    world.apply(secret(TOKEN_SECRET, {"token": ":".join(fields)}))


@pytest.mark.parametrize("field", ["key", "value"])
def test_rows_that_are_damaged_one_at_a_time(world: World, field: Any) -> None:
    """Each kind of damage, from the last good answer on: no key vanishes from the target, and the row is named."""
    held = settled(world)
    for how in ("flipped", "cut", "version", "parts", "base64", "recipient", "not-utf8"):
        world.phase.damage(APP, ENVIRONMENT, "STRIPE_API_KEY", how, field=field)
        failed = world.until_reason("DecryptionFailed")
        assert ("row " if field == "key" else "/STRIPE_API_KEY") in failed["message"]
        assert "a-long-live-key" not in failed["message"]
        assert world.data() == held
        world.phase.damage(APP, ENVIRONMENT, "STRIPE_API_KEY", None, field=field)
        until_well(world)
    assert world.data() == held


@pytest.mark.parametrize("field", ["wrapped_seed", "identity_key"])
def test_keys_of_an_environment_that_are_another_s_or_torn(world: World, field: Any) -> None:
    held = settled(world)
    world.phase.damage_keys(APP, ENVIRONMENT, "other", field=field)
    touched(world)

    failed = world.until_reason("DecryptionFailed")

    assert f"{APP}/{ENVIRONMENT}" in failed["message"]
    assert world.data() == held
    world.phase.damage_keys(APP, ENVIRONMENT, None, field=field)
    until_well(world)
    world.until_data(["shop"], CURRENCY="CHF")


def test_a_share_of_another_account_that_a_host_hands_out(world: World) -> None:
    held = settled(world)
    world.phase.damage_share("operator", "other")
    touched(world)

    failed = world.until_reason("TokenInvalid")

    assert "mixed" in failed["message"]
    assert world.data() == held
    world.phase.damage_share("operator", None)
    until_well(world)


def _torn(fields: list[str]) -> None:
    fields[5] = fields[5][:40]


def _short(fields: list[str]) -> None:
    del fields[4:]


def _mixed(fields: list[str]) -> None:
    fields[4] = "ab" * 32


def _unwrap(fields: list[str]) -> None:
    fields[5] = "cd" * 32


def _public(fields: list[str]) -> None:
    fields[3] = "ef" * 32


@pytest.mark.parametrize(
    ("change", "words"),
    [
        pytest.param(_torn, "40 characters instead of 64", id="torn"),
        pytest.param(_short, "4 fields instead of 6", id="short"),
        pytest.param(_mixed, "mixed", id="another share"),
        pytest.param(_unwrap, "mixed", id="another unwrap key"),
        pytest.param(_public, "mixed", id="another public key"),
    ],
)
def test_a_token_that_is_torn_or_mixed(world: World, change: Callable[[list[str]], None], words: str) -> None:
    held = settled(world)
    touched(world)
    world.until_data(["shop"], CURRENCY="CHF")
    held = world.data() or held
    full_token(world, change)
    world.phase.set(APP, ENVIRONMENT, "CURRENCY", "USD")

    failed = world.until_reason("TokenInvalid")

    assert words in failed["message"]
    for part in world.phase.token("operator", form="pss").split(":")[2:]:
        assert part not in failed["message"]
    assert world.data() == held
    world.token()
    world.until_data(["shop"], CURRENCY="USD")


@pytest.mark.parametrize(
    ("route", "fault", "reason"),
    [
        pytest.param(TOKENS, {"kind": "html"}, "UnexpectedAnswer", id="a page with status 200 for keys"),
        pytest.param(ROWS, {"kind": "html"}, "UnexpectedAnswer", id="a page with status 200 for rows"),
        pytest.param(ROWS, {"kind": "status", "status": 500}, "PhaseUnavailable", id="status 500 for rows"),
    ],
)
def test_a_server_that_answers_something_else(world: World, route: str, fault: dict[str, Any], reason: str) -> None:
    held = settled(world)
    world.phase.fail(route=route, **fault)
    touched(world)

    world.until(lambda: world.condition().get("reason") == reason, within=100, what=f"it is told: {world.condition()}")

    assert world.data() == held
    world.phase.clear()
    until_well(world)
    world.until_data(["shop"], CURRENCY="CHF")


def test_keys_that_are_answered_with_status_500_for_long_give_way_to_reads_with_the_last_ones(world: World) -> None:
    settled(world)
    world.phase.fail(route=TOKENS, kind="status", status=500)
    touched(world)

    world.until(lambda: (world.data() or {})["CURRENCY"] == "CHF", within=120, what="the change arrives all the same")

    assert world.condition()["status"] == "True"


def test_a_token_that_was_revoked(world: World) -> None:
    held = settled(world)
    world.phase.revoke_tokens("operator")
    touched(world)

    world.until_reason("AccessDenied")

    assert world.data() == held


def test_two_namespaces_with_one_token_share_a_keyring_and_nothing_of_each_others_trouble(world: World) -> None:
    other = f"{world.namespace}-too"
    with new_namespace(world.plane, other):
        neighbour = World(world.plane, other, world.phase, world.canary)
        neighbour.operator = world.operator
        neighbour.token()
        settled(world)
        neighbour.apply(phase_secret("shop", world.phase.url, phaseApp=APP, phaseAppEnvPath="/mail"))
        neighbour.until_ready()
        world.phase.reset_calls()
        world.until(lambda: world.phase.calls(route=TOKENS) >= 3, within=40, what="three keyrings")
        assert world.phase.calls() == world.phase.calls(route=TOKENS) <= 4

        world.phase.damage(APP, ENVIRONMENT, "CURRENCY", "flipped")

        world.until_reason("DecryptionFailed")
        world.phase.set(APP, ENVIRONMENT, "SMTP_PASSWORD", "another", path="/mail")
        neighbour.until_data(["shop"], SMTP_PASSWORD="another")
        assert neighbour.condition()["status"] == "True"
        neighbour.no_phase_secrets()


def test_references_that_name_nothing_are_each_told_with_their_reason(world: World) -> None:
    held = settled(world)
    texts = {
        "NO_KEY": ("${ABSENT}", "a key that does not exist"),
        "NO_FOLDER": ("${/none/CURRENCY}", "a key that does not exist"),
        "NO_ENVIRONMENT": ("${nowhere.CURRENCY}", "an environment that does not exist"),
        "NO_APP": ("${nothing::production.X}", "an app that does not exist"),
        "ROUND": ("${TRIP}", "refers back to"),
        "TRIP": ("${ROUND}", "refers back to"),
    }
    for name, (value, _) in texts.items():
        world.phase.set(APP, ENVIRONMENT, name, value)
        if name == "ROUND":
            continue
        failed = until_told(world, f"/{name}")
        assert failed["reason"] == "UnresolvedReferences"
        assert texts[name][1] in failed["message"]
        assert value not in failed["message"]
        assert world.data() == held
        world.phase.set(APP, ENVIRONMENT, name, "mended")
    world.phase.set(APP, ENVIRONMENT, "ROUND", "mended")
    until_well(world)
    world.until_data(["shop"], **dict.fromkeys(texts, "mended"))


def test_an_environment_and_an_app_that_come_close_are_told(world: World) -> None:
    world.phase_secret(phaseApp=APP, phaseAppEnv="Prod")
    assert '"Production"' in world.until_reason("EnvironmentNotFound")["message"]

    world.phase_secret("near", phaseApp="biling")

    assert '"billing"' in world.until_reason("AppNotFound", "near")["message"]
    assert world.data() is None


def test_a_name_in_any_case_is_found(world: World) -> None:
    world.phase_secret(phaseApp="BILLING", phaseAppEnv="pRODUCTION")
    world.until_ready()
    assert (world.data() or {})["CURRENCY"] == "EUR"


def test_ten_thousand_rows(world: World) -> None:
    seed = {
        "apps": [
            {
                "name": "large",
                "encryption": "E2E",
                "environments": [
                    {"name": "Production", "secrets": [{"key": f"K{n}", "value": f"{n}"} for n in range(10_000)]}
                ],
            }
        ],
        "accounts": [{"name": "operator", "access": {"large": ["*"]}}],
    }
    with EmbeddedPhase(seed=seed) as phase:
        own = World(world.plane, world.namespace, phase, world.canary)
        own.token("large-token")
        reference = {"serviceToken": {"serviceTokenSecretReference": {"secretName": "large-token"}}}
        own.phase_secret(phaseApp="large", authentication=reference)
        eventually(lambda: own.condition().get("status") == "True", within=120, what=f"ready: {own.condition()}")
        assert len(own.data() or {}) == 10_000
        world.no_phase_secrets()
