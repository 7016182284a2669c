"""What the API server's answers to a status mean: which are no error, and which are reported."""

from typing import Any

import pytest

from phase_operator.api.reasons import Reason
from phase_operator.core.errors import ExpectedError, Waiting
from phase_operator.core.values import ObjectKey
from phase_operator.kube.cluster import KubeCluster
from phase_operator.kube.errors import from_answer
from phase_operator.kube.target_cache import TargetCache

KEY = ObjectKey("team", "shop")
POLICY = "phasesecrets \"shop\" is forbidden: ValidatingAdmissionPolicy 'p' with binding 'b' denied request: no"
WEBHOOK = 'admission webhook "w.example.com" denied the request: no'
CAUSE = {"field": "status.targets", "reason": "FieldValueTooMany"}


class Answers:
    """An API server that answers every request with one failure."""

    def __init__(self, status: int, **body: Any) -> None:
        self._error = from_answer(status, body, None)

    async def request(self, *_: Any, **__: Any) -> Any:
        """Fail as the API server does."""
        raise self._error


async def refusal(status: int, **body: Any) -> ExpectedError | None:
    """Return what writing a status raises when the API server answers like this."""
    cluster = KubeCluster(Answers(status, **body), TargetCache(), None, lambda _: None)  # type: ignore[arg-type]
    try:
        await cluster.write_status(KEY, "uid", {})
    except ExpectedError as error:
        return error
    return None


@pytest.mark.parametrize("message", [POLICY, WEBHOOK], ids=["a policy", "a webhook"])
@pytest.mark.parametrize("status", [400, 403, 404, 409, 422])
async def test_a_status_that_is_denied_is_refused_whatever_the_answers_status(status: int, message: str) -> None:
    found = await refusal(status, reason="Invalid", message=message, details={})

    assert isinstance(found, Waiting)
    assert found.reason is Reason.TARGET_REFUSED
    assert "denies it" in str(found)


async def test_a_status_of_a_wrong_form_is_refused_and_the_field_named() -> None:
    found = await refusal(422, reason="Invalid", message="is invalid", details={"causes": [CAUSE]})

    assert isinstance(found, Waiting)
    assert "status.targets (FieldValueTooMany)" in str(found)


@pytest.mark.parametrize("status", [404, 422], ids=["gone", "made anew under another uid"])
async def test_a_status_for_an_object_that_is_gone_is_no_error(status: int) -> None:
    assert await refusal(status, reason="", message="the server rejected our request", details={}) is None
