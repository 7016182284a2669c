"""What a target holds outlives the process, an edit and a suspension, and so does the doubt of an answer without it."""

from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import replace
from typing import Any

import pytest

from phase_operator.api.reasons import Reason
from phase_operator.core.errors import Transient, Waiting
from phase_operator.core.values import Entry
from support.builders import config_entry, config_map_ref, entry, secret_ref
from support.lying import PersistentWorld

SHOP, OTHER, CONFIG = secret_ref(), secret_ref("other"), config_map_ref()
TEN = [entry(key) for key in "ABCDEFGHIJ"]
DOWN = Transient(Reason.PHASE_UNAVAILABLE, "down")
MAKE = Callable[..., Awaitable[PersistentWorld]]


@pytest.fixture
async def world() -> AsyncIterator[MAKE]:
    """Give a PhaseSecret in step with what Phase holds."""
    made: list[PersistentWorld] = []

    async def make(*entries: Entry, **fields: Any) -> PersistentWorld:
        found = PersistentWorld({"pollingInterval": 5, **fields})
        found.phase.is_honest(*entries)
        made.append(found)
        await found.start()
        await found.pass_time(1)
        return found

    yield make
    for each in made:
        await each.stop()


def names(entries: list[Entry]) -> set[str]:
    return {each.key for each in entries}


async def lie_and_look(world: PersistentWorld, *entries: Entry) -> None:
    """Let Phase lie once, and let the operator hear it and no more."""
    before = world.phase.told
    world.phase.lies(*entries)
    for _ in range(20):
        await world.pass_time(1)
        if world.phase.told > before:
            return
    raise AssertionError("nobody asked")


async def after_an_outage_and_a_restart(world: PersistentWorld) -> None:
    world.phase.fails(DOWN)
    for _ in range(8):
        await world.pass_time(5)
    assert world.reason == Reason.PHASE_UNAVAILABLE
    world.phase.works()
    await world.stop()


async def after_a_restart_with_an_edit(world: PersistentWorld) -> None:
    await world.stop()
    await world.edit(pollingInterval=6)


async def after_a_suspension(world: PersistentWorld) -> None:
    await world.edit(suspend=True)
    await world.edit(suspend=False)


async def after_an_edit(world: PersistentWorld) -> None:
    await world.edit(onSecretReferenceError="Warn")


WAYS = [
    pytest.param(after_an_outage_and_a_restart, id="an outage and a restart"),
    pytest.param(after_a_restart_with_an_edit, id="a restart and an edit"),
    pytest.param(after_a_suspension, id="a suspension"),
    pytest.param(after_an_edit, id="an edit"),
]
LOSSES = [
    pytest.param({"shrink": 10}, TEN[:1], id="nine of ten"),
    pytest.param({"shrink": 10}, [*TEN[:1], *(entry(f"NEW_{key}") for key in "ABCDEFGHI")], id="others instead"),
    pytest.param({"allowEmpty": True}, [], id="all"),
    pytest.param({"allowEmpty": True, "managedSecretReferences": [{"secretName": "shop", "format": "dotenv"}]}, [],
                 id="all of a file"),
]  # fmt: skip


@pytest.mark.parametrize("happens", WAYS)
@pytest.mark.parametrize(("fields", "left"), LOSSES)
async def test_a_loss_is_not_believed_at_once(
    world: MAKE, happens: Callable[[PersistentWorld], Awaitable[None]], fields: dict[str, Any], left: list[Entry]
) -> None:
    found = await world(*TEN, **fields)
    held = dict(found.cluster.objects[SHOP].fields)
    kept = {path: value for path, value in held.items() if path[0] == "data"}
    assert kept

    # Phase lies once, to the first who asks after that.
    found.phase.lies(*left)
    await happens(found)
    if found.loop is None:
        await found.start()
    for _ in range(40):
        await found.pass_time(1)
        now = found.cluster.objects[SHOP].fields
        assert kept.items() <= now.items()

    assert found.phase.lie is None
    assert found.reason == Reason.SYNCED


@pytest.mark.parametrize("happens", WAYS)
async def test_an_answer_that_phase_gives_twice_is_believed(
    world: MAKE, happens: Callable[[PersistentWorld], Awaitable[None]]
) -> None:
    found = await world(*TEN, shrink=10)

    found.phase.is_honest(*TEN[:1])
    await happens(found)
    if found.loop is None:
        await found.start()
    for _ in range(20):
        await found.pass_time(1)

    assert found.keys(SHOP) == {"A"}
    assert found.reason == Reason.SYNCED


async def test_each_target_is_guarded_by_itself(world: MAKE) -> None:
    split = [{"secretName": "shop", "path": "/"}, {"secretName": "other", "path": "/b"}]
    there = [entry("A"), entry("B", path="/b")]
    found = await world(*there, allowEmpty=True, managedSecretReferences=split)

    await lie_and_look(found, there[0])

    assert found.keys(OTHER) == {"B"}
    assert found.target_status(OTHER)["reason"] == Reason.ANSWER_DOUBTED
    assert found.target_status(SHOP)["ready"] is True
    await found.pass_time(6)
    assert (found.keys(OTHER), found.reason) == ({"B"}, Reason.SYNCED)


async def test_a_target_is_emptied_where_that_is_allowed_and_phase_says_it_twice(world: MAKE) -> None:
    split = [{"secretName": "shop", "path": "/"}, {"secretName": "other", "path": "/b"}]
    found = await world(entry("A"), entry("B", path="/b"), allowEmpty=True, managedSecretReferences=split)

    found.phase.is_honest(entry("A"))
    for _ in range(12):
        await found.pass_time(1)

    assert (found.keys(OTHER), found.keys(SHOP)) == (set(), {"A"})
    assert found.reason == Reason.SYNCED


async def test_another_question_is_answered_at_once(world: MAKE) -> None:
    found = await world(*TEN, shrink=10)

    reads = found.phase.told
    await found.edit(keys={"include": ["A"]})

    assert (found.keys(SHOP), found.reason) == ({"A"}, Reason.SYNCED)
    assert found.phase.told == reads


async def test_other_names_for_the_same_entries_are_no_loss(world: MAKE) -> None:
    found = await world(entry("DB_HOST"), entry("DB_PORT"), shrink=1)

    await found.edit(managedSecretReferences=[{"secretName": "shop", "nameTransformer": "lower-kebab"}])

    assert (found.keys(SHOP), found.reason) == ({"db-host", "db-port"}, Reason.SYNCED)


async def test_an_answer_of_another_app_is_doubted_after_a_restart(world: MAKE) -> None:
    found = await world(entry("A"))
    found.phase.app_id = "app-2"
    found.phase.is_honest(entry("A", "another"))
    await found.start()

    for _ in range(4):
        await found.pass_time(1)
    doubted = (found.reason, found.cluster.secret(SHOP))
    for _ in range(10):
        await found.pass_time(1)

    assert doubted == (Reason.ANSWER_DOUBTED, {"A": "text"})
    assert (found.reason, found.cluster.secret(SHOP)) == (Reason.SYNCED, {"A": "another"})


# What is no loss.


@pytest.mark.parametrize("restarts", [False, True])
@pytest.mark.parametrize("rest", [[], [config_entry("B")]], ids=["the last one", "one of two"])
async def test_an_entry_that_becomes_a_secret_leaves_the_config_map_at_once(
    world: MAKE, rest: list[Entry], restarts: bool
) -> None:
    targets: dict[str, Any] = {"managedConfigMapReferences": [{"configMapName": "shop"}]}
    found = await world(config_entry("A"), *rest, shrink=1, **targets)
    assert "A" in found.keys(CONFIG)

    reads = found.phase.told
    found.phase.is_honest(entry("A"), *rest)
    if restarts:
        await found.start()
    for _ in range(12):
        await found.pass_time(0.5)
        if found.phase.told > reads:
            break

    assert found.keys(CONFIG) == names(rest)
    assert found.keys(SHOP) == {"A"}
    assert found.phase.told == reads + 1
    told = found.target_status(CONFIG)
    assert (found.reason, told["ready"]) == (Reason.SYNCED, True)
    assert told["leftOut"] == [{"why": "Type", "count": 1, "keys": ["A"]}]


@pytest.mark.parametrize(
    ("fields", "before", "after"),
    [
        pytest.param({}, [entry("A")], [entry("A", path="/b", ident="/|A")], id="another folder"),
        pytest.param({}, TEN, [*TEN[1:], entry("A", path="/b", ident="/|A")], id="one to another folder"),
        pytest.param({"phaseAppEnvTag": "t"}, [entry("A", tags=["t"])], [entry("A", tags=["u"])], id="another tag"),
        pytest.param(
            {"managedSecretReferences": [{"secretName": "shop", "types": ["sealed"]}]},
            [entry("A", kind="sealed")],
            [entry("A")],
            id="another type",
        ),
    ],
)
async def test_an_entry_that_moved_leaves_its_target_at_once(
    world: MAKE, fields: dict[str, Any], before: list[Entry], after: list[Entry]
) -> None:
    found = await world(*before, shrink=1, **fields)
    assert "A" in found.keys(SHOP)

    found.phase.is_honest(*after)
    spent = 0.0
    while "A" in found.keys(SHOP) and spent < 20:
        await found.pass_time(0.5)
        spent += 0.5

    # An interval, and no pause of doubt beside it.
    assert spent <= 6.5
    assert found.reason == Reason.SYNCED
    told = found.target_status(SHOP)
    assert "A" in told.get("message", "") or told.get("leftOut")


async def test_a_target_that_everything_left_goes_where_its_policy_says_so(world: MAKE) -> None:
    goes = [{"configMapName": "shop", "deletionPolicy": "Delete"}]
    found = await world(config_entry("A"), managedConfigMapReferences=goes)
    assert CONFIG in found.cluster.objects

    found.phase.is_honest(entry("A"))
    for _ in range(20):
        await found.pass_time(1)

    assert CONFIG not in found.cluster.objects
    assert found.reason == Reason.SYNCED
    writes = len(found.cluster.status_writes)
    for _ in range(20):
        await found.pass_time(1)
    assert CONFIG not in found.cluster.objects
    assert len(found.cluster.status_writes) == writes


async def test_a_namesake_in_another_folder_proves_nothing(world: MAKE) -> None:
    there = [entry("A"), entry("A", path="/b")]
    found = await world(*there)

    found.phase.is_honest(there[1])
    await found.start()
    for _ in range(20):
        await found.pass_time(1)

    assert found.keys(SHOP) == {"A"}
    assert found.reason == Reason.NO_ENTRIES


async def test_types_that_an_edit_leaves_out_are_no_move(world: MAKE) -> None:
    found = await world(entry("A"))

    await found.edit(managedSecretReferences=[{"secretName": "shop", "types": ["sealed"]}])
    await found.start()
    for _ in range(20):
        await found.pass_time(1)

    assert found.keys(SHOP) == {"A"}
    assert found.reason == Reason.NO_ENTRIES


# Targets without entries.


@pytest.mark.parametrize(
    ("required", "reason", "current"),
    [(None, Reason.SYNCED, True), (False, Reason.SYNCED, True), (True, Reason.NO_ENTRIES, False)],
)
async def test_a_config_map_that_never_had_an_entry_is_empty(
    world: MAKE, required: bool | None, reason: Reason, current: bool
) -> None:
    reference = {"configMapName": "shop"} | ({} if required is None else {"required": required})
    found = await world(entry("A"), managedConfigMapReferences=[reference])

    assert found.reason == reason
    assert (CONFIG in found.cluster.objects) is current
    assert found.keys(SHOP) == {"A"}
    assert "type config" in found.target_status(CONFIG)["message"]


async def test_a_secret_that_selects_nothing_is_told_unless_it_may(world: MAKE) -> None:
    targets: list[dict[str, Any]] = [{"secretName": "shop"}, {"secretName": "other", "keys": {"include": ["NOPE"]}}]
    found = await world(entry("A"), managedSecretReferences=targets)
    assert found.reason == Reason.NO_ENTRIES

    await found.edit(managedSecretReferences=[targets[0], {**targets[1], "required": False}])

    assert found.reason == Reason.SYNCED
    assert OTHER in found.cluster.objects


async def test_a_status_of_an_older_version_is_not_written_anew(world: MAKE) -> None:
    found = await world(entry("A"))
    for target in found.status["targets"]:
        assert target.pop("selection")
    writes = len(found.cluster.status_writes)

    await found.start()
    found.phase.is_honest(entry("A"), entry("B", path="/b"))
    for _ in range(20):
        await found.pass_time(1)

    assert len(found.cluster.status_writes) == writes
    assert found.reason == Reason.SYNCED


# What is asked for in vain.


@pytest.mark.parametrize(
    ("fields", "told"),
    [
        pytest.param(
            {"template": {"metadata": {"labels": {"app.kubernetes.io/instance": "x", "tier": "api"}}}},
            'template.metadata.labels: "app.kubernetes.io/instance"',
            id="a label that tools track by",
        ),
        pytest.param(
            {"template": {"metadata": {"annotations": {"argocd.argoproj.io/tracking-id": "x"}}}},
            'template.metadata.annotations: "argocd.argoproj.io/tracking-id"',
            id="an annotation that tools track by",
        ),
        pytest.param(
            {"processors": {"NOPE": {"type": "base64"}}}, 'processors: no entry has the key "NOPE"', id="a key"
        ),
        pytest.param({"keys": {"include": ["A", "N*"]}}, 'keys.include: no entry matches "N*"', id="a pattern"),
        pytest.param(
            {"creationPolicy": "Merge", "template": {"metadata": {"labels": {"tier": "api"}}}},
            "template.metadata",
            id="a label on what others keep",
        ),
        pytest.param(
            {"restart": {"workloads": "None", "selector": "tier=api"}},
            "restart.selector is left out",
            id="a selector for no restart",
        ),
        pytest.param(
            {"format": "json", "template": {"data": {"text": "{{ A }}"}}},
            "format is left out",
            id="a file that a text replaces",
        ),
    ],
)
async def test_a_field_that_matches_nothing_is_named_in_the_status(
    world: MAKE, fields: dict[str, Any], told: str
) -> None:
    found = await world(entry("A"), managedSecretReferences=[{"secretName": "shop", **fields}])

    assert found.reason == Reason.SYNCED
    assert told in found.target_status(SHOP)["message"]


async def test_patterns_of_the_whole_that_match_nothing_are_told_and_only_these(world: MAKE) -> None:
    found = await world(entry("A"), entry("B"), keys={"include": ["A", "N*", "GONE"]})

    assert found.reason == Reason.SYNCED
    assert ready_message(found) == '1 target is in step; spec.keys.include: no entry matches "N*", "GONE"'
    await found.edit(keys={"include": ["A"]})
    assert ready_message(found) == "1 target is in step"


async def test_tags_that_nothing_has_are_told_where_others_have_some(world: MAKE) -> None:
    found = await world(entry("A", tags=["db"]), phaseAppEnvTags=["db", "typo", "Db"])

    assert ready_message(found) == '1 target is in step; spec.phaseAppEnvTags: no entry has the tag "Db", "typo"'
    await found.edit(phaseAppEnvTags=["db"])
    assert ready_message(found) == "1 target is in step"


@pytest.mark.parametrize("fields", [{}, {"allowEmpty": True}, {"required": False}], ids=str)
async def test_a_folder_that_nothing_has_is_told_where_others_have_some(world: MAKE, fields: dict[str, Any]) -> None:
    of_target = {name: value for name, value in fields.items() if name == "required"}
    found = await world(
        entry("A"),
        entry("B", path="/db"),
        managedSecretReferences=[
            {"secretName": "shop"},
            {"secretName": "db", "path": "/db"},
            {"secretName": "typo", "path": "/d", **of_target},
        ],
        **{name: value for name, value in fields.items() if name not in of_target},
    )
    targets = [secret_ref(name) for name in ("shop", "db", "typo")]

    assert (
        'path: no entry that the PhaseSecret selects lies in folder "/d"' in found.target_status(targets[2])["message"]
    )
    assert [found.target_status(each)["ready"] for each in targets] == [True, True, bool(fields)]
    assert not any("folder" in str(found.target_status(each).get("message")) for each in targets[:2])


async def test_personal_overrides_are_told_once_and_are_in_no_target(world: MAKE) -> None:
    found = await world(replace(entry("A", "base"), is_overridden=True), entry("B"))
    writes = len(found.cluster.status_writes)
    for _ in range(20):
        await found.pass_time(5)

    assert found.reason == Reason.SYNCED
    assert "personal overrides" in ready_message(found)
    assert ready_message(found).endswith(': "A"')
    assert len(found.cluster.status_writes) == writes
    found.phase.is_honest(entry("A", "base"), entry("B"))
    for _ in range(14):
        await found.pass_time(0.5)
    assert ready_message(found) == "1 target is in step"


async def test_of_thousands_of_overrides_a_few_are_named(world: MAKE) -> None:
    found = await world(*(replace(entry(f"K{number:04}{'X' * 200}"), is_overridden=True) for number in range(300)))

    assert "and 295 more" in ready_message(found)
    assert len(ready_message(found)) < 2000


async def test_nothing_is_told_where_all_is_as_asked(world: MAKE) -> None:
    template = {"metadata": {"labels": {"argocd.argoproj.io/secret-type": "repository"}}}
    found = await world(entry("A"), managedSecretReferences=[{"secretName": "shop", "template": template}])

    assert "message" not in found.target_status(SHOP)
    labels = found.cluster.objects[SHOP].part("metadata", "labels")
    assert labels["argocd.argoproj.io/secret-type"] == "repository"


# What was declared secret leaves a ConfigMap whatever else is wrong.

BROKEN = entry("URL", "${nowhere.X}")
WITH_CONFIG_MAP: dict[str, Any] = {"managedConfigMapReferences": [{"configMapName": "shop"}]}


async def pass_an_interval(world: PersistentWorld) -> None:
    for _ in range(14):
        await world.pass_time(0.5)


@pytest.mark.parametrize("restarts", [False, True])
@pytest.mark.parametrize(
    ("wrong", "reason"),
    [
        pytest.param([BROKEN], Reason.UNRESOLVED_REFERENCES, id="a reference elsewhere"),
        pytest.param([config_entry("C", "${x.Y}")], Reason.UNRESOLVED_REFERENCES, id="a reference of its own"),
        pytest.param([config_entry("b b")], Reason.KEY_INVALID, id="a key of its own"),
        pytest.param([entry("a b")], Reason.KEY_INVALID, id="another target's error"),
    ],
)
async def test_an_entry_that_is_declared_secret_leaves_whatever_else_is_wrong(
    world: MAKE, restarts: bool, wrong: list[Entry], reason: Reason
) -> None:
    found = await world(config_entry("A"), config_entry("B"), entry("Z"), **WITH_CONFIG_MAP)
    found.phase.is_honest(config_entry("A"), config_entry("B"), entry("Z"), *wrong)
    await pass_an_interval(found)
    assert (found.reason, "A" in found.keys(CONFIG)) == (reason, True)

    found.phase.is_honest(entry("A"), config_entry("B"), entry("Z"), *wrong)
    if restarts:
        await found.start()
    await pass_an_interval(found)

    assert (found.reason, found.keys(CONFIG)) == (reason, {"B"})
    writes, statuses = list(found.cluster.writes), len(found.cluster.status_writes)
    await pass_an_interval(found)
    assert (found.cluster.writes, len(found.cluster.status_writes)) == (writes, statuses)


async def test_a_target_that_lost_an_entry_during_an_error_is_in_step_as_soon_as_that_is_over(world: MAKE) -> None:
    found = await world(config_entry("A"), config_entry("B"), **WITH_CONFIG_MAP)
    broken = config_entry("C", "${x.Y}")
    found.phase.is_honest(entry("A"), config_entry("B"), broken)
    await pass_an_interval(found)
    assert found.keys(CONFIG) == {"B"}

    found.phase.is_honest(entry("A"), config_entry("B"), config_entry("C"))
    await pass_an_interval(found)

    assert (found.reason, found.keys(CONFIG), found.keys(SHOP)) == (Reason.SYNCED, {"B", "C"}, {"A"})


async def test_an_answer_that_is_doubted_takes_nothing_from_a_config_map_either(world: MAKE) -> None:
    there = [config_entry(key) for key in "ABCDEFGHIJ"]
    found = await world(*there, BROKEN, shrink=10, onSecretReferenceError="Warn", **WITH_CONFIG_MAP)
    await found.edit(onSecretReferenceError="Fail")
    held = found.keys(CONFIG)

    found.phase.lies(entry("A"), BROKEN)
    await found.start()
    await pass_an_interval(found)

    assert found.phase.lie is None
    assert found.keys(CONFIG) == held


async def test_a_file_is_made_without_what_was_declared_secret(world: MAKE) -> None:
    file = [{"configMapName": "shop", "format": "dotenv"}]
    found = await world(config_entry("A"), config_entry("B"), BROKEN, managedConfigMapReferences=file,
                        onSecretReferenceError="Warn")  # fmt: skip
    await found.edit(onSecretReferenceError="Fail")
    before = dict(found.cluster.objects[CONFIG].fields)

    found.phase.is_honest(entry("A"), config_entry("B"), BROKEN)
    await pass_an_interval(found)

    assert found.reason == Reason.UNRESOLVED_REFERENCES
    assert found.cluster.objects[CONFIG].fields != before


# Versions that hold what was declared secret.

VERSIONED: dict[str, Any] = {"managedConfigMapReferences": [{"configMapName": "shop", "versioned": {"keep": 3}}]}


def versions(world: PersistentWorld) -> set[str]:
    return {ref.key.name for ref in world.cluster.objects if ref.kind is CONFIG.kind}


@pytest.mark.parametrize("restarts", [False, True])
async def test_versions_that_hold_what_was_declared_secret_go_at_once(world: MAKE, restarts: bool) -> None:
    found = await world(config_entry("B"), **VERSIONED)
    harmless = versions(found)
    found.phase.is_honest(config_entry("A"), config_entry("B"))
    await pass_an_interval(found)

    found.phase.is_honest(entry("A"), config_entry("B", "other"))
    if restarts:
        await found.start()
    await pass_an_interval(found)

    assert found.reason == Reason.SYNCED
    assert harmless < versions(found)
    assert len(versions(found)) == 2


async def test_a_version_that_pods_name_stays_and_is_told_by_its_name(world: MAKE) -> None:
    found = await world(config_entry("A"), config_entry("B"), **VERSIONED)
    [old] = versions(found)
    found.cluster.mentions = {old}

    found.phase.is_honest(entry("A"), config_entry("B"))
    await pass_an_interval(found)
    told = found.target_status(CONFIG)
    statuses = len(found.cluster.status_writes)
    await pass_an_interval(found)

    assert old in versions(found)
    assert f'"{old}"' in told["message"]
    assert (found.reason, len(found.cluster.status_writes)) == (Reason.SYNCED, statuses)
    found.cluster.mentions = set()
    found.phase.is_honest(entry("A"), config_entry("B", "other"))
    await pass_an_interval(found)
    assert old not in versions(found)
    assert "message" not in found.target_status(CONFIG) or old not in found.target_status(CONFIG)["message"]


# What it costs that an account may not probe.


async def test_an_account_that_may_not_read_environments_is_told_once_and_when_it_may_again() -> None:
    found = PersistentWorld({"pollingInterval": 5})
    found.phase.is_honest(entry("A"))
    found.phase.fails(Waiting(Reason.ACCESS_DENIED, "no"), "environments")
    await found.start()
    try:
        await pass_an_interval(found)
        told = ready_message(found)
        statuses = len(found.cluster.status_writes)
        for _ in range(6):
            await pass_an_interval(found)

        assert (found.reason, "Environments: read" in told) == (Reason.SYNCED, True)
        assert len(found.cluster.status_writes) == statuses
        found.phase.works()
        for _ in range(12):
            await found.pass_time(60)
        assert "Environments" not in ready_message(found)
        assert len(found.cluster.status_writes) == statuses + 1
    finally:
        await found.stop()


def ready_message(world: PersistentWorld) -> str:
    return str(next(each["message"] for each in world.status["conditions"] if each["type"] == "Ready"))


async def test_of_a_config_map_that_others_keep_only_what_nobody_else_holds_is_taken_out() -> None:
    merged = [{"configMapName": "shop", "creationPolicy": "Merge"}]
    found = PersistentWorld({"pollingInterval": 5, "managedConfigMapReferences": merged})
    found.cluster.edit(CONFIG, {"X": "theirs"})
    found.phase.is_honest(config_entry("A"), config_entry("C"), config_entry("B"))
    await found.start()
    try:
        await pass_an_interval(found)
        assert found.keys(CONFIG) == {"A", "B", "C", "X"}
        # Somebody else holds the same key, with the same value.
        stored = found.cluster.objects[CONFIG]
        stored.owners.setdefault(("helm", "Apply"), set()).add(("data", "C"))

        found.phase.is_honest(entry("A"), entry("C"), config_entry("B"), BROKEN)
        await pass_an_interval(found)

        assert (found.reason, found.keys(CONFIG)) == (Reason.UNRESOLVED_REFERENCES, {"B", "C", "X"})
    finally:
        await found.stop()
