"""Make, renew and end leases: the row, its user in the cloud account, and the worker's jobs that take the user away.

Rule: a job that was scheduled runs, whatever became of the lease, so a renewal is void; a job that fails is not
repeated. A row comes with the last step of making it.
"""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from functools import partial

from phase_dev.server.clock import Clock
from phase_dev.server.cloud import AccessKey, Cloud, CloudError, NeverAnswered, user_name
from phase_dev.server.model import (
    DynamicSecret,
    KeyMapEntry,
    Lease,
    LeaseStatus,
    Organisation,
    new_id,
)
from phase_dev.server.state import State
from phase_dev.server.steps import Steps, at_once

MIN_TTL = 60
TOO_SHORT = "The specified TTL must be at least 60 seconds."
TOO_LONG = "The specified TTL exceeds the maximum TTL for this dynamic secret."
WRONG_PLAN = "Dynamic secrets are only available on the Enterprise plan."
# The worker looks for due jobs every two seconds; after an outage it needs a moment more.
LAG = timedelta(seconds=1.5)
LAG_AFTER_OUTAGE = timedelta(seconds=3.5)
# The expiry is computed a moment before the row is saved.
_SAVING = timedelta(microseconds=500)


class LeaseError(Exception):
    """A lease that could not be made, renewed or ended; `internal` ones are a 500 where no cause is told."""

    def __init__(self, text: str, *, internal: bool = False) -> None:
        super().__init__(text)
        self.internal = internal


@dataclass(frozen=True, slots=True)
class Credentials:
    """What a lease hands out."""

    username: str
    key: AccessKey

    def of(self, entry: KeyMapEntry) -> str:
        """Return the credential that an entry of the key map names."""
        return {"username": self.username, "access_key_id": self.key.id, "secret_access_key": self.key.secret}[entry.id]


@dataclass
class Leasing:
    """The leases of an installation, with the cloud account and the worker behind them."""

    state: State
    clock: Clock
    cloud: Cloud = field(init=False)
    worker_runs: bool = True
    worker_since: datetime | None = None
    # Whether new jobs can be scheduled.
    takes_jobs: bool = True
    # The users that a call is about to give a lease.
    in_the_making: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        """Open the cloud account."""
        self.cloud = Cloud(self.state, self.clock)

    def make(self, dynamic: DynamicSecret, account: str, seconds: int) -> Steps[tuple[Lease, Credentials]]:
        """Make a user and a lease of it; without one, a user may stay behind as it would on the real server."""
        owner = self._organisation(dynamic)
        self._check(owner, dynamic, account, seconds)
        name = user_name(dynamic.username_template)
        with self._making(name):
            try:
                yield from self._make_user(owner, dynamic, name, seconds)
                credentials = yield from self._make_key(owner, name)
                lease = self._saved(dynamic, account, seconds, name)
                if not self.takes_jobs:
                    yield from self._take_away(owner, name)
                    raise LeaseError("Cannot schedule the revocation: Redis refuses writes.", internal=True)
            except CloudError as e:
                raise LeaseError(str(e), internal=True) from e
        self.state.put(replace(lease, jobs=(lease.expires_at,)))
        return lease, credentials

    def renew(self, lease: Lease, ttl: float) -> Lease:
        """Move a lease's expiry by the ttl, and write it down before anybody looks whether it still lives."""
        dynamic, now = self.state.dynamic_secrets[lease.dynamic_secret], self.clock()
        if self._organisation(dynamic).plan != "enterprise":
            raise LeaseError(WRONG_PLAN, internal=True)
        if lease.ttl + ttl > dynamic.max_ttl:
            raise LeaseError(
                "The renewal TTL would exceed the maximum TTL for this dynamic secret. "
                f"Maximum remaining renewal time: {int(dynamic.max_ttl - lease.ttl)} seconds"
            )
        if lease.expires_at <= now:
            raise LeaseError("This lease has expired and cannot be renewed")
        expires_at = lease.expires_at + timedelta(seconds=ttl)
        renewed = replace(lease, ttl=lease.ttl + ttl, expires_at=expires_at, jobs=lease.scheduled)
        self.state.put(renewed)
        if lease.revoked_at is not None:
            raise LeaseError(f"Lease has already been revoked at {lease.revoked_at}")
        if not self.takes_jobs:
            raise LeaseError("Cannot schedule the revocation: Redis refuses writes.", internal=True)
        # The old job is marked as cancelled, but it keeps its place in the schedule.
        renewed = replace(renewed, jobs=(*lease.scheduled, expires_at))
        self.state.put(renewed)
        return renewed

    def end(self, lease: Lease, status: LeaseStatus, at: datetime | None = None) -> Steps[Lease]:
        """Take a lease's user away and say so in its row; a user who is gone already is no error."""
        dynamic = self.state.dynamic_secrets[lease.dynamic_secret]
        yield from self._take_away(self._organisation(dynamic), lease.user)
        # Its jobs may have come due while the cloud account took its time.
        lease = self.state.leases.get(lease.id, lease)
        if lease.revoked_at is not None:
            return lease
        ended = replace(lease, status=status, revoked_at=at or self.clock(), jobs=())
        self.state.put(ended)
        return ended

    def end_soon(self, lease: Lease) -> None:
        """Let the worker end a lease with its next look."""
        self.state.put(replace(lease, jobs=(*lease.scheduled, self.clock())))

    def settle(self) -> None:
        """Run the worker's jobs that came due since the last time, each at its own moment."""
        if not self.worker_runs:
            return
        now = self.clock()
        back = self.worker_since + LAG_AFTER_OUTAGE if self.worker_since else None
        if back and back > now:
            return
        while job := self.state.take_job(now - LAG):
            due, lease = job
            at = max(due + LAG, back) if back else due + LAG
            without = replace(lease, jobs=tuple(other for other in lease.scheduled if other != due))
            self.state.put(without)
            with suppress(CloudError, NeverAnswered):
                at_once(self.end(without, "expired", at))

    def ends_at(self, lease: Lease) -> datetime | None:
        """Return when the worker will end a lease; None if it never will, or has."""
        return min(lease.scheduled, default=None)

    def _check(self, owner: Organisation, dynamic: DynamicSecret, account: str, seconds: int) -> None:
        if owner.plan != "enterprise":
            raise LeaseError(WRONG_PLAN, internal=True)
        if dynamic.provider != "aws":
            raise LeaseError(f"Unsupported provider: {dynamic.provider}", internal=True)
        if self.state.accounts[account].kind == "legacy":
            raise LeaseError("Must set either organisation_member or service_account", internal=True)
        if seconds > dynamic.max_ttl:
            raise LeaseError(TOO_LONG)
        if seconds < MIN_TTL:
            raise LeaseError(TOO_SHORT)

    def _make_user(self, owner: Organisation, dynamic: DynamicSecret, name: str, seconds: int) -> Steps[None]:
        cloud, change = self.cloud, partial(self.cloud.change_user, owner.id, name)
        yield from cloud.call(owner, "CreateUser", partial(cloud.create_user, owner, name, dynamic))
        yield from cloud.call(owner, "TagUser", partial(change, "TagUser", tags=_tags(self.clock(), seconds)))
        for number in range(1, len(dynamic.policies) + 1):
            given = dynamic.policies[:number]
            yield from cloud.call(owner, "AttachUserPolicy", partial(change, "AttachUserPolicy", policies=given))
        for number in range(1, len(dynamic.groups) + 1):
            joined = dynamic.groups[:number]
            yield from cloud.call(owner, "AddUserToGroup", partial(change, "AddUserToGroup", groups=joined))

    def _make_key(self, owner: Organisation, name: str) -> Steps[Credentials]:
        cloud = self.cloud
        try:
            key = yield from cloud.call(owner, "CreateAccessKey", partial(cloud.create_key, owner.id, name))
        except CloudError:
            # The one failure after which the real server tidies up.
            with suppress(CloudError):
                yield from self._take_away(owner, name)
            raise
        return Credentials(name, key)

    def _take_away(self, owner: Organisation, name: str) -> Steps[None]:
        cloud = self.cloud
        try:
            for key in (yield from cloud.call(owner, "ListAccessKeys", partial(cloud.list_keys, owner.id, name))):
                yield from cloud.call(owner, "DeleteAccessKey", partial(cloud.delete_key, owner.id, name, key))
            yield from cloud.call(owner, "DeleteUser", partial(cloud.delete_user, owner.id, name))
        except CloudError as e:
            if e.code != "NoSuchEntity":
                raise

    def _saved(self, dynamic: DynamicSecret, account: str, seconds: int, user: str) -> Lease:
        now = self.clock()
        expires_at = now - _SAVING + timedelta(seconds=seconds)
        lease = Lease(new_id(), dynamic.id, account, seconds, now, expires_at, user=user, jobs=())
        self.state.put(lease)
        return lease

    def _organisation(self, dynamic: DynamicSecret) -> Organisation:
        app = self.state.apps[self.state.environments[dynamic.environment].app]
        return self.state.organisations[app.organisation]

    @contextmanager
    def _making(self, name: str) -> Iterator[None]:
        self.in_the_making.add(name)
        try:
            yield
        finally:
            self.in_the_making.discard(name)


def _tags(now: datetime, seconds: int) -> dict[str, str]:
    made, ends = now.replace(tzinfo=None), (now + timedelta(seconds=seconds)).replace(tzinfo=None)
    return {
        "CreatedBy": "phase-dynamic-secrets",
        "CreationTime": made.isoformat(),
        "ExpiryTime": ends.isoformat(),
        "TTL": str(seconds),
    }
