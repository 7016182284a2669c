"""Dynamic secrets on a real API server: a PhaseSecret that selects one reports it, one that names one is refused."""

from support.world import World

MISSES_TIME = True
LEASED = "AWS_ACCESS_KEY_ID"


def test_a_dynamic_secret_is_told_and_is_refused_where_it_is_named(world: World) -> None:
    world.phase_secret()
    world.until_ready()
    held = world.data()
    assert held

    world.phase.add_dynamic("shop", "Production", "bucket")

    world.until(lambda: LEASED in world.condition("shop").get("message", ""), what="it is told")
    told = world.condition("shop")
    assert (told["status"], told["reason"]) == ("True", "Synced")
    assert world.data() == held
    version = (world.get("phasesecret", "shop") or {})["metadata"]["resourceVersion"]
    world.intervals_pass()
    assert (world.get("phasesecret", "shop") or {})["metadata"]["resourceVersion"] == version
    assert not world.phase.phase.state.leases

    world.phase_secret(keys={"include": ["DATABASE_HOST", LEASED]})

    refused = world.until_reason("NoEntries")
    assert LEASED in refused["message"]
    assert "not read" in refused["message"]
    assert world.data() == held
