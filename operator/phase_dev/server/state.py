"""All records of one installation, with the indexes that keep a request from looking at all of them.

Rule: records enter and leave only through `put` and `remove`, which keep the indexes and the journal in step.
"""

import threading
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime
from heapq import heappop, heappush
from typing import Protocol, assert_never

from phase_dev.server.ciphertexts import Ciphertexts, seal_secret
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


class Journal(Protocol):
    """Where changes are written so that a restart finds them."""

    def put(self, record: Record) -> None:
        """Remember the record, in place of an older one with its id."""

    def remove(self, record: Record) -> None:
        """Forget the record."""

    def commit(self) -> None:
        """Make everything since the last commit durable."""

    def load(self) -> Iterable[Record]:
        """Return all records, oldest write first."""

    def close(self) -> None:
        """Release what the journal holds."""


class State:
    """The records and their indexes; hold `lock` while you use it from more than one thread."""

    def __init__(self, journal: Journal | None = None) -> None:
        self.lock = threading.RLock()
        self.organisations: dict[str, Organisation] = {}
        self.apps: dict[str, App] = {}
        self.environments: dict[str, Environment] = {}
        self.secrets: dict[str, Secret] = {}
        self.dynamic_secrets: dict[str, DynamicSecret] = {}
        self.leases: dict[str, Lease] = {}
        self.cloud_users: dict[str, CloudUser] = {}
        self.roles: dict[str, Role] = {}
        self.accounts: dict[str, Account] = {}
        self.tokens: dict[str, Token] = {}
        self._environments_of: defaultdict[str, dict[str, Environment]] = defaultdict(dict)
        self._secrets_of: defaultdict[str, dict[str, Secret]] = defaultdict(dict)
        self._secrets_at: defaultdict[tuple[str, str], dict[str, Secret]] = defaultdict(dict)
        self._secrets_called: defaultdict[tuple[str, str], dict[str, Secret]] = defaultdict(dict)
        self._dynamic_of: defaultdict[str, dict[str, DynamicSecret]] = defaultdict(dict)
        self._leases_of: defaultdict[str, dict[str, Lease]] = defaultdict(dict)
        self._jobs: list[tuple[datetime, str]] = []
        self._tokens_by_value: dict[str, Token] = {}
        self._ciphertexts: dict[str, Ciphertexts] = {}
        self._journal: Journal | None = None
        for record in journal.load() if journal else ():
            self.put(record)
        self._journal = journal

    @property
    def empty(self) -> bool:
        """Whether nothing was ever put here."""
        return not self.organisations

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Hold the lock and make durable what was written meanwhile."""
        with self.lock:
            try:
                yield
            finally:
                if self._journal:
                    self._journal.commit()

    def close(self) -> None:
        """Close the journal."""
        if self._journal:
            self._journal.close()

    def put(self, record: Record) -> None:
        """Take the record in; one with the same id is replaced, and moves to the end like a row that was updated."""
        self._unlink(record.id, type(record))
        match record:
            case Organisation():
                self.organisations[record.id] = record
            case App():
                self.apps[record.id] = record
            case Environment():
                self.environments[record.id] = record
                self._environments_of[record.app][record.id] = record
            case Secret():
                self._link_secret(record)
            case DynamicSecret():
                self._link_dynamic(record)
            case Lease():
                self._link_lease(record)
            case CloudUser():
                self.cloud_users[record.id] = record
            case Role():
                self.roles[record.id] = record
            case Account():
                self.accounts[record.id] = record
            case Token():
                self.tokens[record.id] = record
                self._tokens_by_value[record.value] = record
            case _:
                assert_never(record)
        if self._journal:
            self._journal.put(record)

    def remove(self, record: App | Environment | Secret | DynamicSecret | Lease | CloudUser | Account | Token) -> None:
        """Drop the record; what belongs to an app, an environment or an account goes with it."""
        for part in self._parts_of(record):
            self.remove(part)
        if isinstance(record, App):
            self.apps.pop(record.id, None)
        if isinstance(record, Environment):
            self.environments.pop(record.id, None)
            self._environments_of[record.app].pop(record.id, None)
        if isinstance(record, DynamicSecret):
            self.dynamic_secrets.pop(record.id, None)
            self._dynamic_of[record.environment].pop(record.id, None)
        if isinstance(record, Lease):
            self.leases.pop(record.id, None)
            self._leases_of[record.dynamic_secret].pop(record.id, None)
        if isinstance(record, CloudUser):
            self.cloud_users.pop(record.id, None)
        if isinstance(record, Account):
            self.accounts.pop(record.id, None)
        self._unlink(record.id, type(record))
        if self._journal:
            self._journal.remove(record)

    def _parts_of(self, record: Record) -> Sequence[Environment | Secret | DynamicSecret | Lease | Token]:
        """Return what goes with a record when it is removed."""
        match record:
            case App():
                return self.environments_of(record.id)
            case Environment():
                secrets = [secret for secret in self.secrets.values() if secret.environment == record.id]
                return [*secrets, *(d for d in self.dynamic_secrets.values() if d.environment == record.id)]
            case DynamicSecret():
                return self.leases_of(record.id)
            case Account():
                return self.tokens_of(record.id)
            case _:
                return []

    def touch(self, environment: str, now: datetime) -> None:
        """Move the environment's `updated_at`, as every write inside it does."""
        self.put(replace(self.environments[environment], updated_at=now))

    def environments_of(self, app: str) -> list[Environment]:
        """Return an app's environments in their order."""
        return sorted(self._environments_of[app].values(), key=lambda environment: environment.index)

    def environment_named(self, app: str, name: str) -> Environment | None:
        """Return the environment of that name, in any case."""
        folded = name.casefold()
        return next((e for e in self._environments_of[app].values() if e.name.casefold() == folded), None)

    def apps_of(self, organisation: str) -> list[App]:
        """Return an organisation's apps, oldest first."""
        return sorted((a for a in self.apps.values() if a.organisation == organisation), key=lambda a: a.created_at)

    def secrets_of(self, environment: str) -> Iterable[Secret]:
        """Return the listed secrets of an environment, last written last."""
        return self._secrets_of.get(environment, {}).values()

    def secrets_at(self, environment: str, path: str) -> Iterable[Secret]:
        """Return the listed secrets of one folder."""
        return self._secrets_at.get((environment, path), {}).values()

    def secrets_called(self, environment: str, key: str) -> Iterable[Secret]:
        """Return the listed secrets with exactly this key, in all folders."""
        return self._secrets_called.get((environment, key), {}).values()

    def find_secret(self, environment: str, path: str, key: str) -> Secret | None:
        """Return the secret with this key in this folder."""
        return next((s for s in self.secrets_called(environment, key) if s.path == path), None)

    def ciphertexts(self, secret: Secret) -> Ciphertexts:
        """Return the sealed fields of a secret of this state; they are made at the first call."""
        if (found := self._ciphertexts.get(secret.id)) is None:
            found = self._ciphertexts[secret.id] = seal_secret(secret)
        return found

    def dynamic_of(self, environment: str) -> Iterable[DynamicSecret]:
        """Return the listed dynamic secrets of an environment."""
        return self._dynamic_of.get(environment, {}).values()

    def leases_of(self, dynamic_secret: str) -> list[Lease]:
        """Return the leases of a dynamic secret, newest first."""
        return sorted(self._leases_of[dynamic_secret].values(), key=lambda lease: lease.created_at)[::-1]

    def take_job(self, until: datetime) -> tuple[datetime, Lease] | None:
        """Take the next job that was due by then out of the schedule; return when it was due, and its lease."""
        while self._jobs and self._jobs[0][0] <= until:
            due, lease_id = heappop(self._jobs)
            lease = self.leases.get(lease_id)
            if lease is not None and due in lease.scheduled:
                return due, lease
        return None

    def token_by_value(self, value: str) -> Token | None:
        """Return the token with these hexadecimal digits."""
        return self._tokens_by_value.get(value)

    def tokens_of(self, account: str) -> list[Token]:
        """Return an account's tokens, oldest first."""
        return [token for token in self.tokens.values() if token.account == account]

    def _link_secret(self, secret: Secret) -> None:
        self.secrets[secret.id] = secret
        if secret.deleted_at is not None:
            return
        self._secrets_of[secret.environment][secret.id] = secret
        self._secrets_at[secret.environment, secret.path][secret.id] = secret
        self._secrets_called[secret.environment, secret.key][secret.id] = secret

    def _link_dynamic(self, dynamic: DynamicSecret) -> None:
        self.dynamic_secrets[dynamic.id] = dynamic
        listed = self._dynamic_of[dynamic.environment]
        if dynamic.deleted_at is None:
            listed[dynamic.id] = dynamic
        else:
            listed.pop(dynamic.id, None)

    def _link_lease(self, lease: Lease) -> None:
        before = self.leases.get(lease.id)
        for due in set(lease.scheduled) - set(before.scheduled if before else ()):
            heappush(self._jobs, (due, lease.id))
        self.leases[lease.id] = lease
        self._leases_of[lease.dynamic_secret][lease.id] = lease

    def _unlink(self, record_id: str, kind: type[Record]) -> None:
        if kind is Secret and (secret := self.secrets.pop(record_id, None)):
            self._ciphertexts.pop(record_id, None)
            self._secrets_of[secret.environment].pop(record_id, None)
            self._secrets_at[secret.environment, secret.path].pop(record_id, None)
            self._secrets_called[secret.environment, secret.key].pop(record_id, None)
        if kind is Token and (token := self.tokens.pop(record_id, None)):
            self._tokens_by_value.pop(token.value, None)
