"""The life of a push on a real API server: sources reach Phase within a second, and nothing is read back."""

from support.operator_process import eventually
from support.push_stage import NAME, PushStage


def test_a_secret_reaches_phase_with_the_mark_of_its_resource(world: PushStage) -> None:
    world.source("db", {"username": "shop", "password": "first-password"})
    world.push_secret()

    found = world.until_in_step(2)

    assert world.values() == {"USERNAME": "shop", "PASSWORD": "first-password"}
    assert all(f"{world.namespace}/{NAME}" in each["comment"] for each in world.entries())
    status = found["status"]
    assert [(each["kind"], each["name"], each["entries"]) for each in status["sources"]] == [("Secret", "db", 2)]
    assert status["source"]["path"] == world.root
    assert "secrets.phase.dev/outside" in found["metadata"]["finalizers"]
    assert {"Synced", "EntriesPushed"} <= {each["reason"] for each in world.events_of()}
    assert world.phase.calls(method="POST") == 1


def test_a_change_in_the_cluster_is_in_phase_without_a_probe(world: PushStage) -> None:
    world.source("db", {"password": "first-password"})
    world.push_secret(pollingInterval=3600)
    world.until_in_step(1)

    world.source("db", {"password": "second-password", "port": "5432"})

    world.until_pushed({"PASSWORD": "second-password", "PORT": "5432"}, within=5)
    eventually(lambda: len(world.rows()) == 2, what="the ledger has both")


def test_an_edit_in_phase_is_undone_at_the_next_probe(world: PushStage) -> None:
    world.source("db", {"password": "first-password"})
    world.push_secret()
    world.until_in_step(1)
    reads = world.phase.calls(method="GET")

    world.phase.set("shop", "Production", "PASSWORD", "a person's", path=world.root)

    world.until_pushed({"PASSWORD": "first-password"})
    assert world.phase.calls(method="GET") > reads
