import pytest

from phase_operator.core.source.answer_memory import MIB, AnswerMemory
from phase_operator.reconcile.polling.calls import Read, Subscription
from phase_operator.reconcile.polling.fair_queue import PollPriority
from phase_operator.reconcile.polling.query_state import Answer, QueryState, Verdict
from phase_operator.reconcile.polling.shared_answer import SharedAnswer
from support.builders import KEY, entry, query

ASKED = query(path=None)
CALL = Read(ASKED.account, ASKED.app, "app", ASKED.environment, None, (), None, (ASKED,), is_whole=True)


@pytest.mark.parametrize("wanted", list(PollPriority))
def test_a_query_that_waits_keeps_its_priority(wanted: PollPriority) -> None:
    query_state = QueryState(query(), "shop", wanted=wanted)

    assert query_state.urgency(PollPriority.STALE) is wanted


def test_a_query_that_nobody_waits_for_gets_the_given_priority() -> None:
    assert QueryState(query(), "shop").urgency(PollPriority.STALE) is PollPriority.STALE


def test_an_environment_that_is_empty_for_days_is_held_in_one_place() -> None:
    asked = QueryState(query(path=None), "shop")
    asked.subscriptions[KEY] = Subscription(60.0)
    memory = AnswerMemory(MIB)
    now = 0.0
    for read in range(2_000):
        now += 60.0
        found = [entry("A")] if read == 0 else []
        shared_answer = SharedAnswer("app", found, memory.open("team"))
        answer = shared_answer.answer(asked.query)
        shared_answer.settle()
        got = Answer(answer, (), shared_answer, CALL)
        if asked.judge(got, now) is Verdict.GOOD:
            asked.accept(got, now)

    assert asked.full is not None
    assert [each.key for each in asked.full.entries] == ["A"]
    assert len(list(asked.places())) == 1
