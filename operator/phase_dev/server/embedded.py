"""The server in a thread of the caller's process, for tests and the demo.

Rule: everything that a test turns is turned here, in the words of the seed; the sockets are real.
"""

import socket
import threading
from collections.abc import Iterable, Mapping
from datetime import datetime
from pathlib import Path
from types import TracebackType
from typing import Any, Literal, Self

import uvicorn

from phase_dev.server import model
from phase_dev.server.app import application
from phase_dev.server.clock import AdvancingClock, Clock, system_clock
from phase_dev.server.damage import Damage, DamagedField
from phase_dev.server.dynamic_seed import parse_dynamic
from phase_dev.server.faults import Fault, FaultKind
from phase_dev.server.installation import Phase
from phase_dev.server.keys import token_text
from phase_dev.server.lease_switches import LeaseSwitches
from phase_dev.server.seed import Seed, apply_seed, load_seed, parse_seed
from phase_dev.server.serving import listen, server_for, url_of
from phase_dev.server.sqlite import SqliteJournal
from phase_dev.server.state import State

TokenForm = Literal["bearer", "hex", "pss"]


class EmbeddedPhase:
    """A Phase server on 127.0.0.1 from `with` to the end of the block.

    `seed` is a path to a YAML file, what such a file says as a mapping, or None for the data set of the package.
    """

    def __init__(
        self,
        seed: Path | Mapping[str, Any] | Seed | None = None,
        *,
        port: int = 0,
        host: str = "127.0.0.1",
        state: Path | None = None,
        quota: int | None = None,
        clock: Clock = system_clock,
    ) -> None:
        self._seed, self._host, self._port, self._file = seed, host, port, state
        self._quota, self._clock = quota, clock
        self._running: tuple[uvicorn.Server, threading.Thread, socket.socket] | None = None
        self.url = ""
        self.phase = Phase(State(), AdvancingClock(clock), quota)

    def __enter__(self) -> Self:
        """Start the server."""
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop the server."""
        self.stop()

    def start(self) -> None:
        """Listen, and serve from a thread; the URL is known when this returns."""
        seed = self._seed if isinstance(self._seed, Seed) else _read(self._seed)
        clock = AdvancingClock(self._clock)
        sock = listen(self._host, self._port)
        try:
            state = State(SqliteJournal(self._file) if self._file else None)
            if state.empty:
                apply_seed(seed, state, clock())
        except BaseException:
            sock.close()
            raise
        self.phase = Phase(state, clock, self._quota)
        self._port = sock.getsockname()[1]
        self.url = url_of(sock)
        server = server_for(application(self.phase), "critical")
        thread = threading.Thread(target=server.run, kwargs={"sockets": [sock]}, name="phase-dev-server", daemon=True)
        self._running = (server, thread, sock)
        thread.start()

    def stop(self) -> None:
        """Stop serving; a later `start` takes the same port, and without a state file the seed again."""
        if self._running is None:
            return
        server, thread, sock = self._running
        self._running = None
        server.should_exit = True
        thread.join()
        sock.close()
        self.phase.state.close()

    def token(self, account: str, form: TokenForm = "bearer") -> str:
        """Return the newest token of an account as `ServiceAccount <hex>`, as bare `hex`, or as a full `pss` string."""
        return spell_token(self.phase.token(account), self.phase.account(account), form)

    def headers(self, account: str) -> dict[str, str]:
        """Return the header with which an account calls."""
        return {"Authorization": f"Bearer {self.token(account)}"}

    def app_id(self, app: str) -> str:
        """Return the id of an app."""
        return self.phase.app(app).id

    def environment_id(self, app: str, env: str) -> str:
        """Return the id of an environment."""
        return self.phase.environment(app, env).id

    def set(
        self,
        app: str,
        env: str,
        key: str,
        value: str,
        *,
        path: str = "/",
        type: model.SecretType | None = None,  # noqa: A002  the API's own word for it
        tags: Iterable[str] | None = None,
        comment: str | None = None,
        keep_case: bool = False,
    ) -> None:
        """Create a secret or change it; what is not given stays as it was.

        The key is stored in upper case, as the Console does, or with `keep_case` as an encrypting client writes it.
        """
        self.phase.set_secret(
            app, env, key, value, path=path, type=type, tags=tags, comment=comment, keep_case=keep_case
        )

    def add_dynamic(self, app: str, env: str, name: str, **settings: Any) -> str:
        """Create a dynamic secret and return its id; the settings are those of a seed, such as path and max_ttl."""
        return self.phase.add_dynamic(app, env, parse_dynamic({"name": name, **settings})).id

    def change_dynamic(self, app: str, env: str, old_name: str, *, old_path: str = "/", **settings: Any) -> None:
        """Change settings of a dynamic secret, such as name, path and max_ttl; its leases stay as they are."""
        self.phase.change_dynamic(app, env, old_name, settings, path=old_path)

    def delete_dynamic(self, app: str, env: str, name: str, *, path: str = "/") -> None:
        """Delete a dynamic secret; the worker ends its leases soon."""
        self.phase.delete_dynamic(app, env, name, path=path)

    def delete(self, app: str, env: str, key: str, *, path: str = "/") -> None:
        """Delete a secret."""
        self.phase.delete_secret(app, env, key, path=path)

    def turn_sse(self, app: str, *, on: bool = True) -> None:
        """Turn server-side encryption of an app on, as its owner can, or off, as nobody can."""
        self.phase.change_app(app, sse=on)

    def damage(
        self, app: str, env: str, key: str, how: Damage | None, *, field: DamagedField = "value", path: str = "/"
    ) -> None:
        """Damage the stored ciphertext of a secret's key, value, comment or digest; None makes it whole."""
        self.phase.damage_secret(app, env, key, field, how, path=path)

    def damage_keys(self, app: str, env: str, how: Damage | None, *, field: DamagedField = "wrapped_seed") -> None:
        """Damage the keys of an environment in the answers to all tokens; None repairs them."""
        self.phase.damage_environment(app, env, field, how)

    def damage_share(self, account: str, how: Damage | None) -> None:
        """Damage the server's share of the key of an account's newest token; None makes it whole."""
        self.phase.damage_token(account, how)

    def grant(self, account: str, app: str, *envs: str) -> None:
        """Give an account access to environments."""
        self.phase.change_access(account, app, envs, grant=True)

    def withdraw(self, account: str, app: str, *envs: str) -> None:
        """Withdraw an account's access to environments."""
        self.phase.change_access(account, app, envs, grant=False)

    def rotate_token(self, account: str, form: TokenForm = "bearer") -> str:
        """Replace an account's tokens by a new one and return it."""
        self.phase.rotate_token(account)
        return self.token(account, form)

    def revoke_tokens(self, account: str) -> None:
        """Delete an account's tokens."""
        self.phase.revoke_tokens(account)

    def advance(self, seconds: float) -> None:
        """Move the server's clock forward."""
        self.phase.clock.advance(seconds)

    def now(self) -> datetime:
        """Return the server's time."""
        return self.phase.clock()

    def set_quota(self, quota: int | None) -> None:
        """Set requests per minute and account; None lifts the quota."""
        self.phase.set_quota(quota)

    def set_plan(self, plan: model.Plan) -> None:
        """Put all organisations on a plan; leases need `enterprise`."""
        self.phase.set_plan(plan)

    def fail(self, kind: FaultKind = "status", **scope_and_details: Any) -> None:
        """Order a fault: the fields of `Fault`, such as status, delay, route, app, env, account, method and times."""
        with self.phase.state.lock:
            self.phase.faults.add(Fault(kind=kind, **scope_and_details))

    def clear(self) -> None:
        """End all faults, those of the cloud account too."""
        with self.phase.state.lock:
            self.phase.faults.clear()
            self.phase.leases.clear()

    @property
    def leases(self) -> LeaseSwitches:
        """The leases that were made, the users of the cloud account, and what can go wrong with either."""
        return self.phase.leases

    def calls(
        self,
        route: str | None = None,
        *,
        method: str | None = None,
        app: str | None = None,
        env: str | None = None,
        account: str | None = None,
        status: int | None = None,
        lease: bool | None = None,
    ) -> int:
        """Return how many calls fit the scope; status 0 is a connection that was reset."""
        with self.phase.state.lock:
            return self.phase.counter.count(
                route=route, method=method, app=app, env=env, account=account, status=status, lease=lease
            )

    def reset_calls(self) -> None:
        """Count from zero."""
        with self.phase.state.lock:
            self.phase.counter.reset()


def spell_token(token: model.Token, account: model.Account, form: TokenForm) -> str:
    """Return a token in one of the spellings people paste; only `pss` can decrypt."""
    match form:
        case "hex":
            return token.value
        case "bearer":
            kind = {"service": "ServiceAccount", "user": "User", "legacy": "Service"}[account.kind]
            return f"{kind} {token.value}"
        case "pss":
            return token_text(token, account)


def _read(seed: Path | Mapping[str, Any] | None) -> Seed:
    return parse_seed(dict(seed)) if isinstance(seed, Mapping) else load_seed(seed)
