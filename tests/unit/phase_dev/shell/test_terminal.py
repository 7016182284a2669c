"""A long step shows that it is alive, on a terminal and in a log."""

import io

import pytest

from phase_dev.shell.errors import ToolError
from phase_dev.shell.terminal import Progress, spell
from unit.phase_dev.cluster.builders import HandClock, Terminal


def run(stream: io.StringIO, seconds: int) -> str:
    clock = HandClock()
    with Progress(stream, clock=clock).step("building etcd") as tick:
        for _ in range(seconds):
            clock.now += 1
            tick()
    return stream.getvalue()


def test_a_log_gets_a_line_every_half_minute() -> None:
    lines = run(io.StringIO(), 65).splitlines()

    assert lines == [
        "building etcd ...",
        "building etcd ... 30s",
        "building etcd ... 1m00s",
        "building etcd: done in 1m05s",
    ]


def test_a_terminal_shows_one_line_that_is_rewritten() -> None:
    shown = run(Terminal(), 3)

    assert shown.count("\n") == 1
    assert shown.endswith("\r\x1b[Kbuilding etcd: done in 3s\n")
    assert "building etcd ... 2s" in shown


def test_a_step_says_what_is_left_to_do() -> None:
    out, clock, left = io.StringIO(), HandClock(), iter(["9 packages left", ""])

    with Progress(out, clock=clock).step("building etcd", lambda: next(left)) as tick:
        for _ in range(2):
            clock.now += 30
            tick()

    assert out.getvalue().splitlines()[1:3] == ["building etcd ... 30s, 9 packages left", "building etcd ... 1m00s"]


def test_a_step_that_fails_does_not_say_done() -> None:
    out = io.StringIO()

    with pytest.raises(ToolError), Progress(out, clock=HandClock()).step("building etcd"):
        raise ToolError("no")

    assert "done" not in out.getvalue()
    assert "stopped" in out.getvalue()


def test_a_check_can_end_a_step() -> None:
    def give_up() -> None:
        raise ToolError("given up")

    with (
        pytest.raises(ToolError, match="given up"),
        Progress(io.StringIO(), clock=HandClock(), check=give_up).step("building etcd") as tick,
    ):
        tick()


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        pytest.param(0.4, "0s", id="less than a second"),
        pytest.param(59.4, "59s", id="less than a minute"),
        pytest.param(59.6, "1m00s", id="rounded up to a minute"),
        pytest.param(307, "5m07s", id="minutes"),
    ],
)
def test_a_duration_is_spelt_in_minutes_and_seconds(seconds: float, text: str) -> None:
    assert spell(seconds) == text
