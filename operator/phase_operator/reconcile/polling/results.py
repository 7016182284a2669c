"""What follows from the end of a call: what is known then, what is asked next, and which PhaseSecrets are woken."""

from collections.abc import Mapping, Sequence
from itertools import chain

from phase_operator.api.reasons import Reason
from phase_operator.core.errors import ExpectedError, Waiting
from phase_operator.core.flow.backoff import retry_source
from phase_operator.core.source.answer_memory import AnswerMemoryFull
from phase_operator.core.source.apps import App, Directory, Environment, no_environment, no_list
from phase_operator.core.values import ObjectKey
from phase_operator.reconcile.polling.app_state import AppState, is_lasting
from phase_operator.reconcile.polling.calls import LIST, ListApps, Read
from phase_operator.reconcile.polling.fair_queue import PollPriority
from phase_operator.reconcile.polling.lateness import LateQueries, crowded
from phase_operator.reconcile.polling.query_state import DOUBT_PAUSE, Answer, QueryState, Verdict, subscribers
from phase_operator.reconcile.polling.timetable import HEALING, Timetable

_NO_PROBE = 600.0
# What a refusal of one environment may mean, if it is asked for with keys: it has gone, or been made anew.
_OF_ACCESS = frozenset({Reason.ACCESS_DENIED, Reason.APP_NOT_FOUND, Reason.ENVIRONMENT_NOT_FOUND})


def apps_listed(times: Timetable, apps: Sequence[App], now: float) -> set[ObjectKey]:
    """Record the apps of an account."""
    account_state, woken = times.account_state, set[ObjectKey]()
    account_state.listed, account_state.listed_at, account_state.failures = Directory(apps), now, 0
    changed = account_state.list_error is not None
    account_state.list_error = None
    for app in account_state.apps.values():
        if app.ref.id is None and (times.name(app, now) or changed):
            woken |= subscribers(app.queries())
    if not account_state.nameless():
        # Apps that were asked for while it was listed are named by now as well.
        account_state.drop(LIST)
    times.list_again(now)
    return woken


def list_failed(times: Timetable, call: ListApps, error: ExpectedError, now: float) -> set[ObjectKey]:
    """Record that the apps could not be listed: it concerns those whose id is not known."""
    account_state = times.account_state
    account_state.failures += 1
    account_state.list_error = no_list(error)
    nameless = account_state.nameless()
    if nameless:
        times.plan(LIST, now + retry_source(error, account_state.failures, HEALING, repr(call)))
    times.list_again(now)
    return subscribers(chain.from_iterable(app.queries() for app in nameless))


def probed(times: Timetable, app: AppState, environments: Mapping[str, Environment], now: float) -> set[ObjectKey]:
    """Record the revisions of an app's environments, by name; queries of those that moved are read again."""
    before = app.probed(environments)
    woken = app.end_trouble() | app.reopen()
    times.open(app, now)
    for query_state in app.queries():
        woken |= query_state.set_unprobed(is_refused=False)
        woken |= _compare(times, app, query_state, query_state.query.environment not in before, now)
    times.end_wait(app, now)
    if not app.is_encrypted and _has_moved(before, app.environments):
        times.read_references(now)
    interval = min(app.interval, HEALING) if app.is_broken else app.interval
    times.account_state.need(app, None if app.is_encrypted else interval)
    times.probe_again(app, interval, now)
    return woken


def _has_moved(before: Mapping[str, Environment], after: Mapping[str, Environment]) -> bool:
    """Return whether an environment that two probes saw is another one to the second."""
    return any(name in before and before[name] != each for name, each in after.items())


def probe_failed(
    times: Timetable, late: LateQueries, app: AppState, error: ExpectedError, now: float
) -> set[ObjectKey]:
    """Record that an app could not be probed: reads do without, at the polling interval if that lasts."""
    if error.reason is Reason.RATE_LIMITED:
        times.plan(app.ref, now)
        return set()
    app.probe_failed(error)
    # Reads tell what is so now.
    woken = app.reopen() if is_lasting(error) else set[ObjectKey]()
    if error.reason is Reason.APP_NOT_FOUND:
        times.find_again(app, now)
    do_without_probe(times, app, now)
    pause = _NO_PROBE if is_lasting(error) else retry_source(error, app.failures, HEALING, repr(app.ref))
    times.plan(app.ref, now + pause)
    return woken | (app.end_trouble() if is_lasting(error) else trouble(times, late, app, error, now))


def do_without_probe(times: Timetable, app: AppState, now: float) -> None:
    """Allow reads, since a probe has failed; if that lasts, at their own intervals."""
    times.end_wait(app, now)
    times.account_state.need(app, None)
    times.open(app, now)
    if app.is_unprobed:
        for query_state in app.queries():
            if query_state.is_unanswered:
                times.want(query_state, PollPriority.EDITED, now)
            else:
                times.read_again(query_state, now)


def trouble(times: Timetable, late: LateQueries, app: AppState, error: ExpectedError, now: float) -> set[ObjectKey]:
    """Keep what kept an app from being probed; it is told of what is late, and of everything if the host fails."""
    app.trouble = error
    late.look_later(times.account_state.account, now)
    return app.report_trouble() if times.account_state.gate.host.breaker.error is not None else set()


def answered(times: Timetable, query_state: QueryState, got: Answer, now: float) -> set[ObjectKey]:
    """Record an answer, unless it is suspect, or not known to be whole."""
    app = times.account_state.apps[query_state.query.app]
    times.account_state.denied.pop(query_state.query, None)
    match query_state.judge(got, now):
        case Verdict.SUSPECT:
            # A read of everything shows at once whether what is missing lies elsewhere now.
            times.want(query_state, PollPriority.MOVED, now + (DOUBT_PAUSE if got.call.is_whole else 0.0))
            return set(query_state.subscriptions)
        case Verdict.INCOMPLETE:
            times.want(query_state, PollPriority.MOVED, now)
            return set()
        case Verdict.GOOD:
            # That an environment is read does not tell that the account's keyring is, which shows what moves.
            woken = query_state.accept(got, now) | (app.soothe() if app.is_encrypted else app.end_trouble())
    times.read_again(query_state, now)
    if _was_overtaken(times, app, query_state, got):
        times.want(query_state, PollPriority.MOVED, now)
    return woken


def _was_overtaken(times: Timetable, app: AppState, query_state: QueryState, got: Answer) -> bool:
    """Return whether a probe saw a newer state while an answer was read."""
    is_older = app.is_probed and got.call.revision != app.revision(query_state.query.environment)
    return is_older or _has_moved_elsewhere(times, app, query_state)


def read_failed(
    times: Timetable, query_state: QueryState, call: Read, error: ExpectedError, now: float
) -> set[ObjectKey]:
    """Record that a query could not be read; the last good answer is kept beside the failure."""
    if error.reason is Reason.RATE_LIMITED and query_state.answer is not None:
        # One refusal delays what has been answered, and that is all.
        times.want(query_state, query_state.urgency(PollPriority.MOVED), now)
        return set()
    app = times.account_state.apps[query_state.query.app]
    if _may_be_out_of_date(app, query_state, call, error):
        query_state.awaits_keys, query_state.wanted = True, query_state.urgency(PollPriority.MOVED)
        times.probe(app, now)
        return set()
    return _refused(times, app, query_state, call, error, now)


def _refused(
    times: Timetable, app: AppState, query_state: QueryState, call: Read, error: ExpectedError, now: float
) -> set[ObjectKey]:
    """Keep a failure beside the last good answer, and plan the next read."""
    name = query_state.query.environment
    query_state.awaits_keys = False
    # Who forced a read has to say that it was tried, also if it failed as the one before.
    asked = set(query_state.forced)
    is_news = query_state.fail(no_environment(error, app.ref, name, [each.name for each in app.environments.values()]))
    if error.reason is Reason.APP_NOT_FOUND:
        times.find_again(app, now)
    if _is_of_content(error) and call.keys is not None:
        query_state.failed_with = call.keys.state
    pause = _pause_after(times, app, query_state, call, error)
    urgency = PollPriority.NEW if query_state.answer is None else PollPriority.PERIODIC
    times.plan(query_state.query, now + pause, urgency)
    times.probe_again(app, HEALING, now)
    return set(query_state.subscriptions) if is_news else asked


def _pause_after(times: Timetable, app: AppState, query_state: QueryState, call: Read, error: ExpectedError) -> float:
    """Return for how many seconds a query that could not be read is not read again."""
    pause = retry_source(error, query_state.failures, query_state.interval, query_state.identity)
    if error.reason is Reason.ACCESS_DENIED:
        pause = max(pause, crowded(times.account_state, query_state))
    if _waits_for_probe(app, query_state.query.environment, call, error):
        pause = max(pause, _NO_PROBE)
    return pause


def _is_of_content(error: ExpectedError) -> bool:
    """Return whether an error is due to what is there alone: neither to access, nor to what others hold."""
    is_of_others = isinstance(error, AnswerMemoryFull)
    return isinstance(error, Waiting) and error.reason not in _OF_ACCESS and not is_of_others


def _waits_for_probe(app: AppState, name: str, call: Read, error: ExpectedError) -> bool:
    """Return whether a probe shows when an environment is worth another read, and none is before."""
    # A probe sees it appear; the keyring, which is the probe of an encrypted app, shows when it has changed.
    is_absent = isinstance(error, Waiting) and app.is_open and name in app.absent
    return is_absent or (call.keys is not None and _is_of_content(error))


def breaker_turned(times: Timetable, now: float) -> set[ObjectKey]:
    """Begin again if a breaker closed; return who has to say that it opened or closed: who failed, or waits."""
    woken: set[ObjectKey] = set()
    gate = times.account_state.gate
    for app in times.account_state.apps.values():
        if gate.host.breaker.error is not None and app.trouble is not None:
            woken |= app.report_trouble()
        waiting = app.never_answered()
        woken |= subscribers(waiting)
        if gate.failure is None and app.id is not None and (waiting or app.fails):
            times.probe(app, now)
    return woken


def _compare(times: Timetable, app: AppState, query_state: QueryState, is_new: bool, now: float) -> set[ObjectKey]:
    """Compare a query with what a probe just saw of its environment, which it may see for the first time."""
    if app.is_encrypted and _is_out_of_date(times, app, query_state):
        times.want(query_state, PollPriority.MOVED, now)
        return set()
    revision = app.revision(query_state.query.environment)
    if query_state.is_in_step_at(revision):
        return query_state.confirm_by_probe(app.probed_at, now)
    if query_state.is_unread_at(revision):
        return set() if query_state.wanted is not None else set(query_state.owed)
    urgency = app.urgency_after_probe(query_state, is_new=is_new)
    if urgency is not None:
        times.want(query_state, urgency, now)
    return set()


def _is_out_of_date(times: Timetable, app: AppState, query_state: QueryState) -> bool:
    """Return whether a new keyring has a query of an encrypted app read again, whatever its own revision."""
    if query_state.error is None:
        return query_state.awaits_keys or _has_moved_elsewhere(times, app, query_state)
    index = times.account_state.keys.index
    return query_state.failed_with is not None and index is not None and query_state.failed_with != index.state


def _has_moved_elsewhere(times: Timetable, app: AppState, query_state: QueryState) -> bool:
    """Return whether another environment has moved that the last answer was made of."""
    dependencies, index = app.dependencies.get(query_state.query.environment), times.account_state.keys.index
    return dependencies is not None and index is not None and dependencies.has_moved(index)


def _may_be_out_of_date(app: AppState, query_state: QueryState, call: Read, error: ExpectedError) -> bool:
    """Return whether a refusal may be due to keys that are out of date: once, and if nothing else failed before."""
    if call.keys is None or error.reason not in _OF_ACCESS or query_state.error is not None:
        return False
    return not query_state.awaits_keys and query_state.query.environment not in app.absent
