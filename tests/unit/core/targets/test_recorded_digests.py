"""Digests that stand in clusters are made today as they were when they were recorded, byte for byte.

The vectors were written by the code before its digests shared one encoding. Another digest would cost every cluster a
write, a read or a restart, so a vector is never changed; a new form gets a new one.
"""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from phase_operator.api import names
from phase_operator.core.refs import Kind
from phase_operator.core.rollout.baseline import Baseline, as_labels, read_baseline, reference_id, write_baseline
from phase_operator.core.source.query import Revision
from phase_operator.core.targets.fingerprint import (
    content_digest,
    join_digests,
    key_digests_of,
    merge_key_digests,
    name_digest,
    read_key_digests,
    recorded_names,
)
from phase_operator.core.targets.observed import Observed
from phase_operator.core.targets.provenance import inputs_digest, stamp_matches, stamped
from phase_operator.core.values import SecretValue, Snapshot
from phase_operator.phase.credentials import parse
from support.builders import desired_secret, entry, query

RECORDED = Path(__file__).with_name("recorded_digests.json")
KEY, OTHER = bytes(range(32)), b"k" * 16
SPEC = {"phaseApp": "shop", "managedSecretReferences": [{"secretName": "shop", "format": "dotenv"}]}
DATA = {"A": b"1", "B": b"", "B C": b"\x00\xff", "\u00fc": "\U0001f511".encode()}
MANY = {f"KEY_{number:05}": str(number).encode() for number in range(3000)}
BASELINE = Baseline(b"template-mark"[:6], {b"reader": b"digest", b"READER": b"\xff" * 6, b"abcdef": bytes(6)})
UID = "8f1d1f4e-0000-4000-8000-00000000cafe"


def stamp(digest: str, owned_fields: bytes, inputs: bytes, key: bytes) -> str:
    desired = replace(desired_secret(), digest=digest, owned_fields=owned_fields)
    return str(stamped(desired, inputs, key).manifest["metadata"]["annotations"][names.ANNOTATION_SEAL])


def made() -> dict[str, str]:
    """Make everything that was recorded."""
    inputs = inputs_digest(SPEC, query(), Revision("app-1", "2030-01-01T00:00:00Z"))
    content = key_digests_of(KEY, "Secret/team/shop", DATA)
    entries = [entry("A", "1"), entry("B", "\U0001f511"), entry("C", "\ud800")]
    return {
        "digest": content_digest(KEY, DATA, {"kind": "Secret", "type": "Opaque", "shape": "00ff"}),
        "digest of nothing": content_digest(KEY, {}, {}),
        "digest with another key": content_digest(OTHER, DATA, {"kind": "ConfigMap"}),
        "content": str(content),
        "content of another target": str(key_digests_of(KEY, "ConfigMap/team/shop", DATA)),
        "content of nothing": str(key_digests_of(KEY, "Secret/team/shop", {})),
        "content with another key": str(key_digests_of(OTHER, "Secret/team/shop", DATA)),
        "content of many keys": str(key_digests_of(KEY, "Secret/team/shop", MANY)),
        "whole": content.read(None).hex(),
        "some": content.read(frozenset({"A", "missing"})).hex(),
        "merged": str(merge_key_digests([content, key_digests_of(KEY, "Secret/team/shop", {"A": b"2"})])),
        "names": join_digests(map(name_digest, [*DATA, "\ud800"])).hex(),
        "made from": inputs.hex(),
        "seal": stamp("0" * 32, b"shape", inputs, KEY),
        "seal of nothing": stamp("", b"", b"", KEY),
        "seal with another key": stamp("0" * 32, b"shape", inputs, OTHER),
        "reader": reference_id(Kind.SECRET, "shop", None).hex(),
        "reader of keys": reference_id(Kind.CONFIG_MAP, "shop", frozenset({"b", "a"})).hex(),
        "baseline": write_baseline(BASELINE, UID, KEY),
        "baseline of nothing": write_baseline(Baseline(b"123456", {}), "", OTHER),
        "labels": json.dumps(as_labels(write_baseline(BASELINE, UID, KEY))),
        "revision": Snapshot.of("app-1", entries).revision.hex(),
        "account": parse(SecretValue("ab" * 32), KEY).account,
    }


@pytest.mark.parametrize("name", made())
def test_a_digest_is_made_as_it_was_recorded(name: str) -> None:
    assert made()[name] == json.loads(RECORDED.read_text())[name]


def test_no_vector_is_left_out() -> None:
    assert made().keys() == json.loads(RECORDED.read_text()).keys()


def observed(digest: str, owned_fields: bytes, stamp: str) -> Observed:
    return Observed(
        uid="uid",
        resource_version="1",
        owner="team/shop",
        digest=digest,
        stamp=stamp,
        owned_fields=owned_fields,
        foreign_keys=(),
    )


@pytest.mark.parametrize(
    "is_read",
    [
        pytest.param(
            lambda old: read_key_digests(old["content"], KEY) == key_digests_of(KEY, "Secret/team/shop", DATA),
            id="content",
        ),
        pytest.param(
            lambda old: (
                read_key_digests(old["content of many keys"], KEY) == key_digests_of(KEY, "Secret/team/shop", MANY)
            ),
            id="content of many keys",
        ),
        pytest.param(
            lambda old: join_digests(recorded_names(old["content"])) == join_digests(map(name_digest, DATA)),
            id="names of a content",
        ),
        pytest.param(lambda old: read_baseline(old["baseline"], UID, KEY) == BASELINE, id="baseline"),
        pytest.param(
            lambda old: stamp_matches(observed("0" * 32, b"shape", old["seal"]), bytes.fromhex(old["made from"]), KEY),
            id="seal",
        ),
    ],
)
def test_recorded_digests_are_read_as_equal(is_read: Callable[[dict[str, str]], bool]) -> None:
    assert is_read(json.loads(RECORDED.read_text()))


def test_recorded_digests_match_no_other_key_or_uid() -> None:
    old = json.loads(RECORDED.read_text())

    assert read_key_digests(old["content"], OTHER) is None
    assert read_baseline(old["baseline"], "another uid", KEY) is None
    assert read_baseline(old["baseline"], UID, OTHER) is None
    assert not stamp_matches(observed("0" * 32, b"shape", old["seal"]), bytes.fromhex(old["made from"]), OTHER)
