"""Nothing that others wrote makes a reader raise: no metadata, mark, label, annotation or status is too strange."""

from typing import Any

from hypothesis import example, given

from phase_operator.api import names
from phase_operator.core.targets.merge import merge_annotation, part, read_mark
from phase_operator.core.targets.observed import observe
from support.any_json import MANAGER, any_metadata, any_object, anything

DEEP_MARK = {
    "labels": {names.LABEL_TARGET: names.LABEL_TARGET_VALUE},
    "annotations": {merge_annotation(MANAGER): "[" * 2000},
    "managedFields": [{"manager": MANAGER, "operation": "Apply", "fieldsV1": {"f:data": {"f:K": {}}}}],
}


@given(any_metadata())
@example(DEEP_MARK)
def test_any_metadata_can_be_observed(metadata: Any) -> None:
    observed = observe(metadata)

    assert isinstance(observed.owner, str)
    hash(observed)


@given(any_object)
@example({merge_annotation(MANAGER): "[" * 2000})
def test_any_mark_can_be_read(annotations: Any) -> None:
    assert isinstance(read_mark(annotations, MANAGER), dict)
    hash(part(MANAGER, frozenset(), b"", annotations, {}))


@given(anything)
def test_observe_takes_what_is_no_object(found: Any) -> None:
    fields = ("annotations", "labels", "managedFields", "ownerReferences", "uid")

    observed = observe(dict.fromkeys(fields, found))

    assert isinstance(observed.owner, str)
    hash(observed)
