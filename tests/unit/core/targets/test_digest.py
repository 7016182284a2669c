import pytest

from phase_operator.core.targets.fingerprint import content_digest

KEY = b"k" * 32


def test_order_does_not_matter() -> None:
    one = content_digest(KEY, {"a": b"1", "b": b"2"}, {"x": "1", "y": "2"})
    other = content_digest(KEY, {"b": b"2", "a": b"1"}, {"y": "2", "x": "1"})

    assert one == other


def test_a_content_digest_is_32_hex_digits() -> None:
    assert len(bytes.fromhex(content_digest(KEY, {}, {}))) == 16


@pytest.mark.parametrize(
    ("data", "extra"),
    [
        pytest.param({"a": b"2"}, {"x": "1"}, id="another value"),
        pytest.param({"b": b"1"}, {"x": "1"}, id="another key"),
        pytest.param({}, {"x": "1"}, id="a key less"),
        pytest.param({"a": b"1", "b": b""}, {"x": "1"}, id="an empty value more"),
        pytest.param({"a": b"1"}, {"x": "2"}, id="another extra"),
        pytest.param({"a": b"1", "x": b"1"}, {}, id="an extra that became a key"),
        pytest.param({"a1": b""}, {"x": "1"}, id="a value that moved into its key"),
    ],
)
def test_every_difference_shows(data: dict[str, bytes], extra: dict[str, str]) -> None:
    assert content_digest(KEY, data, extra) != content_digest(KEY, {"a": b"1"}, {"x": "1"})


def test_another_key_makes_another_digest() -> None:
    assert content_digest(KEY, {"a": b"1"}, {}) != content_digest(b"j" * 32, {"a": b"1"}, {})
