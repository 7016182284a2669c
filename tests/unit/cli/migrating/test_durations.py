import pytest

from phase_operator.cli.migrating.durations import seconds


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("10s", 10),
        ("1m", 60),
        ("1h30m", 5400),
        ("1h0m0s", 3600),
        ("1.5h", 5400),
        ("500ms", 1),
        ("2d", 172_800),
        ("1w", 604_800),
        ("0", 0),
        ("0s", 0),
        (" 5m ", 300),
    ],
)
def test_a_duration_is_whole_seconds(text: str, found: int) -> None:
    assert seconds(text) == found


@pytest.mark.parametrize("text", ["", "5", "m", "5 m", "1h30", "-5s", "ten", "1y", "1" * 200 + "s", "٣s"])
def test_a_text_that_is_no_duration_is_none(text: str) -> None:
    assert seconds(text) is None
