"""The table of errors is complete, and repeats the server's words and nothing else."""

import json
import socket
import ssl

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from phase_operator.api.reasons import CATALOGUE, Reason
from phase_operator.core.errors import ExpectedError, Transient, Waiting
from phase_operator.core.source.apps import TO_READ_ENCRYPTED
from phase_operator.phase.errors import FAILURES, from_answer, from_exception, refuses_environment
from support.canary import Canary
from unit.phase.builders import HEX, HOST, HTML, JSON, show

PASSING = {Reason.PHASE_UNAVAILABLE, Reason.RATE_LIMITED, Reason.UNEXPECTED_ANSWER}
# Raised by misuse of a response or client, which is a mistake of ours and not the network's.
MISUSE = (httpx.StreamError,)


def meaning(
    status: int, body: str = '{"error": "words"}', headers: dict[str, str] | None = None
) -> ExpectedError | None:
    return from_answer(httpx.Response(status, headers=JSON | (headers or {})), body.encode(), HOST)


def must_mean(status: int, body: str = '{"error": "words"}', headers: dict[str, str] | None = None) -> ExpectedError:
    found = meaning(status, body, headers)
    assert found is not None
    return found


def exceptions() -> list[Exception]:
    request = httpx.Request("GET", HOST)
    found: list[Exception] = []
    for kind in sorted(vars(httpx).values(), key=lambda value: getattr(value, "__name__", "")):
        if not (isinstance(kind, type) and issubclass(kind, Exception)) or issubclass(kind, MISUSE):
            continue
        if kind is httpx.HTTPStatusError:
            found.append(httpx.HTTPStatusError("text", request=request, response=httpx.Response(500)))
        else:
            found.append(kind("text"))
    return [*found, TimeoutError(), OSError(), UnicodeError(), ConnectionResetError(), ssl.SSLError()]


def caused(error: Exception, *causes: Exception) -> Exception:
    """Chain as httpx does: each raised from the next."""
    last = error
    for cause in causes:
        last.__cause__ = cause
        last = cause
    return error


@pytest.mark.parametrize("error", exceptions(), ids=lambda error: type(error).__name__)
def test_every_exception_has_a_meaning(error: Exception) -> None:
    found = from_exception(error, HOST)

    assert isinstance(error, FAILURES)
    assert found.reason in PASSING | {Reason.INVALID_SPEC}
    assert isinstance(found, Transient) == (found.reason in PASSING)
    assert HOST in found.message
    assert "text" not in found.message


@pytest.mark.parametrize("headers", [JSON, HTML, {}], ids=["JSON", "HTML", "no type"])
@pytest.mark.parametrize("body", ['{"error": "words"}', '{"detail": "x"}', "<html>", ""])
def test_every_status_has_a_meaning(headers: dict[str, str], body: str) -> None:
    for status in range(100, 1000):
        found = from_answer(httpx.Response(status, headers=headers), body.encode(), HOST)

        if found is None:
            assert (status, headers) == (200, JSON)
            continue
        assert isinstance(found, Transient) == (found.reason in PASSING), status
        assert CATALOGUE[found.reason].stalled == isinstance(found, Waiting), status
        assert "<html>" not in found.message


@pytest.mark.parametrize(
    ("status", "words", "reason"),
    [
        pytest.param(401, "Token expired or deleted", Reason.ACCESS_DENIED, id="token"),
        pytest.param(401, "Service account cannot access this environment", Reason.ACCESS_DENIED, id="access"),
        pytest.param(403, "You don't have permission to read secrets.", Reason.ACCESS_DENIED, id="role"),
        pytest.param(404, "App with ID X not found", Reason.APP_NOT_FOUND, id="app"),
        pytest.param(404, "Environment 'X' not found in App Y", Reason.ENVIRONMENT_NOT_FOUND, id="environment"),
        pytest.param(404, "Secret not found: x", Reason.REQUEST_REFUSED, id="entry"),
        pytest.param(404, "Something not found", Reason.UNEXPECTED_ANSWER, id="something else"),
        pytest.param(400, "SSE is not enabled for this App", Reason.APP_ENCRYPTED, id="encrypted, at a read"),
        pytest.param(401, "Environment not found", Reason.ENVIRONMENT_NOT_FOUND, id="an id that is gone"),
        pytest.param(405, 'Method "GET" not allowed.', Reason.REQUEST_REFUSED, id="method"),
        pytest.param(406, "Could not satisfy the request Accept header.", Reason.REQUEST_REFUSED, id="accept"),
        pytest.param(409, "Duplicate secret found", Reason.REQUEST_REFUSED, id="conflict"),
        pytest.param(408, "slow", Reason.PHASE_UNAVAILABLE, id="timeout of a proxy"),
        pytest.param(500, "Internal server error.", Reason.PHASE_UNAVAILABLE, id="server error"),
        pytest.param(503, "down", Reason.PHASE_UNAVAILABLE, id="maintenance"),
    ],
)  # fmt: skip
def test_phases_own_words_are_told(status: int, words: str, reason: Reason) -> None:
    found = must_mean(status, json.dumps({"error": words}))

    assert found.reason is reason
    assert words in found.message


def test_the_refusal_of_a_probe_is_one_sentence_with_what_to_do() -> None:
    found = must_mean(403, json.dumps({"error": "SSE is not enabled for this App."}))

    assert found.reason is Reason.APP_ENCRYPTED
    assert found.message == f"Phase answers 403: SSE is not enabled for this App; {TO_READ_ENCRYPTED}"


def test_an_encrypted_app_comes_with_what_to_do() -> None:
    found = must_mean(400, '{"error": "SSE is not enabled for this App"}')

    assert found.message.endswith(TO_READ_ENCRYPTED)


@pytest.mark.parametrize(
    ("status", "words", "is_of_environment"),
    [
        pytest.param(401, "Service account cannot access this environment", True, id="an account"),
        pytest.param(401, "Service token cannot access this environment", True, id="a legacy token"),
        pytest.param(403, "User cannot access this environment", True, id="a person"),
        pytest.param(403, "You don't have permission to read secrets in this environment.", True, id="a role"),
        pytest.param(401, "Token expired or deleted", False, id="the token"),
        pytest.param(403, "Token expired or deleted", False, id="the token, before v2.69"),
        pytest.param(401, "Invalid token", False, id="a malformed token"),
        pytest.param(
            403, "Access denied: a network access policy restricts access from your IP address.", False, id="address"
        ),
        pytest.param(401, "Environment not found", False, id="an id that is gone"),
        pytest.param(403, "", False, id="no words"),
        pytest.param(500, "cannot access this environment", False, id="a server error"),
    ],
)
def test_a_refused_environment_is_told_from_a_refused_token(status: int, words: str, is_of_environment: bool) -> None:
    assert refuses_environment(must_mean(status, json.dumps({"error": words}))) is is_of_environment


@pytest.mark.parametrize(
    ("status", "headers", "reason"),
    [
        pytest.param(200, HTML, Reason.UNEXPECTED_ANSWER, id="login page"),
        pytest.param(200, {}, Reason.UNEXPECTED_ANSWER, id="no content type"),
        pytest.param(204, {}, Reason.UNEXPECTED_ANSWER, id="no content"),
        pytest.param(302, HTML | {"location": "/login"}, Reason.UNEXPECTED_ANSWER, id="redirect"),
        pytest.param(308, JSON | {"location": "/x"}, Reason.UNEXPECTED_ANSWER, id="redirect that says JSON"),
        pytest.param(400, HTML, Reason.UNEXPECTED_ANSWER, id="host is not allowed"),
        pytest.param(401, HTML, Reason.UNEXPECTED_ANSWER, id="a proxy's login"),
        pytest.param(403, HTML, Reason.UNEXPECTED_ANSWER, id="a firewall's page"),
        pytest.param(404, HTML, Reason.UNEXPECTED_ANSWER, id="wrong base path"),
        pytest.param(407, HTML, Reason.PHASE_UNAVAILABLE, id="proxy wants credentials"),
        pytest.param(429, HTML, Reason.RATE_LIMITED, id="quota of a proxy"),
        pytest.param(502, HTML, Reason.PHASE_UNAVAILABLE, id="bad gateway"),
    ],
)
def test_an_answer_that_is_not_from_phase_is_described_by_status_and_type(
    status: int, headers: dict[str, str], reason: Reason, canary: Canary
) -> None:
    body = f"<html>{canary.value('page')}</html>".encode()

    found = from_answer(httpx.Response(status, headers=headers), body, HOST)

    assert isinstance(found, Transient)
    assert found.reason is reason
    show(found, canary)


@pytest.mark.parametrize(
    "body",
    [
        pytest.param("[]", id="a list"),
        pytest.param('{"detail": "CANARY"}', id="another field"),
        pytest.param('{"error": {"a": "CANARY"}}', id="an object"),
        pytest.param('{"error": "CANARY', id="cut"),
        pytest.param('{"error": "' + "CANARY " * 20_000 + '"}', id="far too long"),
        pytest.param('{"error": "  "}', id="blank"),
        pytest.param("[" * 100_000, id="too deep"),
    ],
)
def test_a_refusal_without_phases_words_is_still_a_refusal(body: str, canary: Canary) -> None:
    found = must_mean(403, body.replace("CANARY", canary.token("canary-of-the-body")))

    assert (type(found), found.reason, found.message) == (Waiting, Reason.ACCESS_DENIED, "Phase answers 403")


@pytest.mark.parametrize(
    ("words", "told"),
    [
        pytest.param("a\\nb\\tc \\u0000d", "a b c d", id="one line"),
        pytest.param("\\u202eevil\\u200b", "evil", id="no characters that steer"),
        pytest.param(f"token {HEX} no", "token *** no", id="hex"),
        pytest.param(f"token {HEX}{HEX}0 no", "token *** no", id="more hex"),
        pytest.param(f"pss_service:v2:{HEX}:{HEX} no", "*** no", id="a token in full"),
        pytest.param("x" * 400, "x" * 300, id="bounded"),
        pytest.param("x" * 280 + HEX, "x" * 280 + "***", id="masked before it is cut"),
    ],
)
def test_words_are_made_fit_to_be_shown(words: str, told: str) -> None:
    found = must_mean(400, f'{{"error": "{words}"}}')

    assert found.message == f"Phase answers 400: {told}"


@pytest.mark.parametrize(
    ("headers", "after"),
    [
        pytest.param({"retry-after": "17"}, 17.0, id="seconds"),
        pytest.param({}, 60.0, id="missing"),
        pytest.param({"retry-after": ""}, 60.0, id="empty"),
        pytest.param({"retry-after": "0"}, 1.0, id="zero"),
        pytest.param({"retry-after": "-5"}, 60.0, id="negative"),
        pytest.param({"retry-after": "nan"}, 60.0, id="no number"),
        pytest.param({"retry-after": "\u00b2"}, 60.0, id="a digit that is none"),
        pytest.param({"retry-after": "86400"}, 300.0, id="a day"),
        pytest.param({"retry-after": "9" * 500}, 300.0, id="absurd"),
        pytest.param(
            {"retry-after": "Mon, 23 Nov 2026 05:02:00 GMT", "date": "Mon, 23 Nov 2026 05:00:00 GMT"}, 120.0, id="date"
        ),
        pytest.param(
            {"retry-after": "Mon, 23 Nov 2026 04:00:00 GMT", "date": "Mon, 23 Nov 2026 05:00:00 GMT"}, 1.0, id="past"
        ),
        pytest.param({"retry-after": "Mon, 23 Nov 2026 05:02:00 GMT"}, 60.0, id="date without the server's own"),
        pytest.param(
            {"retry-after": "Mon, 23 Nov 2026 05:02:00 -0000", "date": "Mon, 23 Nov 2026 05:00:00 GMT"},
            60.0,
            id="date without a zone",
        ),
    ],
)
def test_a_quota_tells_how_long_to_wait(headers: dict[str, str], after: float) -> None:
    raw = {name.encode(): value.encode("latin-1") for name, value in (JSON | headers).items()}

    found = from_answer(httpx.Response(429, headers=raw), b"", HOST)

    assert isinstance(found, Transient)
    assert (found.reason, found.after) == (Reason.RATE_LIMITED, after)


def test_a_quotas_message_does_not_count_down() -> None:
    texts = {
        must_mean(429, f'{{"error": "Expected available in {n} seconds."}}', {"retry-after": str(n)}).message
        for n in (3, 60)
    }

    assert len(texts) == 1


def untrusted() -> ssl.SSLCertVerificationError:
    error = ssl.SSLCertVerificationError(1, "[SSL: CERTIFICATE_VERIFY_FAILED]")
    error.verify_message = "self-signed certificate"
    return error


def tls(reason: str | None) -> ssl.SSLError:
    error = ssl.SSLError(1, "[SSL] text")
    error.reason = reason  # type: ignore[assignment]  # SSLWantRead has none
    return error


CUT = "peer closed connection without sending complete message body (received 1 bytes, expected 2)"


@pytest.mark.parametrize(
    ("error", "told"),
    [
        pytest.param(caused(httpx.ConnectError(""), OSError(), untrusted()), "--phase-ca-file", id="certificate"),
        pytest.param(caused(httpx.ConnectError(""), untrusted()), "self-signed", id="and why"),
        pytest.param(caused(httpx.ConnectError(""), tls("WRONG_VERSION")), "--phase-ca-file", id="no TLS there"),
        pytest.param(caused(httpx.ConnectTimeout(""), tls(None)), "in time", id="handshake hangs"),
        pytest.param(caused(httpx.ConnectError(""), socket.gaierror()), "name", id="unknown name"),
        pytest.param(httpx.ConnectError("refused"), "cannot be reached", id="refused"),
        pytest.param(httpx.ProxyError("407"), "proxy", id="proxy"),
        pytest.param(TimeoutError(), "in time", id="deadline"),
        pytest.param(httpx.ReadTimeout(""), "in time", id="slow"),
        pytest.param(httpx.ReadError(""), "breaks", id="reset"),
        pytest.param(httpx.RemoteProtocolError("Server disconnected"), "breaks", id="no answer"),
    ],
)
def test_phase_that_cannot_be_reached_is_told_with_the_cause(error: Exception, told: str) -> None:
    found = from_exception(error, HOST)

    assert found.reason is Reason.PHASE_UNAVAILABLE
    assert told in found.message


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        pytest.param(httpx.RemoteProtocolError(CUT), Reason.UNEXPECTED_ANSWER, id="cut"),
        pytest.param(
            httpx.RemoteProtocolError("incomplete chunked read"), Reason.UNEXPECTED_ANSWER, id="cut in chunks"
        ),
        pytest.param(httpx.DecodingError(""), Reason.UNEXPECTED_ANSWER, id="broken gzip"),
        pytest.param(httpx.InvalidURL(""), Reason.INVALID_SPEC, id="no URL"),
        pytest.param(httpx.UnsupportedProtocol(""), Reason.INVALID_SPEC, id="no HTTP"),
        pytest.param(UnicodeError(), Reason.INVALID_SPEC, id="no host name"),
    ],
)
def test_other_ends_have_other_reasons(error: Exception, reason: Reason) -> None:
    assert from_exception(error, HOST).reason is reason


DATES = st.one_of(
    st.text(st.characters(codec="latin-1"), max_size=60),
    st.builds(
        "{}, {:02d} {} {:04d} {:02d}:{:02d}:{:02d} {}".format,
        st.sampled_from(["Mon", "Xxx"]), st.integers(0, 99), st.sampled_from(["Nov", "Foo"]), st.integers(0, 9999),
        st.integers(0, 99), st.integers(0, 99), st.integers(0, 99),
        st.sampled_from(["GMT", "+9999", "-99999999", "EST", "", "+99999999999999999999"]),
    ),
    st.integers(-(10**400), 10**400).map(str),
)  # fmt: skip


@given(DATES, DATES)
def test_any_pause_that_a_refusal_asks_for_is_bounded(asked: str, date: str) -> None:
    raw = {b"retry-after": asked.encode("latin-1"), b"date": date.encode("latin-1")}

    found = from_answer(httpx.Response(429, headers=raw), b"", HOST)

    assert isinstance(found, Transient)
    assert found.after is not None
    assert 1.0 <= found.after <= 300.0


@pytest.mark.parametrize("headers", [JSON, HTML, {}], ids=["JSON", "HTML", "no type"])
def test_a_4xx_is_about_the_question_and_a_5xx_is_not(headers: dict[str, str]) -> None:
    for status in range(400, 600):
        found = from_answer(httpx.Response(status, headers=headers), b"", HOST)

        if isinstance(found, Transient) and found.reason is not Reason.RATE_LIMITED:
            assert found.of_question == (status < 500), status


@pytest.mark.parametrize("headers", [JSON, HTML, {}], ids=["JSON", "HTML", "no type"])
@pytest.mark.parametrize("body", ['{"error": "words"}', '{"detail": "x"}', "<html>", ""])
def test_only_a_refusal_by_phase_or_by_a_gateway_before_it_had_no_effect(headers: dict[str, str], body: str) -> None:
    by_phase = headers == JSON and body == '{"error": "words"}'
    before_phase = {407, 408, 421, 425, 429}

    for status in range(100, 1000):
        found = from_answer(httpx.Response(status, headers=headers), body.encode(), HOST)

        if found is not None:
            expected = status in before_phase or (by_phase and 400 <= status < 500)
            assert found.had_no_effect == expected, status


@pytest.mark.parametrize(
    "words",
    [
        pytest.param("Tag name exceeds 64 characters: 'x'", id="an entry is made before its tags"),
        pytest.param("Lease has already been revoked at 2030", id="a lease is prolonged before it is looked at"),
    ],
)
def test_a_refusal_after_a_write_may_have_had_an_effect(words: str) -> None:
    assert not must_mean(400, json.dumps({"error": words})).had_no_effect


@pytest.mark.parametrize("error", exceptions(), ids=lambda error: type(error).__name__)
def test_only_what_was_never_sent_had_no_effect(error: Exception) -> None:
    never_sent = {"ConnectError", "ConnectTimeout", "ProxyError", "UnsupportedProtocol"}

    assert from_exception(error, HOST).had_no_effect == (type(error).__name__ in never_sent)
