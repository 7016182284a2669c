"""Which keys changed is told by metadata alone, and by no value."""

import pytest

from phase_operator.api import names
from phase_operator.cli.acting.key_changes import KeyChanges, key_changes, key_state
from phase_operator.core.targets.fingerprint import MAX_KEYS, key_digests_of, recorded_digests
from phase_operator.core.targets.merge import mark, merge_annotation, merge_manager, spelled
from phase_operator.core.values import ObjectKey
from unit.cli.things import HOSTILE, KEY, SHOP, managed, target


def changes(before: dict[str, str] | None, after: dict[str, str] | None, key: bytes = KEY) -> KeyChanges:
    old = None if before is None else target(before)
    new = None if after is None else target(after, key=key)
    return key_changes(key_state(old), key_state(new))


@pytest.mark.parametrize(
    ("before", "after", "told"),
    [
        pytest.param({"A": "1"}, {"A": "1"}, "", id="nothing"),
        pytest.param({"A": "1"}, {"A": "2"}, "~ A", id="a value"),
        pytest.param({"A": "1", "B": "1"}, {"B": "1", "C": "1"}, "+ C, - A", id="one came, one went"),
        pytest.param({"A": "1", "B": "2"}, {"A": "2", "B": "1"}, "~ A, ~ B", id="swapped"),
        pytest.param(None, {"B": "1", "A": "1"}, "+ A, + B", id="made"),
        pytest.param({"A": "1"}, None, "- A", id="gone"),
        pytest.param(None, None, "", id="never there"),
    ],
)
def test_a_change_is_told_by_names(before: dict[str, str] | None, after: dict[str, str] | None, told: str) -> None:
    found = changes(before, after)

    assert str(found) == told
    assert bool(found) is bool(told)


def test_digests_of_another_key_are_not_compared() -> None:
    found = changes({"A": "1"}, {"A": "1", "B": "1"}, key=b"x" * 32)

    assert (found.added, found.changed, found.is_part) == (("B",), (), True)


def test_an_object_with_too_many_keys_says_that_values_changed() -> None:
    many = {f"K{number}": "1" for number in range(MAX_KEYS + 1)}

    assert changes(many, many) == KeyChanges()
    assert changes(many, many | {"K0": "2"}) == KeyChanges(is_part=True)


def test_shares_of_several_resources_are_compared_together() -> None:
    def merged(**values: str) -> dict[str, object]:
        entries, annotations = [managed("other", "THEIRS", operation="Update")], {}
        for name, value in values.items():
            key = ObjectKey("shop", name)
            manager = merge_manager(key)
            content = str(key_digests_of(KEY, str(SHOP), {name.upper(): value.encode()}))
            annotations[merge_annotation(manager)] = spelled(mark(key, "d", [name.upper()], content, "o"))
            entries.append(managed(manager, name.upper()))
        return {"managedFields": entries, "annotations": annotations}

    before, after = key_state(merged(one="1", two="1")), key_state(merged(one="1", two="2", three="3"))

    assert str(key_changes(before, after)) == "+ THREE, ~ TWO"


@pytest.mark.parametrize(
    "metadata",
    [
        {"annotations": {names.ANNOTATION_KEYS: "1:garbage"}},
        {"annotations": {names.ANNOTATION_KEYS: "1:" + "A" * 100_000}},
        {
            "annotations": 7,
            "managedFields": [7, {"fieldsV1": 7}, {"fieldsV1": {"f:data": {HOSTILE: 1, f"f:{HOSTILE}": 1}}}],
        },
        {"managedFields": {}},
    ],
)
def test_metadata_of_others_raises_nothing_and_shows_nothing_a_terminal_obeys(metadata: dict[str, object]) -> None:
    found = key_changes(key_state(target({"A": "1"})), key_state(metadata))

    assert str(found).isprintable()


def test_a_long_list_of_keys_is_bounded() -> None:
    found = changes(None, {f"K{number:04}": "1" for number in range(1000)})

    assert "(980 more)" in str(found)


def test_recorded_digests_are_those_of_the_annotation_whatever_the_key() -> None:
    written = key_digests_of(KEY, str(SHOP), {"A": b"1"})

    found = recorded_digests(str(written))

    assert found == written
    assert found is not None
    assert found.key_id == written.key_id
    assert recorded_digests("1:") is None
    assert recorded_digests("2:AAAA") is None
