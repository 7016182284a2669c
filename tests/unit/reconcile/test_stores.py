"""The stores of several kinds as one: each key has its own store, and a kind that is none of ours has nothing."""

from typing import Any

from phase_operator.api import names
from phase_operator.core.values import ObjectKey
from phase_operator.reconcile.store import Lifecycle, PhaseSecretStore, Stores, lifecycle_of
from support.builders import KEY, UID, phase_secret

KIND = names.KIND_PHASE_DYNAMIC_SECRET
NAMESAKE = ObjectKey(KEY.namespace, KEY.name, KIND)


def stores(**fields: Any) -> Stores:
    """Return stores with a PhaseSecret and a namesake of another kind."""
    found = Stores(PhaseSecretStore(), PhaseSecretStore(KIND))
    found.of("").upsert(phase_secret())
    found.of(KIND).upsert(phase_secret(uid="another", **fields))
    return found


def test_namesakes_of_two_kinds_are_two() -> None:
    found = stores()
    mine, theirs = found.get(KEY), found.get(NAMESAKE)
    assert mine is not None
    assert theirs is not None
    assert (mine.uid, theirs.uid) == (UID, "another")
    assert found.keys() == {KEY, NAMESAKE}

    found.set_status(NAMESAKE, "another", {"leases": []})
    assert found.remove(KEY)

    assert found.get(KEY) is None
    kept = found.get(NAMESAKE)
    assert kept is not None
    assert kept.status == {"leases": []}


def test_a_kind_that_is_none_of_ours_has_nothing() -> None:
    assert stores().get(ObjectKey("team", "shop", "Deployment")) is None


def test_counts_are_those_of_all_kinds() -> None:
    found = stores()
    ready = {"conditions": [{"type": "Ready", "status": "True"}]}
    late = {"conditions": [{"type": "Ready", "status": "False", "lastTransitionTime": "2030-01-01T00:00:00Z"}]}

    found.set_status(KEY, UID, ready)
    assert found.ready_counts() == (1, 0, 1)
    found.set_status(NAMESAKE, "another", late)

    assert found.ready_counts() == (1, 1, 0)
    assert found.not_ready_for("2030-01-01T00:01:00Z") == 60.0


def test_a_resource_is_new_until_it_was_in_step_once() -> None:
    found = stores()
    waits = {"conditions": [{"type": "Ready", "status": "False", "lastTransitionTime": "2030-01-01T00:00:00Z"}]}
    was_in_step = waits | {"lastSyncedTime": "2030-01-01T00:00:00Z"}

    new = [found.is_new(KEY)]
    for status in (waits, was_in_step):
        found.set_status(KEY, UID, status)
        new.append(found.is_new(KEY))

    assert new == [True, True, False]
    assert not found.is_new(ObjectKey("team", "shop", "Deployment"))


def test_each_finalizer_is_known_by_itself_and_either_makes_a_deletion_wait() -> None:
    found = stores(finalizers=[names.FINALIZER_OUTSIDE])
    kept = found.get(NAMESAKE)
    assert kept is not None
    assert (kept.life, kept.is_outside) == (Lifecycle.NO_FINALIZER, True)

    found.set_finalizer_kept(NAMESAKE, "another", False, names.FINALIZER_OUTSIDE)
    found.set_finalizer_kept(NAMESAKE, "another", True)

    kept = found.get(NAMESAKE)
    assert kept is not None
    assert (kept.life, kept.is_outside) == (Lifecycle.HAS_FINALIZER, False)
    for finalizer in (names.FINALIZER, names.FINALIZER_OUTSIDE):
        deleted = {"deletionTimestamp": "2030-01-01T00:00:00Z", "finalizers": [finalizer]}
        assert lifecycle_of(deleted) is Lifecycle.DELETING
    assert lifecycle_of({"deletionTimestamp": "x", "finalizers": ["of/another"]}) is None


def test_our_own_finalizer_write_is_no_news() -> None:
    found = stores()
    found.set_finalizer_kept(NAMESAKE, "another", True, names.FINALIZER_OUTSIDE)

    metadata = phase_secret(uid="another", finalizers=[names.FINALIZER_OUTSIDE])["metadata"]

    assert not found.of(KIND).needs_reconcile(metadata)
    assert found.of(KIND).needs_reconcile(phase_secret(uid="another")["metadata"])
