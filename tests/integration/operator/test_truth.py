"""What the status says is true, and every tool that reads it sees the same."""

import json

import pytest

from phase_dev.cluster import Completed
from support.canary import Canary
from support.kstatus import KStatus, kstatus, wait_ends
from support.world import World, secret

MISSES_TIME = True


def wait(world: World, name: str = "shop", condition: str = "Ready", seconds: int = 20) -> Completed:
    """Let kubectl wait for a condition."""
    arguments = ("wait", f"--for=condition={condition}", f"phasesecret/{name}", f"--timeout={seconds}s")
    return world.plane.kubectl("-n", world.namespace, *arguments, check=False)


def judged(world: World, name: str = "shop") -> KStatus:
    found = world.get("phasesecret", name)
    assert found is not None
    assert wait_ends(found) is (kstatus(found) is KStatus.CURRENT)
    return kstatus(found)


def test_waiting_ends_when_the_targets_hold_what_phase_holds(world: World) -> None:
    world.phase_secret()

    assert wait(world).returncode == 0
    assert world.data()
    assert judged(world) is KStatus.CURRENT


def test_waiting_for_what_needs_a_person_takes_all_the_time_there_is(world: World) -> None:
    world.phase_secret(phaseApp="shpo")

    assert wait(world, condition="Stalled").returncode == 0
    assert wait(world, seconds=2).returncode != 0
    assert judged(world) is KStatus.FAILED


def test_waiting_after_an_edit_is_not_answered_with_what_was_said_before(world: World) -> None:
    world.phase_secret()
    assert wait(world).returncode == 0

    world.phase_secret(phaseApp="shpo")

    assert judged(world) is not KStatus.CURRENT
    assert wait(world, seconds=2).returncode != 0


def test_a_phase_secret_without_its_token_is_in_progress_until_the_token_is_there(world: World) -> None:
    token = {"serviceToken": {"serviceTokenSecretReference": {"secretName": "later"}}}
    world.phase_secret(authentication=token)
    world.until_reason("TokenSecretNotFound")
    assert judged(world) is KStatus.IN_PROGRESS

    world.token("later")

    assert wait(world).returncode == 0
    assert judged(world) is KStatus.CURRENT


def test_a_suspended_resource_is_current(world: World) -> None:
    world.phase_secret(suspend=True)

    assert wait(world).returncode == 0
    assert judged(world) is KStatus.CURRENT


@pytest.mark.parametrize("order", [["good", "theirs"], ["theirs", "good"]], ids=["good first", "bad first"])
def test_one_bad_target_makes_the_whole_not_ready_and_the_good_one_is_told_as_good(
    world: World, order: list[str]
) -> None:
    world.apply(secret("theirs", {"a": "b"}))
    before = world.get("secret", "theirs")

    world.phase_secret(managedSecretReferences=[{"secretName": name} for name in order])
    world.until_reason("TargetConflict")

    found = (world.get("phasesecret", "shop") or {})["status"]["targets"]
    assert [(each["name"], each["ready"], each["reason"]) for each in found] == [
        (name, name == "good", "Synced" if name == "good" else "TargetConflict") for name in order
    ]
    assert wait(world, seconds=1).returncode != 0
    assert judged(world) is KStatus.FAILED
    assert world.data("good")
    assert world.get("secret", "theirs") == before

    world.phase.set("shop", "Production", "LOG_LEVEL", "debug")
    world.until(lambda: (world.data("good") or {}).get("LOG_LEVEL") == "debug", what="the good one goes on")


def test_a_change_is_one_line_in_the_log_and_a_poll_is_none(world: World, canary: Canary) -> None:
    """What was written and where it comes from, and nothing of what it is."""
    target = {"secretName": "shop", "deletionPolicy": "Delete"}
    world.phase.set("shop", "Production", "DATABASE_PASSWORD", canary.value("password"))

    def lines() -> list[dict[str, object]]:
        place = f"{world.namespace}/"
        return [line for line in world.operator.lines() if place in str(line.get("object"))]

    def look() -> None:
        looks = world.phase.calls(route="/v1/environments/")
        world.until(lambda: world.phase.calls(route="/v1/environments/") >= looks + 2, within=15, what="two more looks")

    world.phase_secret(managedSecretReferences=[target])
    world.until_ready()
    look()
    world.phase.set("shop", "Production", "DATABASE_PASSWORD", canary.value("next"))
    world.until(lambda: len(lines()) == 2, what="the change is told")
    look()
    world.phase_secret(managedSecretReferences=[{"secretName": "other"}])
    world.until(lambda: len(lines()) == 4, what="that one goes and another comes is told")
    world.phase_secret(managedSecretReferences=[{"secretName": "other"}], phaseApp="shpo")
    assert wait(world, condition="Stalled").returncode == 0

    shop, place = f"{world.namespace}/shop", f"Secret {world.namespace}"
    fields = ("message", "object", "source", "ready", "reason", "written")
    told = [tuple(line.get(each) for each in fields) for line in lines()]
    assert told[:2] == [("resource changed", shop, "shop/Production", True, "Synced", [f"{place}/shop"])] * 2
    assert ("object deleted", f"{place}/shop", None, None, None, None) in told[2:4]
    assert ("resource changed", shop, "shop/Production", True, "Synced", [f"{place}/other"]) in told[2:4]
    assert told[4:] == [("resource changed", shop, "shpo/Production", False, "AppNotFound", None)]


def test_a_status_is_not_written_while_nothing_changes(world: World) -> None:
    """Good, bad and half of each: looks at Phase go on, the object stays as it is to the byte."""
    world.apply(secret("theirs", {"a": "b"}))
    world.phase_secret("good")
    world.phase_secret("bad", phaseApp="shpo")
    world.phase_secret("tag", phaseAppEnvTag="dbs")
    world.phase_secret("half", managedSecretReferences=[{"secretName": "half"}, {"secretName": "theirs"}])
    names = {"good": "Ready", "bad": "Stalled", "tag": "Stalled", "half": "Stalled"}
    for name, condition in names.items():
        assert wait(world, name, condition).returncode == 0
    before = {name: json.dumps(world.get("phasesecret", name)) for name in names}
    looks = world.phase.calls(route="/v1/environments/")

    world.until(lambda: world.phase.calls(route="/v1/environments/") >= looks + 2, within=15, what="two more looks")

    assert {name: json.dumps(world.get("phasesecret", name)) for name in names} == before
