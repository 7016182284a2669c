"""How Phase is asked: what that costs, what is believed, what is done where probes are not answered."""

from typing import Any

import pytest

from support.world import World

MISSES_TIME = True
SECRETS, ENVIRONMENTS = "/v1/secrets/", "/v1/environments/"


def test_while_nothing_changes_probes_are_all_that_is_asked(world: World) -> None:
    world.many()
    world.phase.reset_calls()

    world.until(lambda: world.phase.calls(route=ENVIRONMENTS) >= 3, within=25, what="three probes")

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

    world.until(lambda: world.data("shop-3") == {"KEY": "changed"}, what="the change")
    assert world.data("shop-2") == {"KEY": "value 2"}
    assert world.phase.calls(route=SECRETS) == 1


# By app, so that both are seen at once: an environment of it, and why its probes are not answered.
UNPROBED: dict[str, tuple[str, dict[str, Any]]] = {
    "shop": ("Production", {"kind": "status", "status": 403, "text": "You don't have permission"}),
    "shared": ("Development", {"kind": "html", "status": 404}),  # as an older server answers
}


def unprobed(world: World, what: str) -> dict[str, str]:
    """Return a field of the first PhaseSecret of each app: of its metadata or its status."""
    found = {app: world.get("phasesecret", f"{app}-0") or {} for app in UNPROBED}
    return {app: str((each["metadata"] | each["status"])[what]) for app, each in found.items()}


def test_without_probes_it_is_read_at_the_interval_and_told(world: World) -> None:
    names = {app: [f"{app}-{number}" for number in range(3)] for app in UNPROBED}
    for app, (env, fault) in UNPROBED.items():
        world.phase.fail(**fault, route=ENVIRONMENTS, app=app)
        for name in names[app]:
            world.phase_secret(name, phaseApp=app, phaseAppEnv=env)
    for each in names.values():
        for name in each:
            world.until_ready(name)

    def are_read_twice() -> bool:
        return all(world.phase.calls(route=SECRETS, app=app) >= 2 for app in UNPROBED)

    world.phase.reset_calls()
    world.until(are_read_twice, within=20, what="two reads")
    before = unprobed(world, "lastSyncedTime")
    for app, (env, _) in UNPROBED.items():
        world.phase.set(app, env, "LOG_LEVEL", "error")

    for each in names.values():
        world.until_data(each, LOG_LEVEL="error")
    assert world.operator.metric("phase_operator_apps_unprobed") >= 2
    told = [each["involvedObject"]["name"] for each in world.events() if each["reason"] == "ProbeUnavailable"]
    assert sorted(name.partition("-")[0] for name in told) == sorted(UNPROBED), "one Event for all of an app"
    assert "Environments: read" in world.condition("shop-0")["message"]
    assert "Environments: read" not in world.condition("shared-0")["message"]
    # A status is written after its Secret.
    world.until(
        lambda: all(now != before[app] for app, now in unprobed(world, "lastSyncedTime").items()),
        what="the statuses tell the change",
    )
    world.phase.reset_calls()
    versions = unprobed(world, "resourceVersion")
    world.until(are_read_twice, within=20, what="two more reads")
    assert unprobed(world, "resourceVersion") == versions


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
    world.until(lambda: sorted(world.data() or {}) == ["D"], within=30, what="it is believed")
    world.until_ready()


def test_an_empty_answer_empties_a_target_only_if_the_resource_says_so(world: World) -> None:
    world.phase.set("shop", "Production", "ONLY", "text", path="/one")
    world.phase_secret("keeps", phaseAppEnvPath="/one")
    world.phase_secret("empties", phaseAppEnvPath="/one", allowEmpty=True)
    world.until_ready("keeps")
    world.until_ready("empties")

    world.phase.delete("shop", "Production", "ONLY", path="/one")

    world.until(lambda: world.data("empties") == {}, within=30, what="it is emptied")
    world.until_reason("NoEntries", "keeps")
    assert sorted(world.data("keeps") or {}) == ["ONLY"]


@pytest.mark.parametrize(
    "spec", [{"shrink": 0}, {"shrink": 101}, {"pollingInterval": 1}, {"pollingInterval": -1}], ids=str
)
def test_absurd_shares_and_intervals_are_refused_at_apply(stage: World, spec: dict[str, Any]) -> None:
    [field] = spec
    with pytest.raises(Exception, match=rf"spec\.{field}"):
        stage.phase_secret(**spec)
