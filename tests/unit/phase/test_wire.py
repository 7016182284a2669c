"""Phase's JSON of any year becomes entries, and a refusal names the place alone."""

import json
from typing import Any

import pytest

from phase_operator.api.reasons import Reason
from phase_operator.core.errors import Transient
from phase_operator.core.values import ConfigEntry, DynamicKey, Entry, SecretValue, Snapshot
from phase_operator.phase import wire
from phase_operator.phase.body import STEP
from phase_operator.phase.rows import Limits, Rows
from support.canary import Canary
from unit.phase.builders import HOST, place, row, show


def entries(*rows: dict[str, Any]) -> list[Entry]:
    return parsed(json.dumps(rows).encode())


def parsed(body: bytes) -> list[Entry]:
    rows = Rows(HOST, Limits(), place())
    for part in (body[start : start + STEP] for start in range(0, len(body), STEP)):
        rows.feed(part)
    return [each for each in rows.end() if isinstance(each, Entry)]


def test_an_entry_has_all_that_phase_says() -> None:
    found = entries(row("A", "x", id="1", path="/b", tags=["t", "u"], type="sealed"))

    assert found == [Entry("1", "A", SecretValue("x"), "/b", frozenset({"t", "u"}), "sealed")]


def test_only_type_config_makes_a_config_entry() -> None:
    found = entries(*(row(kind, type=kind) for kind in ("config", "secret", "sealed", "new-kind")))

    assert [(entry.type, type(entry)) for entry in found] == [
        ("config", ConfigEntry),
        ("secret", Entry),
        ("sealed", Entry),
        ("new-kind", Entry),
    ]


@pytest.mark.parametrize(
    "fields", [pytest.param({}, id="absent"), pytest.param(dict.fromkeys(("type", "path", "tags")), id="null")]
)
def test_fields_that_older_servers_do_not_send_have_defaults(fields: dict[str, None]) -> None:
    found = entries({"id": "1", "key": "A", "value": "x"} | fields)

    assert found == [Entry("1", "A", SecretValue("x"), "/", frozenset(), "secret")]


def test_fields_that_newer_servers_send_are_ignored() -> None:
    assert entries(row(lifecycle="static", folder=None, override={"value": "y"}, invented={"a": [1]})) == entries(row())


@pytest.mark.parametrize(
    ("override", "is_overridden"),
    [
        pytest.param({"id": "1", "value": "mine", "isActive": True}, True, id="in use"),
        pytest.param({"id": "1", "value": "mine", "isActive": False}, False, id="not in use"),
        pytest.param(None, False, id="none"),
        pytest.param(["isActive"], False, id="others' rubbish"),
    ],
)
def test_of_a_personal_override_it_is_known_that_it_is_there(override: object, is_overridden: bool) -> None:
    found = entries(row("A", "base", override=override))

    assert [(each.value, each.is_overridden) for each in found] == [(SecretValue("base"), is_overridden)]


def test_an_override_that_comes_or_goes_is_a_change() -> None:
    with_override = entries(row("A", "base", override={"isActive": True}))

    assert Snapshot.of("app", with_override).revision != Snapshot.of("app", entries(row("A", "base"))).revision


def test_dynamic_secrets_are_left_out() -> None:
    found = entries(row("A"), {"id": "2", "type": "dynamic", "name": "aws", "keyMap": []})

    assert [entry.key for entry in found] == ["A"]


@pytest.mark.parametrize(
    ("fields", "keys"),
    [
        pytest.param({"keyMap": [{"keyName": "K"}, {"keyName": "L"}]}, ["K", "L"], id="keys"),
        pytest.param({"keyMap": [{"keyName": "K" * 5000}, {}, 7]}, ["K" * 2048], id="a long one and others' rubbish"),
        pytest.param({}, ["aws"], id="none"),
        pytest.param({"keyMap": {"a": 1}, "name": 7}, ["2"], id="neither"),
    ],
)
def test_of_dynamic_secrets_the_keys_are_known_and_no_value(fields: dict[str, Any], keys: list[str]) -> None:
    rows = Rows(HOST, Limits(), place())
    element = {"id": "2", "type": "dynamic", "name": "aws", "path": "/aws", "value": "no"} | fields

    rows.feed(json.dumps([element]).encode())

    assert rows.end() == [DynamicKey(key, "/aws") for key in keys]


def test_a_row_that_is_sent_twice_is_one_entry_and_order_says_nothing() -> None:
    rows = [row("A", path="/b"), row("B"), row("A", id="0"), row("B")]

    snapshot = Snapshot.of("app", entries(*rows))

    assert [(entry.path, entry.key) for entry in snapshot.entries] == [("/", "A"), ("/", "B"), ("/b", "A")]
    assert snapshot.revision == Snapshot.of("app", entries(*reversed(rows))).revision


@pytest.mark.parametrize("value", ["", "\x00", "a\nb", "ünï ☃", "x" * 2_000_000], ids=lambda value: f"{value[:6]!r}")
def test_a_value_is_taken_to_the_letter(value: str) -> None:
    assert entries(row(value=value))[0].value.reveal() == value


@pytest.mark.parametrize(
    ("document", "place"),
    [
        pytest.param({"error": "no"}, "as a whole", id="an object where a list belongs"),
        pytest.param("text", "as a whole", id="a text"),
        pytest.param([1], "at []", id="no objects in the list"),
        pytest.param([{"key": "A", "value": "CANARY"}], "at [].id", id="no id"),
        pytest.param([row(value={"a": "CANARY"})], "at [].value", id="value of another type"),
        pytest.param([row(), row("B", value=None)], "at [].value", id="value is null"),
        pytest.param([{"id": "1", "key": "CANARY"}], "at [].value", id="value is absent"),
        pytest.param([{"id": "1", "value": "CANARY"}], "at [].key", id="key is absent"),
        pytest.param([row("B", tags={"CANARY": 1})], "at [].tags", id="tags of another type"),
        pytest.param([row("B", tags=[{"CANARY": 1}])], "at [].tags.[]", id="a tag of another type"),
    ],
)
def test_json_of_another_shape_is_told_by_its_place(document: object, place: str, canary: Canary) -> None:
    secret = canary.value("value")
    body = json.dumps(document).replace("CANARY", json.dumps(secret)[1:-1]).encode()

    with pytest.raises(Transient) as caught:
        parsed(body)

    assert caught.value.reason is Reason.UNEXPECTED_ANSWER
    assert HOST in caught.value.message
    assert f" {place})" in caught.value.message
    assert caught.value.__context__ is None
    show(caught.value, canary)


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(b"", id="nothing"),
        pytest.param(b"[{", id="cut"),
        pytest.param(b"<html>", id="HTML"),
        pytest.param(b"\xff\xfe", id="no UTF-8"),
        pytest.param(b"[" * 1_000_000, id="too deep"),
        pytest.param(b"[" + b"1," * 1_000_000 + b"1]", id="a million errors"),
    ],
)
def test_a_body_that_is_not_the_expected_json_is_refused(body: bytes) -> None:
    with pytest.raises(Transient) as caught:
        parsed(body)

    assert caught.value.reason is Reason.UNEXPECTED_ANSWER


def test_the_position_in_a_list_without_order_is_not_told() -> None:
    messages = set()
    for rows in ([row(value=None), row("B")], [row("B"), row(value=None)]):
        with pytest.raises(Transient) as caught:
            entries(*rows)
        messages.add(caught.value.message)

    assert len(messages) == 1


def test_a_parsed_row_does_not_print_its_value(canary: Canary) -> None:
    body = json.dumps(row(value=canary.value("value"))).encode()

    canary.see("model", repr([wire.SECRET.validate_json(body), *parsed(b"[" + body + b"]")]))
