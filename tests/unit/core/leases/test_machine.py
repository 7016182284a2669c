"""The next step of a lease, case by case: what a new process finds after a kill at each place, and bad input."""

from collections.abc import Mapping
from dataclasses import replace

import pytest

from phase_operator.core.leases.facts import (
    Call,
    DynamicSecret,
    Facts,
    ListedLease,
    Listing,
    Record,
    Resolved,
    Revocation,
    Wanted,
)
from phase_operator.core.leases.ledger import Lease, LeasePlace, LeaseState, Ledger
from phase_operator.core.leases.lives import ends_soon
from phase_operator.core.leases.machine import next_step
from phase_operator.core.leases.spacing import earliest, fingerprint
from phase_operator.core.leases.steps import (
    Ask,
    DropRecord,
    GiveBack,
    Happening,
    Keep,
    Look,
    Resolve,
    Step,
    Wait,
    WriteLedger,
)

NOW = 1_800_000_000.0
HOST = "https://phase.example"
PLACE = LeasePlace(HOST, "app", "production", "secret")
WANTED = Wanted("words", HOST, 3600, overlap=300)
FACTS = Facts(WANTED, account="ours", started_at=NOW)
ASKING = Lease("aaaaaaaa", LeaseState.ASKING, PLACE, "words", 3571, NOW, "before")
ACTIVE = replace(ASKING, state=LeaseState.ACTIVE, id="lease-1", ends_at=NOW + 3571)
OLD = replace(ACTIVE, attempt="bbbbbbbb", id="lease-0", state=LeaseState.RETIRING)
SECRET = DynamicSecret("secret", 300, 7200)
RECORD = Record("lease-1", NOW + 3571)
# An active lease that needs nothing for hours.
YOUNG = replace(ACTIVE, attempt="cccccccc", id="lease-2", ends_at=NOW + 200_000)
RECORDS = {"cccccccc": Record("lease-2", NOW + 200_000), "aaaaaaaa": RECORD, "bbbbbbbb": Record("lease-0", NOW + 3571)}


def listing(*ids: str, at: float = NOW, ttl: int = 3571, owner: str = "ours", revoked: bool = False) -> Listing:
    """Return a list of leases, newest first."""
    return Listing(PLACE, at, tuple(ListedLease(each, ttl, revoked, owner) for each in ids))


def seen(*ids: str, **said: float | int | str | bool) -> Mapping[LeasePlace, Listing]:
    """Return the lists as facts."""
    return {PLACE: listing(*ids, **said)}  # type: ignore[arg-type]


def written(step: Step) -> Ledger:
    """Return the ledger of a write."""
    assert isinstance(step, WriteLedger)
    return step.ledger


def happened(step: Step) -> list[Happening]:
    """Return what the Events of a write say."""
    assert isinstance(step, WriteLedger)
    return [each.what for each in step.events]


def lost(at: float) -> Facts:
    """Return facts after the answer to the call was lost."""
    return replace(FACTS, calls={"aaaaaaaa": Call(lost_at=at)})


def test_a_new_resource_resolves_announces_and_asks() -> None:
    """The ledger names the attempt before the call is made."""
    resolved = Resolved("words", SECRET, listing("before"))
    known = replace(FACTS, resolved=resolved, bits=5 << 32 | 0xAAAAAAAA)

    announcement = written(next_step(Ledger(), known, NOW))

    assert isinstance(next_step(Ledger(), FACTS, NOW), Resolve)
    assert announcement.leases == (replace(ASKING, ttl=3594),)
    assert next_step(Ledger((ASKING,)), replace(known, calls={"aaaaaaaa": Call()}), NOW) == Ask(ASKING)


def test_a_kill_before_the_call_is_settled_by_looks() -> None:
    """k1: nothing was asked for, which only the last look shows."""
    ledger = Ledger((ASKING,))

    steps = [
        next_step(ledger, replace(lost(NOW), listings=seen("before", at=at)), NOW + then)
        for at, then in [(NOW, 4), (NOW, 5), (NOW + 5, 14), (NOW + 5, 15), (NOW + 45, 129), (NOW + 45, 130)]
    ]
    end = next_step(ledger, replace(lost(NOW), listings=seen("before", at=NOW + 130)), NOW + 130)

    looks = [Wait(NOW + 5), Look(PLACE), Wait(NOW + 15), Look(PLACE), Wait(NOW + 130), Look(PLACE)]
    assert steps == looks
    assert not written(end).leases
    assert happened(end) == [Happening.NOT_MADE]
    assert written(end).setbacks == 1


def test_a_kill_before_the_record_gives_the_lease_back() -> None:
    """k2 and k3: Phase made the lease, and its credentials are lost."""
    step = next_step(Ledger((ASKING,)), replace(lost(NOW), listings=seen("lease-9", "before", at=NOW + 5)), NOW + 6)

    (row,) = written(step).leases
    assert (row.state, row.id) == (LeaseState.REVOKING, "lease-9")
    assert happened(step) == [Happening.ORPHAN_FOUND]


@pytest.mark.parametrize(
    "listed",
    [
        seen("before", "lease-9", at=NOW + 5),
        seen("lease-9", "before", at=NOW + 5, ttl=3570),
        seen("lease-9", "before", at=NOW + 5, owner="theirs"),
        seen("lease-9", "before", at=NOW + 5, revoked=True),
        seen("lease-9", "before", at=NOW - 1),
        seen("lease-1", "before", at=NOW + 5),
        seen("lease-7", "before", at=NOW + 5),
    ],
    ids=["older", "another life", "another account", "revoked", "an old list", "in this ledger", "in another ledger"],
)
def test_a_look_takes_no_other_lease_for_ours(listed: Mapping[LeasePlace, Listing]) -> None:
    """A false find would revoke credentials that somebody uses."""
    records = {"bbbbbbbb": RECORD}
    facts = replace(lost(NOW), listings=listed, of_others=frozenset({"lease-7"}), records=records)

    step = next_step(Ledger((ASKING, replace(ACTIVE, attempt="bbbbbbbb"))), facts, NOW + 6)

    assert isinstance(step, Wait | Look)


def test_of_two_leases_that_may_be_ours_the_older_one_is_taken() -> None:
    """Another attempt that was lost began later: it can be the newer one, and cannot be the older one."""
    listed = seen("lease-9", "lease-8", "before", at=NOW + 5)

    step = next_step(Ledger((ASKING,)), replace(lost(NOW), listings=listed), NOW + 6)

    assert written(step).leases[0].id == "lease-8"


@pytest.mark.parametrize("life", [3571, 3570])
def test_a_listed_lease_that_may_answer_a_call_under_way_is_nobodys_yet(life: int) -> None:
    """Phase lists a lease before its answer is here; a call for another life cannot have made it."""
    listed = seen("lease-9", "before", at=NOW + 5)
    facts = replace(lost(NOW), listings=listed, under_way=frozenset({(PLACE, life)}))

    step = next_step(Ledger((ASKING,)), facts, NOW + 6)

    assert isinstance(step, Wait if life == ASKING.ttl else WriteLedger)


class TestATargetThatWouldBeVoidBeforeAllIsClear:
    """A call is lost, and the lease that serves ends before the last look could show what became of it."""

    SOON = replace(YOUNG, asked_at=NOW - 300, ends_at=NOW + 100)
    LEDGER = Ledger((ASKING, SOON), last_attempt=NOW)

    def facts(self, *listed: str, at: float) -> Facts:
        listings = seen(*listed, "lease-2", at=at)
        resolved = Resolved("words", SECRET, listings[PLACE])
        kept = {each: Record("lease-2", NOW + 100) for each in ("cccccccc", "dddddddd")}
        return replace(lost(NOW), listings=listings, resolved=resolved, records=kept)

    def test_another_lease_is_asked_for_after_a_look_in_vain(self) -> None:
        facts = self.facts("before", at=NOW + 15)

        early, later = (next_step(self.LEDGER, facts, NOW + each) for each in (14.9, 15.1))

        assert early == Wait(NOW + 15)
        first, *others = written(later).leases
        assert first.state is LeaseState.ASKING
        assert tuple(others) == self.LEDGER.leases

    @pytest.mark.parametrize("serves", [replace(SOON, ends_at=NOW + 131), None], ids=["later", "nothing"])
    def test_a_lease_that_serves_for_longer_is_reason_to_wait_and_so_is_a_target_without_any(
        self, serves: Lease | None
    ) -> None:
        ledger = Ledger((ASKING, *([serves] if serves else [])), last_attempt=NOW)

        assert next_step(ledger, self.facts("before", at=NOW + 15), NOW + 20) == Wait(NOW + 45)

    def test_nothing_is_asked_for_before_the_first_look(self) -> None:
        assert next_step(self.LEDGER, self.facts("before", at=NOW - 5), NOW + 4) == Wait(NOW + 5)

    def test_there_is_no_third_attempt(self) -> None:
        second = replace(ASKING, attempt="dddddddd", asked_at=NOW + 15)
        ledger = Ledger((second, *self.LEDGER.leases), last_attempt=NOW + 15)
        calls = {"aaaaaaaa": Call(lost_at=NOW), "dddddddd": Call(lost_at=NOW + 16)}
        facts = replace(self.facts("before", at=NOW + 50), calls=calls, records={"cccccccc": RECORD})

        assert next_step(ledger, facts, NOW + 50) == Wait(NOW + 61)

    def test_the_lost_one_is_still_found_when_the_other_one_serves(self) -> None:
        second = replace(ACTIVE, attempt="dddddddd", id="lease-9")
        facts = self.facts("lease-9", "lease-8", "before", at=NOW + 45)

        step = next_step(Ledger((second, ASKING)), facts, NOW + 46)

        assert [(each.state, each.id) for each in written(step).leases] == [
            (LeaseState.ACTIVE, "lease-9"),
            (LeaseState.REVOKING, "lease-8"),
        ]


def test_attempts_for_a_successor_that_fail_come_later_and_later() -> None:
    """A lease that has lived its time wipes out what failed before it, and not what failed since."""
    due = replace(YOUNG, asked_at=NOW - 140_000, ends_at=NOW + 60_000)
    listings = seen("before", "lease-2", at=NOW)
    facts = replace(FACTS, listings=listings, resolved=Resolved("words", SECRET, listings[PLACE]), records=RECORDS)

    first = next_step(Ledger((due,), setbacks=3, last_attempt=due.asked_at), facts, NOW)
    then = next_step(Ledger((due,), setbacks=3, last_attempt=NOW - 1), facts, NOW)

    assert written(first).setbacks == 0
    assert then == Wait(NOW - 1 + 60)


def needs(*leases: Lease, setbacks: int, life: int = 60) -> tuple[Ledger, Facts]:
    """Return a ledger whose newest lease needs a successor, and facts with which one can be announced at `NOW`."""
    listings = seen("before", at=NOW)
    wanted = replace(WANTED, ttl=life, rollover_percent=34)
    kept = {each.attempt: Record(each.id, each.ends_at) for each in leases if each.id}
    facts = replace(FACTS, wanted=wanted, listings=listings, records=kept)
    facts = replace(facts, resolved=Resolved("words", SECRET, listings[PLACE]))
    return Ledger(leases, setbacks, max(each.asked_at for each in leases)), facts


class TestSetbacks:
    """What counts as one, and for how long it delays the next attempt."""

    # It rolls over after a third of its life, as its spec says.
    DUE = replace(YOUNG, ttl=60, asked_at=NOW - 21, ends_at=NOW + 39)

    def test_a_roll_over_is_none_however_early_in_its_life_the_spec_wants_it(self) -> None:
        ledger, facts = needs(self.DUE, setbacks=3)

        assert written(next_step(ledger, facts, NOW)).setbacks == 0

    def test_a_lease_that_is_replaced_before_its_roll_over_is_one(self) -> None:
        ledger, facts = needs(
            replace(self.DUE, asked_at=NOW - 16, ends_at=NOW + 44, asked_by="other words"), setbacks=0
        )
        facts = replace(facts, resolved=Resolved("words", replace(SECRET, id="other"), listing(at=NOW)))

        assert written(next_step(ledger, facts, NOW)).setbacks == 1

    def test_an_attempt_that_is_unclear_counts_once(self) -> None:
        lost_one = replace(ASKING, ttl=60, asked_at=NOW - 60)
        ledger, facts = needs(self.DUE, lost_one, setbacks=0)
        facts = replace(facts, calls={"aaaaaaaa": Call(lost_at=NOW - 60)})

        beside = written(next_step(ledger, facts, NOW))
        facts = replace(facts, calls={**facts.calls, beside.leases[0].attempt: Call(is_under_way=True)})
        facts = replace(facts, listings=seen("before", at=NOW + 70))

        assert beside.setbacks == 0
        assert written(next_step(beside, facts, NOW + 70)).setbacks == 1

    def test_a_longer_life_makes_no_pause_longer_before_a_lease_has_it(self) -> None:
        ended = replace(self.DUE, state=LeaseState.ENDED, ends_at=NOW - 1, asked_at=NOW - 61)
        ledger, facts = needs(ended, setbacks=7, life=3600)

        step = next_step(replace(ledger, last_attempt=NOW - 10), facts, NOW)

        assert step == Wait(NOW + 5)


def test_a_kill_after_the_record_completes_the_row() -> None:
    """k4: nothing is asked for again."""
    step = next_step(Ledger((ASKING,)), replace(lost(NOW), records={"aaaaaaaa": RECORD}), NOW + 1)

    assert written(step).leases == (ACTIVE,)
    assert happened(step) == [Happening.ISSUED]


def test_an_active_lease_waits_for_its_roll_over() -> None:
    """k5: the targets are written from the record by whoever renders them."""
    step = next_step(Ledger((ACTIVE,)), replace(FACTS, records=RECORDS), NOW + 1)

    assert step == Wait(NOW + 600)


def test_an_answer_is_kept_before_anything_else() -> None:
    """k10: the record is tried for as long as the process lives."""
    facts = replace(FACTS, calls={"aaaaaaaa": Call(id="lease-1")}, listings=seen("lease-1", at=NOW + 500))

    assert next_step(Ledger((ASKING,)), facts, NOW + 500) == Keep(ASKING)


def test_the_overlap_begins_when_the_targets_have_the_next_lease() -> None:
    """k6: and the write is what a new process goes on from."""
    ledger = Ledger((ACTIVE, OLD))
    facts = replace(FACTS, records=RECORDS, written="aaaaaaaa", are_readers_rolled=True)

    step = next_step(ledger, facts, NOW + 10)
    begun = written(step)

    assert begun.leases[1].revoke_after == NOW + 310
    assert next_step(begun, facts, NOW + 309) == Wait(NOW + 310)
    assert written(next_step(begun, facts, NOW + 310)).leases[1].state is LeaseState.REVOKING


@pytest.mark.parametrize(
    "changed",
    [{"are_readers_rolled": False}, {"written": "bbbbbbbb"}, {"wanted": replace(WANTED, revoke=False)}],
    ids=["a roll-out hangs", "a target is old", "revoke: false"],
)
def test_a_lease_that_may_be_in_use_lives_to_its_end(changed: dict[str, object]) -> None:
    """Then it is given back, since Phase may have failed to take it away."""
    ledger = Ledger((YOUNG, replace(OLD, revoke_after=NOW + 300)))
    facts = replace(FACTS, records=RECORDS, written="cccccccc", are_readers_rolled=True)
    facts = replace(facts, listings=seen("lease-2", at=NOW + 3500), **changed)  # type: ignore[arg-type]

    before = next_step(ledger, facts, NOW + 3571 + 59)
    after = next_step(ledger, facts, NOW + 3571 + 60)

    assert isinstance(before, Wait)
    assert written(after).leases[1].state is LeaseState.REVOKING


@pytest.mark.parametrize(
    ("tried", "now", "step"),
    [
        (Revocation(), 0, GiveBack),
        (Revocation(failures=1, last=NOW), 14, Wait),
        (Revocation(failures=1, last=NOW), 15, GiveBack),
        (Revocation(failures=9, last=NOW), 299, Wait),
        (Revocation(is_done=True), 0, DropRecord),
        (Revocation(), 90_000, GiveBack),
        (Revocation(failures=3, last=NOW), 90_000, DropRecord),
    ],
    ids=["first", "k7: too soon", "k7: again", "paced", "k8: the record stands", "after an outage", "in vain"],
)
def test_a_lease_is_given_back_until_phase_says_so(tried: Revocation, now: float, step: type[Step]) -> None:
    """An answer may be lost: to revoke twice is harmless."""
    listings = seen("lease-2", at=NOW + now)
    facts = replace(FACTS, records=RECORDS, revocations={"bbbbbbbb": tried}, listings=listings)

    assert isinstance(next_step(Ledger((OLD.turned(LeaseState.REVOKING), YOUNG)), facts, NOW + now), step)


def test_a_row_goes_when_its_record_is_gone() -> None:
    """k8: the order that a crash between the two survives."""
    facts = replace(FACTS, revocations={"bbbbbbbb": Revocation(is_done=True)})

    step = next_step(Ledger((OLD.turned(LeaseState.REVOKING),)), facts, NOW)

    assert not written(step).leases
    assert happened(step) == [Happening.GIVEN_BACK]


@pytest.mark.parametrize("state", [LeaseState.ACTIVE, LeaseState.ENDED, LeaseState.RETIRING])
def test_a_deleted_resource_gives_each_lease_back(state: LeaseState) -> None:
    """k9: whatever it was for."""
    facts = replace(FACTS, remove_until=NOW + 600, records=RECORDS)

    (row,) = written(next_step(Ledger((ACTIVE.turned(state),)), facts, NOW)).leases

    assert row.state is LeaseState.REVOKING


def test_a_deletion_ends_in_time_and_names_what_is_left() -> None:
    """A namespace must not hang because Phase is away."""
    facts = replace(FACTS, remove_until=NOW + 600, revocations={"aaaaaaaa": Revocation(failures=9, last=NOW + 599)})

    step = next_step(Ledger((ACTIVE.turned(LeaseState.REVOKING),)), facts, NOW + 600)

    assert not written(step).leases
    assert happened(step) == [Happening.NOT_REVOKED]


def test_no_token_goes_to_the_host_of_an_earlier_spec() -> None:
    """A lease of another host lives to its end, and an Event names it."""
    elsewhere = replace(OLD, place=PLACE._replace(host="https://old.example"))
    listings = seen("lease-2", at=NOW + 3500)
    facts = replace(FACTS, records=RECORDS, written="cccccccc", are_readers_rolled=True, listings=listings)

    step = next_step(Ledger((YOUNG, elsewhere)), facts, NOW + 3631)

    assert [each.attempt for each in written(step).leases] == ["cccccccc"]
    assert happened(step) == [Happening.NOT_REVOKED]


def test_a_lease_that_phase_revoked_gets_a_successor() -> None:
    """The targets keep what they have until then."""
    facts = replace(FACTS, records=RECORDS, listings=seen("lease-1", at=NOW + 200, revoked=True))

    ended = next_step(Ledger((ACTIVE,)), facts, NOW + 200)

    assert written(ended).leases == (ACTIVE.turned(LeaseState.ENDED),)
    assert happened(ended) == [Happening.REVOKED_ELSEWHERE]
    assert isinstance(next_step(written(ended), facts, NOW + 230), Resolve)


def test_a_lease_is_missed_only_when_two_lists_do_not_have_it() -> None:
    """One list may be of a replica of Phase that lags."""
    once = replace(FACTS, records=RECORDS, listings=seen("before", at=NOW + 200))
    twice = replace(once, earlier=seen("before", at=NOW + 194))

    assert next_step(Ledger((ACTIVE,)), once, NOW + 201) == Wait(NOW + 205)
    assert next_step(Ledger((ACTIVE,)), once, NOW + 205) == Look(PLACE)
    assert happened(next_step(Ledger((ACTIVE,)), twice, NOW + 201)) == [Happening.REVOKED_ELSEWHERE]


def test_other_words_for_the_same_dynamic_secret_ask_for_nothing() -> None:
    """An app that is named by its id instead of its name, for example."""
    edited = replace(FACTS, wanted=replace(WANTED, asked_by="other words"), records=RECORDS)
    resolved = replace(edited, resolved=Resolved("other words", SECRET, listing("lease-1", at=NOW + 9)))

    assert isinstance(next_step(Ledger((ACTIVE,)), edited, NOW + 10), Resolve)
    assert written(next_step(Ledger((ACTIVE,)), resolved, NOW + 10)).leases == (
        replace(ACTIVE, asked_by="other words"),
    )


@pytest.mark.parametrize(
    "changed",
    [{"ttl": 7200}, {"overlap": 60}, {"revoke": False}, {"interval": 60}, {"rollover_percent": 80}],
    ids=str,
)
def test_an_edit_of_times_asks_for_nothing(changed: dict[str, int]) -> None:
    """It counts from the next lease on."""
    facts = replace(FACTS, wanted=replace(WANTED, **changed), records=RECORDS)  # type: ignore[arg-type]

    assert isinstance(next_step(Ledger((ACTIVE,)), facts, NOW + 20), Wait)


@pytest.mark.parametrize("ttl", [59, 7201])
def test_a_life_that_phase_refuses_is_not_asked_for(ttl: int) -> None:
    """The status says both limits."""
    facts = replace(FACTS, wanted=replace(WANTED, ttl=ttl), resolved=Resolved("words", SECRET, listing()))

    assert isinstance(next_step(Ledger(), facts, NOW), Wait)


def test_a_suspended_resource_calls_nobody() -> None:
    """Its leases go on as they are."""
    rows = (ACTIVE, replace(OLD, revoke_after=NOW), replace(OLD, attempt="dddddddd", state=LeaseState.REVOKING))
    facts = replace(FACTS, is_suspended=True, records=RECORDS, written="aaaaaaaa", are_readers_rolled=True)

    assert next_step(Ledger(rows), facts, NOW + 3000) == Wait(NOW + 3571)


def test_a_suspension_before_the_call_takes_the_announcement_back() -> None:
    """Nothing was asked for."""
    facts = replace(FACTS, is_suspended=True, calls={"aaaaaaaa": Call()})

    assert not written(next_step(Ledger((ASKING,)), facts, NOW)).leases


@pytest.mark.parametrize(("life", "bits", "asked"), [(60, 7, 60), (61, 7, 60), (1200, 59, 1140), (86400, 599, 85800)])
def test_a_fingerprint_takes_at_most_a_twentieth(life: int, bits: int, asked: int) -> None:
    """And leaves what Phase accepts."""
    assert max(fingerprint(life, each) for each in range(1000)) >= asked
    assert fingerprint(life, bits) >= max(60, life - life // 20, life - 600)


def test_no_pause_lasts_until_the_lease_that_serves_has_ended() -> None:
    """In its last seconds a few attempts may follow each other, and before that none sooner than without an end."""
    begins = [earliest(Ledger(setbacks=9, last_attempt=NOW), 3600, NOW + end) - NOW for end in (9000, 900, 30, 12, -5)]

    assert begins == [900, 880, 10, 5, 5]


def test_pauses_begin_with_a_part_of_a_short_life() -> None:
    pauses = {
        life: [earliest(Ledger(setbacks=each, last_attempt=NOW), life) - NOW for each in (1, 2, 3)]
        for life in (0, 60, 120, 180, 3600)
    }

    assert pauses == {0: [15, 15, 15], 60: [5, 10, 15], 120: [10, 20, 30], 180: [15, 30, 45], 3600: [15, 30, 60]}


def test_a_successor_whose_answer_was_lost_is_asked_for_again_before_the_lease_ends() -> None:
    soon = replace(YOUNG, asked_at=NOW - 36, ends_at=NOW + 24)
    listings = seen("before", "lease-2", at=NOW)
    facts = replace(FACTS, listings=listings, resolved=Resolved("words", SECRET, listings[PLACE]), records=RECORDS)

    step = next_step(Ledger((soon,), setbacks=1, last_attempt=NOW), facts, NOW + 6)

    assert written(step).leases[0].state is LeaseState.ASKING


def test_setbacks_in_a_row_space_the_attempts() -> None:
    """Each failed attempt may leave a user at the cloud provider for ever."""
    pauses = [earliest(Ledger(setbacks=each, last_attempt=NOW), 3600) for each in range(9)]

    assert pauses == [0, *(NOW + each for each in (15, 30, 60, 120, 240, 480, 900, 900))]


@pytest.mark.parametrize(
    ("percent", "over", "ends"),
    [
        pytest.param(67, 67.0, False, id="when the successor is due"),
        pytest.param(67, 83.0, False, id="with a sixth left"),
        pytest.param(67, 84.0, True, id="with less"),
        pytest.param(10, 83.0, False, id="an early roll-over, with a sixth left"),
        pytest.param(10, 84.0, True, id="an early roll-over, with less"),
        # What is in order raises no alert.
        pytest.param(90, 94.0, False, id="a late roll-over that is not overdue"),
        pytest.param(90, 96.0, True, id="a late roll-over that is"),
        pytest.param(67, 200.0, True, id="after its end"),
    ],
)
def test_a_lease_without_its_successor_ends_soon(percent: int, over: float, ends: bool) -> None:
    lease = Lease("a" * 8, LeaseState.ACTIVE, PLACE, "b", 1000, NOW, ends_at=NOW + 1000)

    assert ends_soon(lease, percent, NOW + 10 * over) is ends
