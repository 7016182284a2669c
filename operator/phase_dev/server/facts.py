"""What is known of a request before it is checked, by name; faults are scoped by it and calls are counted by it.

Rule: facts are read from the request as it claims to be; a wrong token or an unknown app leaves a fact empty.
"""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

from phase_dev.server.auth import token_of
from phase_dev.server.state import State

_LEASING = ("/v1/secrets/", "/v1/secrets/dynamic/", "/secrets/")


@dataclass(frozen=True, slots=True)
class Facts:
    """Route and method, and the names of app, environment and account."""

    method: str
    route: str
    app: str | None = None
    app_id: str | None = None
    env: str | None = None
    account: str | None = None
    # Whether it asks for a lease; of routes that lease nothing it is not.
    lease: bool = False


class CallKey(NamedTuple):
    """What calls are counted by."""

    method: str
    route: str
    app: str | None
    env: str | None
    account: str | None
    status: int
    lease: bool


class CallCounter:
    """How often each kind of call was answered."""

    def __init__(self) -> None:
        self._counts: Counter[CallKey] = Counter()

    def add(self, facts: Facts, status: int) -> None:
        """Count one answer; status 0 means no answer at all."""
        key = CallKey(facts.method, facts.route, facts.app, facts.env, facts.account, status, facts.lease)
        self._counts[key] += 1

    def count(self, **scope: str | int | None) -> int:
        """Return how many calls fit; a scope of None fits all."""
        wanted = {name: value for name, value in scope.items() if value is not None}
        if isinstance(env := wanted.get("env"), str):
            wanted["env"] = env.casefold()
        return sum(
            number
            for key, number in self._counts.items()
            if all(getattr(key, name) == value for name, value in wanted.items())
        )

    def rows(self) -> list[dict[str, str | int | None]]:
        """Return every kind of call with its number."""
        return [{**key._asdict(), "count": number} for key, number in sorted(self._counts.items(), key=str)]

    def reset(self) -> None:
        """Start at zero."""
        self._counts.clear()


def facts_of(
    state: State, method: str, route: str, query: Mapping[str, str], headers: Mapping[str, str], app_in_path: str | None
) -> Facts:
    """Return the facts of one request."""
    token = token_of(headers.get("authorization"), state)
    environment = state.environments.get(headers.get("environment", ""))
    app_id = environment.app if environment else query.get("app_id") or app_in_path
    app = state.apps.get(app_id) if app_id else None
    env = environment.name if environment else query.get("env")
    return Facts(
        method,
        route,
        app.name if app else None,
        app_id,
        env.casefold() if env else None,
        state.accounts[token.account].name if token else None,
        _asks_lease(route, query, headers),
    )


def _asks_lease(route: str, query: Mapping[str, str], headers: Mapping[str, str]) -> bool:
    """Return whether a request would make leases: by its query, or on the encrypted route by its headers."""
    asked = headers if route == "/secrets/" else query
    needed = {"/v1/secrets/dynamic/": ("lease",)}.get(route, ("lease", "dynamic"))
    return route in _LEASING and all(asked.get(name, "false").lower() != "false" for name in needed)
