"""Values written as Grafana writes them, and the marks of an axis."""

import math
from dataclasses import dataclass

_MINUTE, _HOUR, _DAY, _WEEK, _YEAR = 60.0, 3600.0, 86400.0, 604800.0, 31536000.0
_TIMES = (
    (1e-6, "µs"),
    (1e-3, "ms"),
    (1.0, "s"),
    (_MINUTE, "min"),
    (_HOUR, "h"),
    (_DAY, "d"),
    (_WEEK, "weeks"),
    (_YEAR, "years"),
)
_BYTES = tuple((1024.0**power, name) for power, name in enumerate(("B", "KiB", "MiB", "GiB", "TiB")))
_COUNTS = ((1.0, ""), (1e3, "K"), (1e6, "M"), (1e9, "G"))
_SCALES = {
    "s": _TIMES,
    "bytes": _BYTES,
    "percentunit": ((0.01, "%"),),
    "ops": tuple((factor, f"{name} ops/s".strip()) for factor, name in _COUNTS),
    "short": _COUNTS,
    "": _COUNTS,
}
_NICE = (1.0, 2.0, 2.5, 5.0, 10.0)
# A third of a minute is no round number, a half of it is.
_NICE_TIMES = (1.0, 2.0, 5.0, 10.0, 15.0, 20.0, 30.0, 60.0)


@dataclass(frozen=True, slots=True)
class Scale:
    """A factor with its name: 60 and `min`."""

    factor: float
    name: str

    def write(self, value: float, digits: int) -> str:
        """Write a value with so many digits after the point."""
        space = "" if self.name in ("", "%") else " "
        return f"{value / self.factor:.{digits}f}{space}{self.name}"


def scale_for(unit: str, value: float) -> Scale:
    """Return the scale in which a value is a number that one likes to read."""
    if unit not in _SCALES:
        return Scale(1.0, unit)
    scales = _SCALES[unit]
    fitting = [each for each in scales if each[0] <= abs(value)]
    smallest = (1.0, "s") if unit == "s" and value == 0 else scales[0]
    return Scale(*(fitting[-1] if fitting else smallest))


def write(unit: str, value: float) -> str:
    """Write one value, with three digits at most."""
    if math.isnan(value):
        return "-"
    scale = scale_for(unit, value)
    shown = abs(value / scale.factor)
    digits = 0 if shown == int(shown) else max(0, 2 - int(math.log10(max(shown, 1.0))))
    return scale.write(value, digits)


def marks(unit: str, low: float, high: float, wanted: int = 4) -> dict[float, str]:
    """Return the values at which an axis from low to at least high has its marks, and how they are written."""
    scale = scale_for(unit, high)
    step = _step((high - low) / scale.factor / wanted)
    first, last = math.floor(low / scale.factor / step + 1e-9), math.ceil(high / scale.factor / step - 1e-9)
    digits = next(each for each in range(10) if abs(round(step, each) - step) < 1e-9)
    values = [number * step * scale.factor for number in range(first, max(last, first + 1) + 1)]
    return {value: scale.write(value, digits) if value else write(unit, 0.0) for value in values}


def time_step(seconds: float, wanted: int) -> float:
    """Return a round number of seconds between the marks of an axis of time."""
    return next(
        (
            each * factor
            for factor in (1.0, _MINUTE, _HOUR)
            for each in _NICE_TIMES
            if each * factor * wanted >= seconds
        ),
        _DAY,
    )


def _step(least: float) -> float:
    power = 10.0 ** math.floor(math.log10(least))
    return next(each * power for each in _NICE if each * power >= least * (1 - 1e-9))
