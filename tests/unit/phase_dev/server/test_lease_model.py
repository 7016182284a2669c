"""Whatever happens to leases and in whichever order, the lists and the cloud account tell the same story.

Invariants: a list grows at its head alone; what has ended stays ended and its user is gone; a user that lives is
somebody's to end, or is counted as leaked; only a lease whose user lives opens anything.
"""

import random
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any, get_args

import pytest

from phase_dev.server.cloud import CloudAction, CloudFaultKind
from phase_dev.server.leasing import LAG_AFTER_OUTAGE
from support.examples import seeds
from unit.phase_dev.server.builders import Installation
from unit.phase_dev.server.test_leases import LEASING, ask, listed, renew, revoke

STEPS = 400


class Story:
    """An installation to which things happen, and what its list said before."""

    def __init__(self, seed: int) -> None:
        self.chance = random.Random(seed)
        self.installation = Installation(LEASING)
        self.before: list[dict[str, Any]] = []
        self.worker = True

    def some_lease(self) -> str:
        return self.chance.choice([str(row["id"]) for row in self.before] or ["nope"])

    async def lease(self) -> None:
        await ask(self.installation, self.chance.choice(["operator", "other"]), ttl=str(self.chance.randint(55, 900)))

    async def renew(self) -> None:
        await renew(self.installation, self.some_lease(), self.chance.choice([60, 600, -400, 1.5]))

    async def revoke(self) -> None:
        await revoke(self.installation, self.some_lease(), self.chance.choice(["operator", "admin"]))

    async def wait(self) -> None:
        self.installation.clock.advance(self.chance.choice([0.1, 1, 7, 60, 700]))

    async def fail(self) -> None:
        action = self.chance.choice([None, *get_args(CloudAction)])
        kind = self.chance.choice(get_args(CloudFaultKind))
        self.installation.phase.leases.fail(kind, action, times=self.chance.randint(1, 7))

    async def clear(self) -> None:
        self.installation.phase.leases.clear()

    async def turn_worker(self) -> None:
        self.worker = not self.worker
        self.installation.phase.leases.set_worker(runs=self.worker, takes_jobs=self.chance.random() < 0.8)

    async def delete_user(self) -> None:
        if users := self.installation.phase.leases.users():
            self.installation.phase.leases.remove_user(self.chance.choice(users).name)

    async def happen(self) -> None:
        things: list[Callable[[], Awaitable[None]]] = [
            *[self.lease, self.wait] * 4,
            *[self.renew, self.revoke, self.clear] * 2,
            self.fail,
            self.turn_worker,
            self.delete_user,
        ]
        await self.chance.choice(things)()
        await self.check()

    async def check(self) -> None:
        rows = await listed(self.installation)
        old = {row["id"]: row for row in self.before}
        assert [row["id"] for row in rows][len(rows) - len(old) :] == [row["id"] for row in self.before]
        ended = {row["id"]: row["revokedAt"] for row in rows if row["revokedAt"]}
        assert {i: row["revokedAt"] for i, row in old.items() if row["revokedAt"]}.items() <= ended.items()
        assert all((row["status"] == "active") == (row["revokedAt"] is None) for row in rows)
        self.check_users(ended)
        self.before = rows

    def check_users(self, ended: dict[str, str]) -> None:
        phase = self.installation.phase
        leases, users = phase.leases.all(), {user.name for user in phase.leases.users()}
        assert not users & {lease.user for lease in leases if lease.id in ended}
        going = {lease.user for lease in leases if phase.leasing.ends_at(lease)}
        assert {user.name for user in phase.leases.leaked()} == users - going
        late = phase.clock() - LAG_AFTER_OUTAGE - timedelta(seconds=1)
        overdue = [lease for lease in leases if (end := phase.leasing.ends_at(lease)) and end < late]
        since = phase.leasing.worker_since
        assert not overdue or not self.worker or (since is not None and since > late)


@pytest.mark.parametrize("seed", seeds(5))
async def test_lists_and_cloud_account_tell_the_same_story(seed: int) -> None:
    story = Story(seed)
    for _ in range(STEPS):
        await story.happen()

    statuses = {row["status"] for row in story.before}
    assert statuses == {"active", "expired", "revoked"}
