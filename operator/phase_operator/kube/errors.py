"""Answers of the API server -> our errors; the one translation at this edge.

Rule: a message may quote values of the object, so none is repeated. Shown are only fields and causes of the API
server's own validation, and the refusals that kube/refusals.py recognises. Of an answer by an admission policy or
webhook only its name is used, whatever the status: its author chose the rest.
"""

import math
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from phase_operator.api.reasons import Reason
from phase_operator.core.errors import ExpectedError, Transient, Waiting
from phase_operator.core.json_access import mapping, mappings, text
from phase_operator.kube.refusals import HIDDEN, denied_by, not_called, permitted_words

_GONE = 410
_CONFLICT = 409
_NOT_FOUND = 404
_FORBIDDEN = 403
_INVALID = 422


@dataclass(frozen=True, slots=True)
class Cause:
    """One field that the API server objects to."""

    field: str
    reason: str


@dataclass(slots=True)
class ApiError(Exception):
    """A failed request: an answer that is no success, or no answer (`status` 0). It never leaves this package."""

    status: int
    reason: str
    message: str
    causes: Sequence[Cause] = field(default=())
    kind: str = ""
    after: float | None = None
    # The admission policy or webhook that refused, safe to show; "" if none did.
    denied_by: str = ""

    @property
    def gone(self) -> bool:
        """The resource version is too old to continue from."""
        return not self.denied_by and (self.status == _GONE or self.reason == "Expired")

    @property
    def conflict(self) -> bool:
        """The object has changed or was replaced since it was judged, or others own fields of it (see `held`)."""
        is_another = self.status == _INVALID and any(cause.field == "metadata.uid" for cause in self.causes)
        return not self.denied_by and (self.status == _CONFLICT or is_another)

    @property
    def held(self) -> tuple[str, ...]:
        """The fields of another field manager that stopped an apply without force."""
        return tuple(cause.field for cause in self.causes if cause.reason == "FieldManagerConflict")

    @property
    def not_found(self) -> bool:
        """The object, or its namespace, does not exist."""
        return not self.denied_by and self.status == _NOT_FOUND

    @property
    def invalid(self) -> bool:
        """The object breaks a rule of Kubernetes itself, so a retry cannot succeed."""
        return not self.denied_by and self.status == _INVALID

    def __str__(self) -> str:
        return f"{self.status} {self.reason}"


class AnswerTooLong(ApiError):
    """An answer that is longer than was to be read; the rest of it was not."""


_TOO_LARGE = "etcdserver: request is too large"
# Seconds that we wait at most when the API server asks for a pause.
_LONGEST_PAUSE = 300.0
_DIGITS = 9
_SECONDS = re.compile(r"[0-9]+")
# The values of metav1.StatusReason that the API server itself uses.
_REASONS = frozenset(
    {
        "AlreadyExists",
        "BadRequest",
        "Conflict",
        "Expired",
        "Forbidden",
        "Gone",
        "InternalError",
        "Invalid",
        "MethodNotAllowed",
        "NotAcceptable",
        "NotFound",
        "RequestEntityTooLarge",
        "ServerTimeout",
        "ServiceUnavailable",
        "StoreReadError",
        "Timeout",
        "TooManyRequests",
        "Unauthorized",
        "UnsupportedMediaType",
    }
)


def from_answer(status: int, body: Mapping[str, Any], retry_after: str | None) -> ApiError:
    """Return the error that a Kubernetes Status describes; the body may have any content."""
    message = text(body.get("message"))
    if denied := denied_by(message):
        # A webhook chooses status, reason, details and causes of its answer. They prove nothing about the API server
        # or the object, and each may quote a value.
        return ApiError(status, "Denied", "", denied_by=denied)
    details = mapping(body.get("details"))
    reason = text(body.get("reason"))
    return ApiError(
        status=status,
        reason=reason if reason in _REASONS else str(status),
        message=message,
        causes=_causes(details.get("causes")),
        kind=text(details.get("kind")),
        after=_after(retry_after, details.get("retryAfterSeconds")),
    )


def _causes(found: Any) -> list[Cause]:
    return [Cause(text(each.get("field")), text(each.get("reason"))) for each in mappings(found)]


def _after(header: str | None, seconds: Any) -> float | None:
    """Return the pause that the answer asks for, in seconds and bounded; None if it asks for none."""
    if _SECONDS.fullmatch(header or ""):
        # Cut, since Python refuses to read very long numbers; nine digits are far above the bound already.
        seconds = float(str(header)[:_DIGITS])
    if isinstance(seconds, bool) or not isinstance(seconds, int | float) or not 0 < seconds < math.inf:
        return None
    return min(float(seconds), _LONGEST_PAUSE)


def missing(error: ApiError) -> bool:
    """Return whether the object does not exist."""
    return error.not_found


def changed_or_missing(error: ApiError) -> bool:
    """Return whether the object is not the one that was judged, or does not exist any more."""
    return error.conflict or error.not_found


class ending_at:  # noqa: N801 - it reads like contextlib.suppress
    """Ends a block at an expected ApiError; what follows the block goes on."""

    def __init__(self, expected: Callable[[ApiError], bool]) -> None:
        self._expected = expected

    def __enter__(self) -> None:
        """Begin the block."""

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> bool:
        """Return True if the block ends without an error."""
        return isinstance(error, ApiError) and self._expected(error)


class translated:  # noqa: N801 - it reads like contextlib.suppress
    """Raises an ApiError of a block as the ExpectedError that it means; ends the block at one that `unless` accepts."""

    def __init__(self, unless: Callable[[ApiError], bool] = lambda _: False) -> None:
        self._unless = unless

    def __enter__(self) -> None:
        """Begin the block."""

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> bool:
        """Return True if the block ends without an error."""
        if not isinstance(error, ApiError):
            return False
        if self._unless(error):
            return True
        raise translate(error) from error


def translate(error: ApiError) -> ExpectedError:
    """Return the error that a failed request means for a run that wanted to read or write an object."""
    for meaning in _MEANINGS:
        if (found := meaning(error)) is not None:
            return found
    webhook = not_called(error.message) if error.status >= 500 else ""
    answers = " ".join(dict.fromkeys(("answers", str(error.status), error.reason)))
    return Transient(
        Reason.KUBERNETES_UNAVAILABLE,
        f"the API server {answers}{f': {webhook} cannot be called' if webhook else ''}",
        after=error.after,
    )


def _no_answer(error: ApiError) -> Transient | None:
    if error.status != 0:
        return None
    return Transient(Reason.KUBERNETES_UNAVAILABLE, f"the API server does not answer: {error.reason}")


def _denied(error: ApiError) -> Waiting | None:
    if not error.denied_by:
        return None
    return Waiting(
        Reason.TARGET_REFUSED,
        f"{error.denied_by} denies it; {HIDDEN}: look there, or apply an object of that form by hand",
    )


def _no_namespace(error: ApiError) -> Waiting | None:
    terminating = any(cause.reason == "NamespaceTerminating" for cause in error.causes)
    if terminating or (error.not_found and error.kind in {"namespaces", "namespace"}):
        return Waiting(Reason.NAMESPACE_NOT_FOUND, "its namespace does not exist or is being deleted")
    return None


def _not_permitted(error: ApiError) -> Waiting | None:
    if error.status not in {401, _FORBIDDEN}:
        return None
    return Waiting(Reason.TARGET_REFUSED, f"the API server refuses: {permitted_words(error.message)}")


def _held_fields(error: ApiError) -> Waiting | None:
    if not error.held:
        return None
    fields = ", ".join(sorted(error.held))
    return Waiting(
        Reason.TARGET_CONFLICT, f"another field manager holds {fields}; set adopt to take them over, or rename them"
    )


def _immutable(error: ApiError) -> Waiting | None:
    if not error.invalid:
        return None
    causes = {(cause.field, cause.reason) for cause in error.causes}
    if ("type", "FieldValueInvalid") in causes:
        return Waiting(
            Reason.TYPE_IMMUTABLE,
            "the existing Secret has another type, which Kubernetes cannot change; choose another name, delete it, "
            "or set onTypeChange: Replace",
        )
    if causes & {(name, "FieldValueForbidden") for name in ("data", "binaryData", "immutable")}:
        return Waiting(
            Reason.TARGET_IMMUTABLE,
            "the existing object is immutable; delete it so that it is created again, or use versioned",
        )
    return None


def _too_long(error: ApiError) -> Waiting | None:
    fields = sorted({cause.field for cause in error.causes if cause.reason == "FieldValueTooLong"})
    if not error.invalid or not fields:
        return None
    # Keys and annotations of others count as well: our own part may be small enough by itself.
    return Waiting(
        Reason.TOO_LARGE,
        f"with what others have in it, the object would be larger than Kubernetes allows: {', '.join(fields)}",
    )


def _too_large(error: ApiError) -> Waiting | None:
    if error.status != 500 or _TOO_LARGE not in error.message:
        return None
    # etcd's own limit. Data that others put into the object counts as well, so a retry cannot succeed.
    return Waiting(Reason.TOO_LARGE, "the object would be larger than the API server's storage allows")


def _not_valid(error: ApiError) -> Waiting | None:
    if error.status not in {400, 413, _INVALID}:
        return None
    fields = "; ".join(f"{cause.field} ({cause.reason})" for cause in error.causes if cause.field)
    return Waiting(Reason.TARGET_REFUSED, f"the API server finds it invalid: {fields or f'{error.reason}; {HIDDEN}'}")


# What a failure may mean. Several may apply to one failure: the first counts.
_MEANINGS: tuple[Callable[[ApiError], ExpectedError | None], ...] = (
    _no_answer,
    _denied,
    _no_namespace,
    _not_permitted,
    _held_fields,
    _immutable,
    _too_long,
    _too_large,
    _not_valid,
)
