"""Resources and their tokens in a line each, however many there are and whatever tenants write."""

import base64
from typing import Any

import pytest

from phase_operator.api.reasons import CATALOGUE, Reason
from phase_operator.cli.doctor.findings import Unread, Verdict
from phase_operator.cli.doctor.tally import IN_DELETION, MOST_TOKENS, MOST_TOKENS_OF_ONE, NOT_SEEN, Tally
from phase_operator.cli.doctor.token_form import token_problem
from phase_operator.cli.doctor.used import Tokens, check_resources, check_tokens
from phase_operator.core.timestamps import timestamp
from support.canary import Canary
from support.doctored import NOW

WHERE = "in all namespaces"
HEX = "0123456789abcdef" * 4


def resource(
    name: str = "shop", *, namespace: str = "shop", reason: str = "Synced", ready: bool = True, **metadata: Any
) -> dict[str, Any]:
    condition = {"type": "Ready", "status": str(ready), "reason": reason}
    made = {"creationTimestamp": timestamp(NOW - 3600)}
    return {
        "metadata": {"namespace": namespace, "name": name} | made | metadata,
        "spec": {},
        "status": {"observedGeneration": 1, "conditions": [condition]},
    }


def tallied(*resources: dict[str, Any]) -> Tally:
    tally = Tally(NOW)
    for each in resources:
        tally.take(each)
    return tally


def test_resources_that_are_ready_are_fine() -> None:
    finding = check_resources(
        tallied(resource("a"), resource("b"), resource("c", reason="Suspended", ready=False)), WHERE
    )

    assert (finding.verdict, finding.sentence) == (Verdict.OK, "2 ready, 1 suspended in all namespaces")


def test_no_resources_are_fine() -> None:
    assert check_resources(tallied(), WHERE).sentence == "none in all namespaces"


def test_reasons_come_with_examples_and_the_cures_of_the_catalogue() -> None:
    denied = [resource(f"d{number}", reason="AccessDenied", ready=False) for number in range(5)]

    finding = check_resources(tallied(resource(), *denied, resource("n", reason="NoEntries", ready=False)), WHERE)

    assert finding.verdict is Verdict.BAD
    assert finding.sentence == (
        "1 ready, 6 not ready in all namespaces: AccessDenied 5 (shop/d0, shop/d1, shop/d2, ...); NoEntries 1 (shop/n)"
    )
    assert finding.cure.splitlines() == [
        f"AccessDenied: {CATALOGUE[Reason.ACCESS_DENIED].cure}",
        f"NoEntries: {CATALOGUE[Reason.NO_ENTRIES].cure}",
    ]


@pytest.mark.parametrize(
    ("metadata", "status", "reason"),
    [
        ({}, {}, NOT_SEEN),
        ({}, {"observedGeneration": -1, "conditions": []}, NOT_SEEN),
        ({"deletionTimestamp": timestamp(NOW - 7200)}, None, IN_DELETION),
    ],
    ids=["no status", "the default status", "in deletion"],
)
def test_a_resource_that_nobody_sees_to_fails(metadata: dict[str, Any], status: Any, reason: str) -> None:
    body = resource(**metadata)
    tally = tallied(body if status is None else body | {"status": status})

    assert list(tally.problems) == [reason]


def test_a_resource_that_was_just_made_is_counted_as_new() -> None:
    body = resource(creationTimestamp=timestamp(NOW - 5)) | {"status": {"observedGeneration": -1}}

    assert check_resources(tallied(body), WHERE).sentence == "1 new in all namespaces"


def test_a_tenant_with_many_failures_does_not_hide_the_reason_of_others() -> None:
    mine = [
        resource(f"m{number}", namespace="aaa", reason=str(reason), ready=False)
        for reason in list(Reason)[2:12]
        for number in range(100)
    ]
    theirs = [resource("x", namespace=name, reason="PhaseUnavailable", ready=False) for name in ("b", "c")]

    finding = check_resources(tallied(*mine, *theirs), WHERE)

    assert finding.sentence.startswith("none of 1002 ready in all namespaces: PhaseUnavailable 2 (b/x, c/x); ")


def test_a_reason_outside_the_catalogue_is_not_repeated() -> None:
    finding = check_resources(tallied(resource(reason="\x1b[2Jowned", ready=False)), WHERE)

    assert "owned" not in finding.sentence
    assert "another reason 1 (shop/shop)" in finding.sentence
    assert finding.sentence.isprintable()


@pytest.mark.parametrize(
    "junk", [None, [], "x", 3, {"metadata": 3, "spec": [], "status": {"conditions": "x"}}], ids=str
)
def test_a_resource_of_any_shape_is_counted(junk: Any) -> None:
    assert tallied(junk if isinstance(junk, dict) else {"spec": junk, "status": junk}).all == 1


def test_ten_thousand_resources_leave_a_bounded_tally() -> None:
    tally = tallied(*(named(f"token-{number}", namespace=f"n{number % 500}") for number in range(10_000)))

    assert tally.all == 10_000
    assert len(tally.tokens) == MOST_TOKENS
    assert tally.tokens_left_out == 10_000 - MOST_TOKENS


def named(secret: str, namespace: str = "shop", *, elsewhere: str = "") -> dict[str, Any]:
    reference = {"secretName": secret} | ({"secretNamespace": elsewhere} if elsewhere else {})
    return resource(namespace=namespace) | {
        "spec": {"authentication": {"serviceToken": {"serviceTokenSecretReference": reference}}}
    }


def test_a_tenant_with_many_tokens_leaves_the_places_of_others() -> None:
    tally = tallied(*(named(f"t{number}", namespace="aaa") for number in range(1000)), named("good", namespace="b"))

    assert sum(namespace == "aaa" for namespace, _ in tally.tokens) == MOST_TOKENS_OF_ONE
    assert ("b", "good") in tally.tokens


def test_a_token_is_looked_for_where_the_resource_says() -> None:
    tally = tallied(resource(), named("x"), named("x", elsewhere="vault"))

    assert list(tally.tokens) == [("shop", "phase-service-token"), ("shop", "x"), ("vault", "x")]


def test_the_official_operators_finalizer_is_noticed() -> None:
    marked = resource(finalizers=["kopf.zalando.org/KopfFinalizerMarker"])

    assert tallied(marked, resource("b")).marked == ["shop/shop"]


def test_token_secrets_that_cannot_be_used_fail_with_who_names_them() -> None:
    tally = tallied(named("x"))

    finding = check_tokens(Tokens({("shop", "x"): "does not exist"}), tally)

    assert (finding.verdict, finding.sentence) == (Verdict.BAD, "shop/x does not exist (named by shop/shop)")
    assert "kubectl phase auth create" in finding.cure


def test_a_tenants_bad_tokens_do_not_hide_those_of_others() -> None:
    bad = {("aaa", str(number)): "does not exist" for number in range(10)} | {("b", "x"): "has no key `token`"}

    assert "b/x has no key" in check_tokens(Tokens(bad), tallied()).sentence


def test_tokens_that_may_not_be_read_are_not_known() -> None:
    unread = Unread("you have no right to get secrets/x in namespace shop")

    assert check_tokens(Tokens({("shop", "x"): unread}), tallied()).verdict is Verdict.UNKNOWN
    assert check_tokens(Tokens({("shop", "x"): unread, ("shop", "y"): ""}), tallied()).verdict is Verdict.UNKNOWN
    assert check_tokens(Tokens({("shop", "y"): ""}), tallied()).verdict is Verdict.OK


@pytest.mark.parametrize(
    ("data", "problem"),
    [
        ({"token": HEX}, ""),
        ({"token": f"ServiceAccount {HEX}\n"}, ""),
        ({}, "has no key `token`"),
        ({"token": "pss_service:v2:abc"}, "is not usable: this is no Phase token (3 fields instead of 6)"),
        ({"token": b"\xff\xfe"}, "holds something else than text"),
    ],
    ids=["hex", "typed", "no key", "torn", "binary"],
)
def test_the_form_of_a_token_is_checked(data: dict[str, str | bytes], problem: str) -> None:
    encoded = {
        key: base64.b64encode(each if isinstance(each, bytes) else each.encode()).decode() for key, each in data.items()
    }

    assert token_problem({"data": encoded}).startswith(problem)
    assert bool(token_problem({"data": encoded})) is bool(problem)


def test_nothing_of_what_a_secret_holds_is_in_its_problem(canary: Canary) -> None:
    secret = {"data": {"token": base64.b64encode(canary.value("token").encode()).decode()}}

    problem = token_problem(secret)

    canary.watch(problem)
    assert problem.startswith("is not usable")
    assert token_problem({"data": {"token": "%"}}) == "holds something else than text"
    assert token_problem(None) == "does not exist"
