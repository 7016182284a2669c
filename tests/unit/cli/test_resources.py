"""Resources are named as kubectl names them, and chosen by name, by label or all of them."""

from collections.abc import AsyncIterator, Sequence
from typing import Any, cast

import click
import pytest

from phase_operator.api import names
from phase_operator.cli.common.resources import (
    check_several,
    chosen,
    given,
    is_marked,
    key_of,
    place_of,
    resource_of,
    uid_of,
)
from phase_operator.core.values import ObjectKey
from phase_operator.kube.listing import Page
from phase_operator.kube.user_cluster import UserCluster
from phase_operator.kube.user_errors import Trouble, UserError
from phase_operator.kube.user_resources import (
    CONFIG_MAPS,
    DYNAMIC_SECRETS,
    OURS,
    PHASE_SECRETS,
    PUSH_SECRETS,
    SECRETS,
    Resource,
)


@pytest.mark.parametrize(
    ("text", "resource"),
    [
        ("shop", PHASE_SECRETS),
        ("phs/shop", PHASE_SECRETS),
        ("PhaseSecret/shop", PHASE_SECRETS),
        ("phasesecrets.secrets.phase.dev/shop", PHASE_SECRETS),
        ("pds/shop", DYNAMIC_SECRETS),
        ("phasepushsecret/shop", PUSH_SECRETS),
    ],
)
def test_a_resource_is_named_as_kubectl_names_it(text: str, resource: Resource) -> None:
    assert (given(text).resource, given(text).name) == (resource, "shop")


def test_a_printed_name_can_be_given_again() -> None:
    for text in ("shop", "pds/shop", "pps/shop"):
        found = given(text)
        assert given(str(found)) == found


def test_objects_are_named_only_where_they_are_asked_for() -> None:
    assert given("secret/shop", objects=True).resource == SECRETS
    assert given("cm/shop", objects=True).resource == CONFIG_MAPS
    with pytest.raises(click.UsageError, match="phasesecret"):
        given("secret/shop")


@pytest.mark.parametrize("text", ["", "/", "phs/", "deployment/shop", "a/b/c", "\x1b[2J/shop"])
def test_a_text_that_names_nothing_is_a_usage_error(text: str) -> None:
    with pytest.raises(click.UsageError):
        given(text)


class Cluster:
    """Resources by kind; a kind that is not here has no CRD."""

    def __init__(self, **names: Sequence[str]) -> None:
        self.names = names
        self.asked: list[tuple[str, str, str]] = []

    async def get(self, resource: Resource, namespace: str, name: str) -> dict[str, Any]:
        """Return one."""
        self.asked.append((resource.kind, namespace, name))
        return {"kind": resource.kind, "metadata": {"name": name}}

    async def pages(self, resource: Resource, namespace: str, *, labels: str) -> AsyncIterator[Page]:
        """Yield all of a kind, one in each part."""
        self.asked.append((resource.kind, namespace, labels))
        if resource.kind not in self.names:
            raise UserError(Trouble.NOT_FOUND, f"the cluster has no {resource}")
        for name in self.names[resource.kind]:
            yield Page([{"kind": resource.kind, "metadata": {"name": name}}], "", "1")


async def names_of(cluster: Cluster, *named: str, **options: Any) -> list[str]:
    found = await chosen(cast("UserCluster", cluster), "shop", named, **options)
    return [f"{each['kind']}/{each['metadata']['name']}" for each in found]


async def test_named_resources_are_read_one_by_one() -> None:
    cluster = Cluster()

    assert await names_of(cluster, "a", "pps/b") == ["PhaseSecret/a", "PhasePushSecret/b"]
    assert cluster.asked == [("PhaseSecret", "shop", "a"), ("PhasePushSecret", "shop", "b")]


async def test_without_names_every_kind_is_listed_by_its_labels() -> None:
    cluster = Cluster(PhaseSecret=["a"], PhaseDynamicSecret=["b"], PhasePushSecret=[])

    assert await names_of(cluster, labels="tier=api") == ["PhaseSecret/a", "PhaseDynamicSecret/b"]
    assert {labels for _, _, labels in cluster.asked} == {"tier=api"}


async def test_kinds_that_an_older_version_lacks_are_none() -> None:
    assert await names_of(Cluster(PhaseSecret=["a"])) == ["PhaseSecret/a"]


async def test_a_cluster_without_any_of_our_kinds_says_so() -> None:
    with pytest.raises(UserError, match="phasesecrets"):
        await names_of(Cluster())


@pytest.mark.parametrize(
    ("named", "selector", "everything", "everywhere"),
    [
        pytest.param((), "", False, False, id="nothing"),
        pytest.param((), "", False, True, id="-A alone"),
        pytest.param(("a",), "b=c", False, False, id="a name and a label"),
        pytest.param(("a",), "", True, False, id="a name and all"),
        pytest.param(("a",), "", False, True, id="a name in all namespaces"),
        pytest.param(("deployment/a",), "", False, False, id="another kind"),
    ],
)
def test_a_choice_of_resources_has_to_be_clear(
    named: Sequence[str], selector: str, everything: bool, everywhere: bool
) -> None:
    with pytest.raises(click.UsageError):
        check_several(named, selector, everything=everything, all_namespaces=everywhere)


def test_names_or_labels_or_all_is_clear() -> None:
    check_several(["a", "pds/b"], "", everything=False, all_namespaces=False)
    check_several([], "a=b", everything=False, all_namespaces=True)
    check_several([], "", everything=True, all_namespaces=False)


def test_a_resource_as_it_was_read_knows_its_kind() -> None:
    assert [resource_of({"kind": each.kind}) for each in OURS] == list(OURS)


def test_a_resource_as_it_was_read_knows_its_place_and_its_key() -> None:
    metadata = {"namespace": "shop", "name": "web", "uid": "u-1"}
    read = [{"kind": each.kind, "metadata": metadata} for each in (PHASE_SECRETS, PUSH_SECRETS)]

    assert [place_of(each) for each in read] == [ObjectKey("shop", "web")] * 2
    assert [str(key_of(each)) for each in read] == ["shop/web", "PhasePushSecret:shop/web"]
    assert [uid_of(each) for each in read] == ["u-1", "u-1"]
    assert (place_of({}), uid_of({})) == (ObjectKey("", ""), "")


def test_an_object_of_the_operator_is_known_by_its_mark() -> None:
    owned = {"metadata": {"annotations": {names.ANNOTATION_OWNER: "shop/web"}}}
    kept = {"metadata": {"labels": {names.LABEL_TARGET: names.LABEL_GENERATED_VALUE}}}

    assert [is_marked(each) for each in (owned, kept, {"metadata": {"labels": {"app": "web"}}}, {})] == [
        True,
        True,
        False,
        False,
    ]
