"""From the names in a reference to the environment that they name, as far as a keyring shows it.

Rule: a whole name, never a part of one. An exact match wins, then the only name that differs in case alone; a name that
several have names none of them. Messages hold only names that Phase lists: the text of a reference is part of a value.
"""

from phase_operator.core.source.by_name import ByName
from phase_operator.core.source.keyring import EnvironmentId, KeyedApp, KeyedEnvironment, Keyring
from phase_operator.core.source.references.grammar import Form, Reference
from phase_operator.core.text import clean

_LONGEST_NAME = 60


class NotFound(Exception):
    """A reference names no environment that the account can read. The text is the rest of a sentence."""

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self.text = text


def shown(name: str) -> str:
    """Return a name of Phase in quotes, made safe for a message."""
    return f'"{clean(name)[:_LONGEST_NAME]}"'


def _of_app(app: KeyedApp | None, home: EnvironmentId) -> str:
    """Return ` of app "..."` for a message about an entry of `home`; nothing for its own app, or an unknown one."""
    return f" of app {shown(app.name)}" if app is not None and app.id != home.app_id else ""


class Names:
    """The apps and environments of a keyring. Most values name none, so an index is made when it is needed first."""

    def __init__(self, keyring: Keyring) -> None:
        self._keyring = keyring
        self._apps: ByName[KeyedApp] | None = None
        self._environments: dict[str, ByName[KeyedEnvironment]] = {}
        self._described: dict[tuple[EnvironmentId, str], str] = {}

    def find(self, home: EnvironmentId, reference: Reference) -> EnvironmentId:
        """Return the environment that a reference in `home` names; raise NotFound."""
        if reference.form is Form.LOCAL:
            return home
        app = self._named_app(reference.app) if reference.form is Form.OTHER_APP else self._app(home.app_id)
        return self._named_environment(app, reference.environment, home)

    def of(self, place: EnvironmentId, home: EnvironmentId) -> str:
        """Return how to name an environment in a message about an entry of `home`."""
        if (place, home.app_id) not in self._described:
            self._described[place, home.app_id] = self._of(place, home)
        return self._described[place, home.app_id]

    def _of(self, place: EnvironmentId, home: EnvironmentId) -> str:
        app = self._app(place.app_id)
        found = [each.name for each in app.environments if each.id == place.environment_id] if app else []
        environment = f"environment {shown(found[0])}" if found else "another environment"
        return environment + _of_app(app, home)

    def _named_app(self, name: str) -> KeyedApp:
        if self._apps is None:
            self._apps = ByName(self._keyring.apps)
        found = self._apps.matching(name)
        if not found:
            raise NotFound("refers to an app that does not exist or that the account cannot read")
        if len(found) > 1:
            raise NotFound(f"refers to app {shown(found[0].name)}, and several apps have that name")
        return found[0]

    def _named_environment(self, app: KeyedApp | None, name: str, home: EnvironmentId) -> EnvironmentId:
        found = self._environments_of(app).matching(name) if app else []
        if app is not None and len(found) == 1:
            return EnvironmentId(app.id, found[0].id)
        whose = _of_app(app, home)
        if len(found) > 1:
            raise NotFound(f"refers to environment {shown(found[0].name)}{whose}, and several have that name")
        raise NotFound(f"refers to an environment{whose} that does not exist or that the account cannot read")

    def _environments_of(self, app: KeyedApp) -> ByName[KeyedEnvironment]:
        if app.id not in self._environments:
            self._environments[app.id] = ByName(app.environments)
        return self._environments[app.id]

    def _app(self, app_id: str) -> KeyedApp | None:
        return self._keyring.find(app_id)
