"""What Phase says to a token, in a line each: reached, certificate, encryption, probes."""

import pytest

from phase_operator.api.reasons import Reason
from phase_operator.cli.doctor.findings import Finding, Verdict
from phase_operator.cli.doctor.of_phase import AppSeen, Seen, check_phase
from phase_operator.core.errors import Transient, Waiting
from phase_operator.core.source.keyring import Identity
from phase_operator.core.timestamps import timestamp
from phase_operator.phase.accounts import AccountToken, ServiceAccount
from support.doctored import NOW

HOST = "https://phase.example"
DAY = 86400.0
OPEN = AppSeen("shop", is_encrypted=False, environments=3)
SEALED = AppSeen("bank", is_encrypted=True)


def found(seen: Seen) -> dict[str, Finding]:
    return {each.name: each for each in check_phase(seen, NOW)}


def test_a_token_that_reads_everything_is_fine() -> None:
    account = ServiceAccount("operator", "Service", (AccountToken("main", None),))
    identity = Identity("0123", "Example")
    findings = found(
        Seen(
            HOST,
            has_keys=True,
            apps=[OPEN, SEALED],
            identity=identity,
            account=account,
            certificate_ends=NOW + 90 * DAY,
        )
    )

    assert {each.verdict for each in findings.values()} == {Verdict.OK}
    assert list(findings) == ["Phase", "TLS", "account", "expiry", "apps", "probe"]
    assert findings["apps"].sentence == "server-side encryption: shop, end-to-end encryption: bank"
    assert findings["probe"].sentence == "3 environments listed"


@pytest.mark.parametrize(
    ("refusal", "verdict"),
    [
        (Waiting(Reason.ACCESS_DENIED, "Phase answers 401: Token expired or deleted"), Verdict.BAD),
        (Transient(Reason.PHASE_UNAVAILABLE, "the name is not known"), Verdict.BAD),
        (Waiting(Reason.TOKEN_INVALID, "this is no Phase token"), Verdict.BAD),
        (Transient(Reason.RATE_LIMITED, "Phase asks for a pause of 60 s"), Verdict.NOTE),
    ],
    ids=lambda each: each.reason if hasattr(each, "reason") else "",
)
def test_a_phase_that_refuses_is_quoted_with_its_cure(refusal: Waiting | Transient, verdict: Verdict) -> None:
    findings = found(Seen(HOST, has_keys=True, refusal=refusal))

    assert list(findings) == ["Phase"]
    assert findings["Phase"].verdict is verdict
    assert findings["Phase"].sentence == f"{HOST}: {refusal.reason}: {refusal.message}"
    assert findings["Phase"].cure


def test_a_token_that_expires_soon_is_a_note_with_a_cure() -> None:
    account = ServiceAccount("operator", "Service", (AccountToken("main", NOW + 3 * DAY),))

    finding = found(Seen(HOST, has_keys=True, apps=[OPEN], account=account))["expiry"]

    assert finding.verdict is Verdict.NOTE
    assert finding.sentence == timestamp(NOW + 3 * DAY)
    assert finding.cure


def test_an_account_that_may_not_see_itself_is_a_note() -> None:
    refusal = Waiting(Reason.ACCESS_DENIED, "no permission")

    finding = found(Seen(HOST, has_keys=True, apps=[OPEN], account=refusal))["expiry"]

    assert finding.verdict is Verdict.NOTE
    assert "ServiceAccounts: read" in finding.sentence


def test_a_token_that_may_not_list_apps_is_a_note() -> None:
    refusal = Waiting(Reason.ACCESS_DENIED, "no permission; set spec.phaseAppId, or give it Apps: read")

    assert found(Seen(HOST, has_keys=False, refusal=refusal))["Phase"].verdict is Verdict.NOTE


@pytest.mark.parametrize(
    ("host", "ends", "verdict"),
    [(HOST, NOW + 3 * DAY, Verdict.NOTE), (HOST, NOW + 300 * DAY, Verdict.OK), ("http://phase", None, Verdict.NOTE)],
    ids=["ends soon", "lasts", "plain HTTP"],
)
def test_the_connection_is_judged(host: str, ends: float | None, verdict: Verdict) -> None:
    assert found(Seen(host, has_keys=True, apps=[OPEN], certificate_ends=ends))["TLS"].verdict is verdict


def test_encrypted_apps_and_a_token_without_keys_are_a_note() -> None:
    finding = found(Seen(HOST, has_keys=False, apps=[OPEN, SEALED]))["apps"]

    assert finding.verdict is Verdict.NOTE
    assert "the token has no keys to decrypt with" in finding.sentence
    assert finding.cure.startswith("To read bank: store the full token")


def test_an_account_without_apps_fails() -> None:
    assert found(Seen(HOST, has_keys=True))["apps"].verdict is Verdict.BAD


def test_a_role_without_the_probe_is_a_note() -> None:
    denied = AppSeen("shop", is_encrypted=False, refusal=Waiting(Reason.ACCESS_DENIED, "no permission"))

    finding = found(Seen(HOST, has_keys=True, apps=[denied]))["probe"]

    assert finding.verdict is Verdict.NOTE
    assert "Environments: read" in finding.cure


def test_apps_that_were_left_out_are_said_and_names_are_made_safe() -> None:
    strange = AppSeen("a\x1b[2Jb", is_encrypted=False, environments=1)

    finding = found(Seen(HOST, has_keys=True, apps=[strange], left_out=7))["apps"]

    assert finding.sentence == "server-side encryption: a [2Jb; 7 apps more not looked into"
