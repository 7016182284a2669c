"""Sources -> entries: named as the server names them, refused by name, and no word of a value in a message."""

import base64
from collections.abc import Mapping
from typing import Any

import pytest

from phase_operator.api.reasons import Reason
from phase_operator.api.v1alpha1.phasesecret import EntryType, KeySelection
from phase_operator.core.errors import Waiting
from phase_operator.core.push.desired import Desired, desired
from phase_operator.core.push.limits import LARGEST_VALUE, MOST_ENTRIES, first_call, size_in_json
from phase_operator.core.push.places import EntryPlace
from phase_operator.core.push.sources import Rule, Source, SourceState, source_problem
from phase_operator.core.refs import Kind
from phase_operator.core.values import SecretValue
from support.canary import Canary


def secret(name: str = "db", data: Mapping[str, bytes] | None = None, path: str = "/cluster", **rule: Any) -> Source:
    return Source(Kind.SECRET, name, "7", Rule(path, **rule), {"password": b"p"} if data is None else data)


def only(found: Desired) -> tuple[str, str]:
    assert not found.entries
    [problem] = found.problems
    return problem.reason, problem.text


def test_a_source_becomes_entries_in_its_folder() -> None:
    keys = KeySelection(include=["tls.*"], exclude=["tls.old"])
    data = {"tls.crt": "Zürich".encode(), "tls.key": b"k", "tls.old": b"o", "ca.crt": b"c"}

    found = desired([secret("web", data, keys=keys, prefix="web_", type=EntryType.SEALED)], frozenset({"k8s"}))

    assert found.problems == ()
    assert {place: each.value for place, each in found.entries.items()} == {
        EntryPlace("/cluster", "WEB_TLS_CRT"): SecretValue("Zürich"),
        EntryPlace("/cluster", "WEB_TLS_KEY"): SecretValue("k"),
    }
    assert {(each.type, each.source, each.tags) for each in found.entries.values()} == {
        (EntryType.SEALED, SourceState("Secret/web", "7"), frozenset({"k8s"}))
    }


def test_bytes_are_pushed_as_base64_if_the_spec_says_so() -> None:
    data = {"logo.png": b"\x89PNG\xff"}

    [found] = desired(
        [secret("web", data, base64_keys=frozenset(data), as_names={"logo.png": "logo"})]
    ).entries.values()

    assert found.place.key == "LOGO"
    assert found.value is not None
    assert base64.b64decode(found.value.reveal()) == data["logo.png"]


def test_bytes_without_base64_are_refused_by_name() -> None:
    reason, text = only(desired([secret("web", {"logo.png": b"\x89PNG\xff"})]))

    assert reason is Reason.VALUE_INVALID
    assert "Secret/web[logo.png]" in text
    assert "base64" in text


@pytest.mark.parametrize(
    "inside", ["${KEY}", "x${staging.KEY}y", "${app::env./a/KEY}", "${A_${B}}", "${ X }", "${X:-y}"]
)
def test_a_value_that_phase_would_resolve_is_refused_without_a_word_of_it(inside: str, canary: Canary) -> None:
    value = canary.value("reference") + inside

    reason, text = only(desired([secret("web", {"conf": value.encode()})]))

    assert reason is Reason.VALUE_INVALID
    assert "Secret/web[conf]" in text
    assert inside not in text
    canary.see("message", text)


@pytest.mark.parametrize("value", ["$", "${", "${}", "${{ github.ref }}", "$KEY", "a{b}c"])
def test_a_value_with_signs_that_name_nothing_is_pushed(value: str) -> None:
    [found] = desired([secret("web", {"conf": value.encode()})]).entries.values()

    assert found.value == SecretValue(value)


def test_keys_that_the_server_takes_for_one_are_refused_and_both_are_named() -> None:
    found = desired([secret("a", {"db.host": b"1", "DB-HOST": b"2"}), secret("b", {"port": b"3"})])

    [problem] = found.problems
    assert problem.reason is Reason.KEY_COLLISION
    assert all(name in problem.text for name in ("/cluster/DB_HOST", "Secret/a[db.host]", "Secret/a[DB-HOST]"))
    assert found.held == {EntryPlace("/cluster", "DB_HOST")}
    assert set(found.entries) == {EntryPlace("/cluster", "PORT")}


def test_equal_keys_in_folders_of_their_own_do_not_collide() -> None:
    found = desired([secret(name, path=f"/cluster/{name}") for name in ("a", "b")])

    assert [str(each) for each in found.entries] == ["/cluster/a/PASSWORD", "/cluster/b/PASSWORD"]


def test_a_value_over_the_limit_is_refused_by_name() -> None:
    largest = b"v" * (LARGEST_VALUE - 2)

    assert only(desired([secret("big", {"blob": largest + b"v"})]))[0] is Reason.VALUE_INVALID
    assert len(desired([secret("big", {"blob": largest})]).entries) == 1


def test_signs_that_requests_write_longer_count_as_they_are_written() -> None:
    assert size_in_json(SecretValue("\x01" * 10)) == 62
    assert only(desired([secret("big", {"blob": b"\x01" * 200_000})]))[0] is Reason.VALUE_INVALID


def test_a_name_that_phase_has_no_folder_for_is_refused() -> None:
    reason, text = only(desired([secret("s" * 65, path="/cluster/" + "s" * 65)]))

    assert reason is Reason.KEY_INVALID
    assert "64 characters" in text


def test_an_entry_that_cannot_be_pushed_stays_in_phase() -> None:
    found = desired([secret("web", {"conf": b"\xff"})], refused={"Secret/token": "it holds a token"})

    assert found.holds(EntryPlace("/cluster", "CONF"), "Secret/web")
    assert found.holds(EntryPlace("/cluster", "OTHER"), "Secret/token")
    assert found.holds(EntryPlace("/cluster", "OTHER"), "")
    assert not found.holds(EntryPlace("/cluster", "OTHER"), "Secret/web")
    assert len(found.problems) == 2


def test_a_source_that_was_not_read_wants_what_was_pushed_of_it() -> None:
    unread = Source(Kind.SECRET, "db", "7", Rule("/cluster"))
    pushed = {
        EntryPlace("/cluster", "A"): SourceState("Secret/db", "7"),
        EntryPlace("/", "B"): SourceState("Secret/x", "1"),
    }

    found = desired([unread], pushed=pushed)

    assert [(each.place.key, each.value, each.source) for each in found.entries.values()] == [
        ("A", None, SourceState("Secret/db", "7"))
    ]


def test_more_entries_than_a_resource_pushes_are_refused() -> None:
    sources = [secret(f"s{number}", {f"k{each}": b"" for each in range(100)}, f"/{number}") for number in range(10)]

    assert len(desired(sources).entries) == MOST_ENTRIES
    with pytest.raises(Waiting) as refused:
        desired([*sources, secret("one-more")])
    assert refused.value.reason is Reason.TOO_LARGE


def test_patterns_that_would_take_long_are_refused() -> None:
    keys = KeySelection(include=["*".join("a" * 100)] * 60)
    source = secret("wide", {f"{'a' * 200}{number}": b"" for number in range(1000)}, keys=keys)

    with pytest.raises(Waiting) as refused:
        desired([source])
    assert refused.value.reason is Reason.INVALID_SPEC


def test_no_value_is_in_a_representation(canary: Canary) -> None:
    source = secret("web", {"conf": canary.value("pushed").encode()})

    canary.see("source", repr(source))
    canary.see("desired", repr(desired([source])))


@pytest.mark.parametrize(
    ("facts", "words"),
    [
        ({"is_token": True}, "token"),
        ({"is_ours": True}, "come back"),
        ({"secret_type": "kubernetes.io/service-account-token"}, "system"),
        ({"secret_type": "bootstrap.kubernetes.io/token"}, "system"),
        ({"secret_type": "helm.sh/release.v1"}, "system"),
        ({"secret_type": "secrets.phase.dev/lease"}, "system"),
    ],
)
def test_a_secret_that_must_not_leave_is_never_pushed(facts: Mapping[str, Any], words: str) -> None:
    assert words in source_problem(Kind.SECRET, EntryType.SECRET, **facts)


def test_a_secret_is_never_pushed_as_config() -> None:
    assert source_problem(Kind.SECRET, EntryType.CONFIG)
    assert not source_problem(Kind.CONFIG_MAP, EntryType.CONFIG)
    assert not source_problem(Kind.SECRET, EntryType.SEALED, secret_type="kubernetes.io/tls")


def test_a_thousand_entries_are_sixteen_calls() -> None:
    left, calls = list(range(1000)), 0
    while left:
        left = left[len(first_call(left, lambda _: 600)) :]
        calls += 1

    assert calls == 16


def test_a_call_has_as_many_bytes_as_it_may_or_a_single_entry() -> None:
    assert first_call([300_000, 200_000, 100_000], int) == (300_000, 200_000)
    assert first_call([900_000, 1], int) == (900_000,)
    assert first_call([], int) == ()
