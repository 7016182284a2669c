"""Values written as Grafana writes them."""

import math
from dataclasses import dataclass

_TIMES = {"µs": 1e-6, "ms": 1e-3, "s": 1.0, "min": 60.0, "h": 3600.0, "d": 86400.0, "weeks": 604800.0}
_BYTES = {name: 1024.0**power for power, name in enumerate(("B", "KiB", "MiB", "GiB", "TiB"))}
_COUNTS = {"": 1.0, "K": 1e3, "M": 1e6, "G": 1e9}
_SCALES = {
    "s": _TIMES,
    "bytes": _BYTES,
    "percentunit": {"%": 0.01},
    "ops": {f"{name} ops/s".strip(): factor for name, factor in _COUNTS.items()},
    "short": _COUNTS,
    "": _COUNTS,
}


@dataclass(frozen=True, slots=True)
class Scale:
    """A factor with its name: 60 and `min`."""

    factor: float
    name: str

    def write(self, number: str) -> str:
        """Write a number of it."""
        return f"{number}{'' if self.name in ('', '%') else ' '}{self.name}"


def scale_for(unit: str, value: float) -> Scale:
    """Return the scale in which a value is a number that one likes to read."""
    scales = _SCALES.get(unit, {unit: 1.0})
    name = max((each for each in scales if scales[each] <= abs(value)), key=scales.__getitem__, default="")
    if not name and name not in scales:
        name = "s" if unit == "s" and value == 0 else min(scales, key=scales.__getitem__)
    return Scale(scales[name], name)


def write(unit: str, value: float) -> str:
    """Write one value, with three digits at most."""
    if math.isnan(value):
        return "-"
    scale = scale_for(unit, value)
    shown = value / scale.factor
    digits = 0 if shown == int(shown) else max(0, 2 - int(math.log10(max(abs(shown), 1.0))))
    return scale.write(f"{shown:.{digits}f}")
