from typing import Any

import pytest

from phase_operator.api import names
from phase_operator.api.reasons import Reason
from phase_operator.core.errors import ExpectedError, Waiting
from phase_operator.core.pipeline import check, choose, note, render_all
from phase_operator.core.source.folders import folders
from support.builders import DIGEST_KEY, config_entry, entry, owner, parsed, query, secret_ref, snapshot
from support.lying import PersistentWorld

BAD: dict[str, Any] = {"secretName": "bad", "template": {"data": {"text": "{{ NOT_THERE }}"}}}
GOOD: dict[str, Any] = {"secretName": "good"}
EMPTY: dict[str, Any] = {"secretName": "empty", "keys": {"include": ["NOT_THERE"]}}
# Each has a sign in its middle, so that it would be tried at every letter of a key.
SLOW: dict[str, Any] = {"keys": {"include": [f"A*{number:03}{'B' * 200}" for number in range(64)]}}
LONG = "A" * 100_000


def test_an_error_of_one_target_is_its_own() -> None:
    found = render_all(parsed(managedSecretReferences=[BAD, GOOD, EMPTY]), owner(), snapshot(entry("A")), DIGEST_KEY)

    results = [each.result for each in found]

    reasons = [each.reason if isinstance(each, ExpectedError) else None for each in results]
    assert reasons == [Reason.TEMPLATE_FAILED, None, Reason.NO_ENTRIES]


def test_a_target_is_made_when_it_is_asked_for_and_once() -> None:
    [bad, good] = render_all(parsed(managedSecretReferences=[BAD, GOOD]), owner(), snapshot(entry("A")), DIGEST_KEY)

    assert good.made is good.made
    with pytest.raises(Waiting):
        _ = bad.made


def test_a_target_that_may_not_be_empty_can_be_made_empty() -> None:
    [empty] = render_all(parsed(managedSecretReferences=[EMPTY]), owner(), snapshot(entry("A")), DIGEST_KEY)

    assert isinstance(empty.result, ExpectedError)
    assert empty.made.keys == frozenset()


def test_a_reference_that_phase_left_is_an_error_of_all_targets_or_a_warning() -> None:
    answer = snapshot(entry("A", "${NOT_THERE}"))
    fail, warn = parsed(), parsed(onSecretReferenceError="Warn")

    with pytest.raises(Waiting) as caught:
        render_all(fail, owner(), answer, DIGEST_KEY)
    checked = check(warn, choose(warn, query(), answer, folders(warn)))

    assert caught.value.reason is Reason.UNRESOLVED_REFERENCES
    assert checked.error is None
    assert checked.warning is not None


def test_patterns_that_take_too_long_leave_all_entries_and_an_error() -> None:
    answer = snapshot(entry("A"), entry(LONG))

    chosen = choose(parsed(**SLOW), query(), answer, folders(parsed(**SLOW)))

    assert chosen.error is not None
    assert (chosen.entries, chosen.is_exact) == (answer.entries, True)
    assert check(parsed(**SLOW), chosen) is chosen


def test_patterns_that_take_too_long_for_entries_of_type_config_choose_none_of_them() -> None:
    answer = snapshot(config_entry("A"), config_entry(LONG))

    chosen = choose(parsed(**SLOW), query(), answer, folders(parsed(**SLOW)))

    assert chosen.error is not None
    assert (chosen.entries, chosen.is_exact) == (answer.entries, False)


def test_a_note_names_the_patterns_that_match_nothing() -> None:
    spec, answer = parsed(keys={"include": ["A", "NOT_THERE"]}), snapshot(entry("A"))

    assert (
        note(spec, choose(spec, query(), answer, folders(spec)), answer)
        == 'spec.keys.include: no entry matches "NOT_THERE"'
    )


async def test_the_loop_writes_what_the_pipeline_makes() -> None:
    world = PersistentWorld({"keys": {"include": ["A*"]}})
    world.phase.is_honest(entry("A1", "one"), entry("A2", "two"), entry("B", "three"))
    await world.start()
    await world.pass_time(60)

    answer = snapshot(entry("A1", "one"), entry("A2", "two"), entry("B", "three"))
    [target] = render_all(parsed(**world.spec), owner(), answer, DIGEST_KEY)

    stored = world.cluster.objects[secret_ref()]
    assert stored.metadata()["annotations"][names.ANNOTATION_DIGEST] == target.made.digest
    await world.stop()
