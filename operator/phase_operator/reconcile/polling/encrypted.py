"""What follows for end-to-end encrypted apps: which apps are, what a keyring tells of them, and how its calls fail.

An app is asked by the public API until that refuses it as encrypted, or a list says that it is. With keys, one call for
the account's keyring is then the probe of all its encrypted apps.

Rule: an app that the public API refuses as encrypted is at once read with keys, which open apps of both kinds. All else
changes its side at most once in a while, whatever its host says, so that a host that says both makes no loop and hides
nothing.
"""

from collections.abc import Iterable
from itertools import chain

from phase_operator.api.reasons import Reason
from phase_operator.core.errors import ExpectedError, Transient, asked_pause
from phase_operator.core.flow.backoff import retry_source
from phase_operator.core.source.apps import App, no_list
from phase_operator.core.source.keyring import Decrypted
from phase_operator.core.values import ObjectKey
from phase_operator.reconcile.polling import results
from phase_operator.reconcile.polling.app_state import AppState, is_lasting
from phase_operator.reconcile.polling.calls import KEYRING, Read
from phase_operator.reconcile.polling.fair_queue import PollPriority
from phase_operator.reconcile.polling.keyrings import Dependencies, KeyringIndex
from phase_operator.reconcile.polling.lateness import LateQueries
from phase_operator.reconcile.polling.query_state import QueryState, subscribers
from phase_operator.reconcile.polling.timetable import HEALING, Timetable

_OF_ADDRESS = (
    "Phase answers the operator's address no more calls for the keys of encrypted apps now; "
    "it counts those of all accounts together"
)


def refused_as_encrypted(
    times: Timetable, app: AppState, query_states: Iterable[QueryState], error: ExpectedError, now: float
) -> set[ObjectKey]:
    """Record that the public API refuses an app as encrypted, when it was probed or these queries were read.

    However lately it was taken for another: if it waited here, nothing of it would be read meanwhile.
    """
    account_state = times.account_state
    for query_state in query_states:
        query_state.wanted = query_state.urgency(PollPriority.MOVED)
    if app.is_encrypted:
        # Asked before that was known, or to see whether it is so still.
        if app.is_open:
            times.open(app, now)
        return set()
    account_state.need(app, None)
    if not account_state.has_keys:
        times.plan(app.ref, now + retry_source(error, 1, HEALING, repr(app.ref)))
        return app.close(error)
    _begin_encryption(times, app, now)
    if not account_state.keys.is_fresh(now):
        times.probe(app, now)
    return catch_up(times, [app], now)


def catch_up(times: Timetable, apps: Iterable[AppState], now: float) -> set[ObjectKey]:
    """Have those of the apps that are encrypted and were not probed yet probed by a keyring that is new enough."""
    keys, woken = times.account_state.keys, set[ObjectKey]()
    if keys.index is None or not keys.is_fresh(now):
        return woken
    for app in apps:
        if app.waits_for_keyring:
            woken |= _probed(times, keys.index, app, now)
    return woken


def follow_list(times: Timetable, now: float) -> None:
    """Record which apps the list calls encrypted, unless their probes have shown otherwise.

    Whether the keyring is still needed is for the caller to see.
    """
    account_state = times.account_state
    for app in account_state.apps.values():
        is_encrypted = account_state.listed.is_encrypted(app.id) if app.id is not None else None
        if is_encrypted is not None and is_encrypted is not app.is_encrypted and _may_switch(app, now):
            _follow_listed(times, app, now, is_encrypted=is_encrypted)


def _follow_listed(times: Timetable, app: AppState, now: float, *, is_encrypted: bool) -> None:
    """Take an app for what the list calls it, which is not what it was taken for so far."""
    if not is_encrypted:
        _end_encryption(times, app, now)
    elif times.account_state.has_keys and not app.is_probed:
        _begin_encryption(times, app, now)
        times.probe(app, now)


def probed_unencrypted(times: Timetable, app: AppState, now: float) -> bool:
    """Record that the public API answers for an app that was encrypted; return whether that is believed now."""
    if not _may_switch(app, now):
        return False
    app.switch(now, is_encrypted=False)
    times.account_state.drop_idle_keyring()
    return True


def keyring_read(times: Timetable, index: KeyringIndex, now: float) -> set[ObjectKey]:
    """Record an account's keyring: it is the probe of its encrypted apps, and has the names of unlisted ones."""
    account_state, woken = times.account_state, set[ObjectKey]()
    has_moved = account_state.keys.take(index)
    if account_state.keys.instead_of_list is not None:
        place = index.keyring.place
        listed = [App(app.id, app.name, app.is_encrypted, place) for app in index.keyring.apps]
        woken |= results.apps_listed(times, listed, now)
    for app in account_state.encrypted():
        woken |= _follow_keyring(times, index, app, now)
    if has_moved:
        times.read_references(now, of_encrypted=True)
    account_state.drop_idle_keyring()
    return woken


def _follow_keyring(times: Timetable, index: KeyringIndex, app: AppState, now: float) -> set[ObjectKey]:
    """Take what a keyring tells of an app that was encrypted so far; return the PhaseSecrets that it is news for."""
    found = index.app(app.id or "")
    if found is not None and found.is_encrypted is False and _may_switch(app, now):
        _end_encryption(times, app, now)
        return set()
    woken = _probed(times, index, app, now)
    if found is not None and found.is_encrypted is None:
        times.try_unencrypted(app, now)
    return woken


def keyring_failed(times: Timetable, late: LateQueries, error: ExpectedError, now: float) -> set[ObjectKey]:
    """Record that the keyring could not be read: it concerns encrypted apps, and names that only it has."""
    account_state = times.account_state
    keys, apps = account_state.keys, account_state.encrypted()
    if error.reason is Reason.RATE_LIMITED:
        # Of the address that all accounts of the host share: this one has done nothing wrong, and is merely late.
        error = Transient(error.reason, _OF_ADDRESS, after=asked_pause(error))
        times.plan(KEYRING, now)
        for app in apps:
            times.end_wait(app, now)
        return _troubled(times, late, apps, error, now) | _nameless(times, error)
    keys.error, keys.failures = error, keys.failures + 1
    times.plan(KEYRING, now + retry_source(error, keys.failures, HEALING, repr(account_state.account)))
    woken = _nameless(times, error)
    if is_lasting(error):
        if error.reason is not Reason.ACCESS_DENIED:
            _try_without_keys(times, apps, error, now)
        return woken.union(*(app.close(error) for app in apps))
    for app in apps:
        app.probe_failed(error)
        if keys.index is not None:
            results.do_without_probe(times, app, now)
    return woken | _troubled(times, late, apps, error, now)


def _try_without_keys(times: Timetable, apps: Iterable[AppState], error: ExpectedError, now: float) -> None:
    """Ask the public API in time, where only the keys are of no use: once SSE is on, it answers without them."""
    for app in apps:
        due = now + retry_source(error, times.account_state.keys.failures, HEALING, repr(app.ref))
        times.plan(app.ref, max(due, app.switched_at + HEALING))


def answer_decrypted(times: Timetable, call: Read, decrypted: Decrypted) -> None:
    """Note what a decrypted answer depends on."""
    times.account_state.decrypted += 1
    app = times.account_state.apps.get(call.app)
    if app is not None and app.is_encrypted and call.keys is not None and call.environment in app.places:
        app.dependencies[call.environment] = Dependencies.of(decrypted, call.keys)


def list_refused(times: Timetable, error: ExpectedError, now: float) -> set[ObjectKey]:
    """Record that the account may not list apps: its keyring names them, and needs no permission."""
    keys = times.account_state.keys
    keys.instead_of_list = no_list(error)
    keys.has_to_name = True
    times.plan(KEYRING, now)
    times.list_again(now)
    return set()


def _probed(times: Timetable, index: KeyringIndex, app: AppState, now: float) -> set[ObjectKey]:
    app.probe_began_at = times.account_state.keys.began_at
    return results.probed(times, app, index.environments(app.id or ""), now)


def _may_switch(app: AppState, now: float) -> bool:
    return now - app.switched_at >= HEALING


def _begin_encryption(times: Timetable, app: AppState, now: float) -> None:
    """Hold reads back until the keyring tells of an app, and probe it by the public API no more."""
    app.hold()
    app.switch(now, is_encrypted=True)
    times.account_state.drop(app.ref)


def _end_encryption(times: Timetable, app: AppState, now: float) -> None:
    """Go on with the public API: its probe shows the same revisions, so that nothing is read again."""
    app.switch(now, is_encrypted=False)
    times.probe(app, now)


def _troubled(
    times: Timetable, late: LateQueries, apps: Iterable[AppState], error: ExpectedError, now: float
) -> set[ObjectKey]:
    woken = set[ObjectKey]()
    for app in apps:
        is_news = app.trouble is None or app.trouble.message != error.message
        woken |= results.trouble(times, late, app, error, now) | (app.unanswered() if is_news else set())
    return woken


def _nameless(times: Timetable, error: ExpectedError) -> set[ObjectKey]:
    """Report the reason on apps whose id is not known; return the PhaseSecrets that it is news for."""
    account_state = times.account_state
    refused, nameless = account_state.keys.instead_of_list, account_state.nameless()
    if refused is None or not nameless:
        return set()
    before = account_state.list_error
    # Where there is no keyring either, the advice is that of the list.
    account_state.list_error = refused if error.reason is Reason.UNEXPECTED_ANSWER else error
    if before is not None and before.message == account_state.list_error.message:
        return set()
    return subscribers(chain.from_iterable(app.queries() for app in nameless))
