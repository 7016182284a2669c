"""What a read answers to each of its questions is what the server would have answered to that question alone."""

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from phase_operator.core.source.answer_memory import AnswerMemory
from phase_operator.core.source.selection import answering
from phase_operator.core.values import Entry, Snapshot
from phase_operator.reconcile.polling.shared_answer import SharedAnswer
from support.builders import entry, query

PATHS, TAGS = ["/", "/a", "/a/b"], ["x", "y"]
held = st.lists(
    st.builds(
        lambda number, path, tags: replace(entry(f"K{number}"), id=str(number), path=path, tags=frozenset(tags)),
        st.integers(0, 30),
        st.sampled_from(PATHS),
        st.sets(st.sampled_from(TAGS)),
    ),
    max_size=12,
)


@given(held, st.sampled_from([*PATHS, None]), st.sets(st.sampled_from(TAGS)))
def test_an_answer_is_what_the_server_would_have_said(entries: list[Entry], path: str | None, tags: set[str]) -> None:
    asked = query(path=path, tags=tuple(sorted(tags)))

    assert SharedAnswer("app", entries).answer(asked) == Snapshot.of("app", answering(entries, asked))


@given(held)
def test_tags_are_those_of_the_folder(entries: list[Entry]) -> None:
    shared_answer = SharedAnswer("app", entries)

    for path in PATHS:
        assert set(shared_answer.tags(path)) == {tag for each in entries if each.path == path for tag in each.tags}
    assert set(shared_answer.tags(None)) == {tag for each in entries for tag in each.tags}


def test_a_place_is_as_large_as_what_is_kept_and_stays_as_long_as_that() -> None:
    memory = AnswerMemory(100_000)
    place = memory.open("team")
    entries = [entry(f"K{number}", "x" * 100, path="/" if number < 3 else "/other") for number in range(30)]
    place.resize(sum(each.weight for each in entries))
    shared_answer = SharedAnswer("app", entries, place)
    one, other = shared_answer.answer(query(path="/")), shared_answer.answer(query(path="/", tags=()))
    shared_answer.settle()
    del place, shared_answer, entries

    weight = sum(each.weight for each in one.entries)
    assert one is other
    assert weight < memory.used < 2 * weight
    del one, other
    assert memory.used == 0
