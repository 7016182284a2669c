import copy
import json
import pickle
from collections.abc import Callable
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from phase_operator.core.values import ConfigEntry, DynamicKey, Entry, ObjectKey, SecretValue, Snapshot
from support.builders import config_entry, entry, snapshot

TEXT = "hunter2-hunter2"


@pytest.mark.parametrize(
    "show",
    [
        pytest.param(str, id="str"),
        pytest.param(repr, id="repr"),
        pytest.param(lambda value: f"{value}", id="f-string"),
        pytest.param(lambda value: f"{value!r:>40}", id="f-string with repr"),
        pytest.param(lambda value: f"{value:>40}", id="f-string with a width"),
        pytest.param(lambda value: "{:s}".format(value), id="format"),  # noqa: UP032 - the spelling is what is tested
        pytest.param(lambda value: "%s %r" % (value, value), id="percent"),  # noqa: UP031 - the spelling is what is tested
        pytest.param(lambda value: repr([value, {"a": value}]), id="in a container"),
        pytest.param(lambda value: json.dumps(value, default=str), id="json with default=str"),
        pytest.param(lambda value: repr(entry("A", value.reveal())), id="in an entry"),
        pytest.param(lambda value: repr(config_entry("A", value.reveal())), id="in a config entry"),
        pytest.param(lambda value: repr(snapshot(entry("A", value.reveal()))), id="in a snapshot"),
    ],
)
def test_a_secret_value_does_not_print(show: Callable[[SecretValue], str]) -> None:
    assert TEXT not in show(SecretValue(TEXT))


@pytest.mark.parametrize(
    "leave",
    [
        pytest.param(pickle.dumps, id="pickle"),
        pytest.param(copy.copy, id="copy"),
        pytest.param(copy.deepcopy, id="deepcopy"),
    ],
)
def test_a_secret_value_does_not_leave_the_process(leave: Callable[[SecretValue], object]) -> None:
    with pytest.raises(TypeError) as caught:
        leave(SecretValue(TEXT))

    assert TEXT not in str(caught.value)


def test_json_does_not_take_it() -> None:
    with pytest.raises(TypeError) as caught:
        json.dumps(SecretValue(TEXT))

    assert TEXT not in str(caught.value)


def test_equal_texts_are_equal_values() -> None:
    assert SecretValue("a") == SecretValue("a")
    assert hash(SecretValue("a")) == hash(SecretValue("a"))
    assert SecretValue("a") != SecretValue("b")
    assert SecretValue("a") != "a"


def test_an_empty_value_is_falsy() -> None:
    assert not SecretValue("")
    assert SecretValue(" ")


@pytest.mark.parametrize(
    ("path", "source"),
    [pytest.param("/", "/A", id="root"), pytest.param("/api/v1", "/api/v1/A", id="folder")],
)
def test_a_source_is_folder_and_key(path: str, source: str) -> None:
    assert entry("A", path=path).source == source


def test_a_snapshot_loses_no_entry_whose_id_another_has_too() -> None:
    twice = [entry("A", "x", ident="1"), entry("B", "x", ident="1"), entry("A", "y", ident="1")]

    snapshot = Snapshot.of("app", [*twice, twice[0]])

    assert snapshot.entries == (twice[0], twice[2], twice[1])
    assert snapshot == Snapshot.of("app", reversed(twice))


def test_a_snapshot_keeps_two_ids_of_one_key() -> None:
    found = Snapshot.of("app", [entry("A", ident="2"), entry("A", ident="1")])

    assert [each.id for each in found.entries] == ["1", "2"]


def test_a_snapshot_is_sorted_by_path_and_key() -> None:
    found = snapshot(entry("B"), entry("A", path="/z"), entry("A"), entry("C", path="/a"))

    assert [each.source for each in found.entries] == ["/A", "/B", "/a/C", "/z/A"]


def test_the_order_of_an_answer_does_not_change_its_revision() -> None:
    assert snapshot(entry("A"), entry("B")).revision == snapshot(entry("B"), entry("A")).revision


@pytest.mark.parametrize(
    "other",
    [
        pytest.param(snapshot(entry("A", "other")), id="value"),
        pytest.param(snapshot(entry("A", ident="9")), id="id"),
        pytest.param(snapshot(entry("A", tags=["x"])), id="tags"),
        pytest.param(snapshot(entry("A", kind="sealed")), id="type"),
        pytest.param(snapshot(entry("A", path="/x", ident="/|A")), id="path"),
        pytest.param(snapshot(entry("A"), entry("B")), id="an entry more"),
        pytest.param(snapshot(), id="an entry less"),
        pytest.param(snapshot(entry("A"), app_id="app-2"), id="app"),
    ],
)
def test_every_difference_changes_the_revision(other: Snapshot) -> None:
    assert snapshot(entry("A")).revision != other.revision


def test_a_revision_exists_for_text_that_is_no_unicode() -> None:
    assert snapshot(entry("A", "\ud800")).revision != snapshot(entry("A", "\ud801")).revision


def test_a_config_entry_is_an_entry_of_its_own_class() -> None:
    found = config_entry("A")

    assert isinstance(found, Entry)
    assert found.type == "config"
    assert found != Entry(found.id, "A", found.value, type="config")
    assert type(found) is ConfigEntry


def test_a_resource_of_another_kind_is_another_resource_and_says_so() -> None:
    phase_secret, other = ObjectKey("shop", "db"), ObjectKey("shop", "db", "PhaseThing")

    assert phase_secret != other
    assert (str(phase_secret), str(other)) == ("shop/db", "PhaseThing:shop/db")
    assert sorted([ObjectKey("shop", "e"), other, phase_secret]) == [phase_secret, other, ObjectKey("shop", "e")]


NAMES = st.from_regex(r"[a-z0-9]([-.a-z0-9]{0,10}[a-z0-9])?", fullmatch=True)


@given(st.builds(ObjectKey, NAMES, NAMES, st.sampled_from(["", "PhaseThing", "ClusterThing"])))
def test_a_key_is_read_from_its_spelling(key: ObjectKey) -> None:
    assert ObjectKey.read(str(key)) == key


# Recorded before entries had problems: only an answer with a problem may have another revision.
ORDINARY = "fc432a135318610cac4364ffd55acd8d"
OVERRIDDEN = "03d190afbf09f3e718e87625fc367497"


def test_revisions_of_answers_without_problems_never_change() -> None:
    held = [entry("A", "x"), entry("B", "y", path="/api", tags=["t", "u"]), config_entry("C", "ünï")]

    assert Snapshot.of("app-1", held, dynamic=[DynamicKey("D", "/")]).revision.hex() == ORDINARY
    assert snapshot(replace(entry("A", "x"), is_overridden=True)).revision.hex() == OVERRIDDEN


def test_another_problem_is_another_answer() -> None:
    plain, first = entry("A", "${B}"), replace(entry("A", "${B}"), problem="it refers to a key that does not exist")
    second = replace(first, problem="it refers to itself")

    assert len({snapshot(each).revision for each in (plain, first, second)}) == 3
    assert snapshot(first).revision == snapshot(replace(first)).revision
