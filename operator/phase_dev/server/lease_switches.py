"""What people do to leases outside the API: in the Console, in the cloud account and to the worker.

Rule: what came due before is done before, so that a switch works from the moment at which it is turned.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace

from phase_dev.server.cloud import AccessKey, CloudFault, CloudFaultKind
from phase_dev.server.leasing import Leasing
from phase_dev.server.model import CloudUser, Lease
from phase_dev.server.steps import at_once
from phase_dev.server.unknown import given


@dataclass(frozen=True, slots=True)
class LeaseSwitches:
    """The leases, cloud users and worker of an installation, for tests and for `/_control/`."""

    leasing: Leasing

    def all(self) -> list[Lease]:
        """Return all leases as they stand now, oldest first."""
        with self._now():
            return sorted(self.leasing.state.leases.values(), key=lambda lease: lease.created_at)

    def live(self) -> list[Lease]:
        """Return the leases whose user the cloud account still has."""
        with self._now():
            names = {user.name for user in self.leasing.state.cloud_users.values()}
            return [lease for lease in self.all() if lease.user in names]

    def users(self) -> list[CloudUser]:
        """Return the users that the cloud accounts have."""
        with self._now():
            return list(self.leasing.state.cloud_users.values())

    def leaked(self) -> list[CloudUser]:
        """Return the users that nothing will take away by itself: no call is making them and no job will end them."""
        with self._now():
            ending = {lease.user for lease in self.leasing.state.leases.values() if lease.scheduled}
            return [user for user in self.users() if user.name not in ending | self.leasing.in_the_making]

    def opens(self, key_id: str, secret: str) -> CloudUser | None:
        """Return the user whom a leased access key lets in now, if it does."""
        with self._now():
            return self.leasing.cloud.holder(AccessKey(key_id, secret))

    def fail(
        self,
        kind: CloudFaultKind,
        action: str | None = None,
        *,
        delay: float = 0.0,
        times: int | None = None,
        share: float = 1.0,
    ) -> None:
        """Let calls to the cloud account fail, or take time; left out, `action` is every call."""
        order = {"kind": kind, "action": action, "delay": delay, "times": times, "share": share}
        self.add_fault(CloudFault.model_validate(order))

    def add_fault(self, fault: CloudFault) -> None:
        """Put a fault of the cloud account in force."""
        with self._now():
            self.leasing.cloud.faults.add(fault)

    def clear(self) -> None:
        """End all faults of the cloud account."""
        with self._now():
            self.leasing.cloud.faults.clear()

    def revoke(self, lease_id: str) -> None:
        """Revoke a lease as somebody does in the Console."""
        with self._now():
            at_once(self.leasing.end(self.find(lease_id), "revoked"))

    def renew(self, lease_id: str, ttl: float) -> None:
        """Renew a lease as somebody does in the Console: its expiry moves, its end does not."""
        with self._now():
            self.leasing.renew(self.find(lease_id), ttl)

    def unschedule(self, lease_id: str) -> None:
        """Take the next job of a lease out of the worker's schedule."""
        with self._now():
            lease = self.find(lease_id)
            self.leasing.state.put(replace(lease, jobs=tuple(sorted(lease.scheduled)[1:])))

    def set_worker(self, *, runs: bool | None = None, takes_jobs: bool | None = None) -> None:
        """Stop the worker or start it again; let new jobs be scheduled, or refuse them."""
        with self._now():
            leasing = self.leasing
            if runs and not leasing.worker_runs:
                leasing.worker_since = leasing.clock()
            leasing.worker_runs = leasing.worker_runs if runs is None else runs
            leasing.takes_jobs = leasing.takes_jobs if takes_jobs is None else takes_jobs

    def remove_user(self, name: str) -> None:
        """Delete a user in the cloud account by hand; Phase does not notice."""
        with self._now():
            found = [user for user in self.leasing.state.cloud_users.values() if user.name == name]
            self.leasing.state.remove(given(found[0] if found else None, f'there is no cloud user "{name}"'))

    def find(self, lease_id: str) -> Lease:
        """Return the lease with this id."""
        return given(self.leasing.state.leases.get(lease_id), f'there is no lease "{lease_id}"')

    @contextmanager
    def _now(self) -> Iterator[None]:
        with self.leasing.state.transaction():
            self.leasing.settle()
            yield
