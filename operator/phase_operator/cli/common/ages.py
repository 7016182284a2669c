"""Ages as kubectl writes them, and durations as people give them."""

import math
import re

_MINUTE, _HOUR, _DAY = 60, 3600, 86400
_YEAR = 365 * _DAY
# Below so many seconds: the unit, and the unit of the rest that is told with it. None: no rest is told.
_FORMS: tuple[tuple[float, tuple[int, str], tuple[int, str] | None], ...] = (
    (2 * _MINUTE, (1, "s"), None),
    (10 * _MINUTE, (_MINUTE, "m"), (1, "s")),
    (3 * _HOUR, (_MINUTE, "m"), None),
    (8 * _HOUR, (_HOUR, "h"), (_MINUTE, "m")),
    (2 * _DAY, (_HOUR, "h"), None),
    (8 * _DAY, (_DAY, "d"), (_HOUR, "h")),
    (2 * _YEAR, (_DAY, "d"), None),
    (8 * _YEAR, (_YEAR, "y"), (_DAY, "d")),
    (math.inf, (_YEAR, "y"), None),
)
_GIVEN = re.compile(r"(?=.)(?:([0-9]{1,5})d)?(?:([0-9]{1,5})h)?(?:([0-9]{1,6})m)?(?:([0-9]{1,8})s)?")
_NONE = "-"


def age_text(seconds: float | None) -> str:
    """Return an age in one or two units; `-` for None. Clocks differ a little: what is to come is 0s old."""
    if seconds is None:
        return _NONE
    whole = max(0, int(seconds))
    (size, unit), rest = next((unit, rest) for limit, unit, rest in _FORMS if whole < limit)
    count, over = divmod(whole, size)
    told = f"{count}{unit}"
    if rest is not None and over >= rest[0]:
        told += f"{over // rest[0]}{rest[1]}"
    return told


def age_since(moment: float | None, now: float | None) -> str:
    """Return the age of what happened at a moment; `-` if either is not known."""
    return age_text(None if moment is None or now is None else now - moment)


def duration(given: str) -> int:
    """Return the seconds of a duration such as `10m`, `1h30m` or `2d`; raise ValueError."""
    found = _GIVEN.fullmatch(given)
    if found is None:
        raise ValueError(f'"{given}" is no duration: write it as 90s, 10m, 1h30m or 2d')
    days, hours, minutes, seconds = (int(each or 0) for each in found.groups())
    return days * _DAY + hours * _HOUR + minutes * _MINUTE + seconds
