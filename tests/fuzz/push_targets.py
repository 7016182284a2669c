"""What is fuzzed of pushes: specs and sources, ledgers, Phase's answers, events, and Secrets of generated values."""

import json
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import replace
from typing import Any

from fuzz.material import Material
from phase_operator.api import names
from phase_operator.api.v1alpha1 import PhaseSecretSpec
from phase_operator.api.v1alpha1.phasepushsecret import PhasePushSecretSpec, UpdatePolicy
from phase_operator.api.v1alpha1.phasesecret import DeletionPolicy, EntryType
from phase_operator.api.v1alpha1.push_sources import GeneratedKind
from phase_operator.core.errors import ExpectedError, Transient, Waiting
from phase_operator.core.label_selector import parse_selector
from phase_operator.core.push.answers import after_delete, after_post, after_put
from phase_operator.core.push.desired import Desired, Wanted, desired
from phase_operator.core.push.facts import Facts, Policies
from phase_operator.core.push.homes import home_plan, kept_values, manifest
from phase_operator.core.push.ledger import Ledger, PushPlace
from phase_operator.core.push.limits import MOST_ENTRIES
from phase_operator.core.push.looks import Listed, Look, Written
from phase_operator.core.push.machine import next_step
from phase_operator.core.push.marks import Mark, holder, marks_in
from phase_operator.core.push.places import EntryPlace
from phase_operator.core.push.readers import MOST_KEPT, PushReaders
from phase_operator.core.push.report import events_of, pushed
from phase_operator.core.push.room import MOST_BYTES, MOST_ROWS
from phase_operator.core.push.sources import Rule, Source, SourceState
from phase_operator.core.push.spec import Generated, PushSpec, SpecSource, check_token, lowered, push_spec
from phase_operator.core.push.steps import Delete, LookAt, Post, Put, Step, WriteLedger
from phase_operator.core.refs import Kind
from phase_operator.core.source.answer_memory import MIB, AnswerMemory
from phase_operator.core.source.folders import is_below
from phase_operator.core.source.references.grammar import WRITTEN
from phase_operator.core.status.document import change_events, status_document
from phase_operator.core.values import ObjectKey, SecretValue
from phase_operator.kube import push_homes as kube_homes
from phase_operator.kube.push_watch import PushSink, PushWakes
from phase_operator.phase import push_wire
from phase_operator.phase.rows import EntryArray, Limits, Maker
from phase_operator.reconcile.context import parsed
from support.clock import HandClock

KEY = ObjectKey("team", "to-phase", "PhasePushSecret")
AT = PushPlace("https://phase.example", "app", "production")
OURS = Mark("east", "team", "to-phase")
NOW = 1_800_000_000.0
_SECRET = "canary0123456789"
_FIELDS = PhasePushSecretSpec.model_json_schema(by_alias=True)["properties"]
_SOURCE_FIELDS = ("secretName", "secretSelector", "configMapName", "path", "prefix", "keys", "type", "processors")
_COMMENTS = (
    "",
    OURS.comment,
    Mark("west", "team", "x").comment,
    f"a note\n{OURS.comment}",
    "managed by phase-operator: ",
)


def push_specs(material: Material) -> None:
    """A stored spec is Invalid or pushes what it names, inside its folder, and no reference."""
    with suppress(ExpectedError):
        stored = _spec(material)
        spec = push_spec(parsed(PhasePushSecretSpec, stored))
        parsed(PhaseSecretSpec, lowered(stored))
        check_token(spec, "team", ObjectKey("team", material.text()))
        assert all(each.requirements for each in spec.selectors), "an empty selector takes all"
        _check_desired(spec, desired(_sources(material, spec), spec.tags))


def _check_desired(spec: PushSpec, found: Desired) -> None:
    assert len(found.entries) <= MOST_ENTRIES
    assert not found.held & found.entries.keys()
    for place, each in found.entries.items():
        assert place.path == spec.root or is_below(place.path, spec.root), place
        assert place.key == place.key.upper()
        assert each.value is not None
        assert not WRITTEN.search(each.value.reveal()), place
    assert all(_SECRET not in each.text for each in found.problems)


def _spec(material: Material) -> dict[str, Any]:
    def source() -> dict[str, Any]:
        return {material.one(_SOURCE_FIELDS): material.one((material.text(), material.json(2))) for _ in range(2)}

    kind = material.one((*GeneratedKind, material.text()))
    spec: dict[str, Any] = {
        "phaseApp": material.text(),
        "phaseAppEnvPath": material.one(("/", "/a/b", material.text())),
        "sources": [material.one((source(), {"secretName": material.text()})) for _ in range(material.number(0, 3))],
    }
    if material.yes():
        spec |= {"generate": [{"key": material.text(), "kind": kind}], "generateInto": material.text()}
    for _ in range(material.number(0, 3)):
        spec[material.one(tuple(_FIELDS))] = material.one((material.json(3), material.text()))
    return spec


def _sources(material: Material, spec: PushSpec) -> Iterator[Source]:
    for number in range(material.number(0, 3)):
        kind, name = material.one(tuple(Kind)), material.text()
        rule = spec.rule_of(kind, name, {material.text(): material.text()}) or Rule(spec.root)
        parts = (_SECRET.encode(), material.raw(20), b"${A}", b"${", material.text().encode(errors="replace"))
        data = {material.text(): b"".join(material.one(parts) for _ in range(2)) for _ in range(material.number(0, 4))}
        yield Source(kind, name, str(number), rule, data)


def push_ledgers(material: Material) -> None:
    """Whatever a status and Phase say, the steps end, write what a status takes, and touch nobody's entry."""
    status = _status(material)
    ledger = Ledger.read(status)
    assert Ledger.read(ledger.document()) == ledger
    outcome = pushed(
        ledger, (), [SourceState(each.source.name, "1") for each in ledger.rows.values()], {}, is_done=True
    )
    document = status_document(outcome, status, generation=1, forced=None, now="2026-01-01T00:00:00Z")
    again = status_document(outcome, document, generation=1, forced=None, now="2027-01-01T00:00:00Z")
    assert again == document, "a status that says nothing new is not written"
    change_events(outcome, status)
    places = [EntryPlace(material.one(("/", "/a/b")), material.one(("A", "B", material.text()))) for _ in range(4)]
    wanted = [
        Wanted(each, material.one(tuple(EntryType)), SourceState("Secret/db", "7"), SecretValue("v"))
        for each in places
        if material.yes()
    ]
    policies = Policies(material.one(tuple(UpdatePolicy)), material.one(tuple(DeletionPolicy)), material.yes())
    held = frozenset({"Secret/gone"}) if material.yes() else frozenset()
    there = Look.made(AT, NOW, _listed(material, places), [material.one(places)] if material.yes() else [])
    facts = Facts(AT, OURS, Desired({each.place: each for each in wanted}, held_sources=held), policies)
    _play(ledger, facts, there)


def _status(material: Material) -> dict[str, Any]:
    if not material.number(0, 3):
        return material.mapping()
    fields = ("path", "key", "source", "resourceVersion", "state", "id", "attempt", "announcedAt", "unclearUntil")
    words = ("/", "A", "Secret/db", "7", "Adding", "Changing", "Replacing", "id-1", "0000000a", "2027-01-15T08:00:00Z")

    def row() -> dict[str, Any]:
        found = {each: material.one((words[number], material.text())) for number, each in enumerate(fields)}
        return {**found, "version": material.number(-1, 4), "sealed": material.yes()}

    at = {"host": AT.host, "appId": AT.app_id, "environment": material.one((AT.environment, material.text()))}
    return {"pushedTo": at, "entries": [material.one((row(), material.json(1))) for _ in range(material.number(0, 4))]}


def _listed(material: Material, places: list[EntryPlace]) -> Iterator[Listed]:
    for number in range(material.number(0, 5)):
        comment = "".join(material.one((*_COMMENTS, material.text())) for _ in range(material.number(0, 2)))
        yield Listed(
            f"id-{number}",
            material.one(places),
            material.number(1, 4),
            material.one(("secret", "sealed", "config", material.text())),
            marks=marks_in(comment),
            is_rotating=not material.number(0, 5),
        )


def _play(ledger: Ledger, facts: Facts, there: Look) -> None:
    """Do every step with success, and check each."""
    for number in range(60):
        step = next_step(ledger, replace(facts, bits=number), NOW)
        _check_step(step, facts, there)
        match step:
            case LookAt(at):
                there = replace(there, of=at, has_answers=False)
                facts = replace(facts, look=there)
                continue
            case WriteLedger(ledger, happened):
                events_of(happened)
                facts = replace(facts, ready=frozenset(filter(None, (each.attempt for each in ledger.rows.values()))))
                continue
            case Post():
                there = after_post(
                    there,
                    step,
                    OURS,
                    [Written(f"n-{number}-{n}", each.place, 1) for n, each in enumerate(step.entries)],
                )
            case Put():
                there = after_put(
                    there,
                    step,
                    OURS,
                    [Written(each.entry.id, each.entry.place, each.entry.version + 1) for each in step.changes],
                )
            case Delete():
                there = after_delete(there, step)
            case _:
                return
        facts = replace(facts, look=there)
    raise AssertionError("it never rests")


def _check_step(step: Step, facts: Facts, there: Look) -> None:
    match step:
        case WriteLedger(ledger):
            assert len(ledger.rows) <= MOST_ROWS
            assert len(json.dumps(ledger.document())) <= MOST_BYTES
        case Post(entries=entries):
            assert not [each for each in entries if there.entries.get(each.place)], "a twin"
        case Put(changes=changes):
            for each in changes:
                taken = facts.policies.update is UpdatePolicy.REPLACE and not each.entry.marks
                assert taken or holder(each.entry.marks, OURS) == OURS, each
        case Delete(entries=deleted):
            assert all(holder(each.marks, OURS) == OURS for each in deleted), deleted


def push_answers(material: Material) -> None:
    """An answer about entries is read or refused, whole and in pieces alike, and no value of it is kept."""
    rows = [_row(material) for _ in range(material.number(0, 4))]
    body = json.dumps(material.one((rows, rows, {"error": material.words()}, material.json(3)))).encode(
        errors="replace"
    )
    body = body[: material.number(0, len(body))] if not material.number(0, 3) else body
    makers: tuple[Callable[[str], Maker[Any]], ...] = (push_wire.PushedEntries, push_wire.WrittenEntries)
    for make in makers:
        outcomes = []
        for size in (len(body) or 1, material.number(1, 64)):
            maker = make("http://phase.example")
            reader: EntryArray[Any] = EntryArray(
                "http://phase.example", Limits(size=1 << 20, entries=50), AnswerMemory(8 * MIB).open("team"), maker
            )
            try:
                for at in range(0, len(body), size):
                    reader.feed(body[at : at + size])
                found: Any = reader.end()
                assert _SECRET not in repr(found)
            except (Transient, Waiting) as error:
                found = (type(error), _SECRET in error.message)
            outcomes.append(found)
        assert outcomes[0] == outcomes[1], outcomes
        assert outcomes[0] not in ((Transient, True), (Waiting, True)), "a message with a value"


def _row(material: Material) -> Any:
    fields = ("id", "key", "path", "tags", "type", "name", "keyMap", "createdAt", "lifecycle")
    row = {name: material.one((material.text(), material.json(2))) for name in fields if material.number(0, 5)}
    row |= {"version": material.one((material.number(0, 9), material.json(1))), "value": _SECRET}
    row["comment"] = material.one((*_COMMENTS, material.words(), material.json(1)))
    if material.yes():
        row |= {
            "id": "1",
            "key": "A",
            "path": "/",
            "version": 1,
            "type": material.one(("secret", "dynamic")),
            "tags": [],
        }
    return material.one((row, row, material.json(2)))


def push_events(material: Material) -> None:
    """Whatever objects are shown, a change of one that is named wakes who names it, soon or later, and no stranger."""
    woken: list[ObjectKey] = []
    later: list[Callable[[], None]] = []
    readers, clock = PushReaders(), HandClock()
    wakes = PushWakes(readers, lambda key, _: woken.append(key), lambda _, work: later.append(work), clock)
    sinks = {kind: PushSink(kind, wakes) for kind in Kind}
    selector = parse_selector(material.one(("tier", "tier=api,!x", "tier in (a,b)")))
    sources = (SpecSource(Kind.SECRET, Rule("/"), "db"), SpecSource(Kind.SECRET, Rule("/"), selector=selector))
    readers.put(KEY, PushSpec("/", sources, generate_into="home"))
    stranger = ObjectKey("other", "to-phase", KEY.kind)
    readers.put(stranger, PushSpec("/", sources))
    for number in range(material.number(1, 12)):
        sink = sinks[material.one(tuple(Kind))]
        metadata = material.metadata() | {"name": material.one(("db", "home", material.text())), "namespace": "team"}
        match material.number(0, 5):
            case 0:
                sink.gone(metadata)
            case 1:
                sink.listed(material.one(("", "team")), {ObjectKey("team", metadata["name"])})
                woken = [each for each in woken if each != stranger]
            case 2:
                sink.unreadable(ObjectKey("team", metadata["name"]))
            case 3:
                readers.found(KEY, {(Kind.SECRET, metadata["name"]): number})
            case _:
                sink.seen(metadata)
        clock.turn(material.number(0, 10))
    before = len(woken)
    sinks[Kind.SECRET].seen({"namespace": "team", "name": "db", "uid": "new", "resourceVersion": "new"})
    for work in later:
        work()
    assert KEY in woken[before:], "a change that nobody is told"
    assert stranger not in woken
    kept = readers.of("team")
    assert kept is not None
    assert len(kept) <= MOST_KEPT


def push_homes(material: Material) -> None:
    """Whatever a Secret says, it keeps generated values only with our label, and nothing of it is a value made anew."""
    marks = {
        names.ANNOTATION_GENERATED_FOR: material.one((str(KEY), material.text())),
        names.ANNOTATION_ROTATIONS: material.one(
            ('{"A":"1"}', json.dumps(material.json(3)), "[" * 2_000, material.words())
        ),
    }
    labels = material.one(({names.LABEL_TARGET: names.LABEL_GENERATED_VALUE}, {material.text(): material.text()}))
    metadata = material.metadata() | {"labels": labels}
    metadata["annotations"] = material.one((marks, {**material.mapping(), **marks}, material.json(1)))
    home = kube_homes._home({"metadata": material.one((metadata, metadata, material.json(2)))}, {"A": b"a"})
    assert not home.owner or kube_homes._is_ours({"metadata": metadata})
    assert all(isinstance(text, str) for each in home.rotations.items() for text in each)
    asked = Generated(
        material.one(("A", "B", material.text())), material.one(tuple(GeneratedKind)), rotate=material.text()
    )
    spec = PushSpec("/", generated=(asked,), generate_into="home")
    facts = Facts(
        AT, OURS, Desired(), look=material.one((None, Look.made(AT, NOW, _listed(material, [EntryPlace("/", "A")]))))
    )
    plan = home_plan(spec, material.one((home, None)), Ledger.read(_status(material)), facts, NOW)
    assert not (asked in plan.made and asked in plan.lost)
    kept_values(spec, home)
    json.dumps(manifest(ObjectKey("team", "home"), KEY, home, {"A": SecretValue("a")}, {"A": asked.rotate}))
