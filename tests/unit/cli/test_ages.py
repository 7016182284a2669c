import pytest

from phase_operator.cli.common.ages import age_since, age_text, duration


@pytest.mark.parametrize(
    ("seconds", "told"),
    [
        (None, "-"),
        (-5, "0s"),
        (0, "0s"),
        (119.9, "119s"),
        (120, "2m"),
        (150, "2m30s"),
        (600, "10m"),
        (10_799, "179m"),
        (10_800, "3h"),
        (3 * 3600 + 125, "3h2m"),
        (8 * 3600, "8h"),
        (47 * 3600, "47h"),
        (48 * 3600, "2d"),
        (50 * 3600, "2d2h"),
        (8 * 86400, "8d"),
        (729 * 86400, "729d"),
        (730 * 86400, "2y"),
        (731 * 86400, "2y1d"),
        (3000 * 86400, "8y"),
    ],
)
def test_an_age_is_written_as_kubectl_writes_it(seconds: float | None, told: str) -> None:
    assert age_text(seconds) == told


def test_an_age_needs_both_moments() -> None:
    assert (age_since(None, 5.0), age_since(5.0, None), age_since(5.0, 65.0)) == ("-", "-", "60s")


@pytest.mark.parametrize(
    ("given", "seconds"), [("90s", 90), ("10m", 600), ("1h30m", 5400), ("2d", 172_800), ("1d1h1m1s", 90_061)]
)
def test_a_duration_has_units(given: str, seconds: int) -> None:
    assert duration(given) == seconds


@pytest.mark.parametrize("given", ["", "10", "m", "-5m", "5 m", "1.5h", "5m1h", "9" * 30 + "s", "٣m"])
def test_anything_else_is_no_duration(given: str) -> None:
    with pytest.raises(ValueError, match="no duration"):
        duration(given)
