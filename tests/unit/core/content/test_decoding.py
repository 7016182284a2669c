import pytest

from phase_operator.api.reasons import Reason
from phase_operator.api.v1alpha1.phasesecret import Processor, ProcessorType
from phase_operator.core.content.data import decode
from phase_operator.core.errors import Waiting
from support.builders import entry

BASE64 = Processor(type=ProcessorType.BASE64)


@pytest.mark.parametrize(
    "processor",
    [
        pytest.param(None, id="no processor"),
        pytest.param(Processor(), id="no type"),
        pytest.param(Processor(type=ProcessorType.PLAIN), id="plain"),
    ],
)
def test_text_is_stored_in_utf_8(processor: Processor | None) -> None:
    assert decode(entry("A", "Grüße\n"), processor) == "Grüße\n".encode()


@pytest.mark.parametrize(
    ("text", "stored"),
    [
        pytest.param("aGVsbG8=", b"hello", id="padded"),
        pytest.param("aGVs\nbG8=\n", b"hello", id="in lines"),
        pytest.param("/wD+", b"\xff\x00\xfe", id="bytes that are no text"),
        pytest.param("", b"", id="nothing"),
    ],
)
def test_base64_is_decoded(text: str, stored: bytes) -> None:
    assert decode(entry("A", text), BASE64) == stored


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("not base64!", id="other characters"),
        pytest.param("aGVsbG8", id="padding left out"),
        pytest.param("aGVsbG8=x", id="text after the padding"),
        pytest.param("Grüße", id="not ASCII"),
    ],
)
def test_an_error_of_base64_names_the_key_and_not_the_value(text: str) -> None:
    with pytest.raises(Waiting) as caught:
        decode(entry("KEY", text, path="/api"), BASE64)

    assert caught.value.reason is Reason.VALUE_INVALID
    assert "/api/KEY" in caught.value.message
    assert text not in caught.value.message
    assert caught.value.__cause__ is None
    assert caught.value.__suppress_context__


def test_a_lone_surrogate_cannot_be_stored() -> None:
    with pytest.raises(Waiting) as caught:
        decode(entry("KEY", "a\ud800"), None)

    assert caught.value.reason is Reason.VALUE_INVALID
