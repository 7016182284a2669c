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
from phase_dev.server.faults import Fault, FaultKind
from phase_dev.server.installation import Phase
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
        value = self.phase.token(account).value
        kind = self.phase.account(account).kind
        return spell_token(value, kind, form)

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
    ) -> None:
        """Create a secret or change it; what is not given stays as it was."""
        self.phase.set_secret(app, env, key, value, path=path, type=type, tags=tags, comment=comment)

    def add_dynamic(self, app: str, env: str, name: str, *, path: str = "/") -> None:
        """Create a dynamic secret."""
        self.phase.add_dynamic(app, env, name, path=path)

    def delete(self, app: str, env: str, key: str, *, path: str = "/") -> None:
        """Delete a secret."""
        self.phase.delete_secret(app, env, key, path=path)

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

    def fail(self, kind: FaultKind = "status", **scope_and_details: Any) -> None:
        """Order a fault: the fields of `Fault`, such as status, delay, route, app, env, account, method and times."""
        with self.phase.state.lock:
            self.phase.faults.add(Fault(kind=kind, **scope_and_details))

    def clear(self) -> None:
        """End all faults."""
        with self.phase.state.lock:
            self.phase.faults.clear()

    def calls(
        self,
        route: str | None = None,
        *,
        method: str | None = None,
        app: str | None = None,
        env: str | None = None,
        account: str | None = None,
        status: int | None = None,
    ) -> int:
        """Return how many calls fit the scope; status 0 is a connection that was reset."""
        with self.phase.state.lock:
            return self.phase.counter.count(
                route=route, method=method, app=app, env=env, account=account, status=status
            )

    def reset_calls(self) -> None:
        """Count from zero."""
        with self.phase.state.lock:
            self.phase.counter.reset()


def spell_token(value: str, kind: model.AccountKind, form: TokenForm) -> str:
    """Return a token in one of the spellings people paste."""
    match form:
        case "hex":
            return value
        case "bearer":
            return f"{ {'service': 'ServiceAccount', 'user': 'User', 'legacy': 'Service'}[kind] } {value}"
        case "pss":
            prefix = {"service": "pss_service:v2", "user": "pss_user:v1", "legacy": "pss_service:v1"}[kind]
            # Only the third field matters to this API; the others are keys of the encrypted one.
            return ":".join((prefix, value, *(model.key_digest(value, part) for part in ("public", "share", "wrap"))))


def _read(seed: Path | Mapping[str, Any] | None) -> Seed:
    return parse_seed(dict(seed)) if isinstance(seed, Mapping) else load_seed(seed)
