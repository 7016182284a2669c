"""Every valid spec of a PhasePushSecret is read, and what is read is bounded; every other is refused with its field."""

import contextlib
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from phase_operator.api.v1alpha1 import PhasePushSecretSpec
from phase_operator.api.v1alpha1.phasepushsecret import UpdatePolicy
from phase_operator.api.v1alpha1.phasesecret import DeletionPolicy, EntryType, OnTypeChange, ProcessorType
from phase_operator.api.v1alpha1.push_sources import GeneratedKind, GeneratedValue
from phase_operator.core.errors import Invalid
from phase_operator.core.push.ledger import Ledger, PushPlace, Row, RowState
from phase_operator.core.push.places import LONGEST_KEY, EntryPlace, entry_key, place_problem
from phase_operator.core.push.sources import Rule, SourceState
from phase_operator.core.push.spec import PushSpec, push_spec
from phase_operator.core.refs import Kind
from phase_operator.core.source.folders import is_below
from support.any_json import shallow
from support.examples import examples

Spec = dict[str, Any]

# Kubernetes: the longest name of a Secret or ConfigMap, and the longest key of one.
LONGEST_NAME = "n" * 253
LONGEST_DATA_KEY = "k" * 253

SMALLEST = {"phaseApp": "shop", "sources": [{"secretName": "db"}]}

# All that is printable: a text of filtered letters would be drawn letter by letter.
LETTERS = st.characters(exclude_categories=("C", "Z"), include_characters=" ", exclude_characters="/")
FOLDER_NAMES = st.text(LETTERS, min_size=1, max_size=64) | st.just("f" * 64)
LONGEST_FOLDER = f"/{'f' * 63}" * 8
FOLDERS = st.lists(FOLDER_NAMES, max_size=7).map(lambda names: "/" + "/".join(names)) | st.just(LONGEST_FOLDER)
NAMES = st.from_regex(r"[a-z0-9]([-a-z0-9]{0,20}[a-z0-9])?", fullmatch=True) | st.just(LONGEST_NAME)
LABELS = st.sampled_from(
    ["tier", "example.com/tier", "tier=api", "tier in (api,web)", "size>3", "tier==,!legacy", "a,b"]
)
DATA_KEYS = st.from_regex(r"[-_a-zA-Z0-9]{1,12}", fullmatch=True) | st.just(LONGEST_DATA_KEY)
KEYS = st.lists(st.sampled_from(["*", "tls.*", "?", "[ab]", "A*B"]), max_size=3, unique=True)


def some(**fields: st.SearchStrategy[Any]) -> st.SearchStrategy[Spec]:
    """Give any of these fields, and often one without a value."""
    return st.fixed_dictionaries({}, optional=fields)


def merged(*parts: st.SearchStrategy[Spec]) -> st.SearchStrategy[Spec]:
    return st.tuples(*parts).map(lambda found: {name: each for part in found for name, each in part.items()})


PROCESSORS = some(asName=st.from_regex(r"[-._a-zA-Z0-9]{0,9}", fullmatch=True), type=st.sampled_from([*ProcessorType]))


@st.composite
def sources(draw: st.DrawFn, root: str) -> list[Spec]:
    """Give sources inside a folder, no two of which name one object."""
    objects = draw(
        st.lists(st.tuples(st.sampled_from(["secretName", "configMapName"]), NAMES), max_size=4, unique=True)
    )
    selected = [("secretSelector", each) for each in draw(st.lists(LABELS, max_size=2))]
    found = []
    for field, value in [*objects, *selected]:
        below = draw(FOLDERS)
        types = [*EntryType] if field == "configMapName" else [EntryType.SECRET, EntryType.SEALED]
        path = f"{root.rstrip('/')}{below}"
        rest = some(
            path=st.just(path if len(path) <= 512 else root),
            keys=some(include=KEYS, exclude=KEYS),
            prefix=st.from_regex(r"[_a-zA-Z0-9]{0,128}", fullmatch=True),
            processors=st.dictionaries(DATA_KEYS, PROCESSORS, max_size=3),
            type=st.sampled_from(types),
        )
        found.append({field: value} | draw(rest))
    return draw(st.permutations(found))


@st.composite
def valid_specs(draw: st.DrawFn) -> Spec:
    """Give specs that the CRD takes."""
    root = draw(FOLDERS.filter(lambda path: len(path) <= 512))
    policy = draw(st.sampled_from([None, *UpdatePolicy]))
    changes = policy is not UpdatePolicy.IF_NOT_EXISTS
    taken = draw(sources(root))
    # No key of these is another one's with _PUB behind it, or another one in upper case.
    keys = draw(
        st.lists(st.from_regex(r"[A-Z0-9]{1,20}", fullmatch=True) | st.just("K" * 249), max_size=5, unique=True)
    )
    lengths = some(length=st.integers(16, 256), symbols=st.booleans())
    words = some(rotate=st.text(max_size=63) if changes else st.just(""))
    made = []
    for key in keys:
        kind = draw(st.sampled_from([*GeneratedKind]))
        made.append({"key": key, "kind": kind} | draw(words) | (draw(lengths) if kind == "Password" else {}))
    if not taken and not made:
        taken = [{"secretName": "db"}]
    into = {"generate": made, "generateInto": "the.place.of.what.is.made"} if made else {}
    rest = some(
        deletionPolicy=st.sampled_from([*DeletionPolicy]),
        onTypeChange=st.sampled_from([*OnTypeChange] if changes else [OnTypeChange.REFUSE]),
        tags=st.lists(st.from_regex(r"[a-z]{1,64}", fullmatch=True), max_size=16, unique=True),
        pollingInterval=st.integers(5, 31536000) | st.none(),
        suspend=st.booleans(),
    )
    said = {} if policy is None else {"updatePolicy": policy}
    return {"phaseApp": "shop", "phaseAppEnvPath": root, "sources": taken} | into | said | draw(rest)


def read(spec: Spec) -> PushSpec:
    return push_spec(PhasePushSecretSpec.model_validate(spec))


def taken(found: PushSpec) -> list[Rule]:
    """Return what becomes of all objects that a spec may take, with the longest names for those by selector."""
    labels = {"tier": "api", "example.com/tier": "x", "size": "4"}
    objects = [*found.named, (Kind.SECRET, found.generate_into), (Kind.SECRET, "m" * 253)]
    rules = [found.rule_of(kind, name, given) for kind, name in objects for given in (labels, {"tier": ""})]
    return [each for each in rules if each is not None]


@settings(max_examples=examples(50))
@given(spec=valid_specs())
def test_every_valid_spec_is_read_and_takes_what_it_names(spec: Spec) -> None:
    found = read(spec)

    named = [each.get("secretName", each.get("configMapName")) for each in spec["sources"]]
    assert [name for _, name in found.named] == [name for name in named if name is not None]
    assert all(found.rule_of(kind, name, {}) is not None for kind, name in found.named)
    assert len(found.generated) == len(spec.get("generate", ()))


@settings(max_examples=examples(50))
@given(spec=valid_specs())
def test_no_object_without_name_and_label_is_ever_pushed(spec: Spec) -> None:
    found = read(spec)

    assert found.rule_of(Kind.SECRET, "nobody-named-me", {}) is None
    assert found.rule_of(Kind.CONFIG_MAP, "nobody-named-me", {"tier": "api", "size": "4"}) is None


@settings(max_examples=examples(50))
@given(spec=valid_specs())
def test_all_that_is_pushed_stays_in_the_folder_of_the_spec(spec: Spec) -> None:
    found = read(spec)

    assert all(each.path == found.root or is_below(each.path, found.root) for each in taken(found))


@settings(max_examples=examples(50))
@given(spec=valid_specs())
def test_every_row_that_a_spec_makes_is_read_from_the_ledger_as_it_was_written(spec: Spec) -> None:
    """A row that were cut would be another place, and its entry would be made again and again."""
    places = {
        EntryPlace(rule.path, entry_key(key, rule.prefix, rule.as_names.get(key, "")))
        for rule in taken(read(spec))
        for key in (LONGEST_DATA_KEY, *rule.as_names)
    }
    source = SourceState(f"ConfigMap/{LONGEST_NAME}", "9" * 20)
    rows = [Row(each, RowState.MADE, source, "id", 1) for each in places]
    ledger = Ledger(PushPlace("https://p", "a", "e")).with_rows(rows)

    assert Ledger.read(ledger.document()) == (ledger if rows else Ledger(ledger.at))
    assert all(len(each.key) <= LONGEST_KEY for each in places)


@settings(max_examples=examples(50))
@given(spec=valid_specs())
def test_generated_values_have_keys_that_a_secret_and_phase_take_each_once(spec: Spec) -> None:
    found = read(spec)

    keys = [key for each in found.generated for key in each.keys]
    places = {EntryPlace(found.root, entry_key(key)) for key in keys}
    assert len(places) == len(keys) <= 64
    assert all(len(key) <= 253 for key in keys)
    assert not any(map(place_problem, places))


@pytest.mark.parametrize("field", [*PhasePushSecretSpec.model_json_schema()["properties"]])
@given(value=shallow)
def test_a_spec_with_anything_in_a_field_is_read_or_refused(field: str, value: Any) -> None:
    check_refusal(SMALLEST | {field: value})


@pytest.mark.parametrize(
    "field", ["secretName", "secretSelector", "configMapName", "path", "prefix", "processors", "type"]
)
@given(value=shallow | st.text(max_size=80))
def test_a_source_with_anything_in_a_field_is_read_or_refused(field: str, value: Any) -> None:
    check_refusal(SMALLEST | {"sources": [{"secretName": "db"} | {field: value}]})


@pytest.mark.parametrize("field", [*GeneratedValue.model_json_schema()["properties"]])
@given(value=shallow | st.text(max_size=80))
def test_a_generated_value_with_anything_in_a_field_is_read_or_refused(field: str, value: Any) -> None:
    made = {"key": "A", "kind": "Password"} | {field: value}
    check_refusal(SMALLEST | {"generate": [made], "generateInto": "made"})


def check_refusal(spec: Spec) -> None:
    """Read a spec; if it is refused, the message says where, in a line that fits into a status."""
    with contextlib.suppress(ValidationError):
        said = ""
        try:
            read(spec)
        except Invalid as refused:
            said = refused.message
        assert not said or (said.startswith("spec.") and said.isprintable() and len(said) <= 1000)
