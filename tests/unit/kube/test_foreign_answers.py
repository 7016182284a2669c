"""Whatever an API server, or what stands before it, answers: a reader makes something of it, or an ApiError."""

import contextlib
import math
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from phase_operator.core.errors import Transient, Waiting
from phase_operator.core.rollout.progress import WorkloadKind
from phase_operator.core.rollout.workload import read_workload
from phase_operator.kube.client import metadata_of
from phase_operator.kube.errors import ApiError, from_answer, translate
from phase_operator.kube.listing import page
from phase_operator.kube.version import too_old
from phase_operator.kube.watch import key_of
from support.any_json import any_object, shallow


@given(any_object)
def test_any_answer_can_be_read(answer: dict[str, Any]) -> None:
    with contextlib.suppress(ApiError):
        page(answer)
    with contextlib.suppress(ApiError):
        metadata_of(answer)
    key_of(answer)
    too_old(answer)


@given(
    st.sampled_from((400, 401, 403, 404, 409, 410, 413, 422, 429, 500, 503)),
    st.one_of(
        any_object,
        st.fixed_dictionaries(
            {}, optional={"details": shallow, "reason": shallow, "message": shallow, "code": shallow}
        ),
    ),
    st.none() | st.text(),
)
def test_any_refusal_can_be_read(status: int, body: dict[str, Any], after: str | None) -> None:
    found = from_answer(status, body, after)

    assert found.status == status
    assert found.after is None or 0 < found.after < math.inf
    assert isinstance(translate(found), Waiting | Transient)


@given(st.sampled_from(WorkloadKind), any_object, shallow)
def test_any_workload_can_be_read(kind: WorkloadKind, found: dict[str, Any], spec: Any) -> None:
    for shown in (found, {"metadata": found, "spec": spec, "status": spec}):
        workload = read_workload(kind, shown)

        assert workload is None or workload.ref.kind is kind
