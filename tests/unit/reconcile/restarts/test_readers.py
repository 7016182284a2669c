"""Whether the readers of a target are new: only a look that began after the last write there can tell."""

from phase_operator.api.reasons import Reason
from phase_operator.core.errors import Transient
from phase_operator.core.refs import TargetRef
from phase_operator.reconcile.restarts.look import Look
from phase_operator.reconcile.restarts.readers import Readers
from support.workloads import secret

TARGET = secret("db")


class Bench:
    """Readers, and who was woken."""

    def __init__(self) -> None:
        self.woken: list[TargetRef] = []
        self.readers = Readers(self.woken.append)

    def look(
        self, *behind: TargetRef, unfollowed: tuple[TargetRef, ...] = (), failed: bool = False, written: bool = False
    ) -> bool:
        """Look at all workloads; `written`: a target is written meanwhile."""
        look = Look(behind=set(behind), unfollowed=set(unfollowed))
        self.readers.begins("team", look)
        if written:
            self.readers.touched("team")
        if failed:
            look.failed.append(Transient(Reason.KUBERNETES_UNAVAILABLE, "away"))
        return self.readers.ended("team", look)


def test_nobody_is_known_to_be_new_before_a_look() -> None:
    assert not Bench().readers.have_rolled(TARGET)


def test_a_look_that_finds_no_reader_behind_knows_that_all_are_new_until_the_next_write() -> None:
    bench = Bench()
    bench.readers.touched("team")
    bench.look()
    assert bench.readers.have_rolled(TARGET)

    bench.readers.touched("team")

    assert not bench.readers.have_rolled(TARGET)


def test_a_look_during_which_a_target_was_written_or_that_failed_knows_nothing() -> None:
    for written in (True, False):
        bench = Bench()
        bench.look(written=written, failed=not written)
        assert not bench.readers.have_rolled(TARGET)


def test_the_owner_that_asked_is_woken_once_when_the_readers_are_new_and_more_looks_are_wanted_until_then() -> None:
    bench = Bench()
    assert not bench.look(TARGET), "nobody has asked"
    assert not bench.readers.have_rolled(TARGET)

    assert bench.look(TARGET)
    assert bench.woken == []
    assert not bench.look()

    assert bench.woken == [TARGET]
    assert bench.readers.have_rolled(TARGET)
    bench.look()
    assert bench.woken == [TARGET]


def test_a_reader_that_does_not_follow_a_target_is_never_new_and_is_looked_for_no_more() -> None:
    bench = Bench()
    bench.readers.have_rolled(TARGET)

    assert not bench.look(unfollowed=(TARGET,))

    assert not bench.readers.have_rolled(TARGET)
    assert bench.woken == []


def test_readers_of_another_target_or_namespace_are_no_hindrance() -> None:
    bench = Bench()
    bench.look(secret("other"))

    assert bench.readers.have_rolled(TARGET)
    elsewhere = TargetRef(TARGET.kind, TARGET.key._replace(namespace="elsewhere"))
    assert not bench.readers.have_rolled(elsewhere)


def test_a_target_that_nobody_writes_any_more_is_forgotten() -> None:
    bench = Bench()
    bench.readers.have_rolled(TARGET)

    bench.readers.forget([TARGET])
    bench.look()

    assert bench.woken == []
