"""What an account's last keyring showed: its apps and environments, and whether one of them has moved since.

Rule: nothing here decrypts. A keyring is replaced as a whole, and kept only while an app of the account needs it.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from phase_operator.core.errors import ExpectedError
from phase_operator.core.source.answer_memory import Reservation, reservations
from phase_operator.core.source.apps import Environment, by_name
from phase_operator.core.source.keyring import Decrypted, EnvironmentId, KeyedApp, Keyring

# What a keyring shows is as good as a call to ask again, for so many seconds.
_FRESH = 10.0
# Bytes that an environment takes in an index, besides its texts; and an app, with its place in a directory of names.
_INDEXED = 500
_APP = 1_000
# And a name that several environments of an app have.
_ALIKE = 300


class KeyringIndex:
    """A keyring, and what is looked up in it.

    It is made once for each keyring, and what it returns is shared: an app may be asked for in thousands of spellings.
    """

    __slots__ = ("_alike", "_environments", "keyring", "names", "revisions", "state")

    def __init__(self, keyring: Keyring) -> None:
        self.keyring = keyring
        self._environments = {
            app.id.lower(): by_name(Environment(each.name, each.revision, keyring.place) for each in app.environments)
            for app in reversed(keyring.apps)
        }
        every = [(app, each) for app in keyring.apps for each in app.environments]
        self.revisions: Mapping[EnvironmentId, str | None] = {
            EnvironmentId(app.id, each.id): each.revision for app, each in every
        }
        self._alike = _alike(keyring.apps)
        # Equal as long as the same apps and environments have the same names.
        self.names = hash(frozenset((app.id, app.name, each.id, each.name) for app, each in every))
        keys = frozenset((each.id, each.keys) for _, each in every)
        # Equal as long as the same keys are listed besides, and nothing was written.
        self.state = hash((self.names, frozenset(self.revisions.items()), keys, keyring.share))

    def app(self, app_id: str) -> KeyedApp | None:
        """Return the app with this id, if the account has keys of it."""
        return self.keyring.find(app_id)

    def environments(self, app_id: str) -> Mapping[str, Environment]:
        """Return the environments of an app that the account has keys of, by their case-folded names."""
        return self._environments.get(app_id.lower(), {})

    def has_alike(self, app_id: str, environment: str) -> bool:
        """Return whether several environments of an app have this name but for case."""
        return (app_id.lower(), environment) in self._alike

    @property
    def weight(self) -> int:
        """The bytes that the index takes besides the keyring."""
        return _INDEXED * len(self.revisions) + _APP * len(self.keyring.apps) + _ALIKE * len(self._alike)


def _alike(apps: Iterable[KeyedApp]) -> set[tuple[str, str]]:
    """Return the names that several environments of an app have but for case, each with the app's id."""
    found = set[tuple[str, str]]()
    for app in apps:
        counts = Counter(each.name.casefold() for each in app.environments)
        found |= {(app.id.lower(), name) for name, count in counts.items() if count > 1}
    return found


@dataclass(frozen=True, slots=True)
class Dependencies:
    """What an answer was made of besides its own environment, as the keyring showed it before the read."""

    revisions: Mapping[EnvironmentId, str | None]
    # The names of everything, if a reference named something that was not there; None if all were found.
    names: int | None

    @classmethod
    def of(cls, answer: Decrypted, index: KeyringIndex) -> "Dependencies":
        """Return what a decrypted answer depends on, which was read with this keyring."""
        revisions = {each: index.revisions.get(each) for each in answer.referenced}
        return cls(revisions, index.names if answer.is_incomplete else None)

    def has_moved(self, index: KeyringIndex) -> bool:
        """Return whether the answer may be another one now."""
        if self.names is not None and self.names != index.names:
            return True
        return any(index.revisions.get(each) != revision for each, revision in self.revisions.items())


@dataclass(slots=True)
class KeyringState:
    """The last keyring of an account, and how it goes to ask for it."""

    index: KeyringIndex | None = None
    # When the call that brought it began, and the last call.
    began_at: float = float("-inf")
    asked_at: float = float("-inf")
    # The last call failed so, and so many in a row.
    error: ExpectedError | None = None
    failures: int = 0
    # The list of apps is refused with this error, so that the keyring tells the names.
    instead_of_list: ExpectedError | None = None
    # The list was refused since the last keyring.
    has_to_name: bool = False

    def take(self, index: KeyringIndex) -> bool:
        """Record the answer to the last call; return True if an environment or a key is another than before."""
        before, self.index = self.index, index
        self.began_at, self.error, self.failures, self.has_to_name = self.asked_at, None, 0, False
        return before is not None and before.state != index.state

    @property
    def has_worked(self) -> bool:
        """Whether there is a keyring, and no call for it has failed since."""
        return self.index is not None and self.error is None

    def is_fresh(self, now: float) -> bool:
        """Return whether the keyring is so new that another call would tell nothing more."""
        return self.has_worked and now - self.began_at <= _FRESH

    def places(self) -> set[Reservation]:
        """Return where the keyring is held."""
        return set() if self.index is None else set(reservations(self.index.keyring.place))

    def drop(self) -> None:
        """Forget the keyring, since nobody needs it."""
        self.index, self.error, self.failures = None, None, 0
