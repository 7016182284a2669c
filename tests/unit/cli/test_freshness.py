"""When a PhaseSecret was last confirmed, as the command line asks for it."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from phase_operator.cli.common.leader import OperatorOptions, pod_of
from phase_operator.cli.looking.freshness import Freshness, Known, ages_in, batches
from phase_operator.kube.user_cluster import PodAnswer
from phase_operator.kube.user_errors import Trouble, UserError
from phase_operator.kube.user_resources import LEASES, Request, Resource
from phase_operator.telemetry.http import MOST_ASKED

SHOP = Known("team", "shop", "uid-1")
AT = OperatorOptions("ops", "the-lease", 9090)


class FakeCluster:
    """A cluster with a Lease and a pod that answers."""

    def __init__(self, holder: str = "pod-1_00ff", answer: PodAnswer | UserError | None = None) -> None:
        self.holder = holder
        self.answer = answer or PodAnswer(200, '{"confirmed": {"uid-1": 12}}')
        self.asked: list[Any] = []

    async def get(self, resource: Resource, namespace: str, name: str) -> dict[str, Any]:
        assert (resource, namespace, name) == (LEASES, "ops", "the-lease")
        return {"spec": {"holderIdentity": self.holder}}

    async def ask_pod(self, *asked: Any) -> PodAnswer:
        self.asked.append(asked)
        if isinstance(self.answer, UserError):
            raise self.answer
        return self.answer


def freshness(cluster: FakeCluster) -> Freshness:
    return Freshness(cluster, AT)  # type: ignore[arg-type]  # has what is used of it


async def test_the_leader_is_asked() -> None:
    cluster = FakeCluster()

    assert await freshness(cluster).ages([SHOP]) == {"uid-1": 12}
    assert cluster.asked == [("ops", "pod-1", 9090, "/debug/sources", [("of", "team/shop/uid-1")])]


async def test_nobody_is_asked_about_nothing() -> None:
    cluster = FakeCluster()

    assert await freshness(cluster).ages([]) == {}
    assert cluster.asked == []


@pytest.mark.parametrize(
    ("answer", "says"),
    [
        (PodAnswer(404, "404: Not Found"), "older than this command"),
        (PodAnswer(503, "this replica does not lead"), "does not lead any more"),
        (PodAnswer(500, "\x1b[2J"), "answers 500"),
        (UserError(Trouble.NO_RIGHT, "you have no right to it", Request("get", LEASES, "ops")), "no right"),
        (UserError(Trouble.NOT_FOUND, "there is no Pod"), "pod pod-1, which holds"),
        (UserError(Trouble.UNREACHABLE, "it does not answer"), "does not answer"),
    ],
)
async def test_a_failure_is_a_sentence_and_is_not_repeated(answer: PodAnswer | UserError, says: str) -> None:
    cluster = FakeCluster(answer=answer)
    asking = freshness(cluster)

    many = [Known("team", f"shop-{number}", f"uid-{number}") for number in range(500)]
    assert await asking.ages(many) == {}
    assert says in (asking.problem or "")
    assert (asking.problem or "").isprintable()
    assert len(cluster.asked) == 1


async def test_an_operator_in_another_namespace_is_looked_for_by_an_option() -> None:
    class Elsewhere(FakeCluster):
        async def get(self, resource: Resource, namespace: str, name: str) -> dict[str, Any]:
            raise UserError(Trouble.NOT_FOUND, "there is no Lease")

    asking = freshness(Elsewhere())

    assert await asking.ages([SHOP]) == {}
    assert "--operator-namespace" in (asking.problem or "")


async def test_a_lease_that_nobody_holds_is_no_operator() -> None:
    cluster = FakeCluster(holder="")
    asking = freshness(cluster)

    assert await asking.ages([SHOP]) == {}
    assert "ops/the-lease" in (asking.problem or "")
    assert cluster.asked == []


@pytest.mark.parametrize(
    ("holder", "pod"),
    [("phase-operator-5d4-x2_0123456789abcdef", "phase-operator-5d4-x2"), ("a_b_c", "a_b"), ("", ""), ("none", "")],
)
def test_a_pod_is_what_its_identity_begins_with(holder: str, pod: str) -> None:
    assert pod_of(holder) == pod


@pytest.mark.parametrize(
    "answer",
    [
        None,
        5,
        [],
        {},
        {"confirmed": None},
        {"confirmed": {"uid-1": None}},
        {"confirmed": {"uid-1": "12"}},
        {"confirmed": {"uid-1": True}},
        {"confirmed": {"uid-1": -1}},
        {"confirmed": {"uid-1": [1]}},
        {"confirmed": {"uid-2": 5}},
    ],
)
def test_an_answer_may_be_anything(answer: object) -> None:
    assert ages_in(answer, [SHOP]) == {}


@given(st.lists(st.builds(Known, st.text("abc-/é", max_size=63), st.text("a.&", max_size=253), st.text(max_size=40))))
def test_batches_hold_all_and_fit_into_a_request(wanted: list[Known]) -> None:
    found = list(batches(wanted))

    assert [each for batch in found for each in batch] == wanted
    assert all(0 < len(batch) <= MOST_ASKED for batch in found)
