"""A minute in which edges fail and the leader is killed: no update is missed, no status wrong, no restart doubled."""

import pytest

from soak.__main__ import main


@pytest.mark.controlplane
@pytest.mark.timeout(420)
def test_nothing_goes_wrong_in_a_minute() -> None:
    assert main(["--minutes", "1", "--resources", "120", "--kill-every", "25"]) == 0
