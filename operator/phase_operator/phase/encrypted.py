"""Read an environment of an end-to-end encrypted app: sealed rows are opened here, references are resolved here.

Rule: no row is left out in silence. The answer names the rows that cannot be opened, and fails the queries that need
them, so that no key vanishes from a target. Keys are derived for a read and dropped after it.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from functools import partial
from itertools import chain
from typing import TypeVar

from phase_operator.api.reasons import Reason
from phase_operator.core.errors import Waiting
from phase_operator.core.source.answer_memory import Reservation
from phase_operator.core.source.apps import TO_READ_ENCRYPTED
from phase_operator.core.source.damage import Damage, DamagedEntry, DamagedPlace
from phase_operator.core.source.keyring import (
    Decrypted,
    EnvironmentId,
    KeyedApp,
    KeyedEnvironment,
    Keyring,
    environment_named,
)
from phase_operator.core.source.query import source_name
from phase_operator.core.source.references import References
from phase_operator.core.text import clean
from phase_operator.core.values import Entry
from phase_operator.phase import wire
from phase_operator.phase.crypto import (
    AccountKey,
    DecryptionError,
    EnvironmentKey,
    TokenKeys,
    WrappedKeys,
    WrappedShare,
    decrypt,
    open_account,
    open_environment,
)
from phase_operator.phase.elements import SealedEntry
from phase_operator.phase.errors import refuses_environment
from phase_operator.phase.rows import Limits, SealedRows
from phase_operator.phase.session import ENCRYPTED_SECRETS, Session, host_of
from phase_operator.reconcile.background import BackgroundThread
from phase_operator.reconcile.ports import Credential, ReadMeter

Result = TypeVar("Result")

# What an entry takes to be opened, and how much is opened at a time, in microseconds; and characters a microsecond.
_ENTRY, _AT_A_TIME, _CHARACTERS = 100, 20_000, 300
# What it takes to look for references in an entry, in microseconds.
_LOOKED_AT = 2
# Refusals that do not say of which environment.
_NAMELESS = (Reason.ACCESS_DENIED, Reason.ENVIRONMENT_NOT_FOUND)


def account_key(credential: Credential, keyring: Keyring) -> AccountKey:
    """Open the key of an account; raise Waiting if its token has none, or another's."""
    if not isinstance(credential.keys, TokenKeys):
        raise Waiting(Reason.APP_ENCRYPTED, f"the app is end-to-end encrypted; {TO_READ_ENCRYPTED}")
    assert isinstance(keyring.share, WrappedShare)
    try:
        return open_account(credential.keys, keyring.share)
    except DecryptionError:
        pass
    raise Waiting(
        Reason.TOKEN_INVALID,
        "the key fields of the token do not belong together, or not to this account of Phase: it is torn, or mixed of "
        "several tokens; store it in full as Phase showed it",
    )


@dataclass(slots=True)
class Part:
    """The memory of one environment in the place of a whole answer, in addition to what is held there already."""

    place: Reservation
    held: int = 0
    size: int = 0

    def resize(self, size: int) -> None:
        """Set the size of this part to so many bytes; raise AnswerMemoryFull if they do not fit."""
        self.place.resize(self.held + size)
        self.size = size


class EncryptedReader:
    """Reads environments with the key of one account, into one place; it is made for one answer."""

    def __init__(
        self,
        session: Session,
        base_url: str,
        credential: Credential,
        account: AccountKey,
        limits: Limits,
        place: Reservation,
        background: BackgroundThread,
        meter: ReadMeter | None = None,
    ) -> None:
        self._session = session
        self._base_url = base_url
        self._header = credential.header
        self._account = account
        self._limits = limits
        self._place = place
        self._background = background
        self._meter = meter
        self._requests = 0
        self._held = 0
        self._extra = 0
        # The environments that hold what cannot be decrypted.
        self.damaged: dict[EnvironmentId, DamagedPlace] = {}

    async def read(self, app: KeyedApp, environment: KeyedEnvironment) -> list[Entry]:
        """Return all entries of an environment in plain text, as they are stored; raise ExpectedError.

        Those that cannot be decrypted are `damaged` instead.
        """
        name = _name(app, environment)
        key = self._key(name, environment)
        part = Part(self._place, self._held + self._extra)
        reader = SealedRows(host_of(self._base_url), self._limits, part)
        self._count_request()
        rows = await self._session.ask(
            self._base_url,
            self._header,
            ENCRYPTED_SECRETS,
            reader=reader,
            namespace=self._place.namespace,
            headers={"Environment": environment.id},
        )
        if self._meter is not None:
            self._meter.entries_came(len(rows))
        rows = _distinct(rows)
        entries, damaged = await self._open(key, name, rows)
        if damaged:
            self.damaged[EnvironmentId(app.id, environment.id)] = DamagedPlace(name, tuple(damaged))
        weights = (entry.weight for entry in chain(entries, (each.entry for each in damaged)))
        part.resize(reader.shared + sum(weights))
        self._held += part.size
        return entries

    def hold(self, extra: int) -> None:
        """Count what is held in addition to the entries, in bytes; raise AnswerMemoryFull if it does not fit."""
        self._extra = extra
        self._place.resize(self._held + extra)

    def keep(self, entries: Iterable[Entry]) -> None:
        """Count these entries alone: the answer, where all else that was held for it is done with."""
        self._place.resize(sum(entry.weight for entry in entries))

    async def beside(self, work: Callable[[], Result], units: int) -> Result:
        """Do work of so many microseconds: beside the loop if that is long, in the turns of the namespace."""
        return await self._background.run(work, units, self._place.namespace)

    def _count_request(self) -> None:
        self._requests += 1
        if self._meter is not None and self._requests > 1:
            self._meter.request_follows()

    def _key(self, name: str, environment: KeyedEnvironment) -> EnvironmentKey:
        assert isinstance(environment.keys, WrappedKeys)
        try:
            return open_environment(self._account, environment.keys)
        except DecryptionError:
            pass
        message = f"the key of {name} cannot be opened with the token's: it was made for another account or environment"
        raise Waiting(Reason.DECRYPTION_FAILED, message)

    async def _open(
        self, key: EnvironmentKey, name: str, rows: list[SealedEntry]
    ) -> tuple[list[Entry], list[DamagedEntry]]:
        """Open rows, a few milliseconds' worth at a time; the list is used up, so that no text is held twice."""
        entries: list[Entry] = []
        damaged: list[DamagedEntry] = []
        rows.reverse()
        while rows:
            some, units = _some(rows)
            opened, bad = await self.beside(partial(_opened, key, some), units)
            entries += opened
            damaged += bad
        if any(len(entry.key) > wire.MAX_WORD for entry in entries):
            message = f"{name} has an entry whose key is longer than {wire.MAX_WORD:,} characters"
            raise Waiting(Reason.ANSWER_TOO_LARGE, message)
        return entries, damaged


async def read_resolved(reader: EncryptedReader, keyring: Keyring, app_id: str, environment: str) -> Decrypted:
    """Return the entries of an environment, by its name, with references resolved; raise ExpectedError.

    Other environments are read as references need them, each once. One that the account may not read leaves its
    references as they are, and the answer names what cannot be decrypted. Any other failure fails the whole read, so
    that what was written before stays.
    """
    app = keyring.app(app_id)
    home = environment_named(app, environment)
    entries = await reader.read(app, home)
    made = partial(References, keyring, EnvironmentId(app.id, home.id), entries)
    references = await reader.beside(made, _LOOKED_AT * len(entries))
    while wanted := await _wanted(references, reader):
        for each in wanted:
            await _give(references, each, reader, keyring)
    resolved = references.resolved()
    reader.keep(resolved.entries)
    elsewhere = dict(reader.damaged)
    own = elsewhere.pop(EnvironmentId(app.id, home.id), DamagedPlace(_name(app, home)))
    damage = Damage(own, tuple(elsewhere.values()), references.referring) if reader.damaged else None
    return replace(resolved, damage=damage)


async def _give(references: References, wanted: EnvironmentId, reader: EncryptedReader, keyring: Keyring) -> None:
    app = keyring.app(wanted.app_id)
    environment = next(each for each in app.environments if each.id == wanted.environment_id)
    try:
        entries = await reader.read(app, environment)
        await reader.beside(partial(references.give, wanted, entries), _LOOKED_AT * len(entries))
    except Waiting as error:
        if refuses_environment(error):
            references.give_up(wanted, error.to_keep())
        elif error.reason in _NAMELESS:
            raise Waiting(error.reason, f"{_name(app, environment)}, which values refer to: {error.message}") from error
        else:
            raise


async def _wanted(references: References, reader: EncryptedReader) -> list[EnvironmentId]:
    steps = references.steps()
    # Most answers need no second step. One that needs many waits for its namespace's turns.
    units = 0
    while await reader.beside(lambda: next(steps, references) is not references, units):
        reader.hold(references.weight)
        units = _AT_A_TIME
    reader.hold(references.weight)
    return references.wanted()


def _name(app: KeyedApp, environment: KeyedEnvironment) -> str:
    return source_name(clean(app.name), clean(environment.name), None)


def _distinct(rows: list[SealedEntry]) -> list[SealedEntry]:
    # Phase sends a row more than once for some queries; those that differ are judged like any two entries.
    return rows if len({row.id for row in rows}) == len(rows) else list(dict.fromkeys(rows))


def _some(rows: list[SealedEntry]) -> tuple[list[SealedEntry], int]:
    """Take rows from the end of the list that can be opened at a time, and return them and their units."""
    some: list[SealedEntry] = []
    units = 0
    while rows and units < _AT_A_TIME:
        some.append(rows.pop())
        units += _ENTRY + (len(some[-1].key) + len(some[-1].value)) // _CHARACTERS
    return some, units


def _opened(key: EnvironmentKey, rows: list[SealedEntry]) -> tuple[list[Entry], list[DamagedEntry]]:
    """Return the entries in plain text, and those that cannot be opened."""
    entries: list[Entry] = []
    damaged: list[DamagedEntry] = []
    for row in rows:
        name = ""
        try:
            name = decrypt(key, row.key)
            # Phase's server also stores an empty text, which is no ciphertext; it means an empty value.
            value = row.value
            entries.append(row.opened(name, decrypt(key, value) if value else ""))
        except DecryptionError:
            damaged.append(DamagedEntry(row.opened("", ""), _shown(row, name)))
    return entries, damaged


def _shown(row: SealedEntry, name: str) -> str:
    """Return how to name an entry in a message: by folder and key, or by its id if its key cannot be opened."""
    folder = row.path.rstrip("/")
    return clean(f"{folder}/{name}" if name else f"row {row.id} in {folder or '/'}")
