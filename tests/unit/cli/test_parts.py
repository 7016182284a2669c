"""All resources of a namespace, of every kind that the cluster has."""

from collections.abc import AsyncIterator
from typing import Any

import pytest

from phase_operator.cli.common.resources import parts
from phase_operator.kube.listing import Page
from phase_operator.kube.user_errors import Trouble, UserError
from phase_operator.kube.user_resources import OURS, PHASE_SECRETS, Resource

MISSING = UserError(Trouble.NOT_FOUND, "the cluster has none of them")


class FakeCluster:
    """A cluster that has some kinds, and refuses others."""

    def __init__(self, errors: dict[Resource, UserError]) -> None:
        self._errors = errors

    async def pages(self, resource: Resource, namespace: str, *, labels: str) -> AsyncIterator[Page]:
        assert (namespace, labels) == ("team", "a=b")
        if resource in self._errors:
            raise self._errors[resource]
        for number in range(2):
            yield Page([{"kind": resource.kind, "number": number}], "", "7")


async def kinds(errors: dict[Resource, UserError]) -> list[Any]:
    cluster = FakeCluster(errors)
    found = parts(cluster, "team", labels="a=b")  # type: ignore[arg-type]  # it has what is used of it
    return [(kind.kind, len(page.items)) async for kind, page in found]


async def test_every_kind_is_read_part_by_part() -> None:
    assert await kinds({}) == [(each.kind, 1) for each in OURS for _ in range(2)]


async def test_a_kind_that_an_older_install_lacks_is_passed_over() -> None:
    assert await kinds(dict.fromkeys(OURS[1:], MISSING)) == [(PHASE_SECRETS.kind, 1)] * 2


async def test_a_cluster_without_any_of_them_says_so() -> None:
    with pytest.raises(UserError, match="has none of them"):
        await kinds(dict.fromkeys(OURS, MISSING))


@pytest.mark.parametrize("kind", OURS, ids=str)
async def test_a_kind_that_may_not_be_read_is_not_passed_over(kind: Resource) -> None:
    with pytest.raises(UserError, match="no right"):
        await kinds({kind: UserError(Trouble.NO_RIGHT, "you have no right to it")})
