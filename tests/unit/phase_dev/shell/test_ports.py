"""Two clusters never share a port."""

from pathlib import Path

import pytest

from phase_dev.shell.errors import ToolError
from phase_dev.shell.ports import RANGE, Ports


def every_port_is_free(_: int) -> bool:
    return True


def test_a_port_that_another_run_holds_is_passed_over(tmp_path: Path) -> None:
    first = Ports(2, tmp_path, candidates=[1001, 1002, 1003], free=every_port_is_free)
    second = Ports(1, tmp_path, candidates=[1001, 1002, 1003], free=every_port_is_free)

    assert (first.numbers, second.numbers) == ([1001, 1002], [1003])


def test_a_port_on_which_somebody_listens_is_passed_over(tmp_path: Path) -> None:
    ports = Ports(1, tmp_path, candidates=[1001, 1002], free=lambda port: port != 1001)

    assert ports.numbers == [1002]


def test_a_released_port_may_be_taken_again(tmp_path: Path) -> None:
    Ports(1, tmp_path, candidates=[1001], free=every_port_is_free).release()

    assert Ports(1, tmp_path, candidates=[1001], free=every_port_is_free).numbers == [1001]


def test_too_few_ports_are_one_sentence_and_none_is_kept(tmp_path: Path) -> None:
    with pytest.raises(ToolError):
        Ports(2, tmp_path, candidates=[1001], free=every_port_is_free)

    assert Ports(1, tmp_path, candidates=[1001], free=every_port_is_free).numbers == [1001]


def test_our_ports_are_none_that_outgoing_connections_get() -> None:
    assert max(RANGE) < 32768
