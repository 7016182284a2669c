"""Every spelling of a token becomes the one header, and no part of a text is ever shown."""

import pytest

from phase_operator.api.reasons import Reason
from phase_operator.core.errors import Waiting
from phase_operator.core.values import SecretValue
from phase_operator.phase.credentials import parse
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


def test_the_account_depends_on_the_key() -> None:
    assert parse(SecretValue(HEX), KEY).account != parse(SecretValue(HEX), b"o" * 32).account


def test_a_credential_does_not_print_its_token(canary: Canary) -> None:
    canary.token(HEX)

    found = parse(SecretValue(HEX), KEY)

    canary.see("credential", f"{found!r} {found}")
    assert len(found.account) == 16
