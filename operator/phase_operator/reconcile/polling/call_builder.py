"""Make the call of a task whose turn has come.

Rule: many queries to one environment become one read of all of it; nothing is read twice at once.
"""

from dataclasses import replace

from phase_operator.core.flow.fair_queue import PollPriority
from phase_operator.core.source.query import AppRef, SourceQuery
from phase_operator.reconcile.polling.accounts import LIST, Asker, Task
from phase_operator.reconcile.polling.app_state import AppState
from phase_operator.reconcile.polling.calls import Call, ListApps, Probe, Read
from phase_operator.reconcile.polling.question_state import QueryState
from phase_operator.reconcile.polling.timetable import Timetable


def build(times: Timetable, task: Task, now: float) -> Call | None:
    """Make a task a call, or None if nothing is to be asked any more, or not now."""
    asker = times.asker
    if isinstance(task, str):
        asker.busy.add(LIST)
        return ListApps(asker.account)
    app = asker.apps.get(task if isinstance(task, AppRef) else task.app)
    if app is None or app.id is None:
        return None
    if isinstance(task, AppRef):
        asker.busy.add(task)
        app.probe_began_at = now
        return Probe(asker.account, task, app.id)
    question = asker.find(task)
    if question is None:
        return None
    if app.is_out_of_date(question, now):
        times.wait_for_probe(app, question, now)
        return None
    is_wide = 0 < times.policy.wide_above < len(app.places[task.environment])
    if is_wide or question.needs_all:
        return _read_all(asker, app, app.id, question, now, is_wide=is_wide)
    return _read(asker, app, app.id, [question], task.path, task.tags)


def tasks_of(call: Call) -> list[Task | tuple[AppRef, str]]:
    """Return what is not under way any more when a call has ended."""
    match call:
        case ListApps():
            return [LIST]
        case Probe():
            return [call.app]
        case Read():
            return [*call.questions, *([(call.app, call.environment)] if call.is_whole else [])]


def _read_all(
    asker: Asker, app: AppState, app_id: str, question: QueryState, now: float, *, is_wide: bool
) -> Read | None:
    """Read the whole environment for a query and the others that it answers; None if that is under way."""
    query: SourceQuery = question.query
    whole = (app.ref, query.environment)
    if whole in asker.busy:
        asker.again[query] = (now, question.urgency(PollPriority.PERIODIC))
        return None
    asker.busy.add(whole)
    idle = [
        each
        for each in app.places[query.environment].values()
        if each.query not in asker.busy and (is_wide or each.is_wide or each.query == query)
    ]
    return replace(_read(asker, app, app_id, idle, None, ()), is_whole=True)


def _read(
    asker: Asker, app: AppState, app_id: str, questions: list[QueryState], path: str | None, tags: tuple[str, ...]
) -> Read:
    for question in questions:
        asker.fair_queue.drop(question.query)
        asker.busy.add(question.query)
        app.waiting.pop(question.query, None)
        question.has_waited = False
    queries = tuple(question.query for question in questions)
    environment = queries[0].environment
    # While probes fail, nobody knows whether what is read is newer than the last one.
    revision = app.revision(environment) if app.is_probed else None
    return Read(asker.account, app.ref, app_id, environment, path, tags, revision, queries)
