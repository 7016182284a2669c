"""Times as in statuses, logs and objects of Kubernetes: RFC 3339 in UTC, with seconds."""

from datetime import UTC, datetime


def timestamp(moment: float) -> str:
    """Return a moment, in seconds since 1970, as RFC 3339."""
    return datetime.fromtimestamp(moment, UTC).isoformat(timespec="seconds").replace("+00:00", "Z")


def moment_of(said: object) -> float | None:
    """Return an RFC 3339 time in seconds since 1970; None if the value is not valid."""
    try:
        return datetime.fromisoformat(said).timestamp() if isinstance(said, str) else None
    except (ValueError, OverflowError, OSError):
        return None
