"""Phase's token route: which apps and environments a token opens, with their wrapped keys.

Rule: keys go from the answer straight into the opaque objects of phase/crypto. What one app or environment lacks is
judged when it is read, and never costs the others.
"""

import re
import sys
from collections.abc import Iterable
from typing import Any

from pydantic import Field, TypeAdapter

from phase_operator.api.reasons import Reason
from phase_operator.core.errors import Waiting
from phase_operator.core.json_access import text
from phase_operator.core.source.answer_memory import MIB, Reservation
from phase_operator.core.source.keyring import KeyedApp, KeyedEnvironment, Keyring
from phase_operator.phase import wire
from phase_operator.phase.crypto import DecryptionError, WrappedKeys, WrappedShare

# An environment takes about a kilobyte.
LARGEST = 8 * MIB
# Bytes that an app or an environment takes in addition to its texts.
_LISTED = 300
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


class _App(wire.Part):
    id: str
    name: str
    encryption: Any = None
    environment_keys: wire.Many[_Key]


class Tokens(wire.Part):
    """GET /secrets/tokens/."""

    wrapped_key_share: str = Field(repr=False)
    apps: wire.Many[_App]


TOKENS: TypeAdapter[Tokens] = TypeAdapter(Tokens)


def keyring_of(answer: Tokens, host: str, place: Reservation, *, tells_modes: bool) -> Keyring:
    """Return what the token route lists, in an order of its own; raise ExpectedError.

    `tells_modes`: whether Phase tells this account truly which apps are encrypted.
    """
    if sum(1 + len(app.environment_keys) for app in answer.apps) > wire.MAX_LISTED:
        message = f"{host} answers keys of more than {wire.MAX_LISTED:,} apps and environments"
        raise Waiting(Reason.ANSWER_TOO_LARGE, message)
    share = _share(answer, host)
    place.resize(_weight(answer))
    apps = sorted((_app(app, host, tells_modes=tells_modes) for app in answer.apps), key=lambda app: app.id)
    # Ids are looked up without regard to case: of those that are alike, the first counts.
    found = {app.id.lower(): app for app in reversed(apps)}
    return Keyring(tuple(sorted(found.values(), key=lambda app: app.id)), share, place)


def _share(answer: Tokens, host: str) -> WrappedShare:
    try:
        return WrappedShare(answer.wrapped_key_share)
    except DecryptionError:
        # Raised outside the block: a cause would go along.
        pass
    raise wire.not_phase(host, "string_pattern_mismatch at wrapped_key_share")


def _app(app: _App, host: str, *, tells_modes: bool) -> KeyedApp:
    is_encrypted = _MODES.get(text(app.encryption)) if tells_modes else None
    # By id: an account may have several keys of one environment, as one of its own and one of a team. Sorted, so that
    # it is always the same one.
    keys = sorted(app.environment_keys, key=lambda each: each.wrapped_seed or "")
    found = {each.environment.id: _environment(each) for each in keys if not each.is_withdrawn}
    _check_ids([app.id, *found], host)
    return KeyedApp(app.id, app.name, is_encrypted, tuple(found[key] for key in sorted(found)))


def _environment(key: _Key) -> KeyedEnvironment:
    place = key.environment
    wrapped = WrappedKeys(key.identity_key or "", key.wrapped_seed or "")
    return KeyedEnvironment(place.id, place.name, wire.revision(place.updated_at), wrapped)


def _check_ids(ids: Iterable[str], host: str) -> None:
    if not all(map(_ID.fullmatch, ids)):
        raise wire.not_phase(host, "string_pattern_mismatch at apps.[].id")


def _weight(answer: Tokens) -> int:
    texts: list[str | None] = [answer.wrapped_key_share]
    names = 0
    for app in answer.apps:
        texts += (app.id, app.name)
        for key in app.environment_keys:
            place = key.environment
            texts += (place.id, wire.revision(place.updated_at), key.identity_key, key.wrapped_seed)
            names += wire.weight(place.name)
    elements = sum(1 + len(app.environment_keys) for app in answer.apps)
    return elements * _LISTED + names + sum(map(sys.getsizeof, texts))
