import pytest

from phase_operator.reconcile.polling.fair_queue import PollPriority
from phase_operator.reconcile.polling.query_state import QueryState
from support.builders import query


@pytest.mark.parametrize("wanted", list(PollPriority))
def test_a_query_that_waits_keeps_its_priority(wanted: PollPriority) -> None:
    query_state = QueryState(query(), "shop", wanted=wanted)

    assert query_state.urgency(PollPriority.STALE) is wanted


def test_a_query_that_nobody_waits_for_gets_the_given_priority() -> None:
    assert QueryState(query(), "shop").urgency(PollPriority.STALE) is PollPriority.STALE
