"""However fast objects are edited, each one's latest state is seen, in order, and nobody else waits for it."""

from hypothesis import given
from hypothesis import strategies as st

from phase_operator.core.flow.paced_events import (
    MOST_BYTES,
    OBJECT_BURST,
    OBJECT_PAUSE,
    Bookmark,
    Event,
    PacedEvents,
    Passing,
)
from phase_operator.core.values import ObjectKey

SHOP = ObjectKey("team", "shop")


def event(number: int, change: str = "MODIFIED", key: ObjectKey = SHOP, uid: str = "1") -> Event:
    return Event(change, key, uid, str(number), f"{key} {uid} {number}".encode())


def numbers(events: list[Event]) -> list[int]:
    return [int(each.line.rpartition(b" ")[2]) for each in events]


class World:
    """Objects that come, change and go, and what is seen of them by a watch that may break."""

    def __init__(self) -> None:
        self.paced = PacedEvents()
        self.is_open = True
        self.now = 0.0
        self.lives: dict[ObjectKey, int] = {}
        self.there: set[ObjectKey] = set()
        self.events: list[Event] = []
        self.seen: list[Event] = []
        # What whoever sees it takes to be there, and from which event on it would go on.
        self.known: set[ObjectKey] = set()
        self.stands = 0

    def edit(self, key: ObjectKey, *, is_end: bool = False) -> None:
        """Let an object come if it is not there, else change or go."""
        if key not in self.there:
            change, self.lives[key] = "ADDED", self.lives.get(key, 0) + 1
            self.there.add(key)
        else:
            change = "DELETED" if is_end else "MODIFIED"
            self.there -= {key} if is_end else set()
        self.events.append(event(len(self.events) + 1, change, key, str(self.lives[key])))
        if self.is_open:
            self.paced.take(self.events[-1])

    def later(self, seconds: float, *, turns: int = 1_000_000) -> None:
        """Let time pass, and then some turns."""
        self.now += seconds
        for _ in range(turns):
            if self.paced.wait(self.now) != 0:
                return
            self.see(self.paced.passing(self.now))

    def ends(self) -> None:
        """End the watch."""
        self.see(self.paced.rest())
        self.is_open = False

    def begins_again(self) -> None:
        """Begin another watch, which shows all from where the last one was seen to stand."""
        self.paced, self.is_open = PacedEvents(), True
        for each in self.events[self.stands :]:
            self.paced.take(each)

    def see(self, passing: list[Passing]) -> None:
        """Note what has passed."""
        for each in passing:
            self.stands = int(each.version)
            if isinstance(each, Event):
                self.seen.append(self.events[self.stands - 1])
                (self.known.discard if self.seen[-1].change == "DELETED" else self.known.add)(each.key)


KEYS = [ObjectKey(f"team-{team}", f"shop-{shop}") for team in range(2) for shop in range(2)]
Steps = list[tuple[ObjectKey, int, float]]
STEPS = st.lists(st.tuples(st.sampled_from(KEYS), st.integers(0, 20), st.sampled_from([0.0, 0.0, 0.1, 2.0])))


def take_steps(world: World, steps: Steps) -> None:
    """Edit objects, with pauses; every third edit of an object is its end."""
    for key, edits, pause in steps:
        for number in range(edits):
            world.edit(key, is_end=number % 3 == 2)
        world.later(pause)


@given(STEPS)
def test_the_latest_state_of_each_object_is_seen_in_order(steps: Steps) -> None:
    world = World()
    take_steps(world, steps)
    world.ends()

    for key in KEYS:
        happened = [each for each in world.events if each.key == key]
        seen = [each for each in world.seen if each.key == key]
        assert numbers(seen) == sorted({*numbers(seen)})
        begun = {each.uid for each in seen}
        for uid in {each.uid for each in happened}:
            last = next(each for each in reversed(happened) if each.uid == uid)
            # A life that ended before any of it was seen need not be seen.
            assert last in seen or (last.change == "DELETED" and uid not in begun)
    assert world.paced.wait(world.now) is None
    assert world.paced.bytes == 0


@given(st.lists(st.tuples(STEPS, STEPS), max_size=4))
def test_breaks_of_the_watch_leave_known_what_exists(watches: list[tuple[Steps, Steps]]) -> None:
    world = World()
    for seen, missed in watches:
        take_steps(world, seen)
        world.ends()
        take_steps(world, missed)
        world.begins_again()
    world.later(OBJECT_PAUSE)

    assert world.known == world.there


@given(st.lists(STEPS, max_size=4))
def test_an_event_that_was_seen_is_not_seen_again_after_a_break(watches: list[Steps]) -> None:
    """A beginning that is seen twice may be dropped with its end the second time: nobody would see that end."""
    world = World()
    for steps in watches:
        take_steps(world, steps)
        world.ends()
        world.begins_again()

    assert world.stands == len(world.events)
    assert world.paced.wait(world.now) is None


@given(STEPS)
def test_a_watch_of_which_nothing_is_kept_is_seen_to_stand_at_its_newest_event(steps: Steps) -> None:
    """It may be given up for its silence, and then there is no rest to pass."""
    world = World()
    take_steps(world, steps)
    world.later(OBJECT_PAUSE)

    assert world.paced.wait(world.now) is None
    assert world.stands == len(world.events)


@given(st.integers(1, 200), st.floats(0.001, 1))
def test_an_object_is_seen_a_burst_and_then_once_in_some_seconds(edits: int, every: float) -> None:
    world = World()
    for _ in range(edits):
        world.edit(SHOP)
        world.later(every)

    assert len(world.seen) <= OBJECT_BURST + world.now / OBJECT_PAUSE + 1
    world.later(OBJECT_PAUSE)
    assert world.seen[-1] == world.events[-1]


def test_a_namespace_does_not_wait_for_the_events_of_another() -> None:
    world = World()
    for number in range(2_000):
        world.edit(ObjectKey("crowd", f"m{number % 1_500}"))
    world.edit(SHOP)
    world.later(0.0, turns=2)

    assert {each.key.namespace for each in world.seen} == {"crowd", SHOP.namespace}


def test_an_object_that_is_edited_before_its_turn_is_seen_once() -> None:
    world = World()
    for _ in range(100):
        world.edit(SHOP)
    world.later(0.0)

    assert [(each.change, each.line) for each in world.seen] == [("MODIFIED", world.events[-1].line)]


def test_objects_that_come_and_go_without_a_pause_are_seen_seldom() -> None:
    """Each has a uid of its own, for which the watch engine would start a task and a queue."""
    world = World()
    for number in range(3_000):
        world.edit(SHOP, is_end=number % 2 == 1)
        world.later(0.01)

    assert len(world.seen) <= OBJECT_BURST + 2 * world.now / OBJECT_PAUSE
    assert world.paced.bytes < 100


def test_events_that_wait_have_a_limit_of_bytes_and_pass_early_then() -> None:
    paced, passed = PacedEvents(), 0
    for number in range(1_000):
        paced.take(Event("MODIFIED", ObjectKey("crowd", f"m{number % 100}"), "1", "1", b"x" * 1_000_000))
        while paced.wait(0.0) == 0:
            passed += len(paced.passing(0.0))
        assert paced.bytes <= MOST_BYTES

    assert passed + len(paced.rest()) >= 1_000 - MOST_BYTES // 1_000_000


def test_an_event_that_is_no_news_counts_for_no_pace() -> None:
    paced = PacedEvents(lambda each: not each.version.endswith("1"))
    seen: list[Passing] = []
    for number in range(100):
        paced.take(event(number % 10))
        seen += paced.passing(0.0)

    # One in ten, and a burst of the others.
    assert Bookmark("1") in seen
    assert len([each for each in seen if isinstance(each, Event)]) == OBJECT_BURST
