"""How Phase is asked: what that costs, what is believed, what is done where probes are not answered."""

from typing import Any

import pytest

from support.operator_process import eventually
from support.world import World

SECRETS, ENVIRONMENTS = "/v1/secrets/", "/v1/environments/"


def test_while_nothing_changes_probes_are_all_that_is_asked(world: World) -> None:
    world.many()
    world.phase.reset_calls()

    eventually(lambda: world.phase.calls(route=ENVIRONMENTS) >= 3, within=25, what="three probes")

    assert world.phase.calls() == world.phase.calls(route=ENVIRONMENTS)


def test_a_change_is_read_once_for_all_who_ask(world: World) -> None:
    names = world.many()
    world.phase.reset_calls()

    world.phase.set("shop", "Production", "LOG_LEVEL", "error")

    world.until_data(names, LOG_LEVEL="error")
    assert world.phase.calls(route=SECRETS) == 1


def test_many_questions_to_one_environment_are_one_read(world: World) -> None:
    for number in range(6):
        world.phase.set("shop", "Production", "KEY", f"value {number}", path=f"/folder-{number}")
    for number in range(6):
        world.phase_secret(f"shop-{number}", phaseAppEnvPath=f"/folder-{number}")
    for number in range(6):
        world.until_ready(f"shop-{number}")
    world.phase.reset_calls()

    world.phase.set("shop", "Production", "KEY", "changed", path="/folder-3")

    eventually(lambda: world.data("shop-3") == {"KEY": "changed"}, what="the change")
    assert world.data("shop-2") == {"KEY": "value 2"}
    assert world.phase.calls(route=SECRETS) == 1


def last_synced(world: World) -> str:
    found = world.get("phasesecret", "shop-0") or {}
    return str(found["status"]["lastSyncedTime"])


@pytest.mark.parametrize(
    "fault",
    [
        pytest.param({"kind": "status", "status": 403, "text": "You don't have permission"}, id="no permission"),
        pytest.param({"kind": "html", "status": 404}, id="older server"),
    ],
)
def test_without_probes_it_is_read_at_the_interval_and_told(world: World, fault: dict[str, object]) -> None:
    world.phase.fail(**fault, route=ENVIRONMENTS)  # type: ignore[arg-type]  # a table of faults
    names = world.many(3)
    world.phase.reset_calls()

    eventually(lambda: world.phase.calls(route=SECRETS) >= 2, within=20, what="two reads")
    before = last_synced(world)
    world.phase.set("shop", "Production", "LOG_LEVEL", "error")

    world.until_data(names, LOG_LEVEL="error")
    assert world.operator.metric("phase_operator_apps_unprobed") >= 1
    assert [each["reason"] for each in world.events()].count("ProbeUnavailable") == 1
    is_refused = fault["kind"] == "status"
    assert ("Environments: read" in world.condition("shop-0")["message"]) is is_refused
    # A status is written after its Secret.
    eventually(lambda: last_synced(world) != before, what="the status tells the change")
    world.phase.reset_calls()
    version = (world.get("phasesecret", "shop-0") or {})["metadata"]["resourceVersion"]
    eventually(lambda: world.phase.calls(route=SECRETS) >= 2, within=20, what="two more reads")
    assert (world.get("phasesecret", "shop-0") or {})["metadata"]["resourceVersion"] == version


def test_a_loss_beyond_the_share_is_told_by_name_and_believed_the_second_time(world: World) -> None:
    for key in "ABCD":
        world.phase.set("shop", "Production", key, "text", path="/four")
    world.phase_secret(phaseAppEnvPath="/four", shrink=50)
    world.until_ready()

    for key in "ABC":
        world.phase.delete("shop", "Production", key, path="/four")
    doubt = world.until_reason("AnswerDoubted")
    kept = world.data()

    assert '"/four/A", "/four/B", "/four/C"' in doubt["message"]
    assert sorted(kept or {}) == ["A", "B", "C", "D"]
    eventually(lambda: sorted(world.data() or {}) == ["D"], within=30, what="it is believed")
    world.until_ready()


def test_an_empty_answer_empties_a_target_only_if_the_resource_says_so(world: World) -> None:
    world.phase.set("shop", "Production", "ONLY", "text", path="/one")
    world.phase_secret("keeps", phaseAppEnvPath="/one")
    world.phase_secret("empties", phaseAppEnvPath="/one", allowEmpty=True)
    world.until_ready("keeps")
    world.until_ready("empties")

    world.phase.delete("shop", "Production", "ONLY", path="/one")

    eventually(lambda: world.data("empties") == {}, within=30, what="it is emptied")
    world.until_reason("NoEntries", "keeps")
    assert sorted(world.data("keeps") or {}) == ["ONLY"]


@pytest.mark.parametrize("spec", [{"shrink": 0}, {"shrink": 101}, {"pollingInterval": 1}, {"pollingInterval": -1}])
def test_absurd_shares_and_intervals_are_refused_at_apply(stage: World, spec: dict[str, Any]) -> None:
    [field] = spec
    with pytest.raises(Exception, match=rf"spec\.{field}"):
        stage.phase_secret(**spec)
