"""A process in the background runs as long as it holds its lock."""

import os
import stat
import sys
from pathlib import Path

import pytest

from phase_dev.shell.background import Background, last_error
from phase_dev.shell.errors import StartFailed, ToolError

HOLDER = """
import pathlib, sys, time
from phase_dev.shell.background import Background
from phase_dev.shell.terminal import one_sentence

with one_sentence(), Background("lamp", pathlib.Path(sys.argv[1])).hold() as write:
    write({"watts": 60})
    time.sleep(60)
"""


@pytest.fixture
def lamp(tmp_path: Path) -> Background:
    return Background("lamp", tmp_path)


def test_its_record_comes_back_and_is_its_owners_alone(lamp: Background, tmp_path: Path) -> None:
    record = lamp.start([sys.executable, "-c", HOLDER, str(tmp_path)], os.environ)

    mode = stat.S_IMODE((tmp_path / "lamp.json").stat().st_mode)
    ran = lamp.is_running()
    ended = lamp.stop(grace=10)

    assert (record["watts"], mode, ran, ended) == (60, 0o600, True, True)
    assert not lamp.is_running()
    assert not (tmp_path / "lamp.json").exists()
    assert not lamp.stop(grace=0)


def test_a_start_that_fails_tells_its_last_line(lamp: Background) -> None:
    failing = "import sys; sys.exit('lighting it\\nError: no bulb')"

    with pytest.raises(StartFailed, match="no bulb"):
        lamp.start([sys.executable, "-c", failing], os.environ)


def test_a_leftover_of_a_killed_process_is_removed(lamp: Background, tmp_path: Path) -> None:
    (tmp_path / "lamp.json").write_text('{"pid": 1}')

    assert not lamp.stop(grace=0)
    assert not (tmp_path / "lamp.json").exists()


def test_one_that_is_still_starting_is_not_stopped_by_guess(lamp: Background) -> None:
    with lamp.hold(), pytest.raises(ToolError, match="try again"):
        lamp.stop(grace=0)


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        pytest.param("building etcd ...\nError: no space left\n", "no space left", id="the last line"),
        pytest.param("", "the process ended without a word", id="nothing at all"),
    ],
)
def test_the_last_line_of_a_process_is_the_reason(text: str, sentence: str) -> None:
    assert last_error(text) == sentence
