"""What follows from the end of a call: what is known then, what is asked next, and which PhaseSecrets are woken."""

from collections.abc import Iterable, Sequence

from phase_operator.api.reasons import Reason
from phase_operator.core.errors import ExpectedError, Waiting
from phase_operator.core.flow.backoff import retry_source
from phase_operator.core.flow.fair_queue import PollPriority
from phase_operator.core.source.apps import App, Directory, Environment, no_environment, no_list
from phase_operator.core.values import ObjectKey
from phase_operator.reconcile.polling.accounts import LIST
from phase_operator.reconcile.polling.app_state import AppState, is_lasting
from phase_operator.reconcile.polling.calls import ListApps
from phase_operator.reconcile.polling.lateness import LateQueries, crowded
from phase_operator.reconcile.polling.question_state import DOUBT_PAUSE, Answer, QueryState, Verdict, subscribers
from phase_operator.reconcile.polling.timetable import HEALING, Timetable

_NO_PROBE = 600.0


def apps_listed(times: Timetable, apps: Sequence[App], now: float) -> set[ObjectKey]:
    """Take the list of an account's apps."""
    asker, woken = times.asker, set[ObjectKey]()
    asker.listed, asker.listed_at, asker.failures = Directory(apps), now, 0
    changed = asker.list_error is not None
    asker.list_error = None
    for app in asker.apps.values():
        if app.ref.id is None and (times.name(app, now) or changed):
            woken |= subscribers(app.questions())
    if all(app.id is not None for app in asker.apps.values()):
        # Apps that were asked for while it was listed are named by now as well.
        asker.drop(LIST)
    times.list_again(now)
    return woken


def list_failed(times: Timetable, call: ListApps, error: ExpectedError, now: float) -> set[ObjectKey]:
    """Take that the apps could not be listed: it concerns those that only a name is known of."""
    asker = times.asker
    asker.failures += 1
    asker.list_error = no_list(error)
    nameless = [app for app in asker.apps.values() if app.id is None]
    if nameless:
        times.plan(LIST, now + retry_source(error, asker.failures, HEALING, repr(call)))
    times.list_again(now)
    return subscribers(question for app in nameless for question in app.questions())


def probed(times: Timetable, app: AppState, environments: Iterable[Environment], now: float) -> set[ObjectKey]:
    """Take the revisions of an app's environments: whatever moved is read again."""
    before = app.probed(environments)
    woken = app.end_trouble()
    times.open(app, now)
    for question in app.questions():
        woken |= question.set_unprobed(is_refused=False)
        woken |= _compare(times, app, question, question.query.environment not in before, now)
    times.end_wait(app, now)
    if any(name in before and before[name] != each for name, each in app.environments.items()):
        times.read_references(now)
    is_broken = any(question.error is not None for question in app.questions())
    interval = min(app.interval, HEALING) if is_broken else app.interval
    times.asker.need(app, interval)
    times.probe_again(app, interval, now)
    return woken


def probe_failed(
    times: Timetable, late: LateQueries, app: AppState, error: ExpectedError, now: float
) -> set[ObjectKey]:
    """Take that an app could not be probed: reads do without, at the polling interval if that lasts."""
    if error.reason is Reason.RATE_LIMITED:
        times.plan(app.ref, now)
        return set()
    app.probe_failed(error)
    times.end_wait(app, now)
    times.asker.need(app, None)
    if error.reason is Reason.APP_NOT_FOUND:
        times.find_again(app, now)
    times.open(app, now)
    if app.is_unprobed:
        for question in app.questions():
            if question.answer is None and question.error is None:
                times.want(question, PollPriority.EDITED, now)
            else:
                times.read_again(question, now)
    pause = _NO_PROBE if is_lasting(error) else retry_source(error, app.failures, HEALING, repr(app.ref))
    times.plan(app.ref, now + pause)
    if is_lasting(error):
        return app.end_trouble()
    app.trouble = error
    late.look_later(times.asker.account, now)
    return app.report_trouble() if times.asker.gate.host.breaker.error is not None else set()


def answered(times: Timetable, question: QueryState, got: Answer, now: float) -> set[ObjectKey]:
    """Take an answer, unless it is suspect, or not known to be whole."""
    app = times.asker.apps[question.query.app]
    times.asker.denied.pop(question.query, None)
    match question.judge(got, now):
        case Verdict.SUSPECT:
            # Whether what is missing lies elsewhere now is told by a read of everything, at once.
            times.want(question, PollPriority.MOVED, now + (DOUBT_PAUSE if got.call.is_whole else 0.0))
            return set(question.subscriptions)
        case Verdict.INCOMPLETE:
            times.want(question, PollPriority.MOVED, now)
            return set()
        case Verdict.GOOD:
            woken = question.accept(got, now) | app.end_trouble()
    times.read_again(question, now)
    if app.is_probed and got.call.revision != app.revision(question.query.environment):
        # A probe saw a newer state while this one was read.
        times.want(question, PollPriority.MOVED, now)
    return woken


def read_failed(times: Timetable, question: QueryState, error: ExpectedError, now: float) -> set[ObjectKey]:
    """Take that a query could not be read: the failure stands beside the last good answer."""
    if error.reason is Reason.RATE_LIMITED and question.answer is not None:
        # One refusal delays what has been answered, and that is all.
        times.want(question, question.urgency(PollPriority.MOVED), now)
        return set()
    app, name = times.asker.apps[question.query.app], question.query.environment
    is_news = question.fail(no_environment(error, app.ref, name, [each.name for each in app.environments.values()]))
    if error.reason is Reason.APP_NOT_FOUND:
        times.find_again(app, now)
    pause = retry_source(error, question.failures, question.interval, question.identity)
    if error.reason is Reason.ACCESS_DENIED:
        pause = max(pause, crowded(times.asker, question))
    if isinstance(error, Waiting) and app.is_open and name in app.absent:
        # The probe sees it appear; nothing is learnt by reading until then.
        pause = max(pause, _NO_PROBE)
    times.plan(question.query, now + pause, PollPriority.NEW if question.answer is None else PollPriority.PERIODIC)
    times.probe_again(app, HEALING, now)
    return set(question.subscriptions) if is_news else set()


def breaker_turned(times: Timetable, now: float) -> set[ObjectKey]:
    """Begin again if a breaker closed; return who has to say that it opened or closed: who failed, or waits."""
    woken: set[ObjectKey] = set()
    host, denials = times.asker.gate.host.breaker.error, times.asker.gate.denials.error
    for app in times.asker.apps.values():
        if app.trouble is not None and host is not None:
            woken |= app.report_trouble()
        waiting = [each for each in app.questions() if each.answer is None]
        woken |= subscribers(waiting)
        fails = app.trouble is not None or any(each.error is not None for each in app.questions())
        if host is None and denials is None and app.id is not None and (waiting or fails):
            times.plan(app.ref, now)
    return woken


def _compare(times: Timetable, app: AppState, question: QueryState, is_new: bool, now: float) -> set[ObjectKey]:
    """Compare a query with what a probe just saw of its environment, which it may see for the first time."""
    revision = app.revision(question.query.environment)
    if question.error is None and revision is not None and question.revision == revision:
        return question.confirm_by_probe(app.probed_at, now)
    if question.is_unread_at(revision):
        return set() if question.wanted is not None else set(question.owed)
    urgency = app.urgency_after_probe(question, is_new=is_new)
    if urgency is not None:
        times.want(question, urgency, now)
    return set()
