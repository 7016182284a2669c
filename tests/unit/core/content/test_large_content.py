"""The invariant: whatever the values are, a target is a right object or a clear error, in bounded memory.

Bounds are ratios to what comes in, and no clock is read: what grows faster than its input fails on every machine.
"""

import base64
import gc
import tracemalloc
from collections.abc import Iterable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from phase_operator.api.reasons import Reason
from phase_operator.core.content.limits import MAX_BYTES
from phase_operator.core.errors import ExpectedError
from phase_operator.core.targets.desired import Desired
from phase_operator.core.values import Entry
from support.builders import config_entry, entry, spec
from support.evaluating import evaluate
from support.examples import examples

SHAPES: dict[str, dict[str, Any]] = {
    "keys": {},
    "camel": {"nameTransformer": "upper-camel", "prefix": "app."},
    "dotenv": {"format": "dotenv"},
    "json": {"format": "json"},
    "yaml": {"format": "yaml"},
    "properties": {"format": "properties"},
    "toml": {"format": "toml"},
    "text": {"template": {"data": {"text": "{{ KEY_0 | default('') | json }}"}, "mergePolicy": "Merge"}},
    "typed": {"secretType": "kubernetes.io/tls", "processors": {"KEY_0": {"asName": "tls.crt"}}},
    "docker": {
        "secretType": "kubernetes.io/dockerconfigjson",
        "processors": {"KEY_0": {"asName": ".dockerconfigjson"}},
    },
}
# Those that escape what they write, each in its own way. The others hand text on; the widest characters do for them.
WRITERS = ("dotenv", "json", "yaml", "properties", "toml", "text")
NEARLY = MAX_BYTES - 1000
# Escapes are up to six times as long as what they stand for: a quarter of the limit is beyond it then.
FILLS = {
    "ASCII": ("x", NEARLY),
    "signs": ("'\"\\\n", MAX_BYTES // 4),
    "control characters": ("\x01", MAX_BYTES // 4),
    "emoji": ("\U0001f600", MAX_BYTES // 4),
}
REFUSALS = (Reason.TOO_LARGE, Reason.VALUE_INVALID, Reason.TYPE_MISMATCH, Reason.TEMPLATE_FAILED)
# What a key costs in Python, whatever its value: an entry, names, texts, a pair in some maps.
PER_ENTRY = 2500


def make(entries: Iterable[Entry], *, config_map: bool = False, **target: Any) -> Desired | ExpectedError:
    """Return what becomes of the only target."""
    fields: dict[str, Any] = {"managedSecretReferences": [{"secretName": "shop", **target}]}
    if config_map:
        reference = {"configMapName": "shop", **target}
        fields = {"managedSecretReferences": [], "managedConfigMapReferences": [reference]}
    [found] = evaluate(spec(**fields), entries)
    return found


def stored(found: Desired | ExpectedError) -> dict[str, bytes]:
    """Return the bytes that an object holds; fail if it is none."""
    assert isinstance(found, Desired), found
    text = found.manifest.get("data") or {}
    if found.manifest["kind"] == "Secret":
        return {key: base64.b64decode(value) for key, value in text.items()}
    binary = found.manifest.get("binaryData") or {}
    return {key: value.encode() for key, value in text.items()} | {
        key: base64.b64decode(value) for key, value in binary.items()
    }


def peak(entries: list[Entry], **target: Any) -> tuple[Desired | ExpectedError, int]:
    """Return what becomes of a target and how many bytes that took at its height."""
    make(entries[:1], **target)  # what is imported once is not counted
    gc.collect()
    tracemalloc.start()
    try:
        found = make(entries, **target)
        return found, tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


class TestAnyBytes:
    @given(st.dictionaries(st.from_regex(r"\A[A-Z][A-Z0-9_]{0,9}\Z"), st.binary(max_size=200), min_size=1, max_size=6))
    def test_bytes_come_out_as_they_went_in(self, wanted: dict[str, bytes]) -> None:
        processors = {key: {"type": "base64"} for key in wanted}
        texts = {key: base64.b64encode(value).decode() for key, value in wanted.items()}

        secret = make([entry(key, text) for key, text in texts.items()], processors=processors)
        config_map = make(
            [config_entry(key, text) for key, text in texts.items()], config_map=True, processors=processors
        )

        assert stored(secret) == wanted
        assert stored(config_map) == wanted

    @given(st.text(max_size=300), st.sampled_from([entry, config_entry]))
    def test_text_comes_out_as_it_went_in(self, text: str, kind: Any) -> None:
        found = make([kind("KEY", text)], config_map=kind is config_entry)

        assert stored(found) == {"KEY": text.encode()}

    @pytest.mark.parametrize("shape", SHAPES.values(), ids=SHAPES)
    @given(text=st.text(st.characters(), max_size=60))
    @settings(max_examples=examples(40))
    def test_every_shape_takes_any_text_or_says_why_not(self, shape: dict[str, Any], text: str) -> None:
        found = make([entry("KEY_0", text), entry("KEY_1", "b")], **shape)

        if isinstance(found, ExpectedError):
            assert found.reason in (Reason.VALUE_INVALID, Reason.TYPE_MISMATCH)
        else:
            assert any(stored(found).values())

    @pytest.mark.parametrize("shape", SHAPES.values(), ids=SHAPES)
    def test_half_a_pair_of_surrogates_is_told_with_its_key(self, shape: dict[str, Any]) -> None:
        found = make([entry("KEY_0", "a\ud800b")], **shape)

        assert isinstance(found, ExpectedError)
        assert found.reason is Reason.VALUE_INVALID
        assert "KEY_0" in found.message

    @given(st.text(min_size=1, max_size=40))
    def test_any_key_is_written_or_told(self, key: str) -> None:
        found = make([entry(key)])

        if isinstance(found, ExpectedError):
            assert found.reason is Reason.KEY_INVALID
        else:
            assert found.keys == {key}


class TestMuch:
    @pytest.mark.parametrize("shape", SHAPES.values(), ids=SHAPES)
    def test_four_mebibytes_are_refused_in_bounded_memory(self, shape: dict[str, Any]) -> None:
        size = 4 * MAX_BYTES
        entries = [entry("KEY_0", "\U0001f600" * (size // 4)), entry("KEY_1", "b")]

        found, height = peak(entries, **shape)

        assert isinstance(found, ExpectedError)
        assert height < 8 * size

    @pytest.mark.parametrize(
        ("shape", "fill"),
        [(shape, fill) for shape in SHAPES for fill in (FILLS if shape in WRITERS else ["emoji"])],
    )
    def test_a_text_that_grows_in_its_shape_is_judged_in_bounded_memory(self, shape: str, fill: str) -> None:
        text, size = FILLS[fill]

        found, height = peak([entry("KEY_0", text * (size // len(text.encode())))], **SHAPES[shape])

        if isinstance(found, Desired):
            assert size <= sum(map(len, stored(found).values())) <= MAX_BYTES
        else:
            assert found.reason in REFUSALS
        assert height < 40 * size

    @pytest.mark.parametrize("shape", ["keys", "camel", "dotenv", "json", "yaml", "properties", "toml"])
    def test_ten_thousand_keys_are_written_in_bounded_memory(self, shape: str) -> None:
        entries = [entry(f"KEY_{number}", f"value {number}") for number in range(10_000)]

        found, height = peak(entries, **SHAPES[shape])

        assert isinstance(found, Desired)
        assert len(found.keys) == (10_000 if shape in ("keys", "camel") else 1)
        assert height < PER_ENTRY * len(entries)

    def test_too_many_keys_are_refused_and_the_message_stays_short(self) -> None:
        entries = [entry(f"KEY_{number}", "x" * 100) for number in range(10_000)]

        found = make(entries)

        assert isinstance(found, ExpectedError)
        assert found.reason is Reason.TOO_LARGE
        assert len(found.message) < 400

    def test_ten_thousand_keys_that_all_collide_are_one_short_message(self) -> None:
        found = make([entry(f"KEY_{number}", path="/") for number in range(9_999)] + [entry("KEY_1", ident="again")])

        assert isinstance(found, ExpectedError)
        assert found.reason is Reason.KEY_COLLISION
        assert len(found.message) < 400

    def test_ten_thousand_illegal_keys_are_one_short_message(self) -> None:
        found = make([entry(f"KEY {number}" + "x" * 300) for number in range(10_000)])

        assert isinstance(found, ExpectedError)
        assert found.reason is Reason.KEY_INVALID
        assert len(found.message) <= 1000

    def test_a_value_that_fills_a_config_map_to_the_byte_is_written(self) -> None:
        found = make([config_entry("KEY", "x" * (MAX_BYTES - 3))], config_map=True)

        assert len(stored(found)["KEY"]) == MAX_BYTES - 3
