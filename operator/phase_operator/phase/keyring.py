"""Phase's token route: which apps and environments a token opens, with their wrapped keys.

Rule: keys go from the answer straight into the opaque objects of phase/crypto. What one app or environment lacks is
judged when it is read, and never costs the others.
"""

import re
import sys
from dataclasses import replace
from typing import Any

from pydantic import Field, TypeAdapter

from phase_operator.api.reasons import Reason
from phase_operator.core.errors import Waiting
from phase_operator.core.json_access import mapping, text
from phase_operator.core.source.answer_memory import MIB, Reservation
from phase_operator.core.source.keyring import Identity, KeyedApp, KeyedEnvironment, Keyring
from phase_operator.phase import wire
from phase_operator.phase.crypto import DecryptionError, WrappedKeys, WrappedShare
from phase_operator.phase.incremental import ELEMENT, IncrementalReader, Path

# An environment takes about a kilobyte.
LARGEST = 8 * MIB
# Bytes that an app or an environment takes in addition to its texts.
_LISTED = 300
# Of an id and a name that people see, so many characters are kept.
_LONGEST_NAME = 256
# Ids go into a header.
_ID = re.compile(r"[!-~]{1,100}")
_MODES = {"E2E": True, "SSE": False}


class _Place(wire.Part):
    id: str
    name: str
    updated_at: Any = None


class _Key(wire.Part):
    """The key of one environment, wrapped for the account."""

    environment: _Place
    # Empty in a key that was withdrawn.
    identity_key: str | None = Field(None, repr=False)
    wrapped_seed: str | None = Field(None, repr=False)
    deleted_at: Any = None

    @property
    def is_withdrawn(self) -> bool:
        """Whether the account has lost this key; Phase still lists it for legacy tokens."""
        return self.deleted_at is not None or not (self.identity_key or self.wrapped_seed)

    @property
    def weight(self) -> int:
        """Return about how many bytes it takes in memory."""
        place = self.environment
        texts = (place.id, wire.revision(place.updated_at), self.identity_key, self.wrapped_seed)
        return _LISTED + wire.weight(place.name) + sum(map(sys.getsizeof, texts))


class _App(wire.Part):
    """An app without its keys."""

    id: str
    name: str
    encryption: Any = None


class _Tokens(wire.Part):
    """GET /secrets/tokens/ without the apps."""

    wrapped_key_share: str = Field(repr=False)


_KEY: TypeAdapter[_Key] = TypeAdapter(_Key)
_APP: TypeAdapter[_App] = TypeAdapter(_App)
_TOKENS: TypeAdapter[_Tokens] = TypeAdapter(_Tokens)
_FIELDS, _APP_FIELDS = frozenset(_Tokens.model_fields), frozenset(_App.model_fields)
_ROOT: Path = ()
_ACCOUNTS: frozenset[Path] = frozenset({("account_id",), ("user_id",)})
_ORGANISATION: Path = ("organisation",)
_APPS = ("apps",)
_ONE_APP = (*_APPS, ELEMENT)
_KEYS = (*_ONE_APP, "environment_keys")
_ONE_KEY = (*_KEYS, ELEMENT)
_OPENS = {_ROOT: "{", _APPS: "[", _ONE_APP: "{", _KEYS: "["}


class KeyringReader(IncrementalReader[Reservation]):
    """Makes a keyring of what the token route lists, in an order of its own.

    `tells_modes`: whether Phase tells this account truly which apps are encrypted.
    """

    def __init__(self, host: str, limit: int, place: Reservation, *, tells_modes: bool) -> None:
        super().__init__(host, limit, place, _OPENS, wire.MAX_SIGNS)
        self._tells_modes = tells_modes
        self._listed = 0
        self._used = 0
        # The fields of the answer, and of the app that is being read, without those that are taken apart.
        self._fields: dict[str, object] = {}
        self._app_fields: dict[str, object] = {}
        self._apps: list[KeyedApp] | None = None
        self._identity = Identity()
        # The keys of the app that is being read, by the ids of their environments, each with its sealed seed.
        self._keys: dict[str, tuple[str, KeyedEnvironment]] | None = None

    def end(self) -> Keyring:
        """Return the keyring; raise ExpectedError."""
        self._finish()
        share = self._share()
        if self._apps is None:
            raise self._missing(_APPS)
        # Ids are looked up without regard to case: of those that are alike, the first counts.
        found: dict[str, KeyedApp] = {}
        for app in sorted(self._apps, key=lambda app: app.id):
            found.setdefault(app.id.lower(), app)
        return Keyring(tuple(found.values()), share, self._place, self._identity)

    @property
    def _weight(self) -> int:
        return self._used

    def _open(self, path: Path) -> None:
        # As in any JSON, the last of two fields of one name counts.
        if path == _APPS:
            self._apps = []
        elif path == _ONE_APP:
            self._app_fields, self._keys = {}, None
        elif path == _KEYS:
            self._keys = {}

    def _take(self, path: Path, value: object) -> None:
        if path == _ONE_KEY:
            self._add_key(wire.read_element(value, _KEY, self._host, _ONE_KEY))
        elif path[-1] in _APP_FIELDS and path[:-1] == _ONE_APP:
            self._app_fields[path[-1]] = value
        elif path[-1] in _FIELDS and path[:-1] == _ROOT:
            self._fields[path[-1]] = value
        elif path in _ACCOUNTS:
            self._identity = replace(self._identity, account_id=text(value)[:_LONGEST_NAME])
        elif path == _ORGANISATION:
            name = text(mapping(value).get("name"))
            self._identity = replace(self._identity, organisation=name[:_LONGEST_NAME])

    def _close(self, path: Path) -> None:
        if path == _ONE_APP:
            self._add_app(wire.read_element(self._app_fields, _APP, self._host, _ONE_APP))

    def _add_key(self, key: _Key) -> None:
        self._count(key.weight)
        assert self._keys is not None
        if key.is_withdrawn:
            return
        # By id: an account may have several keys of one environment, as one of its own and one of a team. It is always
        # the same one, in whatever order they come.
        found, seed = key.environment.id, key.wrapped_seed or ""
        _check_id(found, self._host)
        if found not in self._keys or self._keys[found][0] <= seed:
            self._keys[found] = (seed, _environment(key))

    def _add_app(self, app: _App) -> None:
        self._count(_LISTED + sys.getsizeof(app.id) + sys.getsizeof(app.name))
        if self._keys is None:
            raise self._missing(_KEYS)
        _check_id(app.id, self._host)
        is_encrypted = _MODES.get(text(app.encryption)) if self._tells_modes else None
        environments = tuple(self._keys[key][1] for key in sorted(self._keys))
        assert self._apps is not None
        self._apps.append(KeyedApp(app.id, app.name, is_encrypted, environments))

    def _count(self, weight: int) -> None:
        self._used += weight
        self._listed += 1
        if self._listed > wire.MAX_LISTED:
            message = f"{self._host} answers keys of more than {wire.MAX_LISTED:,} apps and environments"
            raise Waiting(Reason.ANSWER_TOO_LARGE, message)

    def _share(self) -> WrappedShare:
        answer = wire.read_element(self._fields, _TOKENS, self._host, _ROOT)
        self._place.resize(self._used + sys.getsizeof(answer.wrapped_key_share))
        try:
            return WrappedShare(answer.wrapped_key_share)
        except DecryptionError:
            # Raised outside the block: a cause would go along.
            pass
        raise wire.not_phase(self._host, "string_pattern_mismatch at wrapped_key_share")

    def _missing(self, path: Path) -> Exception:
        return wire.not_phase(self._host, wire.at_place("missing", path))


def _environment(key: _Key) -> KeyedEnvironment:
    place = key.environment
    wrapped = WrappedKeys(key.identity_key or "", key.wrapped_seed or "")
    return KeyedEnvironment(place.id, place.name, wire.revision(place.updated_at), wrapped)


def _check_id(found: str, host: str) -> None:
    if not _ID.fullmatch(found):
        raise wire.not_phase(host, "string_pattern_mismatch at apps.[].id")
