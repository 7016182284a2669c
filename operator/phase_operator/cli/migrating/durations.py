"""Durations as Go and the resources of other operators write them: `1h`, `1h30m`, `10s`, `1d`."""

import re

_UNITS = {"ns": 1e-9, "us": 1e-6, "µs": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0, "w": 604800.0}
_PART = re.compile(r"([0-9]{1,12}(?:\.[0-9]{1,9})?)(ns|us|µs|ms|s|m|h|d|w)", re.ASCII)
_LONGEST = 100


def seconds(text: str) -> int | None:
    """Return a duration in whole seconds, rounded up; None if it is none. `0` is zero without a unit."""
    written = text.strip()
    if written == "0":
        return 0
    if not written or len(written) > _LONGEST or _PART.sub("", written):
        return None
    total = sum(float(number) * _UNITS[unit] for number, unit in _PART.findall(written))
    return int(total) + (total > int(total))
