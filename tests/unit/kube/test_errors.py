"""Every answer has a meaning, and none repeats what an object holds."""

from collections.abc import Sequence
from itertools import product
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

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
def test_an_answer_becomes_the_error_of_its_consequence(
    error: ApiError, kind: type[ExpectedError], reason: Reason
) -> None:
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


USER = "system:serviceaccount:phase-system:phase-operator"
RBAC = f'User "{USER}" cannot patch resource "secrets" in API group "" in the namespace "team"'
QUOTA = "exceeded quota: small, requested: secrets=1,count/secrets=1, used: secrets=5, limited: secrets=5"
SHOWN_QUOTA = "exceeded quota small: requested secrets=1,count/secrets=1, used secrets=5, limited secrets=5"


@pytest.mark.parametrize(
    ("message", "shown"),
    [
        pytest.param(
            f'secrets "shop" is forbidden: {RBAC}',
            f'User "{USER}" cannot patch secrets in the namespace "team"',
            id="RBAC",
        ),
        pytest.param(
            f'deployments.apps is forbidden: User "{USER}" cannot list resource "deployments" in API group "apps" '
            "at the cluster scope",
            f'User "{USER}" cannot list deployments in API group "apps" at the cluster scope',
            id="RBAC of a list",
        ),
        pytest.param(
            f'forbidden: User "{USER}" cannot get path "/version"', f'User "{USER}" cannot get /version', id="a path"
        ),
        pytest.param(
            f'secrets "shop" is forbidden: {QUOTA}',
            SHOWN_QUOTA,
            id="a quota",
        ),
        pytest.param("Unauthorized", "Unauthorized", id="no identity"),
    ],
)
def test_the_api_servers_own_refusals_are_shown(message: str, shown: str) -> None:
    found = translate(from_answer(403, {"reason": "Forbidden", "message": message}, None))

    assert (type(found), found.reason) == (Waiting, Reason.TARGET_REFUSED)
    assert found.message == f"the API server refuses: {shown}"


POLICY = "secrets \"shop\" is forbidden: ValidatingAdmissionPolicy 'no-weak' with binding 'all' denied request: "
WEBHOOK = 'admission webhook "gate.example.com" denied the request: '


@pytest.mark.parametrize(
    "start",
    [
        pytest.param(POLICY, id="policy"),
        pytest.param(POLICY.replace("Validating", "Mutating"), id="mutating policy"),
        pytest.param(WEBHOOK, id="webhook"),
        pytest.param(f'secrets "shop" is forbidden: {RBAC}: ', id="an authorizer's reason"),
        pytest.param('secrets "shop" is forbidden: ', id="another plugin"),
        pytest.param(f'secrets "shop" is forbidden: {QUOTA}', id="behind a quota"),
        pytest.param('Secret "shop" is invalid: ', id="validation"),
        pytest.param("", id="whatever"),
    ],
)
def test_nobody_who_may_quote_the_object_is_repeated(start: str, canary: Canary) -> None:
    value = canary.value("quoted")
    authors = (
        value,
        f"{RBAC.replace('patch', value)} {value}",
        f"ValidatingAdmissionPolicy '{value}' with binding 'x' ",
    )
    for status, author in product((400, 401, 403, 404, 409, 410, 413, 415, 422, 429, 500, 503, 599), authors):
        found = from_answer(status, {"reason": value, "message": f"{start}{author}"}, None)

        canary.see(f"the answer {status}", f"{translate(found).message} {found}")


@pytest.mark.parametrize(
    ("start", "who"),
    [
        pytest.param(POLICY, "ValidatingAdmissionPolicy no-weak", id="policy"),
        pytest.param(WEBHOOK, 'admission webhook "gate.example.com"', id="webhook"),
    ],
)
def test_a_denying_webhook_is_named_and_nothing_else_of_its_answer_is_believed(
    start: str, who: str, canary: Canary
) -> None:
    value = canary.value("quoted")
    causes = [
        {"field": value, "reason": value},
        {"field": "metadata.uid", "reason": "FieldManagerConflict"},
        {"field": "type", "reason": "FieldValueInvalid"},
        {"field": "metadata.namespace", "reason": "NamespaceTerminating"},
    ]
    details = {"kind": "namespaces", "causes": causes, "retryAfterSeconds": 10**9}
    for status in range(400, 600):
        found = from_answer(status, {"reason": "Expired", "message": f"{start}{value}", "details": details}, "99999")
        meaning = translate(found)

        assert (found.gone, found.conflict, found.not_found, found.invalid, found.held) == (False,) * 4 + ((),)
        assert (type(meaning), meaning.reason) == (Waiting, Reason.TARGET_REFUSED)
        assert meaning.message.startswith(f"{who} denies it")
        canary.watch(f"{meaning.message} {found}")


def test_a_webhook_that_cannot_be_called_is_named(canary: Canary) -> None:
    message = f'Internal error occurred: failed calling webhook "gate.example.com": {canary.value("address")}'

    found = translate(from_answer(500, {"reason": "InternalError", "message": message}, None))

    assert isinstance(found, Transient)
    assert found.message.endswith('admission webhook "gate.example.com" cannot be called')
    canary.watch(found.message)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)
STATUS = st.fixed_dictionaries(
    {},
    optional={
        "reason": JSON,
        "message": JSON,
        "details": JSON
        | st.fixed_dictionaries(
            {},
            optional={
                "kind": JSON,
                "retryAfterSeconds": JSON,
                "causes": JSON
                | st.lists(st.fixed_dictionaries({}, optional={"field": JSON, "reason": JSON}), max_size=3),
            },
        ),
    },
)


@given(st.integers(400, 999), STATUS, st.none() | st.text() | st.integers().map(str))
def test_no_answer_is_too_strange_to_be_read(status: int, body: dict[str, Any], header: str | None) -> None:
    found = from_answer(status, body, header)

    assert found.after is None or 0 < found.after <= 300
    assert translate(found).message


def test_an_object_that_etcd_finds_too_large_waits_for_an_edit() -> None:
    found = translate(api_error(500, message="etcdserver: request is too large"))

    assert isinstance(found, Waiting)
    assert found.reason is Reason.TOO_LARGE


@pytest.mark.parametrize("field", ["data", "metadata.annotations"])
def test_an_object_that_is_too_large_with_the_share_of_others_is_reported_with_its_field(field: str) -> None:
    found = translate(api_error(422, causes=[Cause(field, "FieldValueTooLong")]))

    assert isinstance(found, Waiting)
    assert found.reason is Reason.TOO_LARGE
    assert field in found.message


def test_the_pause_that_the_server_asked_for_is_kept() -> None:
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
def test_an_api_error_says_whether_it_is_gone_a_conflict_or_not_found(
    error: ApiError, gone: bool, conflict: bool, not_found: bool
) -> None:
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
    "body",
    [{}, {"details": None, "reason": None, "message": None}, {"details": {"causes": [{}]}}],
    ids=["nothing", "nulls", "an empty cause"],
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
def test_an_answer_says_when_to_try_again(header: str | None, seconds: int | None, after: float | None) -> None:
    assert from_answer(429, {"details": {"retryAfterSeconds": seconds}}, header).after == after
