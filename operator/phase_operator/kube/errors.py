"""What the API server answers -> our errors; one table, one translation.

Rule: for an object that holds values, the server's message is not repeated: only the fields and causes it names are.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from phase_operator.api.reasons import Reason
from phase_operator.core.errors import ExpectedError, Transient, Waiting

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
    """An answer that is no success, or no answer (`status` 0). Stays inside this room."""

    status: int
    reason: str
    message: str
    causes: Sequence[Cause] = field(default=())
    kind: str = ""
    after: float | None = None

    @property
    def gone(self) -> bool:
        """The resource version is too old to go on from."""
        return self.status == _GONE or self.reason == "Expired"

    @property
    def conflict(self) -> bool:
        """The object is not the one that was judged."""
        is_another = self.status == _INVALID and any(cause.field == "metadata.uid" for cause in self.causes)
        return self.status == _CONFLICT or is_another

    @property
    def held(self) -> tuple[str, ...]:
        """The fields that another manager holds, where the write was not to take any."""
        return tuple(cause.field for cause in self.causes if cause.reason == "FieldManagerConflict")

    @property
    def not_found(self) -> bool:
        """The object, or its namespace, does not exist."""
        return self.status == _NOT_FOUND

    def __str__(self) -> str:
        return f"{self.status} {self.reason}"


_TOO_LARGE = "etcdserver: request is too large"


def from_answer(status: int, body: Mapping[str, Any], retry_after: str | None) -> ApiError:
    """Read a Kubernetes Status object."""
    details = body.get("details") or {}
    causes = [Cause(str(each.get("field", "")), str(each.get("reason", ""))) for each in details.get("causes") or []]
    after = float(retry_after) if retry_after and retry_after.isdigit() else details.get("retryAfterSeconds")
    return ApiError(
        status=status,
        reason=str(body.get("reason") or status),
        message=str(body.get("message") or ""),
        causes=causes,
        kind=str(details.get("kind", "")),
        after=float(after) if after else None,
    )


def translate(error: ApiError) -> ExpectedError:
    """Say what an answer means for a run that wanted to read or write an object."""
    if error.status == 0:
        return Transient(Reason.KUBERNETES_UNAVAILABLE, f"the API server does not answer: {error.reason}")
    terminating = any(cause.reason == "NamespaceTerminating" for cause in error.causes)
    if terminating or (error.not_found and error.kind in {"namespaces", "namespace"}):
        return Waiting(Reason.NAMESPACE_NOT_FOUND, "its namespace does not exist or is being deleted")
    if error.status in {401, _FORBIDDEN}:
        # Says who may not do what; holds no part of the object.
        return Waiting(Reason.TARGET_REFUSED, f"the API server refuses: {error.message}")
    if error.held:
        fields = ", ".join(sorted(error.held))
        return Waiting(
            Reason.TARGET_CONFLICT, f"another field manager holds {fields}; set adopt to take them over, or rename them"
        )
    if error.status == _INVALID and (found := _immutable(error) or _too_long(error)):
        return found
    if error.status == 500 and _TOO_LARGE in error.message:
        # etcd's own bound; what others put into the object counts as well. No other try ends better.
        return Waiting(Reason.TOO_LARGE, "the object would be larger than the API server's storage allows")
    if error.status in {400, 413, _INVALID}:
        told = "; ".join(f"{cause.field} ({cause.reason})" for cause in error.causes if cause.field)
        if not told:
            # An admission policy's words are its author's, who may quote the object.
            told = f"{error.reason}, by the API server or an admission policy; its words may quote values: not shown"
        return Waiting(Reason.TARGET_REFUSED, f"the API server finds it invalid: {told}")
    return Transient(
        Reason.KUBERNETES_UNAVAILABLE, f"the API server answers {error.status} {error.reason}", after=error.after
    )


def _too_long(error: ApiError) -> Waiting | None:
    fields = sorted({cause.field for cause in error.causes if cause.reason == "FieldValueTooLong"})
    if not fields:
        return None
    # Others' keys or annotations in the object count as well, so it may have been small enough by itself.
    return Waiting(
        Reason.TOO_LARGE,
        f"with what others have in it, the object would be larger than Kubernetes allows: {', '.join(fields)}",
    )


def _immutable(error: ApiError) -> Waiting | None:
    causes = {(cause.field, cause.reason) for cause in error.causes}
    if ("type", "FieldValueInvalid") in causes:
        return Waiting(
            Reason.TYPE_IMMUTABLE,
            "the Secret that stands has another type, which Kubernetes cannot change; choose another name, delete it, "
            "or set onTypeChange: Replace",
        )
    if causes & {(name, "FieldValueForbidden") for name in ("data", "binaryData", "immutable")}:
        return Waiting(
            Reason.TARGET_IMMUTABLE,
            "the object that stands is immutable; delete it to have it made anew, or use versioned",
        )
    return None
