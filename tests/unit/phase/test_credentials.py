"""Every spelling of a token becomes the one header, and no part of a text is ever shown."""

import pytest

from phase_operator.api.reasons import Reason
from phase_operator.core.errors import Waiting
from phase_operator.core.values import SecretValue
from phase_operator.phase.credentials import parse, tells_modes
from phase_operator.phase.crypto import TokenKeys
from support.canary import Canary
from unit.phase.builders import HEX, KEY, show

REST = ":".join(["cd" * 32, "ef" * 32, "01" * 32])


@pytest.mark.parametrize(
    ("text", "header"),
    [
        pytest.param(f"pss_service:v2:{HEX}:{REST}", f"Bearer ServiceAccount {HEX}", id="service account in full"),
        pytest.param(f"pss_service:v1:{HEX}:{REST}", f"Bearer Service {HEX}", id="legacy service token in full"),
        pytest.param(f"pss_user:v1:{HEX}:{REST}", f"Bearer User {HEX}", id="personal token in full"),
        pytest.param(f"ServiceAccount {HEX}", f"Bearer ServiceAccount {HEX}", id="REST token"),
        pytest.param(f"Bearer ServiceAccount {HEX}", f"Bearer ServiceAccount {HEX}", id="header"),
        pytest.param(f"bearer ServiceAccount {HEX}", f"Bearer ServiceAccount {HEX}", id="header, lower-case scheme"),
        pytest.param(f"Bearer  ServiceAccount  {HEX}", f"Bearer ServiceAccount {HEX}", id="two spaces"),
        pytest.param(f"User {HEX}", f"Bearer User {HEX}", id="personal REST token"),
        pytest.param(f"Service {HEX}", f"Bearer Service {HEX}", id="legacy REST token"),
        pytest.param(HEX, f"Bearer ServiceAccount {HEX}", id="hex alone"),
        pytest.param(HEX.upper(), f"Bearer ServiceAccount {HEX.upper()}", id="hex as it was written"),
        pytest.param(f" \t{HEX}\r\n", f"Bearer ServiceAccount {HEX}", id="white space around"),
        pytest.param(f"pss_service:v2:{HEX}:{REST}\n", f"Bearer ServiceAccount {HEX}", id="in full with a newline"),
    ],
)
def test_a_spelling_becomes_the_header(text: str, header: str) -> None:
    found = parse(SecretValue(text), KEY)

    assert found.header.reveal() == header


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("", id="empty"),
        pytest.param(" \n", id="white space"),
        pytest.param(HEX[:-1], id="63 digits"),
        pytest.param(f"{HEX}0", id="65 digits"),
        pytest.param(f"{HEX[:-1]}g", id="no hex"),
        pytest.param(f"Robot {HEX}", id="unknown type"),
        pytest.param(f"serviceaccount {HEX}", id="type in lower case"),
        pytest.param(f"Bearer {HEX}", id="scheme without a type"),
        pytest.param(f"ServiceAccount {HEX} more", id="something behind it"),
        pytest.param(f"ServiceAccount\r\nX-Other: {HEX}", id="a header smuggled in"),
        pytest.param(f"{HEX}\n{HEX}", id="two tokens"),
        pytest.param(f"pss_service:v2:{HEX}", id="in full but cut"),
        pytest.param(f"pss_service:v2:{HEX}:{REST}:{HEX}", id="one field too many"),
        pytest.param(f"pss_service:v9:{HEX}:{REST}", id="unknown version"),
        pytest.param(f"pss_robot:v2:{HEX}:{REST}", id="unknown kind"),
        pytest.param("\N{FULLWIDTH DIGIT ZERO}" * 64, id="digits of another script"),
        pytest.param('{"token": "' + HEX + '"}', id="JSON"),
    ],
)
def test_anything_else_is_refused_without_a_word_of_it(text: str, canary: Canary) -> None:
    if len(text.strip()) > 8:
        canary.token(text.strip())
        canary.token(HEX[:16])

    with pytest.raises(Waiting) as caught:
        parse(SecretValue(text), KEY)

    assert caught.value.reason is Reason.TOKEN_INVALID
    assert "pss_service:v2" in caught.value.message
    show(caught.value, canary)


def test_spellings_of_one_token_are_one_account() -> None:
    names = {parse(SecretValue(text), KEY).account for text in (HEX, f"ServiceAccount {HEX}\n", f"Bearer User {HEX}")}

    assert len(names) == 2


FULL = f"pss_service:v2:{HEX}:{REST}"


@pytest.mark.parametrize("kind", ["pss_service:v2", "pss_service:v1", "pss_user:v1"])
def test_only_a_full_token_has_keys(kind: str) -> None:
    assert isinstance(parse(SecretValue(f"{kind}:{HEX}:{REST}\n"), KEY).keys, TokenKeys)
    assert all(parse(SecretValue(text), KEY).keys is None for text in (HEX, f"Service {HEX}", f"Bearer User {HEX}"))


def test_a_token_with_other_keys_is_another_account() -> None:
    """Otherwise one whose token is torn, or who knows only its sent part, would spoil the reads of another."""
    others = [FULL.replace(field, "99" * 32) for field in REST.split(":")]
    texts = [FULL, *others, HEX, FULL.replace("service:v2", "service:v1"), FULL.replace(HEX, HEX.upper())]

    accounts = [parse(SecretValue(text), KEY).account for text in texts]

    assert len(set(accounts)) == len(texts)
    assert {len(each) for each in accounts} == {16}
    # Digits of keys are bytes, however they are written; the token itself is sent as it is written.
    assert parse(SecretValue(f"pss_service:v2:{HEX}:{REST.upper()}"), KEY).account == accounts[0]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        pytest.param(
            f"pss_service:v2:{HEX}:{':'.join(REST.split(':')[:2])}", "5 fields instead of 6", id="five fields"
        ),
        pytest.param("pss_service:v2:", "3 fields instead of 6", id="nothing behind"),
        pytest.param(f"{FULL}:00", "more than 6 fields", id="seven fields"),
        pytest.param(f"{FULL}:" + ":" * 100_000, "more than 6 fields", id="very many fields"),
        pytest.param(FULL[:-1], "the key of the other share has 63 characters", id="the end cut"),
        pytest.param(FULL.replace(HEX, HEX[1:]), "the token has 63 characters", id="the token cut"),
        pytest.param(FULL.replace("ef" * 32, "ef" * 33), "the key share has 66 characters", id="a long share"),
        pytest.param(FULL.replace("cd" * 32, "cg" * 32), "the public key holds something else than hex", id="no hex"),
        pytest.param(FULL.replace("v2", "v3"), "kind or version", id="another version"),
    ],
)
def test_a_torn_token_is_told_where_it_is_torn(text: str, words: str, canary: Canary) -> None:
    for field in (HEX[:16], *(each[:16] for each in REST.split(":"))):
        canary.token(field)

    with pytest.raises(Waiting) as caught:
        parse(SecretValue(text), KEY)

    assert caught.value.reason is Reason.TOKEN_INVALID
    assert words in caught.value.message
    show(caught.value, canary)


@pytest.mark.parametrize(
    ("text", "tells"),
    [(FULL, True), (f"pss_user:v1:{HEX}:{REST}", True), (f"pss_service:v1:{HEX}:{REST}", False), (HEX, True)],
    ids=["service v2", "user", "service v1", "REST"],
)
def test_a_legacy_token_is_not_told_which_apps_are_encrypted(text: str, tells: bool) -> None:
    assert tells_modes(parse(SecretValue(text), KEY)) is tells


def test_the_account_depends_on_the_key() -> None:
    assert parse(SecretValue(HEX), KEY).account != parse(SecretValue(HEX), b"o" * 32).account


def test_a_credential_does_not_print_its_token(canary: Canary) -> None:
    canary.token(HEX)

    found = parse(SecretValue(HEX), KEY)

    canary.see("credential", f"{found!r} {found}")
    assert len(found.account) == 16
