"""The failure of a call -> the rule in results.py or encrypted.py that it falls under.

Rule: nothing is decided here but which rule that is.
"""

from phase_operator.api.reasons import Reason
from phase_operator.core.errors import ExpectedError
from phase_operator.core.outcome import Event
from phase_operator.core.source.apps import is_list_alone
from phase_operator.core.values import ObjectKey
from phase_operator.reconcile.polling import encrypted, results
from phase_operator.reconcile.polling.app_state import is_lasting
from phase_operator.reconcile.polling.calls import Call, ListApps, Probe, Read, ReadKeyring
from phase_operator.reconcile.polling.lateness import LateQueries
from phase_operator.reconcile.polling.query_state import subscribers
from phase_operator.reconcile.polling.timetable import Timetable

Events = list[tuple[ObjectKey, Event]]


def failed(
    times: Timetable, late: LateQueries, call: Call, error: ExpectedError, now: float, events: Events
) -> set[ObjectKey]:
    """Record the failure of a call, and add the Events to post; return the PhaseSecrets that it is news for."""
    match call:
        case ListApps() if times.account_state.has_keys and is_list_alone(error):
            return encrypted.list_refused(times, error, now)
        case ListApps():
            return results.list_failed(times, call, error, now)
        case ReadKeyring():
            return encrypted.keyring_failed(times, late, error, now)
        case Probe() | Read(keys=None) if error.reason is Reason.APP_ENCRYPTED and _is_of_app(times, call):
            return _refused_as_encrypted(times, call, error, now)
        case Probe():
            return _probe_failed(times, late, call, error, now, events)
        case Read():
            return _read_failed(times, call, error, now)


def _is_of_app(times: Timetable, call: Probe | Read) -> bool:
    """Return whether the app is still the one that was asked: its name may mean another one by now."""
    app = times.account_state.apps.get(call.app)
    return app is not None and app.id == call.app_id


def _refused_as_encrypted(times: Timetable, call: Probe | Read, error: ExpectedError, now: float) -> set[ObjectKey]:
    query_states = times.account_state.still_asked(call)
    return encrypted.refused_as_encrypted(times, times.account_state.apps[call.app], query_states, error, now)


def _read_failed(times: Timetable, call: Read, error: ExpectedError, now: float) -> set[ObjectKey]:
    asked = times.account_state.still_asked(call)
    return set[ObjectKey]().union(*(results.read_failed(times, each, call, error, now) for each in asked))


def _probe_failed(
    times: Timetable, late: LateQueries, call: Probe, error: ExpectedError, now: float, events: Events
) -> set[ObjectKey]:
    app = times.account_state.apps.get(call.app)
    if app is None or app.is_encrypted:
        # Of an encrypted app the keyring tells, and this was one more try.
        return set()
    was_unprobed = app.is_unprobed
    woken = results.probe_failed(times, late, app, error, now)
    if app.is_unprobed and not was_unprobed and is_lasting(error):
        for key in sorted(subscribers(app.queries()))[:1]:
            message = f"app {app.ref}: {error.message}; it is read at the polling interval instead"
            events.append((key, Event("Warning", "ProbeUnavailable", message)))
    return woken
