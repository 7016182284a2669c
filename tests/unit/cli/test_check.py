"""`check` says whether an installation can serve, waits while it starts, and stores nothing."""

from collections.abc import Mapping
from typing import Any, cast

import pytest

from phase_operator.cli.commands.check import Checked, awaited
from phase_operator.cli.linting.findings import Level
from phase_operator.cli.linting.spec_checks import spec_findings
from phase_operator.core.timestamps import moment_of
from phase_operator.kube.user_cluster import UserCluster
from phase_operator.kube.user_errors import Trouble, UserError
from phase_operator.kube.user_resources import LEASES, OURS, Resource
from unit.cli.things import Clock

RENEWED = "2026-11-29T10:00:00.000000Z"
HELD = {"holderIdentity": "pod-1_00ff", "leaseDurationSeconds": 15, "renewTime": RENEWED}
NO_CRD = UserError(Trouble.NOT_FOUND, "the cluster has no phasesecrets.secrets.phase.dev")


class Cluster:
    """A cluster that refuses some kinds until a moment, and has a Lease."""

    def __init__(
        self,
        clock: Clock,
        *,
        lease: Mapping[str, Any] | UserError = HELD,
        refused: Mapping[str, UserError] | None = None,
    ) -> None:
        self.clock, self.lease, self.refused = clock, lease, refused or {}
        self.serves_at = float("inf")
        self.tried: list[Mapping[str, Any]] = []

    async def create(
        self, kind: Resource, namespace: str, body: Mapping[str, Any], *, dry_run: bool
    ) -> Mapping[str, Any]:
        assert dry_run, "nothing may be stored"
        assert namespace == body["metadata"]["namespace"] == "ops"
        self.tried.append(body)
        if kind.kind in self.refused and self.clock.seconds < self.serves_at:
            raise self.refused[kind.kind]
        return body

    async def get(self, resource: Resource, namespace: str, name: str) -> Mapping[str, Any]:
        assert (resource, namespace, name) == (LEASES, "ops", "the-lease")
        if isinstance(self.lease, UserError):
            raise self.lease
        return {"metadata": {"namespace": namespace, "name": name}, "spec": self.lease}

    def now(self) -> float | None:
        moment = moment_of(RENEWED)
        assert moment is not None
        return moment + self.clock.seconds


async def found(cluster: Cluster, lease: str = "the-lease", longest: float = 60) -> list[Checked]:
    return list(await awaited(cast("UserCluster", cluster), "ops", lease, longest, cluster.clock))


async def test_an_installation_that_serves_passes_at_once() -> None:
    cluster = Cluster(Clock())

    checked = await found(cluster)

    assert [each.why for each in checked] == [""] * 4
    assert "pod-1" in checked[-1].what
    assert [each["kind"] for each in cluster.tried] == [each.kind for each in OURS]
    assert cluster.clock.seconds == 0


async def test_the_tried_resources_are_valid_for_the_operator() -> None:
    cluster = Cluster(Clock())
    await found(cluster)

    for body in cluster.tried:
        assert [each for each in spec_findings(body["kind"], body["spec"], "ops") if each.level is Level.ERROR] == []


async def test_a_start_is_waited_for() -> None:
    cluster = Cluster(Clock(), refused={"PhaseSecret": NO_CRD})
    cluster.serves_at = 7

    checked = await found(cluster)

    assert [each.why for each in checked] == [""] * 4
    assert 7 <= cluster.clock.seconds < 9


async def test_a_kind_that_is_not_served_is_named_when_time_is_up() -> None:
    cluster = Cluster(Clock(), refused={"PhaseSecret": NO_CRD})

    checked = await found(cluster, longest=10)

    assert [each.what for each in checked if each.why] == ["the API server takes a PhaseSecret"]
    assert checked[0].why == NO_CRD.message
    assert 10 <= cluster.clock.seconds < 12


@pytest.mark.parametrize(
    ("lease", "why"),
    [
        ({**HELD, "holderIdentity": ""}, "nobody holds it"),
        ({**HELD, "renewTime": "2026-11-29T09:00:00.000000Z"}, "pod-1_00ff does not renew it"),
        (UserError(Trouble.NOT_FOUND, 'there is no Lease "the-lease"'), 'there is no Lease "the-lease"'),
        (UserError(Trouble.NO_RIGHT, "you have no right to get it"), "you have no right to get it"),
    ],
)
async def test_without_a_leader_it_does_not_pass(lease: Mapping[str, Any] | UserError, why: str) -> None:
    checked = await found(Cluster(Clock(), lease=lease), longest=3)

    assert [each.why for each in checked] == ["", "", "", why]


async def test_an_operator_without_leader_election_needs_no_lease() -> None:
    cluster = Cluster(Clock(), lease=UserError(Trouble.NO_RIGHT, "you have no right to get it"))

    assert [each.why for each in await found(cluster, lease="")] == [""] * 3


async def test_a_cluster_that_does_not_answer_ends_it() -> None:
    unreachable = UserError(Trouble.UNREACHABLE, "the API server does not answer")

    with pytest.raises(UserError, match="does not answer"):
        await found(Cluster(Clock(), refused={"PhaseSecret": unreachable}))
