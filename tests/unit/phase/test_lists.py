"""The invariant: wherever a list or a keyring is cut into parts, it is read as if it had come in one; half is none."""

import json
from collections.abc import Callable, Iterable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from phase_operator.api.reasons import Reason
from phase_operator.core.errors import ExpectedError
from phase_operator.core.source.answer_memory import MIB
from phase_operator.phase import wire
from phase_operator.phase.keyring import KeyringReader
from phase_operator.phase.lists import Acknowledgement, Listing
from phase_operator.phase.readers import Reader
from support.sealing import SealedAccount, SealedApp, SealedEnvironment, tokens_answer
from unit.phase.builders import HOST, place

ACCOUNT = SealedAccount()
texts = st.text(alphabet='aé🔑"\\[]{},: \n', max_size=6)
# What Phase's servers send besides, or may send one day.
others = st.dictionaries(
    texts.map("x-{}".format), st.none() | st.integers() | st.floats(allow_nan=False) | texts | st.lists(st.integers())
)
apps = st.builds(
    lambda other, listed: other | {"data": listed},
    others,
    st.lists(
        st.builds(
            lambda name, sse, other: {"id": name, "name": name, "sseEnabled": sse} | other, texts, st.booleans(), others
        )
    ),
)
keyrings = st.builds(
    lambda names, other, is_last: (
        (other if is_last else {})
        | tokens_answer(
            ACCOUNT, *(SealedApp(name, [SealedEnvironment(name), SealedEnvironment("e")]) for name in names)
        )
        | ({} if is_last else other)
    ),
    st.lists(texts, max_size=3),
    others,
    st.booleans(),
)


def listed(limit: int = 4 * MIB) -> Listing[tuple[str, bool | None]]:
    return Listing(HOST, limit, place(), wire.APP, lambda app: (app.name, app.is_encrypted), len, at=("data",))


def keyring(limit: int = 8 * MIB) -> KeyringReader:
    return KeyringReader(HOST, limit, place(), tells_modes=True)


def read(reader: Reader[Any], parts: Iterable[bytes]) -> Any:
    for part in parts:
        reader.feed(part)
    return reader.end()


def pieces(body: bytes, size: int) -> Iterable[bytes]:
    return (body[at : at + size] for at in range(0, len(body), size))


written = st.fixed_dictionaries({"indent": st.sampled_from([None, 1]), "ensure_ascii": st.booleans()})


@given(apps, written, st.integers(1, 40))
def test_a_list_is_read_alike_wherever_it_is_cut(answer: dict[str, Any], how: dict[str, Any], size: int) -> None:
    found = read(listed(), pieces(json.dumps(answer, **how).encode(), size))

    assert found == [(app["name"], not app["sseEnabled"]) for app in answer["data"]]


@given(keyrings, written, st.integers(1, 40))
def test_a_keyring_is_read_alike_wherever_it_is_cut(answer: dict[str, Any], how: dict[str, Any], size: int) -> None:
    body = json.dumps(answer, **how).encode()

    found = read(keyring(), pieces(body, size))

    assert found == read(keyring(), [body])
    assert sorted(app.id for app in found.apps) == sorted(app["id"] for app in answer["apps"])
    assert all(len(app.environments) == 2 for app in found.apps)


@given(apps | keyrings, st.data())
def test_a_part_of_an_answer_is_no_answer(answer: dict[str, Any], data: st.DataObject) -> None:
    body = json.dumps(answer).encode()
    end = data.draw(st.integers(0, len(body) - 1))

    with pytest.raises(ExpectedError) as caught:
        read(listed() if "data" in answer else keyring(), [body[:end]])

    assert caught.value.reason is Reason.UNEXPECTED_ANSWER


@given(st.binary(max_size=60) | others.map(lambda each: json.dumps(each).encode()), st.integers(1, 9))
def test_any_bytes_are_refused_as_no_list_and_no_keyring(body: bytes, size: int) -> None:
    makers: list[Callable[[], Reader[Any]]] = [listed, keyring]
    for make in makers:
        with pytest.raises(ExpectedError) as caught:
            read(make(), pieces(body, size))
        assert caught.value.reason is Reason.UNEXPECTED_ANSWER


@pytest.mark.parametrize(
    ("body", "told"),
    [
        pytest.param("[]", "model_type as a whole", id="a list"),
        pytest.param("{}", "missing at data", id="no list"),
        pytest.param('{"data":{}}', "list_type at data", id="an object where a list belongs"),
        pytest.param('{"data":[1]}', "model_type at data.[]", id="a number for an app"),
        pytest.param('{"data":[{"id":"1"}]}', "missing at data.[].name", id="an app without a name"),
        pytest.param('{"data":[]', "json_invalid as a whole", id="no end"),
        pytest.param('{"data" []}', "json_invalid as a whole", id="no colon"),
        pytest.param('{"a\\x":1,"data":[]}', "json_invalid as a whole", id="a name that is no text"),
        pytest.param('{"data":[]}{}', "json_invalid as a whole", id="two"),
    ],
)
def test_a_list_of_another_shape_is_told_by_its_place(body: str, told: str) -> None:
    with pytest.raises(ExpectedError) as caught:
        read(listed(), [body.encode()])

    assert f"({told})" in caught.value.message


def test_of_two_fields_of_one_name_the_last_counts() -> None:
    body = b'{"data":[{"id":"1","name":"a"}],"data":[{"id":"2","name":"b"}]}'

    assert read(listed(), [body]) == [("b", None)]


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(b'{"data":[' + b'{"id":"1","name":"a"},' * 10_001, id="more elements than there are"),
        pytest.param(b'{"data":[{"id":"' + b"x" * 3 * MIB, id="a long element"),
        pytest.param(b'{"data":[{"x":[' + b"[]," * 100_000, id="an element of many parts"),
        pytest.param(b'{"x":"' + b"x" * 3 * MIB, id="a long field that nobody needs"),
        pytest.param(b'{"data":[' + b'{"id":"1","name":"a","x":[1,2,3,4,5,6]},' * 60_000, id="many parts"),
        pytest.param(b" " * 5 * MIB, id="bytes"),
    ],
)
def test_a_list_that_is_too_large_is_refused(body: bytes) -> None:
    with pytest.raises(ExpectedError) as caught:
        read(listed(), pieces(body, 64 * 1024))

    assert caught.value.reason is Reason.ANSWER_TOO_LARGE


@pytest.mark.parametrize("body", [b"[]", b"{", b"1", b""])
def test_an_object_acknowledges_a_revocation(body: bytes) -> None:
    read(Acknowledgement(HOST, MIB, place()), [b'{"message": "done", "n": 1', b"2}"])

    with pytest.raises(ExpectedError):
        read(Acknowledgement(HOST, MIB, place()), [body])
