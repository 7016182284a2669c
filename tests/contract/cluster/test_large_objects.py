"""Large and odd objects on a real API server: those that the core accepts are stored as they are, others reported."""

import base64
from bisect import bisect_left
from itertools import islice
from typing import Any

import pytest

from contract.cluster.sides import RealSide, Side
from phase_operator.api.reasons import Reason
from phase_operator.api.v1alpha1.phasesecret import ManagedSecretReference, TemplateMetadata
from phase_operator.core.content.limits import MAX_BYTES, check_size
from phase_operator.core.errors import ExpectedError, Waiting
from phase_operator.core.refs import Kind, Owner, TargetRef
from phase_operator.core.targets.annotation_limit import check_marks
from phase_operator.core.targets.desired import Desired
from phase_operator.core.targets.plan import Apply
from phase_operator.core.targets.secret import render_secret
from phase_operator.core.values import Entry, ObjectKey
from support.api import api_of
from support.appliers import applier_of
from support.builders import DIGEST_KEY, config_entry, entry, spec
from support.evaluating import evaluate

# The fake has no limits.
pytestmark = [
    pytest.mark.controlplane,
    pytest.mark.parametrize("side", ["real"], indirect=True),
    # aiohttp: a large body is sent in one piece. It takes milliseconds, and a warning is an error in tests alone.
    pytest.mark.filterwarnings("ignore:Sending a large body directly:ResourceWarning"),
]

EMOJI = "\U0001f469\u200d\U0001f4bb"
EXOTIC = [
    pytest.param("", id="nothing"),
    pytest.param("a\x00b", id="NUL"),
    pytest.param("\r\n\u2028\u2029\x0b\x0c\x85", id="breaks"),
    pytest.param("e\u0301 \u202edrow\u202c", id="accents and directions"),
    pytest.param("\ufeff\ufffe\uffff\x7f\x80", id="marks and what is no character"),
    pytest.param("ä中" * 1000, id="long"),
]


def made(side: Side, entries: list[Entry], kind: Kind = Kind.SECRET, **target: Any) -> Desired | ExpectedError:
    """Return what becomes of a target in the side's namespace."""
    places = {
        Kind.SECRET: ("managedSecretReferences", "secret"),
        Kind.CONFIG_MAP: ("managedConfigMapReferences", "configMap"),
    }
    field, word = places[kind]
    reference = {f"{word}Name": "shop", f"{word}Namespace": side.namespace, **target}
    [found] = evaluate(spec(**{"managedSecretReferences": [], field: [reference]}), entries)
    return found


async def stored(side: Side, desired: Desired | ExpectedError) -> dict[str, bytes]:
    """Apply an object and return the bytes that stand there then."""
    assert isinstance(desired, Desired), desired
    assert isinstance(side, RealSide)
    assert await side.cluster.apply_target(desired, Apply(None))
    kind = "secret" if desired.ref.kind is Kind.SECRET else "configmap"
    found = api_of(side.plane).get(kind, desired.ref.key.name, side.namespace)
    assert found is not None
    text, binary = found.get("data") or {}, found.get("binaryData") or {}
    if kind == "secret":
        text, binary = {}, text
    return {key: value.encode() for key, value in text.items()} | {
        key: base64.b64decode(value) for key, value in binary.items()
    }


@pytest.mark.parametrize("kind", Kind)
@pytest.mark.parametrize("text", EXOTIC)
async def test_exotic_text_is_stored_as_it_is(side: Side, kind: Kind, text: Any) -> None:
    make = entry if kind is Kind.SECRET else config_entry

    assert await stored(side, made(side, [make("KEY", text)], kind)) == {"KEY": text.encode()}


async def test_an_emoji_in_a_secret_is_stored(side: Side) -> None:
    assert await stored(side, made(side, [entry("KEY", EMOJI)])) == {"KEY": EMOJI.encode()}


async def test_an_emoji_in_a_config_map_is_stored(side: Side) -> None:
    found = made(side, [config_entry("KEY", EMOJI)], Kind.CONFIG_MAP)

    assert await stored(side, found) == {"KEY": EMOJI.encode()}


async def test_an_annotation_may_hold_an_emoji(side: Side) -> None:
    found = made(side, [entry("A")], template={"metadata": {"annotations": {"example.com/note": EMOJI}}})

    assert await stored(side, found) == {"A": b"text"}


@pytest.mark.parametrize("kind", Kind)
async def test_bytes_that_are_no_text_are_stored_as_they_are(side: Side, kind: Kind) -> None:
    make = entry if kind is Kind.SECRET else config_entry
    wanted = {"ALL": bytes(range(256)), "NUL": b"\0", "FF": b"\xff" * 3, "TEXT": b"text"}
    processors = {key: {"type": "base64"} for key in wanted}
    entries = [make(key, base64.b64encode(value).decode()) for key, value in wanted.items()]

    assert await stored(side, made(side, entries, kind, processors=processors)) == wanted


@pytest.mark.parametrize("kind", Kind)
async def test_a_mebibyte_is_stored_and_a_byte_more_is_told(side: Side, kind: Kind) -> None:
    make = entry if kind is Kind.SECRET else config_entry
    value = "x" * (MAX_BYTES - len("KEY"))

    assert await stored(side, made(side, [make("KEY", value)], kind)) == {"KEY": value.encode()}

    refused = made(side, [make("KEY", value + "x")], kind)
    assert isinstance(refused, ExpectedError)
    assert refused.reason is Reason.TOO_LARGE


@pytest.mark.parametrize("kind", Kind)
async def test_ten_thousand_keys_are_stored(side: Side, kind: Kind) -> None:
    make = entry if kind is Kind.SECRET else config_entry
    entries = [make(f"KEY_{number}", f"{number}") for number in range(10_000)]

    found = await stored(side, made(side, entries, kind))

    assert len(found) == 10_000
    assert found["KEY_9999"] == b"9999"


@pytest.mark.parametrize("kind", Kind)
@pytest.mark.parametrize("length", [20, 90, 253])
async def test_as_many_long_keys_as_the_core_lets_pass_are_stored(side: Side, length: int, kind: Kind) -> None:
    make = entry if kind is Kind.SECRET else config_entry
    annotations = {"example.com/note": "x" * 200_000} if length == 90 else {}

    def named(number: int) -> str:
        return f"{number:06}".ljust(length, "K")

    def of(count: int) -> Desired | ExpectedError:
        entries = [make(named(number), "x") for number in range(count)]
        return made(side, entries, kind, template={"metadata": {"annotations": annotations}})

    data = {named(number): b"x" for number in range(MAX_BYTES // length)}
    good = let_pass(data, TemplateMetadata(annotations=annotations))

    # Found by the bound alone, which takes milliseconds: the rest of the core makes the same of it.
    for count in (good + 1, MAX_BYTES // length):
        refused = of(count)
        assert isinstance(refused, ExpectedError)
        assert refused.reason is Reason.TOO_LARGE
    assert len(await stored(side, of(good))) == good


def let_pass(data: dict[str, bytes], template: TemplateMetadata) -> int:
    """Return how many of these keys the bound lets pass, from the first on."""

    def is_refused(count: int) -> bool:
        try:
            check_size(dict(islice(data.items(), count)), template)
        except Waiting:
            return True
        return False

    return bisect_left(range(len(data)), True, key=is_refused) - 1


# Merged keys are named in an annotation, and Kubernetes bounds all annotations together.


def merged(side: Side, prefix: str, count: int, of: str = "shop") -> Desired:
    entries = [entry(f"{prefix}{number:05}".ljust(50, "K"), "x") for number in range(count)]
    reference = ManagedSecretReference.model_validate({"secretName": "shop", "creationPolicy": "Merge"})
    ref = TargetRef(Kind.SECRET, ObjectKey(side.namespace, "shop"))
    return render_secret(ref, Owner(ObjectKey(side.namespace, of), "0a-uid"), reference, entries, DIGEST_KEY)


async def test_as_many_merged_keys_as_are_let_pass_are_stored_and_more_are_too_large(side: Side) -> None:
    def passes(count: int) -> bool:
        try:
            check_marks(merged(side, "A", count), None)
        except Waiting:
            return False
        return True

    good, bad = 1, 8000
    while bad - good > 10:
        middle = (good + bad) // 2
        good, bad = (middle, bad) if passes(middle) else (good, middle)
    assert good > 4000

    assert (await applier_of(side.cluster).bring_in_step(merged(side, "A", good))).written
    with pytest.raises(Waiting) as caught:
        await applier_of(side.cluster).bring_in_step(merged(side, "A", bad))
    assert caught.value.reason is Reason.TOO_LARGE


async def test_two_that_merge_into_one_object_share_the_bound(side: Side) -> None:
    assert (await applier_of(side.cluster).bring_in_step(merged(side, "A", 2300))).written

    with pytest.raises(Waiting) as caught:
        await applier_of(side.cluster).bring_in_step(merged(side, "B", 2300, of="other"))

    assert caught.value.reason is Reason.TOO_LARGE
    assert (await applier_of(side.cluster).bring_in_step(merged(side, "B", 1000, of="other"))).written


async def test_an_object_that_others_filled_is_too_large_and_not_refused(side: Side) -> None:
    assert isinstance(side, RealSide)
    side.edit(merged(side, "A", 1).ref, {"THEIRS": "x" * MAX_BYTES})

    with pytest.raises(Waiting) as caught:
        await applier_of(side.cluster).bring_in_step(merged(side, "A", 1))

    assert caught.value.reason is Reason.TOO_LARGE
