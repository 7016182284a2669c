"""What a full token opens: the apps and environments of an account, with their keys, as Phase's token route lists them.

Rule: nothing here can decrypt. Keys are opaque objects that only the edge to Phase opens, and they go with their list.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

from phase_operator.api.reasons import Reason
from phase_operator.core.errors import Waiting
from phase_operator.core.source.answer_memory import Reservation
from phase_operator.core.source.apps import no_environment
from phase_operator.core.source.by_name import ByName
from phase_operator.core.source.damage import Damage
from phase_operator.core.source.query import AppRef
from phase_operator.core.text import clean, clean_listing
from phase_operator.core.values import Entry, Unprintable


class Keys(Unprintable):
    """Key material that only the edge to Phase opens.

    Wrapped keys are equal if they are the same sealed texts, so that one can see that keys were made anew.
    """

    __slots__ = ()


@dataclass(frozen=True, slots=True)
class KeyedEnvironment:
    """An environment that the account has keys of. `revision` changes with every write; None if Phase sends none."""

    id: str
    name: str
    revision: str | None
    keys: Keys = field(repr=False, compare=False)


@dataclass(frozen=True, slots=True)
class KeyedApp:
    """An app that the account has keys of; `is_encrypted` is None if this token cannot tell the app's mode."""

    id: str
    name: str
    is_encrypted: bool | None
    environments: tuple[KeyedEnvironment, ...]


@dataclass(frozen=True, slots=True)
class Identity:
    """Whose token it is, as far as Phase tells: for people. "" where it does not."""

    account_id: str = ""
    organisation: str = ""


@dataclass(frozen=True)
class Keyring:
    """The answer of the token route; `place` is its memory, which is held as long as the keyring."""

    apps: tuple[KeyedApp, ...]
    # The half of the account's key that the server keeps.
    share: Keys = field(repr=False, compare=False)
    place: Reservation | None = field(default=None, repr=False, compare=False)
    identity: Identity = field(default=Identity(), compare=False)

    def find(self, app_id: str) -> KeyedApp | None:
        """Return the app with this id, if the account has keys of it."""
        return self._by_id.get(app_id.lower())

    @cached_property
    def _by_id(self) -> Mapping[str, KeyedApp]:
        return {app.id.lower(): app for app in reversed(self.apps)}

    def app(self, app_id: str) -> KeyedApp:
        """Return the app with this id; raise Waiting(APP_NOT_FOUND)."""
        if (found := self.find(app_id)) is not None:
            return found
        raise Waiting(Reason.APP_NOT_FOUND, f'the token has no keys of an app with id "{clean(app_id)}"')


def environment_named(app: KeyedApp, name: str) -> KeyedEnvironment:
    """Return the environment with exactly this name, else the only one whose name differs in case alone.

    Raises Waiting(ENVIRONMENT_NOT_FOUND) if there are several, or none: then it names those that come close.
    """
    found = ByName(app.environments).matching(name)
    if len(found) == 1:
        return found[0]
    reason = Reason.ENVIRONMENT_NOT_FOUND
    if found:
        alike = clean_listing(each.name for each in found)
        raise Waiting(
            reason, f'app "{clean(app.name)}" has several environments of that name: {alike}; spell one exactly so'
        )
    missing = Waiting(reason, f'app "{clean(app.name)}" has no environment "{clean(name)}" that the token has keys of')
    raise no_environment(missing, AppRef(name=clean(app.name)), name, (each.name for each in app.environments))


@dataclass(frozen=True, slots=True, order=True)
class EnvironmentId:
    """An environment by the ids of its app and of itself."""

    app_id: str
    environment_id: str


@dataclass(frozen=True, slots=True)
class Decrypted:
    """The entries of one environment in plain text, with references resolved as far as they can be."""

    entries: Sequence[Entry]
    # The other environments that its values refer to, read or not: a change there changes the values here.
    referenced: frozenset[EnvironmentId] = frozenset()
    # A value refers to an app or environment that the account does not see now: one that appears changes the value.
    is_incomplete: bool = False
    # What could not be decrypted, if anything: it is not among the entries.
    damage: Damage | None = field(default=None, repr=False, compare=False)
