"""What Phase answers, or does not -> our errors; one table, one translation.

Rule: the server's own words are repeated if they come as `{"error": "..."}`, on one line, bounded, and without anything
that looks like a token. Any other body is never shown. 401 and 403 mean the same here: which one comes depends on the
server's version, and both may mean that access to an environment was withdrawn.
"""

import json
import re
import ssl

import httpx

from phase_operator.api.reasons import Reason
from phase_operator.core.errors import ExpectedError, Transient, Waiting

_LIMIT = 300
_RETRY_DEFAULT = 60.0
_RETRY_MAX = 3600.0
_TOKENS = re.compile(r"pss_\w+:\S+|[0-9a-fA-F]{64}")


def from_answer(response: httpx.Response, body: bytes, host: str) -> ExpectedError | None:
    """Say what an answer means, or None if it is a JSON answer with status 200."""
    status = response.status_code
    words = _words(response, body)
    if status == httpx.codes.OK and _is_json(response):
        return None
    if status == httpx.codes.TOO_MANY_REQUESTS:
        return Transient(Reason.RATE_LIMITED, "Phase's quota for the account is used up", after=_retry_after(response))
    if status >= 500:
        told = f": {words}" if words else ""
        return Transient(Reason.PHASE_UNAVAILABLE, f"{host} answers {status}{told}")
    if words and status in {401, 403}:
        return Waiting(Reason.ACCESS_DENIED, f"Phase answers {status}: {words}")
    if words and status == 404 and words.startswith("App with ID"):
        return Waiting(Reason.APP_NOT_FOUND, f"Phase answers 404: {words}")
    if words and status == 404 and words.startswith("Environment "):
        return Waiting(Reason.ENVIRONMENT_NOT_FOUND, f"Phase answers 404: {words}")
    if words and 400 <= status < 500 and status != 404:
        return Waiting(Reason.REQUEST_REFUSED, f"Phase answers {status}: {words}")
    return Transient(Reason.UNEXPECTED_ANSWER, f"{host} is not Phase's API: it answers {status} with {_kind(response)}")


def from_exception(error: Exception, host: str) -> ExpectedError:
    """Say what no answer, or half of one, means."""
    if _is_tls(error):
        return Transient(
            Reason.PHASE_UNAVAILABLE,
            f"{host} shows a certificate that is not trusted; give its authority with --phase-ca-file",
        )
    match error:
        case httpx.RemoteProtocolError() if "incomplete" in str(error) or "without sending complete" in str(error):
            return Transient(Reason.UNEXPECTED_ANSWER, f"{host} breaks off in the middle of an answer")
        case httpx.DecodingError():
            return Transient(Reason.UNEXPECTED_ANSWER, f"{host} answers in an encoding that cannot be read")
        case TimeoutError() | httpx.TimeoutException():
            return Transient(Reason.PHASE_UNAVAILABLE, f"{host} does not answer in time")
        case httpx.InvalidURL() | httpx.UnsupportedProtocol():
            return Waiting(Reason.INVALID_SPEC, f"spec.phaseHost: {host} is no URL that can be asked")
        case httpx.ConnectError():
            return Transient(Reason.PHASE_UNAVAILABLE, f"{host} cannot be reached")
        case _:
            return Transient(Reason.PHASE_UNAVAILABLE, f"the connection to {host} breaks ({type(error).__name__})")


def _is_tls(error: BaseException | None) -> bool:
    while error is not None:
        if isinstance(error, ssl.SSLError) or "CERTIFICATE_VERIFY_FAILED" in str(error):
            return True
        error = error.__cause__ or error.__context__
    return False


def _is_json(response: httpx.Response) -> bool:
    return _content_type(response) == "application/json"


def _content_type(response: httpx.Response) -> str:
    return str(response.headers.get("content-type", "")).split(";")[0].strip().lower()


def _kind(response: httpx.Response) -> str:
    if response.is_redirect:
        return "a redirect"
    kind = _content_type(response)
    return kind if re.fullmatch(r"[\w.+-]{1,40}/[\w.+-]{1,60}", kind) else "no content type"


def _words(response: httpx.Response, body: bytes) -> str | None:
    if not _is_json(response):
        return None
    try:
        found = json.loads(body)
    except ValueError:
        return None
    text = found.get("error") if isinstance(found, dict) else None
    if not isinstance(text, str) or not text.strip():
        return None
    line = " ".join("".join(char if char.isprintable() else " " for char in text).split())
    return _TOKENS.sub("***", line)[:_LIMIT]


def _retry_after(response: httpx.Response) -> float:
    text = response.headers.get("retry-after", "")
    return min(float(text), _RETRY_MAX) if text.isdigit() else _RETRY_DEFAULT
