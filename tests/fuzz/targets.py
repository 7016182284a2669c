"""What is fuzzed. A target may raise what its code promises to raise; any other exception is a finding.

Rule: each target says in one line what must hold. Names are those of the corpora under tests/fuzz/corpus.
"""

import json
import re
import time
from base64 import b64encode
from binascii import a2b_base64
from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import partial
from typing import Any, TypeVar

import httpx
from pydantic import TypeAdapter

from fuzz.file_targets import entry_files, resources, yaml_files
from fuzz.material import PUSH_WORDS, WORDS, Material
from fuzz.push_targets import push_answers, push_events, push_homes, push_ledgers, push_specs
from phase_operator.api.reasons import Reason
from phase_operator.api.v1alpha1 import PhaseSecretSpec
from phase_operator.core.access.admission import admit
from phase_operator.core.access.grants import parse_grant
from phase_operator.core.access.hosts import leads_to, parse_hosts
from phase_operator.core.access.proxies import Proxies
from phase_operator.core.access.tenancy import Tenancy, check_annotation
from phase_operator.core.content.template import compile_template
from phase_operator.core.errors import ExpectedError, Invalid, Transient, Waiting
from phase_operator.core.label_selector import parse_selector
from phase_operator.core.outcome import Failed, Suspended
from phase_operator.core.pipeline import render_all
from phase_operator.core.rollout.decision import decide
from phase_operator.core.rollout.followers import known_content, policies
from phase_operator.core.rollout.progress import WorkloadKind
from phase_operator.core.rollout.workload import read_workload
from phase_operator.core.source.answer_memory import MIB, AnswerMemory, Reservation
from phase_operator.core.source.folders import folders
from phase_operator.core.source.keyring import EnvironmentId
from phase_operator.core.source.query import ask_of, source_query
from phase_operator.core.source.references import ReferenceLimits, References
from phase_operator.core.source.unresolved import holds_reference
from phase_operator.core.status.document import change_events, status_document
from phase_operator.core.status.recorded import newest_versions, recorded_refs
from phase_operator.core.status.restarts import recorded_restarts
from phase_operator.core.targets.desired import Desired
from phase_operator.core.targets.merge import merge_manager, read_mark
from phase_operator.core.targets.observed import observe
from phase_operator.core.targets.plan import Unchanged, plan
from phase_operator.core.targets.policy import TargetPolicy, declared_targets
from phase_operator.core.targets.removal import Delete, Needless, Retyped, Superseded, Unwanted, Withdraw, removal
from phase_operator.core.text import clean
from phase_operator.core.values import ConfigEntry, DynamicKey, Entry, ObjectKey, SecretValue, Snapshot
from phase_operator.kube import errors as kube_errors
from phase_operator.phase import errors as phase_errors
from phase_operator.phase import wire
from phase_operator.phase.credentials import parse as parse_token
from phase_operator.phase.crypto import (
    DecryptionError,
    TokenKeys,
    WrappedKeys,
    WrappedShare,
    decrypt,
    open_account,
    open_environment,
)
from phase_operator.phase.encrypted import account_key
from phase_operator.phase.keyring import KeyringReader
from phase_operator.phase.lease_wire import LEASE
from phase_operator.phase.lists import Listing
from phase_operator.phase.readers import Reader
from phase_operator.phase.rows import Limits, Rows
from phase_operator.reconcile.context import parse_spec
from phase_operator.reconcile.ports import Credential
from support.builders import DIGEST_KEY, KEY, desired_secret, entry, owner, secret_ref
from support.keyrings import keyring, place
from support.sealing import VECTORS

Target = Callable[[Material], None]
Answer = TypeVar("Answer")
_ACCOUNT = "account"


def metadata(material: Material) -> None:
    """No metadata of an object is too strange to be observed."""
    found = observe(material.metadata() if material.yes() else material.mapping())
    known_content(material.metadata(), DIGEST_KEY)
    read_mark({material.text(): material.words()}, material.text())
    plan(desired_secret(entry("A")), found)


def removals(material: Material) -> None:
    """What is removed carries the mark of the PhaseSecret that asks."""
    found = observe(material.metadata())
    policy = material.one((None, TargetPolicy()))
    why = material.one(
        (
            Unwanted(policy, is_recorded=material.yes()),
            Superseded(secret_ref()),
            Needless(),
            Retyped(),
            Unwanted(refused="no"),
        )
    )
    decided = removal(secret_ref(material.text()), found, owner(), why)
    if isinstance(decided, Delete):
        assert found.owner == str(KEY) and found.is_applied, decided
    if isinstance(decided, Withdraw):
        assert found.part(merge_manager(KEY)) is not None and decided.manager == merge_manager(KEY), decided


def statuses(material: Material) -> None:
    """A status that a hand wrote is read, and a new one is made of it."""
    status = material.mapping()
    recorded_restarts(status)
    list(recorded_refs(status))
    newest_versions(status)
    outcome = Failed(material.one(tuple(Reason)), "message") if material.yes() else Suspended()
    document = status_document(outcome, status, generation=1, forced=None, now="2026-01-01T00:00:00Z")
    again = status_document(outcome, document, generation=1, forced=None, now="2027-01-01T00:00:00Z")
    assert again == document, "a status that says nothing new is not written"
    change_events(outcome, status)


def specs(material: Material) -> None:
    """A stored spec is parsed or refused as Invalid; what it names is judged without an exception of another kind."""
    with suppress(Invalid):
        spec = parse_spec(_spec(material))
        declared_targets(spec, "team")
        folders(spec)
        policies(spec, "team")
        source_query(ask_of(spec, "team"), _ACCOUNT)
        admit(Tenancy(), spec, ObjectKey("team", "shop"), {material.text(): material.text()})


def targets(material: Material) -> None:
    """Any entries by any spec become objects or expected errors, and an object holds the keys that it says."""
    with suppress(ExpectedError):
        spec = parse_spec(_spec(material))
        entries = tuple(_entries(material))
        for each in render_all(spec, owner(), Snapshot("app", entries), DIGEST_KEY):
            made = each.result
            if isinstance(made, Desired):
                _check_made(made)


def _check_made(made: Desired) -> None:
    held = {**made.manifest.get("data", {}), **made.manifest.get("binaryData", {})}
    assert set(made.keys) == set(held), made.ref
    json.dumps(made.manifest)
    assert not isinstance(plan(made, None), Unchanged)


def templates(material: Material) -> None:
    """A text is a template or Invalid, and renders or fails as expected."""
    with suppress(ExpectedError):
        compile_template(material.words())


def answers(material: Material) -> None:
    """Phase's body becomes entries or an expected error, in pieces or whole, and the same in both."""
    body = _body(material)
    outcomes = []
    for size in (len(body) or 1, material.number(1, 64)):
        rows = Rows("http://phase.example", Limits(size=1 << 20, entries=50), AnswerMemory(8 * MIB).open("team"))
        try:
            for at in range(0, len(body), size):
                rows.feed(body[at : at + size])
            found = rows.end()
            dynamic = [each for each in found if isinstance(each, DynamicKey)]
            answer = Snapshot.of("app", [each for each in found if isinstance(each, Entry)], dynamic=dynamic)
            outcomes.append(answer.revision)
        except (Transient, Waiting) as error:
            outcomes.append(type(error).__name__.encode())
    assert outcomes[0] == outcomes[1], outcomes


def lists(material: Material) -> None:
    """A list of apps, environments or leases is read or refused, in pieces or whole, and the same in both."""
    body = _body(material)
    size = material.number(1, 64)
    lists: tuple[tuple[TypeAdapter[Any], tuple[str, ...]], ...] = (
        (wire.APP, ("data",)),
        (wire.ENVIRONMENT, ("data",)),
        (LEASE, ()),
    )
    for adapter, at in lists:
        _read_alike(partial(Listing, "http://phase", MIB, _room(), adapter, repr, len, at=at), body, size)


def keyrings(material: Material) -> None:
    """A list of keys is read or refused, in pieces or whole, the same in both, and opens nothing or what was sealed."""
    answer = json.loads(json.dumps(VECTORS["tokens"]["v2"]["tokens_response"]))
    for _ in range(material.number(0, 3)):
        _spoil(answer, material)
    body = json.dumps(answer).encode(errors="replace")
    body = body[: material.number(0, len(body))] if material.yes() else body
    keyring = _read_alike(
        lambda: KeyringReader("http://phase", MIB, _room(), tells_modes=True), body, material.number(1, 64)
    )
    if keyring is None:
        return
    with suppress(Waiting):
        credential = Credential("account", SecretValue("Bearer x"), TokenKeys(*_TOKEN[3:]))
        account = account_key(credential, keyring)
        for each in (each for app in keyring.apps for each in app.environments):
            assert isinstance(each.keys, WrappedKeys)
            with suppress(DecryptionError):
                open_environment(account, each.keys)


def _room() -> Reservation:
    return AnswerMemory(8 * MIB).open("team")


def _read_alike(make: Callable[[], Reader[Answer]], body: bytes, size: int) -> Answer | None:
    """Read a body at once and in pieces, and return what was read; None if it was refused."""
    outcomes: list[Answer | type[ExpectedError]] = []
    for step in (len(body) or 1, size):
        reader = make()
        try:
            for at in range(0, len(body), step):
                reader.feed(body[at : at + step])
            outcomes.append(reader.end())
        except (Transient, Waiting) as error:
            outcomes.append(type(error))
    first, second = outcomes
    assert first == second, outcomes
    return None if isinstance(first, type) else first


def sealed_texts(material: Material) -> None:
    """Any text is decrypted or refused by one exception, within 50 ms; what was changed is refused."""
    sealed = material.one(tuple(_SEALED))
    changed = _changed(sealed, material)
    began = time.process_time()
    with suppress(DecryptionError):
        assert decrypt(_KEY, changed) in _SEALED.values(), "a changed text was opened"
    with suppress(DecryptionError):
        open_environment(_ACCOUNT_KEY, WrappedKeys(_IDENTITY, changed))
        assert sealed == _SEED, "another seed was opened"
    assert time.process_time() - began < _SLOW


def key_parts(material: Material) -> None:
    """The parts of an account's key open its environments, or are refused by one exception, within 50 ms."""
    parts = [*_TOKEN[3:], _SHARE]
    at = material.number(0, len(parts) - 1)
    parts[at] = _changed(parts[at], material)
    began = time.process_time()
    with suppress(DecryptionError):
        share = WrappedShare(parts[3])
        # Fields of a token have this form, or it is none.
        if all(map(_IS_KEY, parts[:3])):
            account = open_account(TokenKeys(*parts[:3]), share)
            # Some bits of a private key count for nothing, so that another text may be the same key.
            assert decrypt(open_environment(account, WrappedKeys(_IDENTITY, _SEED)), next(iter(_SEALED)))
    assert time.process_time() - began < _SLOW


def _changed(text: str, material: Material) -> str:
    """Return a text with some changes, or what has only its form."""
    for _ in range(material.number(0, 3)):
        at = material.number(0, len(text))
        until = material.number(at, min(len(text), at + 8))
        text = (
            text[:at]
            + material.one(("", ":", "=", "\n", "A", "0" * 64, text[:8], material.text(), "\x00"))
            + text[until:]
        )
    match material.number(0, 7):
        case 0:
            return f"ph:v1:{material.raw(40).hex()}:{b64encode(material.raw()).decode()}"
        case 1:
            blob = bytearray(a2b_base64(_DATA))
            blob[material.number(0, len(blob) - 1)] ^= material.number(0, 255)
            return f"ph:v1:{_EPHEMERAL}:{b64encode(blob).decode()}"
        case 2:
            return text[:1000] * material.number(0, 500)
    return text


def _spoil(document: Any, material: Material) -> None:
    """Put something else into a place of a JSON document."""
    while True:
        at = material.one(list(document)) if isinstance(document, dict) else material.number(0, len(document) - 1)
        inner = document[at]
        if not (isinstance(inner, dict | list) and inner) or not material.number(0, 3):
            value = _changed(inner, material) if isinstance(inner, str) else None
            document[at] = material.one((material.json(2), value, inner))
            return
        document = inner


def refusals_of_phase(material: Material) -> None:
    """Any status with any headers and body has a meaning, and a pause within bounds."""
    names = ("content-type", "retry-after", "date", "location")
    headers = {name: " ".join(material.words().split()).encode("ascii", "ignore").decode() for name in names}
    response = httpx.Response(material.number(100, 999), headers=headers)
    body = _body(material)
    found = phase_errors.from_answer(response, body, "http://phase.example")
    if isinstance(found, Transient) and found.after is not None:
        assert 0 < found.after <= 3600, found.after
    assert found is None or len(found.message) < 2000


def refusals_of_kubernetes(material: Material) -> None:
    """Any Status of the API server has a meaning, and no words of a policy are repeated."""
    secret = "canary0123456789"
    starts = ('admission webhook "a.b" denied the request: ', 'secrets "x" is forbidden: ', "", material.words())
    message = f"{material.one(starts)}{material.words()}{secret}"
    body = {**material.mapping(), "message": message}
    found = kube_errors.from_answer(material.number(400, 599), body, material.text())
    translated = kube_errors.translate(found)
    assert secret not in translated.message and secret not in str(found), translated


def references(material: Material) -> None:
    """Any values of any environments are resolved within bounds, and no message has a word of one that is no name."""
    secret = "canary0123456789"

    def name() -> str:
        return material.text().replace(secret, "")

    pieces = (
        "${A}",
        "${f/B}",
        "${stg.A}",
        "${other::dev.B}",
        "${X_${A}}",
        "${",
        "}",
        f"${{{secret}}}",
        f"${{{secret}.A}}",
    )
    apps = {"shop": ["dev", "stg", name()], material.one(("other", name())): ["dev", "DEV"]}

    def held() -> list[Entry]:
        values = (
            "".join(material.one((*pieces, material.text())) for _ in range(material.number(0, 6))) for _ in "ABC"
        )
        return [entry(material.one(("A", "B", name())), each, path=material.one(("/", "/f"))) for each in values]

    limits = ReferenceLimits(value=5_000, growth=20_000, environments=3, work=200_000)
    found = References(keyring(apps), place("shop", "dev"), held(), limits)
    asked: set[EnvironmentId] = set()
    while wanted := found.wanted():
        asked.update(wanted)
        for where in wanted:
            if material.yes():
                found.give(where, held())
            else:
                found.give_up(where, Waiting(Reason.ACCESS_DENIED, name()))
    made = found.resolved()
    assert len(asked) <= 3 and made.referenced <= asked, asked
    for each in made.entries:
        assert len(each.value.reveal()) <= 5_000, each.source
        assert secret not in each.problem and len(each.problem) <= 300 and each.problem.isprintable(), each.problem
        assert not holds_reference(each.value.reveal()) or each.problem


def workloads(material: Material) -> None:
    """No workload is too strange to be read and judged."""
    kind = material.one(tuple(WorkloadKind))
    document = {**material.mapping(), "metadata": material.one((material.metadata(), material.json(3)))}
    pod = {"spec": {"template": {"metadata": material.json(2), "spec": material.json(5)}, **material.mapping()}}
    found = read_workload(kind, document | (pod if material.yes() else {}))
    if found is not None:
        decide(found, {}, DIGEST_KEY)


def small_texts(material: Material) -> None:
    """Selectors, hosts, grants, proxies, tokens and words are read or refused by the error that each promises."""
    text = material.words()
    with suppress(ValueError, ExpectedError):
        parse_selector(text)
    with suppress(ValueError):
        leads_to(material.text(), parse_hosts(text))
    with suppress(ValueError):
        parse_grant(text)
    with suppress(ValueError):
        Proxies.of({"HTTPS_PROXY": material.text(), "NO_PROXY": text}).of_url(material.words())
    with suppress(Waiting):
        parse_token(SecretValue(text), b"key")
    with suppress(Waiting):
        check_annotation(text, material.text(), KEY)
    assert "\n" not in clean(text)


def _spec(material: Material) -> dict[str, Any]:
    target = {"secretName": material.text(), **(material.mapping() if material.yes() else {})}
    spec = {
        "phaseApp": material.text(),
        "phaseAppEnv": material.text(),
        "managedSecretReferences": [target for _ in range(material.number(0, 2))],
        "managedConfigMapReferences": [{"configMapName": material.text()} for _ in range(material.number(0, 1))],
    }
    for _ in range(material.number(0, 4)):
        name = material.one(tuple(_FIELDS))
        target[name] = spec[name] = material.one((material.json(3), material.text()))
    return {name: value for name, value in spec.items() if material.number(0, 9)}


def _entries(material: Material) -> Iterator[Entry]:
    for number in range(material.number(0, 6)):
        make = material.one((Entry, ConfigEntry))
        kind = "config" if make is ConfigEntry else material.one(("secret", "sealed", material.text()))
        tags = frozenset(material.text() for _ in range(material.number(0, 2)))
        value = SecretValue(material.words())
        yield make(f"{number}", material.text(), value, material.one(("/", material.text())), tags, kind)


def _body(material: Material) -> bytes:
    if not material.number(0, 3):
        return material.raw()
    rows = [_row(material) for _ in range(material.number(0, 4))]
    document: Any = material.one((rows, {"data": rows}, {"error": material.words()}, material.json()))
    body = json.dumps(document).encode(errors="replace")
    return body[: material.number(0, len(body))] if material.yes() else body


def _row(material: Material) -> Any:
    names = ("id", "key", "value", "path", "tags", "type", "name", "updatedAt")
    row = {name: material.one((material.text(), material.json(2))) for name in names if material.number(0, 5)}
    return material.one((row, material.json(2)))


_V2 = VECTORS["tokens"]["v2"]
_TOKEN: list[str] = _V2["pss"].split(":")
_SHARE: str = _V2["tokens_response"]["wrapped_key_share"]
_ENVIRONMENT = next(
    each
    for each in _V2["tokens_response"]["apps"][0]["environment_keys"]
    if each["environment"]["id"] == _V2["steps"]["environment_id"]
)
_IDENTITY, _SEED = _ENVIRONMENT["identity_key"], _ENVIRONMENT["wrapped_seed"]
_ACCOUNT_KEY = open_account(TokenKeys(*_TOKEN[3:]), WrappedShare(_SHARE))
_KEY = open_environment(_ACCOUNT_KEY, WrappedKeys(_IDENTITY, _SEED))
# Seconds of CPU time.
_SLOW = 0.05
# Sealed texts, with what they hold for the environment's key; None if they are for another one.
_SEALED: dict[str, str | None] = {
    row[name]: plain[name]
    for row, plain in zip(VECTORS["secrets_response"], _V2["steps"]["secrets"], strict=True)
    for name in ("key", "value")
} | {_SEED: None}
_EPHEMERAL, _DATA = next(iter(_SEALED)).split(":")[2:]
_IS_KEY = re.compile(r"[0-9a-fA-F]{64}").fullmatch
_FIELDS = PhaseSecretSpec.model_json_schema(by_alias=True)["properties"]
TARGETS: dict[str, Target] = {
    each.__name__.replace("_", "-"): each
    for each in (
        metadata,
        removals,
        statuses,
        specs,
        targets,
        templates,
        answers,
        lists,
        keyrings,
        sealed_texts,
        key_parts,
        refusals_of_phase,
        refusals_of_kubernetes,
        references,
        workloads,
        small_texts,
        push_specs,
        push_ledgers,
        push_answers,
        push_events,
        push_homes,
        yaml_files,
        resources,
        entry_files,
    )
}


def run(name: str, data: bytes) -> None:
    """Try one case."""
    TARGETS[name](Material(data, WORDS + PUSH_WORDS if name.startswith("push-") else WORDS))
