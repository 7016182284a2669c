"""What guards say of a large answer is found out before it is taken, and is what they would have said then."""

from phase_operator.core.source.apps import App, Environment
from phase_operator.core.source.shrink_guard import Guard, moved
from phase_operator.core.values import Entry
from phase_operator.reconcile.polling.calls import ListApps, Policy, Probe, Read, Subscription
from phase_operator.reconcile.polling.scheduler import PollScheduler
from phase_operator.reconcile.polling.shared_answer import Judgement, SharedAnswer
from support.builders import entry, query
from support.planning import key

MANY = [entry(f"K{number}", "x") for number in range(1_000)]


class Asked:
    """One question of one PhaseSecret, read as often as a test says."""

    def __init__(self) -> None:
        self.scheduler = PollScheduler(Policy())
        self.now = 0.0
        self.moves = 0
        self.scheduler.subscribe(key("shop"), query(path=None), Subscription(5.0, guard=Guard(shrink=10)), self.now)

    def next_read(self) -> Read:
        while True:
            call = self.scheduler.next(self.now)
            match call:
                case ListApps():
                    self.scheduler.apps_listed(call, [App("app-1", call_app())], self.now)
                case Probe():
                    self.moves += 1
                    seen = [Environment("Production", f"2030-01-01T00:00:{self.moves:02}Z")]
                    self.scheduler.probed(call, seen, self.now)
                case Read():
                    return call
                case None:
                    self.now = max(self.now, self.scheduler.next_due() or self.now + 1)

    def take(self, call: Read, entries: list[Entry]) -> SharedAnswer:
        shared_answer = SharedAnswer(call.app_id, entries)
        self.scheduler.was_read(call, shared_answer, self.now)
        return shared_answer


def call_app() -> str:
    return query().app.name or ""


def test_a_large_answer_that_changed_is_to_be_judged_first() -> None:
    asked = Asked()
    first = asked.next_read()
    assert asked.scheduler.to_judge(first, SharedAnswer(first.app_id, MANY)) == []
    asked.take(first, MANY)
    second = asked.next_read()

    [(question, before, answer)] = asked.scheduler.to_judge(second, SharedAnswer(second.app_id, MANY[:10]))

    assert (len(before.entries), len(answer.entries)) == (1_000, 10)
    assert question.guards == [Guard(shrink=10)]
    assert asked.scheduler.to_judge(second, SharedAnswer(second.app_id, MANY)) == []


def test_a_verdict_that_was_found_before_counts_as_one_found_now() -> None:
    views = []
    for is_judged in (True, False):
        asked = Asked()
        asked.take(asked.next_read(), MANY)
        call = asked.next_read()
        shared_answer = SharedAnswer(call.app_id, MANY[:10])
        if is_judged:
            [(question, before, answer)] = asked.scheduler.to_judge(call, shared_answer)
            verdict = question.guards[0].doubt(before, answer)
            assert verdict is not None
            left = moved(before, shared_answer.by_id)
            shared_answer.judgements[question.query] = Judgement(before, left, verdict)
        asked.scheduler.was_read(call, shared_answer, asked.now)
        views.append(repr(asked.scheduler.view(key("shop"))))

    assert views[0] == views[1]
    assert "AnswerDoubted" in views[0] or "lacks" in views[0] or "Broken" in views[0]
