"""A restart reads nothing that is in step: every seal holds the state of Phase that its target was made from.

The content may be newer than the probe before it: written between the two, read without a probe, or read while probes
were refused. A target that has to be sealed anew is written once, and then nothing more is written.
"""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from phase_operator.api import names
from phase_operator.api.reasons import Reason
from phase_operator.core.errors import Transient, Waiting
from phase_operator.core.values import DynamicKey, Entry
from support.builders import entry, secret_ref
from support.lying import LyingPhase, PersistentWorld

SHOP = secret_ref()
REFUSED = Waiting(Reason.ACCESS_DENIED, "Phase answers 403: You don't have permission to read environments.")
OLD = Transient(Reason.UNEXPECTED_ANSWER, "Phase answers 404 to a probe")
DOWN = Transient(Reason.PHASE_UNAVAILABLE, "Phase answers 503")
MERGED = {"managedSecretReferences": [{"secretName": "shop", "creationPolicy": "Merge"}]}


class BusyPhase(LyingPhase):
    """Is written to in the middle of a call, when a test says so."""

    def __init__(self) -> None:
        super().__init__()
        self.before_read: Callable[[], None] | None = None
        self.after_read: Callable[[], None] | None = None

    async def entries(self, *args: Any, **fields: Any) -> list[Entry | DynamicKey]:
        """Answer, with what is written just before or just after."""
        before, self.before_read = self.before_read, None
        if before is not None:
            before()
        found = await super().entries(*args, **fields)
        after, self.after_read = self.after_read, None
        if after is not None:
            after()
        return found


class BusyWorld(PersistentWorld):
    """A world whose restarts are counted."""

    def __init__(self, **spec: Any) -> None:
        super().__init__(spec, phase=BusyPhase())

    @property
    def busy(self) -> BusyPhase:
        """Phase, to be written to in the middle of a call."""
        assert isinstance(self.phase, BusyPhase)
        return self.phase

    @property
    def writes(self) -> tuple[int, int]:
        """How many targets and statuses were written."""
        return len(self.cluster.applied), len(self.cluster.status_writes)

    async def rest(self, seconds: int = 150) -> None:
        """Let two intervals pass, and half of one."""
        for _ in range(seconds // 15):
            await self.pass_time(15)

    async def sync(self, text: str) -> None:
        """Ask for a read by the annotation, as a user does."""
        assert self.loop is not None
        body = self.body()
        body["metadata"]["annotations"] = {names.ANNOTATION_SYNC: text}
        await self.loop.show(body)

    async def restarted(self) -> tuple[int, int, int]:
        """Start anew with everything in step; return reads, targets and statuses written within two minutes."""
        reads, writes = len(self.phase.reads), self.writes
        await self.start()
        await self.rest(120)
        assert self.reason == Reason.SYNCED
        return len(self.phase.reads) - reads, self.writes[0] - writes[0], self.writes[1] - writes[1]

    def holds(self, value: str) -> bool:
        """Say whether the target holds a value."""
        return self.cluster.secret(SHOP) == {"A": value}


async def settled(**spec: Any) -> BusyWorld:
    """Let the operator be at work for some minutes, with everything in step."""
    world = BusyWorld(**spec)
    world.phase.is_honest(entry("A", "1"))
    await world.start()
    await world.rest()
    assert world.reason == Reason.SYNCED
    return world


def message(world: BusyWorld) -> str:
    """Return the message of the Ready condition."""
    return str(next(each["message"] for each in world.status["conditions"] if each["type"] == "Ready"))


@pytest.fixture(params=[pytest.param({}, id="Owner"), pytest.param(MERGED, id="Merge")])
def spec(request: pytest.FixtureRequest) -> dict[str, Any]:
    """Return a spec with each way to write a target."""
    return dict(request.param)


async def test_a_value_that_is_written_between_probe_and_read_is_sealed_anew_once(spec: dict[str, Any]) -> None:
    world = await settled(**spec)
    world.phase.is_honest(entry("A", "2"))
    world.busy.before_read = lambda: world.phase.is_honest(entry("A", "3"))
    before = world.writes
    await world.rest()

    assert world.holds("3")
    # The content, and once more the seal, which no status shows.
    assert (world.writes[0] - before[0], world.writes[1] - before[1]) == (2, 1)
    assert await world.restarted() == (0, 0, 0)
    await world.stop()


async def test_a_batch_whose_rows_precede_its_date_leaves_a_right_seal(spec: dict[str, Any]) -> None:
    world = await settled(**spec)
    world.phase.is_honest(entry("A", "2"))
    world.busy.after_read = lambda: world.phase.is_honest(entry("A", "2"))
    await world.rest()

    assert world.holds("2")
    assert await world.restarted() == (0, 0, 0)
    await world.stop()


async def test_a_first_answer_that_is_newer_than_the_probe_leaves_a_right_seal(spec: dict[str, Any]) -> None:
    world = BusyWorld(**spec)
    world.phase.is_honest(entry("A", "1"))
    world.busy.before_read = lambda: world.phase.is_honest(entry("A", "2"))
    await world.start()
    await world.rest()

    assert world.holds("2")
    assert await world.restarted() == (0, 0, 0)
    await world.stop()


async def test_a_read_by_annotation_long_after_the_probe_has_the_right_seal_at_once(spec: dict[str, Any]) -> None:
    world = await settled(**spec)
    await world.rest(60)
    before = world.writes
    world.phase.is_honest(entry("A", "2"))
    await world.sync("now")

    assert world.holds("2")
    await world.rest()
    # The seal is right at once: the environment was probed before it was read.
    assert world.writes[0] - before[0] == 1
    body = world.body()
    body["metadata"]["annotations"] = {names.ANNOTATION_SYNC: "now"}
    world.body = lambda: body  # type: ignore[method-assign]  # the annotation stands
    body["status"] = dict(world.status)
    assert await world.restarted() == (0, 0, 0)
    await world.stop()


@pytest.mark.parametrize("error", [pytest.param(REFUSED, id="403"), pytest.param(OLD, id="404")])
async def test_an_answer_from_while_probes_were_refused_is_sealed_once_they_work(
    error: Exception, spec: dict[str, Any]
) -> None:
    world = BusyWorld(**spec)
    world.phase.is_honest(entry("A", "1"))
    world.phase.fails(error, "environments")
    await world.start()
    await world.rest()
    assert world.holds("1")
    before = world.writes
    world.phase.works()
    await world.rest(900)

    # The status says that the account may probe, and not that the seal was written.
    assert (world.writes[0] - before[0], world.writes[1] - before[1]) == (1, int(error is REFUSED))
    assert await world.restarted() == (0, 0, 0)
    await world.stop()


async def test_a_target_without_a_seal_is_read_for_once_and_sealed(spec: dict[str, Any]) -> None:
    world = BusyWorld(**spec)
    world.phase.is_honest(entry("A", "1"))
    world.phase.fails(REFUSED, "environments")
    await world.start()
    await world.rest()
    # The process ends before probes work.
    await world.stop()
    world.phase.works()

    reads, targets, _ = await world.restarted()
    assert (reads, targets) == (1, 1)
    told = [each.reason for each in world.cluster.notices]
    assert told.count("TargetWritten") == 1
    assert await world.restarted() == (0, 0, 0)
    await world.stop()


async def test_a_change_while_probes_fail_is_sealed_once_they_work(spec: dict[str, Any]) -> None:
    world = await settled(**spec)
    world.phase.fails(REFUSED, "environments")
    await world.rest()
    world.phase.is_honest(entry("A", "2"))
    world.phase.fails(REFUSED, "environments")
    await world.rest()
    assert world.holds("2")
    world.phase.works()
    await world.rest(900)

    assert await world.restarted() == (0, 0, 0)
    await world.stop()


@pytest.mark.parametrize("error", [pytest.param(REFUSED, id="403"), pytest.param(DOWN, id="503")])
async def test_a_date_that_no_probe_confirmed_is_taken_back_once(error: Exception, spec: dict[str, Any]) -> None:
    world = await settled(**spec)
    await world.start()
    world.phase.is_honest(entry("A", "2"))
    world.phase.fails(error, "environments")
    # So soon after a probe it is read without another one, and dated by that.
    await world.sync("now")
    assert world.holds("2")
    before = world.writes
    await world.rest(900)

    # The seal alone was written, which no status shows: the process may end before it can be corrected.
    assert world.writes[0] - before[0] == 1
    world.phase.works()
    assert (await world.restarted())[:2] == (1, 1)
    assert await world.restarted() == (0, 0, 0)
    await world.stop()


async def test_a_move_of_the_environment_without_a_change_costs_no_write() -> None:
    world = await settled()
    before = world.writes
    for _ in range(10):
        world.phase.is_honest(entry("A", "1"))
        await world.rest()

    # Once at most, since the environment may have been written while it was read first.
    assert world.writes[0] - before[0] <= 1
    await world.stop()


moments = st.sampled_from(["at rest", "before the read", "after the read"])
steps = st.one_of(
    st.tuples(st.just("write"), moments),
    st.tuples(st.just("sync"), st.just("")),
    st.tuples(st.just("probes"), st.sampled_from(["work", "403", "503"])),
    st.tuples(st.just("wait"), st.sampled_from(["1", "7", "31", "64", "311", "4000"])),
    st.tuples(st.just("kill"), st.just("")),
    st.tuples(st.just("edit"), st.just("")),
)


async def play(world: BusyWorld, plan: list[tuple[str, str]]) -> int:
    """Let things happen, and return which value Phase holds in the end."""
    value = synced = 1
    for step, how in plan:
        match step:
            case "write":
                value += 1
                written = value
                if how == "at rest":
                    world.phase.is_honest(entry("A", str(written)))
                elif how == "before the read":
                    world.busy.before_read = lambda written=written: world.phase.is_honest(entry("A", str(written)))
                else:
                    world.busy.after_read = lambda written=written: world.phase.is_honest(entry("A", str(written)))
            case "sync":
                synced += 1
                await world.sync(str(synced))
            case "probes":
                world.phase.works()
                if how != "work":
                    world.phase.fails(REFUSED if how == "403" else DOWN, "environments")
            case "wait":
                await world.pass_time(float(how))
            case "kill":
                await world.rest()
                await world.start()
            case _:
                world.cluster.edit(SHOP, {"A": "edited"})
                assert world.loop is not None
                await world.loop.touched(SHOP)
    return value


async def test_a_restart_corrects_a_status_that_says_that_probes_are_refused(spec: dict[str, Any]) -> None:
    world = await settled(**spec)
    world.phase.fails(REFUSED, "environments")
    await world.rest()
    assert "Environments: read" in message(world)
    await world.stop()
    world.phase.works()

    assert await world.restarted() == (1, 0, 1)
    assert "Environments: read" not in message(world)
    assert await world.restarted() == (0, 0, 0)
    await world.stop()


@settings(max_examples=20, deadline=None)
@given(st.lists(steps, max_size=12), st.booleans())
@example([("write", "at rest"), ("probes", "503"), ("sync", ""), ("kill", "")], False)
# The read follows the probe so closely that it has its date, and the process ends before the next probe is answered.
@example([("kill", ""), ("write", "at rest"), ("probes", "403"), ("sync", ""), ("kill", "")], False)
@example([("kill", ""), ("write", "at rest"), ("probes", "503"), ("sync", ""), ("kill", "")], True)
# It is read twice, and both times dated by the same probe.
@example([("kill", ""), ("write", "at rest"), ("edit", ""), ("sync", "")], False)
@example([("kill", ""), ("write", "at rest"), ("edit", ""), ("sync", "")], True)
# It is read while a probe is under way, and written in between.
@example(
    [
        ("probes", "503"),
        ("write", "at rest"),
        ("sync", ""),
        ("edit", ""),
        ("write", "before the read"),
        ("sync", ""),
        ("probes", "work"),
        ("wait", "64"),
    ],
    True,
)
@example(
    [
        ("probes", "503"),
        ("kill", ""),
        ("sync", ""),
        ("probes", "work"),
        ("sync", ""),
        ("write", "before the read"),
        ("kill", ""),
    ],
    True,
)
@example(
    [
        ("kill", ""),
        ("write", "at rest"),
        ("probes", "403"),
        ("sync", ""),
        ("wait", "64"),
        ("probes", "work"),
        ("kill", ""),
    ],
    False,
)
def test_any_course_of_events_ends_so_that_a_restart_reads_and_writes_nothing(
    plan: list[tuple[str, str]], merges: bool
) -> None:
    async def scenario() -> None:
        world = await settled(**(MERGED if merges else {}))
        await play(world, plan)
        world.phase.works()
        world.busy.before_read = world.busy.after_read = None
        # The longest wait: an app without probes is probed again after ten minutes.
        await world.rest(1500)
        before = world.writes
        await world.rest(300)
        assert world.writes == before

        assert await world.restarted() == (0, 0, 0)
        await world.stop()

    asyncio.run(scenario())
