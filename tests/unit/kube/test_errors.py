"""Every answer has a meaning, and none repeats what an object holds."""

from collections.abc import Sequence
from itertools import product
from typing import Any

import pytest

from phase_operator.api.reasons import CATALOGUE, Reason
from phase_operator.core.errors import ExpectedError, Transient, Waiting
from phase_operator.kube.errors import ApiError, Cause, from_answer, translate
from support.canary import Canary


def api_error(
    status: int,
    *,
    kind: str = "secrets",
    message: str = "words",
    causes: Sequence[Cause] = (),
    after: float | None = None,
) -> ApiError:
    return ApiError(status, "Because", message, causes, kind, after)


@pytest.mark.parametrize(
    ("error", "kind", "reason"),
    [
        pytest.param(api_error(0), Transient, Reason.KUBERNETES_UNAVAILABLE, id="no answer"),
        pytest.param(api_error(400), Waiting, Reason.TARGET_REFUSED, id="bad request"),
        pytest.param(api_error(401), Waiting, Reason.TARGET_REFUSED, id="unknown"),
        pytest.param(api_error(403), Waiting, Reason.TARGET_REFUSED, id="forbidden"),
        pytest.param(
            api_error(403, causes=[Cause("metadata.namespace", "NamespaceTerminating")]),
            Waiting,
            Reason.NAMESPACE_NOT_FOUND,
            id="namespace on its way out",
        ),
        pytest.param(api_error(404, kind="namespaces"), Waiting, Reason.NAMESPACE_NOT_FOUND, id="no namespace"),
        pytest.param(api_error(404), Transient, Reason.KUBERNETES_UNAVAILABLE, id="no object"),
        pytest.param(api_error(409), Transient, Reason.KUBERNETES_UNAVAILABLE, id="conflict"),
        pytest.param(api_error(410), Transient, Reason.KUBERNETES_UNAVAILABLE, id="gone"),
        pytest.param(api_error(413), Waiting, Reason.TARGET_REFUSED, id="too large"),
        pytest.param(api_error(422), Waiting, Reason.TARGET_REFUSED, id="invalid"),
        pytest.param(api_error(429), Transient, Reason.KUBERNETES_UNAVAILABLE, id="too many requests"),
        pytest.param(api_error(500), Transient, Reason.KUBERNETES_UNAVAILABLE, id="server error"),
        pytest.param(api_error(503), Transient, Reason.KUBERNETES_UNAVAILABLE, id="unavailable"),
    ],
)
def test_what_an_answer_means(error: ApiError, kind: type[ExpectedError], reason: Reason) -> None:
    found = translate(error)

    assert type(found) is kind
    assert found.reason is reason


@pytest.mark.parametrize("kind", ["secrets", "configmaps", "namespaces", "namespace", ""])
def test_every_status_has_a_meaning_and_only_what_passes_is_passing(kind: str) -> None:
    for status in (0, *range(100, 1000)):
        found = translate(api_error(status, kind=kind))

        assert isinstance(found, Transient) == (found.reason is Reason.KUBERNETES_UNAVAILABLE), status
        assert not (isinstance(found, Transient) and CATALOGUE[found.reason].stalled), status


def test_the_servers_words_about_an_object_are_not_repeated(canary: Canary) -> None:
    words = f'Secret "shop" is invalid: data[A]: Invalid value: "{canary.value("quoted")}"'

    for status, causes in product((400, 404, 409, 413, 422, 429, 500), ([], [Cause("data[A]", "FieldValueInvalid")])):
        error = api_error(status, message=words, causes=causes)
        canary.watch(f"{translate(error).message} {error}")


def test_every_field_that_the_server_objects_to_is_named() -> None:
    causes = [Cause("data[A]", "FieldValueInvalid"), Cause("type", "FieldValueRequired")]

    found = translate(api_error(422, causes=causes))

    assert found.message.endswith("data[A] (FieldValueInvalid); type (FieldValueRequired)")


def test_who_may_not_do_what_is_told_in_the_servers_words() -> None:
    assert "cannot patch secrets" in translate(api_error(403, message="cannot patch secrets")).message


def test_what_etcd_finds_too_large_waits_for_somebody() -> None:
    found = translate(api_error(500, message="etcdserver: request is too large"))

    assert isinstance(found, Waiting)
    assert found.reason is Reason.TOO_LARGE


def test_what_the_server_asked_for_is_kept() -> None:
    found = translate(api_error(429, after=7))

    assert isinstance(found, Transient)
    assert found.after == 7


@pytest.mark.parametrize(
    ("error", "gone", "conflict", "not_found"),
    [
        pytest.param(ApiError(410, "Gone", ""), True, False, False, id="gone"),
        pytest.param(ApiError(400, "Expired", ""), True, False, False, id="expired"),
        pytest.param(ApiError(409, "AlreadyExists", ""), False, True, False, id="conflict"),
        pytest.param(ApiError(404, "NotFound", ""), False, False, True, id="not found"),
        pytest.param(ApiError(500, "InternalError", ""), False, False, False, id="something else"),
    ],
)
def test_what_the_callers_ask_of_an_answer(error: ApiError, gone: bool, conflict: bool, not_found: bool) -> None:
    assert (error.gone, error.conflict, error.not_found) == (gone, conflict, not_found)


def test_a_status_object_is_read() -> None:
    body = {
        "reason": "Invalid",
        "message": "words",
        "details": {"kind": "secrets", "causes": [{"field": "data", "reason": "FieldValueInvalid", "message": "x"}]},
    }

    found = from_answer(422, body, None)

    assert found == ApiError(422, "Invalid", "words", [Cause("data", "FieldValueInvalid")], "secrets", None)


@pytest.mark.parametrize(
    "body", [{}, {"details": None, "reason": None, "message": None}, {"details": {"causes": [{}]}}]
)
def test_a_status_object_may_say_next_to_nothing(body: dict[str, Any]) -> None:
    found = from_answer(503, body, None)

    assert (found.status, found.reason, found.message) == (503, "503", "")
    assert isinstance(translate(found), Transient)


@pytest.mark.parametrize(
    ("header", "seconds", "after"),
    [
        pytest.param("7", None, 7.0, id="the header"),
        pytest.param(None, 5, 5.0, id="the details"),
        pytest.param("7", 5, 7.0, id="the header wins"),
        pytest.param("Wed, 21 Oct 2030 07:28:00 GMT", 5, 5.0, id="a date is not read"),
        pytest.param("0", None, None, id="at once is nothing"),
        pytest.param(None, None, None, id="neither"),
    ],
)
def test_when_to_come_again(header: str | None, seconds: int | None, after: float | None) -> None:
    assert from_answer(429, {"details": {"retryAfterSeconds": seconds}}, header).after == after
