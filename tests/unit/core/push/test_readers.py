"""Whom a change of a Secret or ConfigMap concerns, and how little is kept to know it."""

from phase_operator.core.label_selector import parse_selector
from phase_operator.core.push.readers import CROWD, MOST_KEPT, MOST_SPENT, NOBODY, SPAN, PushReaders, Readers
from phase_operator.core.push.sources import Rule
from phase_operator.core.push.spec import PushSpec, SpecSource
from phase_operator.core.refs import Kind
from phase_operator.core.values import ObjectKey

ONE, TWO = (ObjectKey("shop", name, "PhasePushSecret") for name in ("one", "two"))
DB, OTHER = (Kind.SECRET, "db"), (Kind.SECRET, "other")
API = {"tier": "api"}


def naming(name: str = "db", kind: Kind = Kind.SECRET) -> PushSpec:
    return PushSpec("/", (SpecSource(kind, Rule("/"), name),))


def selecting(text: str = "tier=api") -> PushSpec:
    return PushSpec("/", (SpecSource(Kind.SECRET, Rule("/"), selector=parse_selector(text)),))


def readers(*, found: bool = True, **pushes: PushSpec) -> Readers:
    """Return the readers of a namespace, after each has told that it found nothing yet."""
    made = Readers()
    for name, push in pushes.items():
        key = ObjectKey("shop", name, "PhasePushSecret")
        made.put(key, push)
        if found:
            made.found(key, {})
    return made


def test_a_change_concerns_those_who_name_the_object_of_its_kind_or_keep_values_in_it() -> None:
    made = readers(one=naming(), two=PushSpec("/", generate_into="made"), three=naming("db", Kind.CONFIG_MAP))

    assert made.seen(DB, {}, 1) == {ONE}
    assert made.seen((Kind.SECRET, "made"), {}, 1) == {TWO}
    assert made.seen((Kind.CONFIG_MAP, "db"), {}, 1) == {ObjectKey("shop", "three", "PhasePushSecret")}
    assert made.seen((Kind.CONFIG_MAP, "made"), {}, 1) == NOBODY


def test_a_change_of_labels_concerns_those_who_selected_before_and_those_who_select_now() -> None:
    made = readers(one=selecting(), two=selecting("tier=web"))

    assert made.seen(DB, API, 1) == {ONE}
    assert made.seen(DB, {"tier": "web"}, 2) == {ONE, TWO}
    assert made.seen(DB, {}, 3) == {TWO}
    assert made.seen(DB, {}, 4) == NOBODY
    assert made.seen((Kind.CONFIG_MAP, "db"), API, 1) == NOBODY


def test_a_version_that_is_shown_again_concerns_nobody() -> None:
    made = readers(one=naming())

    assert [made.seen(DB, {}, each) for each in (1, 1, 2)] == [{ONE}, NOBODY, {ONE}]


def test_a_deletion_concerns_those_who_took_the_object() -> None:
    made = readers(one=naming(), two=selecting())
    made.seen(DB, API, 1)

    assert made.gone(DB, {}) == {ONE, TWO}
    assert made.gone(DB, {}) == {ONE}
    assert made.gone(OTHER, API) == {TWO}


def test_a_label_that_an_object_had_before_its_reader_came_concerns_that_reader_also_when_it_goes() -> None:
    made = readers(found=False, one=selecting())
    # The watch showed it long ago; until the run has told what it found, every Secret may be one of those.
    assert made.seen(DB, {}, 2) == {ONE}

    made.found(ONE, {OTHER: 7})

    assert made.seen(DB, {}, 3) == NOBODY
    assert made.seen(OTHER, {}, 8) == {ONE}


def test_objects_that_a_run_found_late_take_nothing_from_those_that_the_watch_has_shown() -> None:
    made = readers(found=False, one=selecting())
    made.seen(DB, API, 5)

    made.found(ONE, {})

    assert made.seen(DB, {}, 6) == {ONE}


def test_an_object_that_two_resources_found_concerns_both_of_them() -> None:
    made = readers(found=False, one=selecting(), two=selecting())
    made.found(ONE, {DB: 1})
    made.found(TWO, {DB: 1})

    assert made.seen(DB, {}, 2) == {ONE, TWO}


def test_a_list_concerns_those_whose_objects_are_gone_and_the_homes_that_nobody_saw() -> None:
    made = readers(one=naming(), two=PushSpec("/", generate_into="made"))
    made.seen(DB, {}, 1)

    assert made.listed(Kind.CONFIG_MAP, set()) == NOBODY
    assert made.listed(Kind.SECRET, {"db", "made"}) == NOBODY
    assert made.listed(Kind.SECRET, {"db"}) == {TWO}
    assert made.listed(Kind.SECRET, set()) == {ONE}
    assert made.listed(Kind.SECRET, set()) == NOBODY


def test_a_list_concerns_a_reader_that_has_not_told_what_it_found() -> None:
    made = readers(found=False, one=naming())

    assert made.listed(Kind.SECRET, set()) == {ONE}


def test_readers_keep_nothing_of_an_object_that_nobody_takes() -> None:
    made = readers(one=naming(), two=selecting())

    for number in range(1000):
        made.seen((Kind.SECRET, f"s{number}"), {"tier": f"t{number}"}, number)
        made.seen((Kind.CONFIG_MAP, f"s{number}"), API, number)

    assert len(made) == 0


def test_readers_keep_a_bounded_number_and_miss_nothing_of_what_they_do_not_keep() -> None:
    made = readers(one=selecting())
    for number in range(MOST_KEPT):
        made.seen((Kind.SECRET, f"s{number}"), API, number)
    assert len(made) == MOST_KEPT // 2
    last = (Kind.SECRET, f"s{MOST_KEPT - 1}")

    assert made.seen(last, {}, 1) == {ONE}
    assert made.listed(Kind.SECRET, {f"s{number}" for number in range(MOST_KEPT)}) == {ONE}


def test_an_event_that_concerns_a_crowd_is_not_judged() -> None:
    made = Readers()
    for number in range(CROWD - 1):
        made.put(ObjectKey("shop", f"r{number}", "PhasePushSecret"), naming())
    assert made.may_judge(DB, 0.0)
    made.put(ONE, selecting())
    assert not made.may_judge(DB, 10.0)
    assert made.may_judge(OTHER, 10.0)
    assert made.may_judge((Kind.CONFIG_MAP, "db"), 10.0)
    made.put(TWO, selecting(",".join(f"l{number}" for number in range(CROWD))))
    assert not made.may_judge(OTHER, 20.0)
    made.remove(TWO)
    assert made.may_judge(OTHER, 30.0)


def test_events_are_judged_until_those_of_some_seconds_cost_too_much() -> None:
    made = readers(one=selecting())
    # Each costs one, and one for the selector and its requirement each.
    judged = [made.may_judge(OTHER, 100.0 + number / MOST_SPENT) for number in range(MOST_SPENT)]

    assert judged.count(True) == MOST_SPENT // 3
    assert not made.may_judge(OTHER, 100.0 + SPAN - 0.1)
    assert made.may_judge(OTHER, 100.0 + SPAN)


def test_a_skipped_event_leaves_nothing_that_is_taken_for_known_until_all_have_told() -> None:
    made = readers(one=selecting(), two=selecting("tier=web"))
    made.seen(DB, API, 1)
    # It has the label of the second one now, and nobody has judged it.
    made.skip(DB)

    assert made.seen(DB, {}, 3) == {ONE, TWO}
    assert made.listed(Kind.SECRET, {"db"}) == {ONE, TWO}
    assert made.all_concerned() == {ONE, TWO}
    assert made.seen(OTHER, {}, 1) == {ONE, TWO}
    made.found(ONE, {})
    assert made.seen(OTHER, {}, 2) == {TWO}
    made.found(TWO, {})
    assert made.seen(OTHER, {}, 3) == NOBODY


def test_a_reader_that_asks_for_something_else_or_is_gone_is_concerned_no_more() -> None:
    made = PushReaders()
    made.put(ONE, naming())
    made.put(TWO, naming())
    made.put(TWO, naming("other"))
    shop = made.of("shop")
    assert shop is not None
    assert shop.seen(DB, {}, 1) == {ONE}

    made.drop(ONE)
    assert shop.seen(DB, {}, 2) == NOBODY
    assert shop.seen(OTHER, {}, 1) == {TWO}
    made.drop(TWO)
    made.drop(TWO)
    made.found(TWO, {DB: 1})

    assert made.of("shop") is None


def test_a_run_that_asks_for_the_same_leaves_what_is_known() -> None:
    made = PushReaders()
    made.put(ONE, selecting())
    made.found(ONE, {})
    made.put(ONE, selecting())
    shop = made.of("shop")

    assert shop is not None
    assert shop.seen(DB, {}, 1) == NOBODY
