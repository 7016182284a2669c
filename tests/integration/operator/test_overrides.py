"""Personal overrides on a real API server: a user's token reads the environment's values, and the status says so."""

import httpx
import pytest

from support.world import World

MISSES_TIME = True
KEY = "DATABASE_HOST"


def override(world: World, account: str, value: str, *, is_active: bool, is_encrypted: bool) -> None:
    """Let a user put a value of his own in the place of a key's, or take it back."""
    # The embedded server takes overrides by the public API alone, and seals them for an encrypted app.
    world.phase.turn_sse("shop")
    with httpx.Client(base_url=world.phase.url, headers=world.phase.headers(account), trust_env=False) as http:
        place = {"app_id": world.phase.app_id("shop"), "env": "Production"}
        rows = http.get("/service/public/v1/secrets/", params=place).raise_for_status().json()
        (ident,) = (row["id"] for row in rows if row.get("key") == KEY and row["path"] == "/")
        change = {"id": ident, "override": {"value": value, "isActive": is_active}}
        http.put("/service/public/v1/secrets/", params=place, json={"secrets": [change]}).raise_for_status()
    world.phase.turn_sse("shop", on=not is_encrypted)


@pytest.mark.parametrize("is_encrypted", [False, True], ids=["SSE", "E2EE"])
def test_an_override_is_told_once_and_is_in_no_target(world: World, is_encrypted: bool) -> None:
    world.phase.turn_sse("shop", on=not is_encrypted)
    world.phase.grant("developer", "shop", "Production")
    world.canary.token(world.phase.token("developer", form="pss"))
    world.token(account="developer")
    world.phase_secret()
    world.until_ready()
    held = world.data()
    assert held

    override(world, "developer", world.canary.value("mine"), is_active=True, is_encrypted=is_encrypted)

    world.until(lambda: KEY in world.condition("shop").get("message", ""), what="it is told")
    told = world.condition("shop")
    assert (told["status"], told["reason"]) == ("True", "Synced")
    assert "personal overrides" in told["message"]
    assert world.data() == held
    version = (world.get("phasesecret", "shop") or {})["metadata"]["resourceVersion"]
    world.intervals_pass()
    assert (world.get("phasesecret", "shop") or {})["metadata"]["resourceVersion"] == version

    override(world, "developer", world.canary.value("mine"), is_active=False, is_encrypted=is_encrypted)

    world.until(lambda: KEY not in world.condition("shop").get("message", ""), what="nothing is told")
    assert world.data() == held
