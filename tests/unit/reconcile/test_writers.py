"""Whose marks an object carries, however many there are."""

from typing import Any

from phase_operator.core.refs import Kind, TargetRef
from phase_operator.core.targets.merge import merge_manager
from phase_operator.core.targets.observed import observe
from phase_operator.core.values import ObjectKey
from phase_operator.kube.target_cache import TargetCache
from phase_operator.reconcile.index import ReverseIndex
from phase_operator.reconcile.writers import Writers
from support.scaling import times_as_long

TARGET = TargetRef(Kind.CONFIG_MAP, ObjectKey("mallory", "shared"))


def marked_by(*keys: ObjectKey) -> Writers:
    managed = [
        {"manager": merge_manager(key), "operation": "Apply", "fieldsV1": {"f:data": {f"f:{number}": {}}}}
        for number, key in enumerate(keys)
    ]
    metadata: dict[str, Any] = {"uid": "uid", "resourceVersion": "1", "managedFields": managed}
    known = TargetCache()
    known.put(TARGET, observe(metadata))
    return Writers(ReverseIndex[TargetRef](), known)


def test_marks_of_the_targets_own_namespace_count() -> None:
    own, other = ObjectKey("mallory", "a"), ObjectKey("team", "b")

    assert marked_by(own, other).marked(TARGET) == [own]


def test_marks_cost_no_more_each_if_they_are_thousands() -> None:
    """Anybody who may write a ConfigMap may write as many managedFields as fit in."""
    keys = [ObjectKey("mallory", f"p{number}") for number in range(5_000)]
    few, many = marked_by(*keys[:500]), marked_by(*keys)

    assert many.marked(TARGET) == sorted(keys)
    # If each were compared with all others, it would be a hundred times.
    assert times_as_long(lambda: few.marked(TARGET), lambda: many.marked(TARGET)) < 30
