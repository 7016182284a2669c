"""The objects that pods read are found exactly, and no JSON makes the search fail."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from phase_operator.core.refs import Kind
from phase_operator.core.rollout.pod_references import Reference, mentioned, references
from support.scaling import times_as_long

SECRET, CONFIG_MAP = Kind.SECRET, Kind.CONFIG_MAP


def container(**fields: Any) -> dict[str, Any]:
    return {"containers": [{"name": "app", **fields}]}


def variable(**source: Any) -> dict[str, Any]:
    return container(env=[{"name": "X", "valueFrom": source}])


def volume(**source: Any) -> dict[str, Any]:
    return {"containers": [], "volumes": [{"name": "v", **source}]}


def projected(*sources: dict[str, Any]) -> dict[str, Any]:
    return volume(projected={"sources": list(sources)})


def reads(kind: Kind, name: str, *keys: str) -> Reference:
    chosen = frozenset(keys)
    return Reference(kind, name, chosen or None, True, chosen)


ITEMS = [{"key": "A", "path": "a"}, {"key": "B", "path": "b"}]


@pytest.mark.parametrize(
    ("spec", "reference"),
    [
        pytest.param(
            variable(secretKeyRef={"name": "db", "key": "A"}), reads(SECRET, "db", "A"), id="a variable of a Secret"
        ),
        pytest.param(
            variable(configMapKeyRef={"name": "db", "key": "A"}),
            reads(CONFIG_MAP, "db", "A"),
            id="a variable of a ConfigMap",
        ),
        pytest.param(
            variable(secretKeyRef={"name": "db", "key": "A", "optional": True}),
            Reference(SECRET, "db", frozenset("A")),
            id="an optional variable",
        ),
        pytest.param(
            container(envFrom=[{"prefix": "P_", "secretRef": {"name": "db"}}]),
            reads(SECRET, "db"),
            id="all variables of a Secret",
        ),
        pytest.param(
            container(envFrom=[{"configMapRef": {"name": "db", "optional": True}}]),
            Reference(CONFIG_MAP, "db"),
            id="all variables of an optional ConfigMap",
        ),
        pytest.param(volume(secret={"secretName": "db"}), reads(SECRET, "db"), id="a Secret as files"),
        pytest.param(volume(configMap={"name": "db"}), reads(CONFIG_MAP, "db"), id="a ConfigMap as files"),
        pytest.param(
            volume(secret={"secretName": "db", "items": ITEMS}), reads(SECRET, "db", "A", "B"), id="some keys as files"
        ),
        pytest.param(
            volume(configMap={"name": "db", "items": []}), reads(CONFIG_MAP, "db"), id="no items means all of them"
        ),
        pytest.param(
            volume(secret={"secretName": "db", "optional": True}), Reference(SECRET, "db"), id="optional files"
        ),
        pytest.param(projected({"secret": {"name": "db"}}), reads(SECRET, "db"), id="projected from a Secret"),
        pytest.param(
            projected({"serviceAccountToken": {"path": "t"}}, {"configMap": {"name": "db", "items": ITEMS}}),
            reads(CONFIG_MAP, "db", "A", "B"),
            id="projected from keys of a ConfigMap",
        ),
        pytest.param(
            {"containers": [], "initContainers": [{"envFrom": [{"secretRef": {"name": "db"}}]}]},
            reads(SECRET, "db"),
            id="an init container",
        ),
        pytest.param(
            {
                "containers": [],
                "initContainers": [{"restartPolicy": "Always", "envFrom": [{"secretRef": {"name": "db"}}]}],
            },
            reads(SECRET, "db"),
            id="a sidecar",
        ),
    ],
)
def test_every_form_of_reference_is_understood(spec: dict[str, Any], reference: Reference) -> None:
    assert references(spec) == (reference,)


@pytest.mark.parametrize(
    "spec",
    [
        pytest.param({"imagePullSecrets": [{"name": "db"}]}, id="a pull secret"),
        pytest.param(volume(csi={"nodePublishSecretRef": {"name": "db"}}), id="what a driver reads"),
        pytest.param({"ephemeralContainers": [{"envFrom": [{"secretRef": {"name": "db"}}]}]}, id="an ephemeral one"),
        pytest.param(container(env=[{"name": "db", "value": "db"}]), id="a plain variable"),
        pytest.param(variable(fieldRef={"fieldPath": "metadata.name"}), id="a field of the pod"),
        pytest.param(variable(secretKeyRef={"key": "A"}), id="no name"),
        pytest.param(variable(secretKeyRef={"name": "db"}), id="no key"),
        pytest.param(projected({"secret": {"secretName": "db"}}), id="a volume's spelling in a projection"),
        pytest.param(volume(secret={"name": "db"}), id="a projection's spelling in a volume"),
    ],
)
def test_a_field_that_pods_do_not_read_is_no_reference(spec: dict[str, Any]) -> None:
    assert references(spec) == ()


def test_keys_of_one_object_come_together_and_all_of_them_wins() -> None:
    one = variable(secretKeyRef={"name": "db", "key": "A"})["containers"]
    other = variable(secretKeyRef={"name": "db", "key": "B", "optional": True})["containers"]
    every = container(envFrom=[{"secretRef": {"name": "db", "optional": True}}])["containers"]

    assert references({"containers": one + other}) == (
        Reference(SECRET, "db", frozenset("AB"), required=True, required_keys=frozenset("A")),
    )
    assert references({"containers": one + every}) == (
        Reference(SECRET, "db", None, required=True, required_keys=frozenset("A")),
    )


def test_a_secret_and_a_config_map_of_one_name_are_two() -> None:
    spec = container(envFrom=[{"secretRef": {"name": "db"}}, {"configMapRef": {"name": "db"}}])

    assert references(spec) == (reads(CONFIG_MAP, "db"), reads(SECRET, "db"))


FIELDS = (
    *("containers", "initContainers", "volumes", "env", "envFrom", "valueFrom", "secretKeyRef", "secretRef"),
    *("configMapKeyRef", "configMapRef", "secret", "configMap", "projected", "sources", "items", "name"),
    *("secretName", "key", "optional", "spec", "template", "metadata"),
)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=3),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(FIELDS),
            inner,
            max_size=4,
        )
    ),
    max_leaves=20,
)


@given(JSON)
def test_no_json_makes_it_fail(spec: Any) -> None:
    found = references(spec)

    assert [(each.kind, each.name) for each in found] == sorted({(each.kind, each.name) for each in found})
    assert mentioned(spec, ["x"]) <= {"x"}


@given(JSON)
def test_every_object_that_pods_read_counts_as_mentioned(spec: Any) -> None:
    wrapped = {"spec": spec}

    for reference in references(spec):
        assert mentioned(wrapped, [reference.name]) == {reference.name}


@pytest.mark.parametrize(
    "spec",
    [
        pytest.param({"imagePullSecrets": [{"name": "shop-0"}]}, id="a pull secret"),
        pytest.param(volume(csi={"nodePublishSecretRef": {"name": "shop-0"}}), id="a driver"),
        pytest.param(volume(azureFile={"secretName": "shop-0"}), id="another driver"),
        pytest.param(container(args=["--secret=shop-0"]), id="an argument"),
        pytest.param(
            {"ephemeralContainers": [{"envFrom": [{"secretRef": {"name": "shop-0"}}]}]}, id="an ephemeral one"
        ),
        pytest.param({"template": {"spec": {"unheardOf": {"shop-0": 1}}}}, id="a field that nobody knows"),
    ],
)
def test_an_object_is_mentioned_wherever_its_name_stands(spec: dict[str, Any]) -> None:
    assert mentioned({"kind": "Pod", "spec": spec}, ["shop-0", "shop-1"]) == {"shop-0"}


def test_metadata_and_status_mention_nothing() -> None:
    annotations = {"kubectl.kubernetes.io/last-applied-configuration": "shop-0"}

    assert mentioned({"metadata": {"annotations": annotations}, "status": "shop-0"}, ["shop-0"]) == frozenset()


def test_depth_is_no_matter() -> None:
    deep: Any = "shop-0"
    for _ in range(5000):
        deep = [deep]

    assert mentioned({"spec": deep}, ["shop-0"]) == {"shop-0"}


def test_the_variables_of_one_secret_cost_no_more_each_if_they_are_many() -> None:
    """Anybody who may write Deployments decides how many there are."""
    variables = [
        {"name": f"V{number}", "valueFrom": {"secretKeyRef": {"name": "shop", "key": f"K{number}"}}}
        for number in range(10_000)
    ]

    [found] = references({"containers": [{"env": variables}]})
    assert found.keys is not None
    assert len(found.keys) == len(found.required_keys) == 10_000

    few, many = ([{"env": variables[:count]}] for count in (1_000, 10_000))
    # If each were compared with all others, it would be a hundred times.
    assert times_as_long(lambda: references({"containers": few}), lambda: references({"containers": many})) < 30
