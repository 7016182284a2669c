"""A host that says of an app now that it is encrypted and now that it is not: what it holds is seen within an interval.

An app can be made readable by the server and never encrypted again. But the servers of one host may learn that at
different moments, so that the public API refuses an app of which the keyring said that it is not encrypted.
"""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from phase_operator.core.source.keyring import Keyring
from support.builders import entry, query
from support.planning import NO_LIST, Driver, SimPhase, fresh

INTERVAL = 5.0
SHOP = "app-1"
# An app is taken for one that is not encrypted at most once in so many seconds.
WHILE = 40.0
A, B, C = (entry(name) for name in "ABC")


def followed(phase: SimPhase | None = None) -> Driver:
    """Return a driver of an encrypted app with one entry, which a PhaseSecret has followed for a while."""
    driver = Driver(phase=phase or SimPhase())
    says(driver, encrypted=True)
    driver.phase.holds(A)
    driver.ask("x", query(account="full"), interval=INTERVAL)
    driver.run(3 * WHILE)
    assert fresh(driver) == ["A"]
    driver.woken_now()
    return driver


def says(driver: Driver, *, encrypted: bool) -> None:
    """Let the host call the app encrypted from now on, or not."""
    driver.phase.encrypted = {SHOP} if encrypted else set()


@pytest.mark.parametrize("last", ["keyring", "probe", "read"])
def test_a_change_is_read_within_the_interval_although_the_app_was_called_unencrypted_in_between(last: str) -> None:
    """`last` is the last call that is answered so."""
    driver = followed()
    says(driver, encrypted=False)
    driver.phase.holds(A, B)
    driver.until(last)
    says(driver, encrypted=True)
    driver.phase.holds(A, B, C)

    driver.run(INTERVAL)

    assert fresh(driver) == ["A", "B", "C"]


def test_a_read_that_is_refused_since_the_app_was_called_unencrypted_is_made_at_once() -> None:
    driver = followed()
    says(driver, encrypted=False)
    driver.until("keyring")
    driver.phase.holds(A, B)
    driver.until("probe")
    says(driver, encrypted=True)

    assert driver.run() == ["read", "keyring", "read"]
    assert fresh(driver) == ["A", "B"]


def test_nobody_is_told_of_a_contradiction_that_hides_nothing() -> None:
    driver = followed()
    says(driver, encrypted=False)
    driver.until("keyring")
    says(driver, encrypted=True)

    driver.run(3 * WHILE)

    assert driver.woken_now() == set()
    assert driver.scheduler.events() == []


# Seconds after the one before, whether the app is called encrypted from then on, and whether it is written to.
FLIPS = st.lists(st.tuples(st.floats(0.0, 60.0), st.booleans(), st.booleans()), max_size=8)


@given(flips=FLIPS, may_list=st.booleans(), tells_modes=st.booleans())
def test_the_last_change_is_read_within_the_interval_whatever_a_host_says_and_when(
    flips: list[tuple[float, bool, bool]], may_list: bool, tells_modes: bool
) -> None:
    driver = followed(SimPhase(errors={} if may_list else {"apps": NO_LIST}, tells_modes=tells_modes))
    for pause, is_encrypted, is_written in flips:
        driver.run(pause)
        says(driver, encrypted=is_encrypted)
        if is_written:
            driver.phase.writes()
    driver.phase.holds(A, B)

    driver.run(INTERVAL)

    assert fresh(driver) == ["A", "B"]


class Contradictory(SimPhase):
    """Every keyring says that the app is not encrypted, and every answer of the public API that it is."""

    def keyring(self) -> Keyring:
        """Return the keys of everything, of which nothing is called encrypted."""
        found = super().keyring()
        return replace(found, apps=tuple(replace(app, is_encrypted=False) for app in found.apps))


def test_a_host_that_contradicts_itself_gets_two_more_calls_in_a_while_and_hides_nothing() -> None:
    driver = followed(Contradictory())

    made = driver.run(600.0)

    assert made.count("probe") <= 600 / WHILE + 1
    assert made.count("keyring") <= 600 / INTERVAL + 600 / WHILE + 1
    assert made.count("read") == 0
    assert driver.woken_now() == set()
    for number in range(20):
        driver.phase.holds(A, entry(f"B{number}"))
        driver.run(INTERVAL)
        assert fresh(driver) == ["A", f"B{number}"]
