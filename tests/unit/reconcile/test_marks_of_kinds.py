"""A mark names the kind of its resource, and every look-up asks for this kind."""

from typing import Any

from phase_operator.core.leases.record import record_ref
from phase_operator.core.targets.observed import observe
from phase_operator.core.values import ObjectKey
from phase_operator.reconcile.index import ReverseIndex
from phase_operator.reconcile.run.rivals import OwnerConflicts
from phase_operator.reconcile.writers import Writers
from support.builders import KEY, desired_secret, phase_secret, secret_ref
from support.fakes import FakeCluster
from support.lease_house import KEY as DYNAMIC
from support.lease_house import dynamic_secret

THING = ObjectKey(KEY.namespace, KEY.name, "PhaseThing")


class Shown:
    """What the watches have shown: one object that this resource wrote."""

    def __init__(self, of: ObjectKey, **fields: Any) -> None:
        cluster = FakeCluster()
        cluster.force(desired_secret(of=of, **fields))
        self._found = observe(cluster.objects[secret_ref()].metadata())

    def get(self, _: object) -> Any:
        return self._found


def test_the_resource_that_a_mark_names_is_told_from_its_namesake() -> None:
    for key in (KEY, THING):
        for fields in ({}, {"creationPolicy": "Merge"}):
            assert Writers(ReverseIndex(), Shown(key, **fields)).marked(secret_ref()) == [key]


async def test_a_namesake_of_another_kind_does_not_keep_what_the_mark_names() -> None:
    cluster = FakeCluster()
    cluster.bodies[KEY] = phase_secret(KEY)
    rivals = OwnerConflicts(cluster, lambda *_: "")

    assert not await rivals.has_let_go(str(KEY), secret_ref())
    assert await rivals.has_let_go(str(THING), secret_ref())


async def test_a_record_of_a_lease_is_kept_by_its_resource_though_no_spec_names_it() -> None:
    cluster = FakeCluster()
    cluster.bodies[DYNAMIC] = dynamic_secret()
    rivals = OwnerConflicts(cluster, lambda *_: "")

    assert not await rivals.has_let_go(str(DYNAMIC), record_ref(DYNAMIC, "0a1b2c3d"))
    assert not await rivals.has_let_go(str(DYNAMIC), secret_ref("uploads-aws"))
    assert await rivals.has_let_go(str(DYNAMIC), secret_ref("another"))
