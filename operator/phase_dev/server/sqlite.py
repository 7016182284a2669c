"""Keep the records in one SQLite file, so that a restart loses nothing.

Rule: a record is one row of JSON; an answer leaves the server only after its changes were committed.
"""

import sqlite3
from collections.abc import Iterable
from pathlib import Path

from pydantic import TypeAdapter

from phase_dev.server.model import (
    Account,
    App,
    CloudUser,
    DynamicSecret,
    Environment,
    Lease,
    Organisation,
    Record,
    Role,
    Secret,
    Token,
)

_KINDS: tuple[type[Record], ...] = (
    Organisation,
    Role,
    App,
    Environment,
    Secret,
    DynamicSecret,
    Account,
    Token,
    Lease,
    CloudUser,
)
_ADAPTERS: dict[str, TypeAdapter[Record]] = {kind.__name__: TypeAdapter(kind) for kind in _KINDS}


class SqliteJournal:
    """A journal in a file; a record that is written again moves to the end, as it does in memory."""

    def __init__(self, path: Path) -> None:
        self._db = sqlite3.connect(path, check_same_thread=False)
        # WAL with NORMAL survives the death of the process; only a power cut may lose the last commits.
        self._db.execute("PRAGMA journal_mode = WAL")
        self._db.execute("PRAGMA synchronous = NORMAL")
        self._db.execute(
            "CREATE TABLE IF NOT EXISTS records "
            "(seq INTEGER PRIMARY KEY AUTOINCREMENT, kind TEXT, id TEXT, document BLOB, UNIQUE (kind, id))"
        )
        self._db.commit()

    def put(self, record: Record) -> None:
        """Remember the record, in place of an older one with its id."""
        kind = type(record).__name__
        document = _ADAPTERS[kind].dump_json(record)
        self._db.execute(
            "INSERT OR REPLACE INTO records (kind, id, document) VALUES (?, ?, ?)", (kind, record.id, document)
        )

    def remove(self, record: Record) -> None:
        """Forget the record."""
        self._db.execute("DELETE FROM records WHERE kind = ? AND id = ?", (type(record).__name__, record.id))

    def commit(self) -> None:
        """Make everything since the last commit durable."""
        if self._db.in_transaction:
            self._db.commit()

    def load(self) -> Iterable[Record]:
        """Return all records, oldest write first."""
        for kind, document in self._db.execute("SELECT kind, document FROM records ORDER BY seq").fetchall():
            yield _ADAPTERS[kind].validate_json(document)

    def close(self) -> None:
        """Close the file."""
        self._db.close()
