"""Answers and failures of Phase -> our errors; one table, one translation.

Rule: the server's message is repeated only if it comes as `{"error": "..."}`: on one line, bounded, and without any
text that looks like a token. Any other body is never shown. A 4xx concerns the query and says nothing about the host.
401 and 403 mean the same here: the server's version decides which one comes, and both may mean that access to an
environment was withdrawn. A call is marked as without effect only if that is certain.
"""

import re
import socket
import ssl
from collections.abc import Container
from datetime import datetime
from typing import NamedTuple, TypeVar

import httpx
from pydantic import ValidationError

from phase_operator.api.reasons import Reason
from phase_operator.core.errors import ExpectedError, Transient, Waiting
from phase_operator.core.source.apps import TO_READ_ENCRYPTED
from phase_operator.core.text import clean
from phase_operator.phase import wire
from phase_operator.phase.lookups import BusyResolverError

Cause = TypeVar("Cause", bound=BaseException)

# At most this many bytes of a refusal are read; a longer one is not repeated in messages.
LARGEST_REFUSAL = 64 * 1024
_RETRY_DEFAULT = 60.0
_RETRY_MIN = 1.0
# The longest pause that an answer can ask for. Phase asks for a minute at most; a proxy could ask for days.
_RETRY_MAX = 300.0
# The one form of a date that HTTP allows a server to send (RFC 9110, section 5.6.7).
_DATE = "%a, %d %b %Y %H:%M:%S GMT"
_LONGEST_DATE = 29

# The exceptions of a call without an answer; UnicodeError is raised for a host that IDNA refuses.
FAILURES = (httpx.HTTPError, httpx.InvalidURL, httpx.CookieConflict, OSError, UnicodeError)

# What Phase says when the token is fine.
_OF_ENVIRONMENT = ("cannot access this environment", "permission to read secrets")

# What Phase says of an entry that only its rotation may change.
_ROTATING = "Rotating secrets are managed by the Phase rotation engine and cannot be updated"

# The connection was not made, so nothing was sent.
NOT_SENT = (
    httpx.ConnectError,
    httpx.ConnectTimeout,
    httpx.ProxyError,
    httpx.UnsupportedProtocol,
    BusyResolverError,
)


class Meaning(NamedTuple):
    """A row: statuses, their meaning, and whether the row needs Phase's own form (JSON, these words).

    `no_effect`: the request was refused before anything was done. A proxy may answer 403 to a request that Phase has
    already carried out, and hide Phase's answer. So a row for Phase's own answers counts only in Phase's own form.
    """

    statuses: Container[int]
    reason: Reason
    json: bool = False
    words: str = ""
    no_effect: bool = True

    def fits(self, status: int, is_json: bool, words: str) -> bool:
        """Return whether the row is for an answer: its status, its form, and what it says."""
        return status in self.statuses and words.startswith(self.words) and (is_json or not self.json)


# The first matching row counts; the last one means that the host is not Phase's API.
MEANINGS = (
    Meaning({429}, Reason.RATE_LIMITED),
    # The message of /v1/environments/ comes with 403.
    Meaning({400, 403}, Reason.APP_ENCRYPTED, json=True, words="SSE is not enabled for this App"),
    # An id that an encrypted app's environment has no more, or of which the account lost its keys.
    Meaning({401, 403}, Reason.ENVIRONMENT_NOT_FOUND, json=True, words="Environment not found"),
    Meaning({401, 403}, Reason.ACCESS_DENIED, json=True),
    Meaning({404}, Reason.APP_NOT_FOUND, json=True, words="App with ID "),
    Meaning({404}, Reason.ENVIRONMENT_NOT_FOUND, json=True, words="Environment '"),
    # Said of one entry of a batch, when those before it are written.
    Meaning({404}, Reason.REQUEST_REFUSED, json=True, words="Secret not found: ", no_effect=False),
    Meaning({400}, Reason.REQUEST_REFUSED, json=True, words="Sealed secrets cannot be ", no_effect=False),
    Meaning({400}, Reason.REQUEST_REFUSED, json=True, words=_ROTATING, no_effect=False),
    Meaning({404}, Reason.UNEXPECTED_ANSWER, json=True),
    # Sent by proxies before they forward a request; it passes by itself.
    Meaning({407, 408, 421, 425}, Reason.PHASE_UNAVAILABLE),
    # Phase may write before it refuses: it creates an entry before its tags, and renews a lease that was revoked.
    Meaning({400}, Reason.REQUEST_REFUSED, json=True, words="Tag name exceeds ", no_effect=False),
    Meaning({400}, Reason.REQUEST_REFUSED, json=True, words="Lease has already been revoked", no_effect=False),
    Meaning(range(400, 500), Reason.REQUEST_REFUSED, json=True),
    Meaning(range(500, 1000), Reason.PHASE_UNAVAILABLE, no_effect=False),
    Meaning(range(1000), Reason.UNEXPECTED_ANSWER, no_effect=False),
)


def from_answer(response: httpx.Response, body: bytes, host: str) -> ExpectedError | None:
    """Return the error that an answer means, or None if it is a JSON answer with status 200."""
    status = response.status_code
    is_json = _is_json(response)
    if is_answer(response):
        return None
    words = _words(body) if is_json else ""
    of_question = httpx.codes.is_client_error(status)
    quoted = f": {words}" if words else ""
    row = _row(status, is_json, words)
    no_effect = row.no_effect and (bool(words) or not row.json)
    match row.reason:
        case Reason.RATE_LIMITED:
            message = "Phase's quota for the account is used up"
            return Transient(row.reason, message, after=_retry_after(response), had_no_effect=no_effect)
        case Reason.PHASE_UNAVAILABLE:
            message = f"{host} answers {status}{quoted}"
            return Transient(row.reason, message, of_question=of_question, had_no_effect=no_effect)
        case Reason.UNEXPECTED_ANSWER:
            message = f"{host} is not Phase's API: it answers {status} with {_kind(response)}{quoted}"
            return Transient(row.reason, message, of_question=of_question, had_no_effect=no_effect)
        case Reason.APP_ENCRYPTED:
            message = f"Phase answers {status}{quoted.rstrip('.')}; {TO_READ_ENCRYPTED}"
            return Waiting(row.reason, message, had_no_effect=no_effect)
        case _:
            return Waiting(row.reason, f"Phase answers {status}{quoted}", had_no_effect=no_effect)


def refuses_environment(error: ExpectedError) -> bool:
    """Return whether a refusal is about the environment that was asked for, and not about the token or its address."""
    return error.reason is Reason.ACCESS_DENIED and any(words in error.message for words in _OF_ENVIRONMENT)


def is_answer(response: httpx.Response) -> bool:
    """Return whether this is an answer and no refusal: JSON with status 200."""
    return response.status_code == httpx.codes.OK and _is_json(response)


def no_url(host: str, *, had_no_effect: bool = True) -> Waiting:
    """Return the error for a host that is no valid URL."""
    message = f"spec.phaseHost: {host} is no URL that can be asked"
    return Waiting(Reason.INVALID_SPEC, message, had_no_effect=had_no_effect)


def from_exception(error: Exception, host: str) -> ExpectedError:
    """Return the error for an exception: there was no answer, or only part of one."""
    not_sent = isinstance(error, NOT_SENT)
    match error:
        case httpx.InvalidURL() | httpx.UnsupportedProtocol() | UnicodeError():
            return no_url(host, had_no_effect=not_sent)
        case httpx.RemoteProtocolError() if "incomplete" in str(error) or "without sending complete" in str(error):
            return Transient(Reason.UNEXPECTED_ANSWER, f"{host} breaks off in the middle of an answer")
        case httpx.DecodingError():
            return Transient(Reason.UNEXPECTED_ANSWER, f"{host} answers in an encoding that cannot be read")
    return Transient(Reason.PHASE_UNAVAILABLE, _why(error, host), had_no_effect=not_sent)


def _why(error: Exception, host: str) -> str:
    return _tls_failure(error, host) or _connection_failure(error, host)


def _tls_failure(error: Exception, host: str) -> str:
    if untrusted := _behind(error, ssl.SSLCertVerificationError):
        why = _attribute(untrusted, "verify_message")
        return f"the certificate of {host} is not trusted ({why}); give its authority with --phase-ca-file"
    if (broken := _behind(error, ssl.SSLError)) and (why := _attribute(broken, "reason")):
        # Without a reason it is SSLWantRead: the handshake was still waiting, so this is a timeout.
        return f"TLS with {host} fails ({why}); check the port and --phase-ca-file"
    return ""


def _connection_failure(error: Exception, host: str) -> str:
    match error:
        case BusyResolverError():
            return f"{host} cannot be reached: {error}"
        case TimeoutError() | httpx.TimeoutException():
            return f"{host} does not answer in time"
        case httpx.ProxyError():
            return f"{host} cannot be reached: the proxy on the way refuses"
        case httpx.ConnectError() if _behind(error, socket.gaierror):
            return f"{host} cannot be reached: its name is not known"
        case httpx.ConnectError():
            return f"{host} cannot be reached"
    return f"{host} cannot be asked: the connection breaks ({type(error).__name__})"


def _row(status: int, is_json: bool, words: str) -> Meaning:
    return next(row for row in MEANINGS if row.fits(status, is_json, words))


def _behind(error: BaseException | None, kind: type[Cause]) -> Cause | None:
    while error is not None:
        if isinstance(error, kind):
            return error
        error = error.__cause__ or error.__context__
    return None


def _attribute(error: ssl.SSLError, name: str) -> str:
    # Only OpenSSL sets these: an SSLError that Python's own code raises has neither.
    return clean(str(getattr(error, name, None) or ""))


def _is_json(response: httpx.Response) -> bool:
    return _content_type(response) == "application/json"


def _content_type(response: httpx.Response) -> str:
    return str(response.headers.get("content-type", "")).split(";")[0].strip().lower()


def _kind(response: httpx.Response) -> str:
    if response.is_redirect:
        return "a redirect"
    kind = _content_type(response)
    return kind if re.fullmatch(r"[\w.+-]{1,40}/[\w.+-]{1,60}", kind) else "no content type"


def _words(body: bytes) -> str:
    if len(body) > LARGEST_REFUSAL:
        return ""
    try:
        return clean(wire.REFUSAL.validate_json(body).error)
    except ValidationError:
        return ""


def _retry_after(response: httpx.Response) -> float:
    """Return the seconds that a 429 asks for; a date is measured against the server's own."""
    asked, now = response.headers.get("retry-after", ""), response.headers.get("date", "")
    if re.fullmatch(r"[0-9]+", asked):
        seconds = float(asked)
    elif max(len(asked), len(now)) > _LONGEST_DATE:
        seconds = _RETRY_DEFAULT
    else:
        try:
            seconds = (datetime.strptime(asked, _DATE) - datetime.strptime(now, _DATE)).total_seconds()  # noqa: DTZ007 - both are GMT
        except ValueError:
            seconds = _RETRY_DEFAULT
    return min(max(seconds, _RETRY_MIN), _RETRY_MAX)
