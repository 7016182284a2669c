"""However much a tenant asks for, it takes a bounded share of a core: steps are counted, and what others size is cut.

Times are CPU time of this thread. What is bounded by 0.5 s took from five seconds to minutes.
"""

import base64
import time
from collections.abc import Callable
from typing import Any

import pytest

from phase_operator.api.reasons import Reason
from phase_operator.api.v1alpha1.phasesecret import SecretType
from phase_operator.core.content.secret_types import check_type
from phase_operator.core.content.work_limit import WorkLimit
from phase_operator.core.errors import ExpectedError, Waiting
from phase_operator.core.source.apps import App, Directory
from phase_operator.core.source.query import ask_of, source_query
from phase_operator.core.source.selection import select
from phase_operator.core.targets.rendering import renderings
from phase_operator.core.text import clean, close, close_tags
from support.builders import DIGEST_KEY, entry, owner, parsed
from support.large_answers import permutations

LONG = 0.5


def took(work: Callable[[], object]) -> float:
    before = time.thread_time()
    work()
    return time.thread_time() - before


@pytest.mark.parametrize("count", [500, 20_000])
def test_names_that_come_close_are_found_in_bounded_time(count: int) -> None:
    names = permutations(count)

    assert took(lambda: close(names[0], names[1:])) < LONG


def test_a_thousand_missing_among_thousands_of_apps_are_told_in_bounded_time() -> None:
    apps = [App(f"id-{number}", name) for number, name in enumerate(permutations(5_000))]

    directory = Directory(apps)
    reasons = []

    def look() -> None:
        for number in range(1_000):
            try:
                directory.pick("AB" * 99 + str(number))
            except Waiting as error:
                reasons.append(error.reason)

    assert took(look) < 6 * LONG
    assert reasons == [Reason.APP_NOT_FOUND] * 1_000


def test_tags_that_come_close_are_found_in_bounded_time() -> None:
    tags = [f"{name * 10}{number}" for number, name in enumerate(permutations(5_000))]

    assert took(lambda: close_tags(permutations(32, 200), tags)) < LONG


def test_the_near_names_among_very_many_are_still_found() -> None:
    names = [f"SETTING_{number:05}" for number in range(10_000)] + ["DB_HOST", "DB_PORT"]

    assert "DB_HOST" in close("DB_HSOT", names)


@pytest.mark.parametrize("lead", [0, 1_900, 1_990])
def test_a_token_is_masked_wherever_a_long_text_is_cut(lead: int) -> None:
    token = "ab" * 32

    shown = clean("pss_" + "x" * lead + " " + token + " " + "x" * 5_000)

    assert "abab" not in shown


def targets(count: int, texts: dict[str, str]) -> Any:
    references = [{"secretName": f"s-{number}", "template": {"data": texts}} for number in range(count)]
    return parsed(managedSecretReferences=references)


def rendered(spec: Any, entries: list[Any]) -> list[Reason | None]:
    found: list[Reason | None] = []
    for rendering in renderings(spec, "team", entries, DIGEST_KEY):
        try:
            rendering.render(owner())
        except ExpectedError as error:
            found.append(error.reason)
        else:
            found.append(None)
    return found


def test_all_templates_of_a_run_have_one_budget() -> None:
    """64 texts of a target, and 16 targets: each text was within its own bound, and all of them took a minute."""
    text = "{% if A|quote|json|url == '' %}{% endif %}"
    spec = targets(16, {f"text-{number}": text for number in range(64)})
    entries = [entry("A", "x" * 250_000)]
    found: list[Reason | None] = []

    seconds = took(lambda: found.extend(rendered(spec, entries)))

    assert set(found) == {Reason.TEMPLATE_FAILED}
    assert seconds < 6 * LONG


def test_names_that_come_close_are_not_looked_for_without_end() -> None:
    """Every target misses a key, and so asks which of the thousands it has comes close."""
    missing, *names = permutations(2_001)
    spec = targets(60, {"text": f"{{{{ {missing} }}}}"})
    entries = [entry(name, "x") for name in names]

    with pytest.raises(Waiting):
        next(renderings(spec, "team", entries, DIGEST_KEY)).render(owner())
    assert took(lambda: rendered(spec, entries)) < 6 * LONG


def test_an_ordinary_run_stays_far_below_its_budget() -> None:
    text = "".join(f"{{{{ KEY_{number} | quote }}}}\n" for number in range(100))
    spec = targets(20, {"app.env": text})
    entries = [entry(f"KEY_{number}", "x" * 100) for number in range(100)]

    assert set(rendered(spec, entries)) == {None}


def test_a_budget_lets_nothing_more_through_once_it_is_spent() -> None:
    work_limit = WorkLimit(10)

    work_limit.spend(4, "here")

    assert work_limit.affords(6)
    assert not work_limit.affords(1)
    with pytest.raises(Waiting):
        work_limit.spend(1, "here")


@pytest.mark.parametrize("pattern", ["*_A_*", "*A*B*C*", "?A*", "[A]*B"])
def test_patterns_that_take_seconds_are_refused_and_not_tried(pattern: str) -> None:
    many = [f"{pattern}{number}*" for number in range(64)]
    spec = parsed(keys={"include": many, "exclude": many})
    entries = [entry("A" * 2_000 + str(number), "x") for number in range(5_000)]

    with pytest.raises(Waiting) as caught:
        assert took(lambda: select(entries, source_query(ask_of(spec, "team"), "account"), spec.keys)) < LONG

    assert caught.value.reason is Reason.INVALID_SPEC


def test_many_ordinary_patterns_choose_among_thousands_of_keys_in_bounded_time() -> None:
    spec = parsed(
        keys={
            "include": [f"SETTING_{number}*" for number in range(64)],
            "exclude": [f"*_{number}_DEBUG" for number in range(64)],
        }
    )
    entries = [entry(f"OTHER_{number}", "x") for number in range(10_000)]

    assert took(lambda: select(entries, source_query(ask_of(spec, "team"), "account"), spec.keys)) < LONG


def _tlv(tag: int, content: bytes) -> bytes:
    size = len(content).to_bytes(3, "big")
    return bytes([tag, 0x83]) + size + content


def _integer(number: int) -> bytes:
    return _tlv(2, number.to_bytes(number.bit_length() // 8 + 1, "big"))


def slow_key(bits: int) -> bytes:
    """Return a DSA key whose public half takes seconds to be computed, and minutes with twice as many bits."""
    prime, exponent = (1 << bits) - 12_345_678_901, (1 << (bits - 2)) | 1
    group = _tlv(0x30, _integer(prime) + _integer((1 << 255) | 1) + _integer(3))
    algorithm = _tlv(0x30, bytes.fromhex("06072A8648CE380401") + group)
    der = _tlv(0x30, _integer(0) + algorithm + _tlv(4, _integer(exponent)))
    return b"-----BEGIN PRIVATE KEY-----\n" + base64.encodebytes(der) + b"-----END PRIVATE KEY-----\n"


def test_a_private_key_that_takes_seconds_to_judge_is_not_judged() -> None:
    certificate = _certificate()

    assert took(lambda: check_type(SecretType.TLS, {"tls.crt": certificate, "tls.key": slow_key(20_000)})) < LONG


def _certificate() -> bytes:
    from datetime import UTC, datetime, timedelta

    from cryptography import x509
    from cryptography.hazmat.primitives.asymmetric import ed25519
    from cryptography.hazmat.primitives.serialization import Encoding

    key = ed25519.Ed25519PrivateKey.generate()
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "x")])
    now = datetime(2030, 1, 1, tzinfo=UTC)
    builder = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
    built = builder.serial_number(1).not_valid_before(now).not_valid_after(now + timedelta(days=1)).sign(key, None)
    return built.public_bytes(Encoding.PEM)
