"""What one run makes of a PhaseSecret and of what is known of its source."""

import time
from dataclasses import replace
from typing import Any

import pytest

from phase_operator.api import names
from phase_operator.api.reasons import Reason
from phase_operator.core.errors import ExpectedError, Transient, Waiting
from phase_operator.core.outcome import Failed, Gone, Pending, Suspended
from support.builders import KEY, TOKEN, config_entry, config_map_ref, entry, phase_secret, secret_ref
from support.canary import Canary
from support.fakes import NO_TOKEN, Loop

SHOP = secret_ref()
DENIED = Waiting(Reason.ACCESS_DENIED, "no")
DOWN = Transient(Reason.PHASE_UNAVAILABLE, "down")
DECODED = {"A": {"type": "base64"}}
OPEN = "${MISSING}"


def to(*references: dict[str, Any]) -> dict[str, Any]:
    return {"managedSecretReferences": list(references)}


def token_in(**reference: str) -> dict[str, Any]:
    return {"authentication": {"serviceToken": {"serviceTokenSecretReference": reference}}}


# Runs that end before a source is asked.


async def test_a_resource_that_is_not_there_is_gone() -> None:
    assert await Loop().run_once() == Gone()


@pytest.mark.parametrize(
    ("fields", "reason", "told"),
    [
        pytest.param({"pollingInterval": 1}, Reason.INVALID_SPEC, "spec.pollingInterval", id="a field"),
        pytest.param(to({}), Reason.INVALID_SPEC, "spec.managedSecretReferences.0.secretName", id="a field in a list"),
        pytest.param(to({"secretName": "a"}, {"secretName": "a"}), Reason.INVALID_SPEC, "Secret team/a", id="a double"),
        pytest.param(
            to({"secretName": "a"}, {"secretName": "a", "secretNamespace": "team"}),
            Reason.INVALID_SPEC,
            "Secret team/a",
            id="a double with its namespace said",
        ),
        pytest.param(to({"secretName": TOKEN.name}), Reason.INVALID_SPEC, str(TOKEN), id="the token's Secret"),
        pytest.param(
            to({"secretName": names.DIGEST_KEY_SECRET}), Reason.INVALID_SPEC, names.DIGEST_KEY_SECRET, id="our own key"
        ),
        pytest.param(
            to({"secretName": "a", "secretNamespace": "other"}),
            Reason.CROSS_NAMESPACE,
            "other/a",
            id="a target in another namespace",
        ),
        pytest.param(
            token_in(secretNamespace="other"), Reason.CROSS_NAMESPACE, '"other"', id="a token in another namespace"
        ),
        pytest.param(
            token_in(secretName=names.DIGEST_KEY_SECRET),
            Reason.INVALID_SPEC,
            names.DIGEST_KEY_SECRET,
            id="our key",
        ),
    ],
)
async def test_a_spec_that_cannot_be_done_waits_for_an_edit(fields: dict[str, Any], reason: Reason, told: str) -> None:
    loop = Loop()
    loop.resources.upsert(phase_secret(**fields))

    outcome = await loop.run_once()

    assert isinstance(outcome, Failed)
    assert (outcome.reason, outcome.transient) == (reason, False)
    assert told in outcome.message
    assert [*loop.cluster.observed, *loop.cluster.token_reads] == []


@pytest.mark.parametrize("field", ["phaseHost", "phaseAppId", "pollingInterval", "onSecretReferenceError", "suspend"])
async def test_a_secret_that_was_pasted_into_a_wrong_field_is_not_shown(field: str, canary: Canary) -> None:
    loop = Loop()
    pasted: dict[str, Any] = {field: canary.value("pasted")}
    loop.resources.upsert(phase_secret(**pasted))

    outcome = await loop.run_once()

    assert isinstance(outcome, Failed)
    canary.watch(repr(outcome))


async def test_a_suspended_resource_asks_for_neither_token_nor_targets() -> None:
    loop = Loop()
    loop.resources.upsert(phase_secret(suspend=True))

    assert await loop.run_once() == Suspended()
    assert [*loop.cluster.observed, *loop.cluster.token_reads] == []


@pytest.mark.parametrize(
    ("token", "error", "reason", "transient"),
    [
        pytest.param(None, None, Reason.TOKEN_SECRET_NOT_FOUND, False, id="no Secret"),
        pytest.param(NO_TOKEN, None, Reason.TOKEN_INVALID, False, id="no token in it"),
        pytest.param(
            "text",
            Transient(Reason.KUBERNETES_UNAVAILABLE, "down"),
            Reason.KUBERNETES_UNAVAILABLE,
            True,
            id="no answer",
        ),
    ],
)
async def test_a_missing_token_is_reported_with_its_reason(
    token: str | None, error: Exception | None, reason: Reason, transient: bool
) -> None:
    loop = Loop()
    loop.cluster.tokens = {} if token is None else {TOKEN: token}
    loop.cluster.errors = {} if error is None else {"read_token": error}
    loop.resources.upsert(phase_secret())

    outcome = await loop.run_once()

    assert isinstance(outcome, Failed)
    assert (outcome.reason, outcome.transient) == (reason, transient)
    assert TOKEN in loop.admissions.tokens


async def test_a_run_does_not_wait_for_phase() -> None:
    loop = Loop()
    loop.resources.upsert(phase_secret())

    assert await loop.run_once() == Pending()
    assert loop.cluster.observed == []


# What is written.


async def test_secrets_and_config_maps_are_written_from_one_read(loop: Loop) -> None:
    loop.phase.holds(entry("A", "1"), config_entry("B", "2"))

    await loop.show(phase_secret(managedConfigMapReferences=[{"configMapName": "shop"}]))

    assert loop.cluster.secret(SHOP) == {"A": "1"}
    assert loop.cluster.objects[config_map_ref()].part("data") == {"B": "2"}
    assert len(loop.phase.reads) == 1


async def test_only_keys_that_are_wanted_are_written(loop: Loop) -> None:
    loop.phase.holds(entry("DB_HOST", "1"), entry("DB_PASS", "2"), entry("URL", "3"))

    await loop.show(phase_secret(keys={"include": ["DB_*"], "exclude": ["*PASS"]}))

    assert loop.cluster.secret(SHOP) == {"DB_HOST": "1"}


async def test_an_object_of_somebody_else_is_refused_and_not_touched(loop: Loop) -> None:
    loop.cluster.edit(SHOP, {"THEIRS": "eA=="}, manager="helm")
    version = loop.cluster.objects[SHOP].version
    loop.phase.holds(entry("A"))

    await loop.show(phase_secret())

    assert loop.reason == Reason.TARGET_CONFLICT
    assert loop.cluster.objects[SHOP].version == version
    assert "helm" in loop.condition()["message"]


@pytest.mark.parametrize("conflicts", [1, 2])
async def test_an_object_that_changed_meanwhile_is_looked_at_again_in_the_same_run(loop: Loop, conflicts: int) -> None:
    loop.cluster.conflicts = conflicts
    loop.phase.holds(entry("A", "1"))

    await loop.show(phase_secret())

    assert loop.cluster.secret(SHOP) == {"A": "1"}
    assert len(loop.cluster.observed) == conflicts + 1
    assert loop.reason == Reason.SYNCED


async def test_an_object_that_keeps_changing_is_left_to_a_later_run(loop: Loop) -> None:
    loop.cluster.conflicts = 3
    loop.phase.holds(entry("A", "1"))

    await loop.show(phase_secret())
    assert loop.reason == Reason.KUBERNETES_UNAVAILABLE
    assert SHOP not in loop.cluster.objects
    await loop.turn(1)

    assert loop.reason == Reason.SYNCED
    assert loop.cluster.secret(SHOP) == {"A": "1"}


async def test_a_target_that_cannot_be_rendered_stops_no_other(loop: Loop) -> None:
    loop.phase.holds(entry("A", "not base64"))

    await loop.show(phase_secret(**to({"secretName": "bad", "processors": DECODED}, {"secretName": "good"})))

    assert loop.reason == Reason.VALUE_INVALID
    assert list(loop.cluster.objects) == [secret_ref("good")]
    assert [each["ready"] for each in loop.cluster.statuses[KEY]["targets"]] == [False, True]


@pytest.mark.parametrize("error", [DENIED, Waiting(Reason.TARGET_REFUSED, "no")], ids=lambda error: str(error.reason))
async def test_a_target_that_the_api_server_refuses_is_told(loop: Loop, error: ExpectedError) -> None:
    loop.cluster.errors["carry_out"] = error
    loop.phase.holds(entry("A"))

    await loop.show(phase_secret())

    [target] = loop.cluster.statuses[KEY]["targets"]
    assert (target["ready"], target["reason"], loop.reason) == (False, error.reason, error.reason)


# The last good target stays.


@pytest.mark.parametrize("error", [DENIED, DOWN], ids=["waiting", "passing"])
async def test_a_failed_read_leaves_the_target_and_says_why(loop: Loop, error: ExpectedError) -> None:
    loop.phase.holds(entry("A", "1"))
    await loop.show(phase_secret())

    loop.phase.fails(error)
    await loop.refresh()

    assert loop.reason == error.reason
    assert loop.cluster.secret(SHOP) == {"A": "1"}
    assert len(loop.cluster.applied) == 1


async def test_an_empty_answer_leaves_the_target_and_says_so(loop: Loop) -> None:
    loop.phase.holds(entry("A", "1"))
    await loop.show(phase_secret())

    loop.phase.holds()
    await loop.refresh()

    assert loop.reason == Reason.NO_ENTRIES
    assert loop.cluster.secret(SHOP) == {"A": "1"}


async def test_a_key_that_somebody_else_holds_as_well_goes_when_phase_has_it_no_more(loop: Loop) -> None:
    """As after a take-over: equal values make two owners, and an apply without the key takes one of them away."""
    mine = {names.ANNOTATION_OWNER: str(KEY)}
    loop.cluster.edit(SHOP, {"A": "MQ==", "B": "Mg=="}, annotations=mine, manager="OpenAPI-Generator")
    loop.phase.holds(entry("A", "1"), entry("B", "2"))
    await loop.show(phase_secret())

    loop.phase.holds(entry("A", "1"))
    await loop.refresh()

    assert loop.reason == Reason.SYNCED
    assert loop.cluster.secret(SHOP) == {"A": "1"}


async def test_a_tag_that_nothing_has_is_told_with_those_that_come_close(loop: Loop) -> None:
    loop.phase.holds(entry("A", tags=["Data Base"]), entry("B", tags=["web"]))

    await loop.show(phase_secret(phaseAppEnvTag="data_base"))

    assert loop.reason == Reason.NO_ENTRIES
    assert '"Data Base"' in loop.condition()["message"]
    assert "web" not in loop.condition()["message"]
    assert len(loop.cluster.status_writes) == 1


async def test_an_answer_without_a_wanted_entry_leaves_the_target_and_says_so(loop: Loop) -> None:
    loop.phase.holds(entry("A", "1"), entry("B", "2"))
    await loop.show(phase_secret(keys={"include": ["A"]}))

    loop.phase.holds(entry("B", "2"))
    await loop.refresh()

    assert loop.reason == Reason.NO_ENTRIES
    assert loop.cluster.secret(SHOP) == {"A": "1"}


async def test_a_failure_from_the_start_writes_nothing(loop: Loop) -> None:
    loop.phase.fails(DENIED)

    await loop.show(phase_secret())

    assert loop.reason == Reason.ACCESS_DENIED
    assert loop.cluster.objects == {}


async def test_a_target_is_mended_from_the_last_good_answer_while_phase_is_silent(loop: Loop) -> None:
    loop.phase.holds(entry("A", "1"))
    await loop.show(phase_secret())
    loop.phase.fails(DOWN)
    await loop.refresh()

    loop.cluster.delete(SHOP)
    await loop.touched(SHOP)

    assert loop.cluster.secret(SHOP) == {"A": "1"}
    assert loop.reason == Reason.PHASE_UNAVAILABLE


async def test_the_same_answer_after_a_failure_heals_without_a_write(loop: Loop) -> None:
    loop.phase.holds(entry("A", "1"))
    await loop.show(phase_secret())
    # A probe confirms the date of the answer.
    await loop.refresh()
    loop.phase.fails(DENIED)
    await loop.refresh()

    loop.phase.holds(entry("A", "1"))
    await loop.refresh()

    assert loop.reason == Reason.SYNCED
    assert len(loop.cluster.applied) == 1


async def test_references_that_are_left_fail_the_run_and_the_target_stays(loop: Loop) -> None:
    loop.phase.holds(entry("A", "1"))
    await loop.show(phase_secret())

    loop.phase.holds(entry("A", OPEN))
    await loop.refresh()

    assert loop.reason == Reason.UNRESOLVED_REFERENCES
    assert loop.cluster.secret(SHOP) == {"A": "1"}


async def test_references_that_are_left_are_written_where_a_warning_is_enough(loop: Loop) -> None:
    loop.phase.holds(entry("A", OPEN))

    await loop.show(phase_secret(onSecretReferenceError="Warn"))

    assert loop.reason == Reason.SYNCED
    assert loop.cluster.secret(SHOP) == {"A": OPEN}
    assert [each.reason for each in loop.cluster.notices if each.type == "Warning"] == [Reason.UNRESOLVED_REFERENCES]


async def test_a_resource_whose_spec_is_not_kept_says_so_and_touches_nothing() -> None:
    loop = Loop()
    loop.resources.upsert(phase_secret())
    resource = loop.resources.get(KEY)
    assert resource is not None

    outcome = await loop.reconciler.reconcile(KEY, replace(resource, spec={}, is_left_out=True))

    assert isinstance(outcome, Failed)
    assert (outcome.reason, outcome.transient) == (Reason.INVALID_SPEC, False)
    assert "namespace" in outcome.message
    assert [*loop.cluster.observed, *loop.cluster.token_reads] == []


async def test_a_spec_with_a_hundred_thousand_processors_is_not_parsed() -> None:
    many: dict[str, Any] = {f"K{number}": {} for number in range(1_024)}
    loop = Loop()
    loop.resources.upsert(phase_secret(**to(*({"secretName": f"s{n}", "processors": many} for n in range(64)))))
    # The first run unpacks what is kept; to parse it takes a hundred times as long as the second may.
    await loop.run_once()
    began = time.thread_time()

    outcome = await loop.run_once()

    assert time.thread_time() - began < 0.1
    assert isinstance(outcome, Failed)
    assert (outcome.reason, outcome.message.partition(":")[0]) == (Reason.INVALID_SPEC, "spec.managedSecretReferences")
