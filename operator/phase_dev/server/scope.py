"""What references may see of the state, for one caller.

Rule: names are compared without regard to case, and a name that two apps share names neither.
"""

from dataclasses import dataclass

from phase_dev.server.model import Account
from phase_dev.server.references import Place
from phase_dev.server.state import State


@dataclass(frozen=True, slots=True)
class CallerLookup:
    """Answers the resolver for one caller; without a caller everything is readable, as in the echo of a write."""

    state: State
    caller: Account | None

    def app_environment(self, origin: str, app: str, environment: str) -> str | None:
        """Return the named environment of the one app of that name in the same organisation."""
        organisation = self.state.apps[self.state.environments[origin].app].organisation
        named = [a for a in self.state.apps_of(organisation) if a.name.casefold() == app.casefold()]
        if len(named) != 1:
            return None
        found = self.state.environment_named(named[0].id, environment)
        return found.id if found else None

    def sibling_environment(self, origin: str, environment: str) -> str | None:
        """Return the named environment of the same app."""
        found = self.state.environment_named(self.state.environments[origin].app, environment)
        return found.id if found else None

    def readable(self, environment: str) -> bool:
        """Return whether the caller has access to the environment; an old service token is not even checked."""
        return self.caller is None or self.caller.kind == "legacy" or environment in self.caller.environments

    def stored(self, place: Place) -> str | None:
        """Return the stored value at this place; of two that share it neither, and none of an app without SSE.

        Access is looked at before: an app without SSE that the caller may not read ends the resolution.
        """
        if not self.state.apps[self.state.environments[place.environment].app].sse:
            return None
        found = [s for s in self.state.secrets_called(place.environment, place.key) if s.path == place.path]
        return found[0].value if len(found) == 1 else None
