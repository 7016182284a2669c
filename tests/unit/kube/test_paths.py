"""Where resources are served is said by their CRDs; names that users chose stay names."""

from dataclasses import replace

import pytest

from phase_operator.api.crd import DEFINITIONS, PHASE_SECRET, Definition, document
from phase_operator.core.values import ObjectKey
from phase_operator.kube.paths import KindPaths, object_path

OURS = "/apis/secrets.phase.dev/v1alpha1"
NAMESPACED = replace(PHASE_SECRET, kind="PhaseThing", plural="phasethings")
CLUSTER = replace(PHASE_SECRET, kind="ClusterThing", plural="clusterthings", scope="Cluster")


@pytest.fixture
def paths() -> KindPaths:
    return KindPaths((*DEFINITIONS, NAMESPACED, CLUSTER))


@pytest.mark.parametrize(
    ("key", "path"),
    [
        pytest.param(ObjectKey("shop", "db"), "/namespaces/shop/phasesecrets/db", id="no kind"),
        pytest.param(ObjectKey("shop", "db", "PhaseSecret"), "/namespaces/shop/phasesecrets/db", id="by its name"),
        pytest.param(ObjectKey("shop", "db", "PhaseThing"), "/namespaces/shop/phasethings/db", id="another kind"),
        pytest.param(ObjectKey("shop", "db", "ClusterThing"), "/clusterthings/db", id="in no namespace"),
    ],
)
def test_a_resource_is_served_where_its_crd_says(paths: KindPaths, key: ObjectKey, path: str) -> None:
    assert paths.object_of(key) == OURS + path
    assert paths.object_of(key, "status") == f"{OURS}{path}/status"


@pytest.mark.parametrize(
    ("kind", "namespace", "path"),
    [
        pytest.param("", "shop", "/namespaces/shop/phasesecrets", id="of a namespace"),
        pytest.param("", "", "/phasesecrets", id="all"),
        pytest.param("ClusterThing", "", "/clusterthings", id="in no namespace"),
    ],
)
def test_a_collection_is_served_where_its_crd_says(paths: KindPaths, kind: str, namespace: str, path: str) -> None:
    assert paths.collection_of(kind, namespace) == OURS + path


def test_a_name_that_a_user_chose_is_no_part_of_a_path() -> None:
    assert object_path("/api/v1", "secrets", "../x", "a/b?c") == "/api/v1/namespaces/..%2Fx/secrets/a%2Fb%3Fc"


@pytest.mark.parametrize(("definition", "scope"), [(PHASE_SECRET, "Namespaced"), (CLUSTER, "Cluster")])
def test_a_crd_says_the_scope_of_its_kind(definition: Definition, scope: str) -> None:
    assert document(definition)["spec"]["scope"] == scope
