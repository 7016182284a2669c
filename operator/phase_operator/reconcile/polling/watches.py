"""Resources that hear when an environment moves and read nothing of it, such as those that push.

Rule: a watch is one more who asks for the probe of an app. Whoever else asks of the same app shares that probe, and a
watch alone has no entry read.
"""

from dataclasses import dataclass
from functools import partial

from phase_operator.core.source.query import Account, AppRef
from phase_operator.core.values import ObjectKey
from phase_operator.reconcile.polling import encrypted
from phase_operator.reconcile.polling.app_state import AppState, Watcher
from phase_operator.reconcile.polling.registry import Accounts


@dataclass(frozen=True, slots=True)
class Watch:
    """An environment that is watched."""

    account: Account
    app: AppRef
    # In lower case, as Phase compares it.
    environment: str


class Watches:
    """The watches of all resources; each method that plans takes `now`, in seconds of one monotonic clock."""

    def __init__(self, accounts: Accounts) -> None:
        self._accounts = accounts
        self._watches: dict[ObjectKey, Watch] = {}
        self._moved: set[ObjectKey] = set()

    def begin(
        self, key: ObjectKey, watch: Watch, interval: float, now: float, *, has_keys: bool = False
    ) -> set[ObjectKey]:
        """Have an app probed at an interval for a resource, instead of what it watched; return PhaseSecrets to wake.

        `has_keys`: the account's token can open encrypted apps; another form of the token is another account.
        """
        if self._watches.get(key) != watch:
            self.end(key)
        times = self._accounts.begin(watch.account, now, has_keys=has_keys)
        app = times.app(watch.app, now)
        if key in app.watchers:
            app.watchers[key].interval = interval
        else:
            seen = app.revision(watch.environment)
            watcher = Watcher(watch.environment, interval, partial(self._moved.add, key), seen)
            times.account_state.watch(app, key, watcher)
            self._watches[key] = watch
        times.probe_again(app, interval, now)
        return encrypted.catch_up(times, [app], now)

    def end(self, key: ObjectKey) -> None:
        """Let a resource watch nothing any more; it is not woken for what moved before."""
        self._moved.discard(key)
        watch = self._watches.pop(key, None)
        if watch is not None:
            account_state = self._accounts[watch.account].account_state
            account_state.unwatch(account_state.apps[watch.app], key)

    def moved(self) -> set[ObjectKey]:
        """Return the resources whose environment has moved, once: those to wake."""
        moved = set(self._moved)
        self._moved.clear()
        return moved

    def revision(self, account: Account, app_id: str, environment: str) -> str | None:
        """Return the revision of an environment that the last probe of an app has shown; None if none has.

        An app may be asked for by its name and by its id, which are probed each in their time.
        """
        if account not in self._accounts:
            return None
        apps = self._accounts[account].account_state.apps.values()
        shown = [(app.probed_at, found) for app in apps if (found := _shown(app, app_id, environment)) is not None]
        return max(shown, default=(0.0, None), key=lambda each: each[0])[1]


def _shown(app: AppState, app_id: str, environment: str) -> str | None:
    return app.revision(environment) if app.id == app_id else None
