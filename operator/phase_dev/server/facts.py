"""What is known of a request before it is checked, by name; faults are scoped by it and calls are counted by it.

Rule: facts are read from the request as it claims to be; a wrong token or an unknown app leaves a fact empty.
"""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

from phase_dev.server.auth import token_of
from phase_dev.server.state import State


@dataclass(frozen=True, slots=True)
class Facts:
    """Route and method, and the names of app, environment and account."""

    method: str
    route: str
    app: str | None = None
    app_id: str | None = None
    env: str | None = None
    account: str | None = None


class CallKey(NamedTuple):
    """What calls are counted by."""

    method: str
    route: str
    app: str | None
    env: str | None
    account: str | None
    status: int


class CallCounter:
    """How often each kind of call was answered."""

    def __init__(self) -> None:
        self._counts: Counter[CallKey] = Counter()

    def add(self, facts: Facts, status: int) -> None:
        """Count one answer; status 0 stands for none at all."""
        self._counts[CallKey(facts.method, facts.route, facts.app, facts.env, facts.account, status)] += 1

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
    )
