"""The fence around the operator's account: what passes, what is refused, and that all work goes on inside it."""

import json
from collections.abc import Callable, Iterator
from functools import cache
from typing import Any

import pytest

from integration.operator.test_main_job import (
    test_a_deleted_target_is_made_again_without_asking_phase,
    test_a_hand_edit_is_repaired_without_asking_phase,
    test_a_new_resource_becomes_a_secret,
    test_a_removed_entry_leaves_the_target,
    test_config_entries_go_to_the_config_map_and_nowhere_else,
    test_labels_of_others_stay_and_start_no_write,
)
from integration.operator.test_ownership import (
    test_a_foreign_secret_is_refused_and_adopted_on_purpose,
    test_a_namespace_is_deleted_with_all_that_is_in_it,
    test_a_renamed_target_is_replaced_and_the_old_one_deleted,
    test_another_type_is_refused_or_replaced,
    test_two_resources_merge_into_one_secret_and_leave_it,
)
from integration.operator.test_versioned import (
    test_a_change_makes_a_new_object_and_the_old_one_stays_while_a_deployment_names_it,
)
from phase_dev.cluster import CommandFailed, ControlPlane
from phase_dev.cluster.client import Client
from phase_operator.api import names
from support.api import Api, api_of
from support.operator_process import REPOSITORY, OperatorProcess, eventually, running_operator
from support.world import World

# What the operator does anyway, once more, inside the fence.
__all__ = [
    "test_a_change_makes_a_new_object_and_the_old_one_stays_while_a_deployment_names_it",
    "test_a_deleted_target_is_made_again_without_asking_phase",
    "test_a_foreign_secret_is_refused_and_adopted_on_purpose",
    "test_a_hand_edit_is_repaired_without_asking_phase",
    "test_a_namespace_is_deleted_with_all_that_is_in_it",
    "test_a_new_resource_becomes_a_secret",
    "test_a_removed_entry_leaves_the_target",
    "test_a_renamed_target_is_replaced_and_the_old_one_deleted",
    "test_another_type_is_refused_or_replaced",
    "test_config_entries_go_to_the_config_map_and_nowhere_else",
    "test_labels_of_others_stay_and_start_no_write",
    "test_two_resources_merge_into_one_secret_and_leave_it",
]

pytestmark = pytest.mark.controlplane

POLICY = REPOSITORY / "deploy/fence/policy.yaml"
OURS = {names.LABEL_TARGET: names.LABEL_TARGET_VALUE}
SYSTEM = ("kube-system", "kube-public", "kube-node-lease")
IMPERSONATING = ("kubernetes.io/service-account-token", "bootstrap.kubernetes.io/token")
# So that nothing but the fence is in the way.
FLAGS = ("--grant", "from=*,to=kube-system,what=target", "--allow-impersonation-types")


@pytest.fixture(scope="module")
def installed(installed: ControlPlane) -> Iterator[ControlPlane]:
    """Give the session's cluster with the fence in force before the operator's first write.

    It is gone before another module's operator is there, around which it would be as well.
    """
    trial = Trial(installed, "default")
    installed.kubectl("apply", "--server-side", "-f", POLICY)
    try:
        eventually(lambda: trial.refuses_to_create(thing("trial"), dryRun="All"), what="the fence is in force")
        yield installed
    finally:
        installed.kubectl("delete", "-f", POLICY)
        eventually(lambda: not trial.refuses_to_create(thing("trial"), dryRun="All"), what="the fence is gone")


@pytest.fixture(scope="module")
def operator(installed: ControlPlane, tmp_path_factory: pytest.TempPathFactory) -> Iterator[OperatorProcess]:
    """Run an operator whose own settings allow what the fence refuses."""
    with running_operator(installed, tmp_path_factory.mktemp("operator"), *FLAGS) as process:
        yield process


@cache
def account_of(plane: ControlPlane) -> Api:
    """Return the API server with the rights of the operator's account."""
    token = plane.shared_client.token("phase-system", "phase-operator", seconds=3600)
    return Api(Client(plane.url, plane.ca_file, token))


class Trial:
    """Writes as the operator's account, in one namespace."""

    def __init__(self, plane: ControlPlane, namespace: str) -> None:
        self._admin, self._account = api_of(plane), account_of(plane)
        self._plane = plane
        self.namespace = namespace

    def make(self, document: dict[str, Any]) -> None:
        """Create an object as a user whom the fence does not concern."""
        self._admin.create(document, self.namespace)

    def replace(self, document: dict[str, Any]) -> None:
        """Replace it, likewise."""
        self._plane.kubectl("-n", self.namespace, "replace", "-f", "-", stdin=json.dumps(document))

    def has(self, kind: str, name: str) -> bool:
        """Say whether an object is there."""
        return self._admin.get(kind, name, self.namespace) is not None

    def refuses_to_create(self, document: dict[str, Any], **query: str) -> bool:
        """Try to create an object; say whether the fence, and nothing else, refused it."""
        return refused(lambda: self._account.create(document, self.namespace, **query))

    def refuses_to_delete(self, document: dict[str, Any]) -> bool:
        """Try to delete what is there."""
        kind, name = document["kind"], document["metadata"]["name"]
        assert self.has(kind, name)
        return refused(lambda: self._account.delete(kind, name, self.namespace))

    def refuses_to_apply(self, document: dict[str, Any], manager: str = names.FIELD_MANAGER) -> bool:
        """Try a server-side apply."""
        return refused(lambda: self._account.apply(document, self.namespace, manager))


def refused(write: Callable[[], object]) -> bool:
    """Say whether the fence refuses a write; fail if anything else does."""
    try:
        write()
    except CommandFailed as error:
        if "ValidatingAdmissionPolicy 'phase-operator-fence'" not in str(error):
            raise
        return True
    return False


@pytest.fixture
def trial(installed: ControlPlane, namespace: str) -> Trial:
    """Give a hand that writes as the operator in the test's namespace."""
    return Trial(installed, namespace)


def thing(name: str, kind: str = "Secret", **more: Any) -> dict[str, Any]:
    metadata = {"name": name} | {key: more.pop(key) for key in ("labels", "annotations") if key in more}
    return {"apiVersion": "v1", "kind": kind, "metadata": metadata, **more}


each_kind = pytest.mark.parametrize("kind", ["Secret", "ConfigMap"])


@each_kind
@pytest.mark.parametrize("value", [names.LABEL_TARGET_VALUE, names.LABEL_COPY_VALUE])
def test_the_operator_makes_changes_and_deletes_objects_with_its_label(trial: Trial, kind: str, value: str) -> None:
    ours = thing("ours", kind, labels={names.LABEL_TARGET: value})

    assert not trial.refuses_to_create(ours)
    assert not trial.refuses_to_apply(ours | {"data": {"a": "YQ=="}})
    assert not trial.refuses_to_delete(ours)


def test_the_operator_makes_and_deletes_the_record_of_a_lease(trial: Trial) -> None:
    labels = {names.LABEL_TARGET: names.LABEL_LEASE_VALUE}
    record = thing("s3-lease-5e1b09c2", labels=labels, type=names.LEASE_TYPE, immutable=True, data={"a": "YQ=="})

    assert not trial.refuses_to_apply(record)
    assert not trial.refuses_to_delete(record)


@each_kind
@pytest.mark.parametrize("labels", [{}, {names.LABEL_TARGET: "no"}, {"app": "x"}], ids=str)
def test_the_operator_makes_nothing_without_its_label(trial: Trial, kind: str, labels: dict[str, str]) -> None:
    assert trial.refuses_to_create(thing("plain", kind, labels=labels))
    assert trial.refuses_to_apply(thing("plain", kind, labels=labels))


@each_kind
def test_the_operator_cannot_change_objects_that_others_made(trial: Trial, kind: str) -> None:
    trial.make(thing("theirs", kind, data={"a": "YQ=="}))

    assert trial.refuses_to_apply(thing("theirs", kind, data={"a": "Yg=="}))
    assert trial.refuses_to_apply(thing("theirs", kind, labels={"app": "x"}))
    assert trial.refuses_to_delete(thing("theirs", kind))


@each_kind
def test_the_operator_merges_into_objects_that_others_made_and_withdraws(trial: Trial, kind: str) -> None:
    trial.make(thing("theirs", kind, data={"a": "YQ=="}))
    manager = f"{names.MERGE_MANAGER_PREFIX}{trial.namespace}/shop"

    assert not trial.refuses_to_apply(thing("theirs", kind, labels=OURS, data={"b": "Yg=="}), manager)
    assert not trial.refuses_to_apply(thing("theirs", kind), manager)
    assert trial.refuses_to_delete(thing("theirs", kind)), "without our label it is theirs again"


@each_kind
@pytest.mark.parametrize("mark", [names.ANNOTATION_OWNER, f"{names.MERGE_ANNOTATION_PREFIX}0123456789"])
def test_a_label_that_somebody_took_off_does_not_lock_it_out(trial: Trial, kind: str, mark: str) -> None:
    trial.make(thing("ours", kind, annotations={mark: "shop/shop"}))

    assert not trial.refuses_to_apply(thing("ours", kind, data={"a": "YQ=="}))
    assert not trial.refuses_to_delete(thing("ours", kind))
    assert trial.refuses_to_create(thing("new", kind, annotations={mark: "shop/shop"})), "for what stands, and no other"


@each_kind
@pytest.mark.parametrize("namespace_of_the_system", SYSTEM)
def test_the_operator_writes_nothing_into_the_namespaces_of_the_system(
    installed: ControlPlane, kind: str, namespace_of_the_system: str
) -> None:
    there, ours = Trial(installed, namespace_of_the_system), thing("ours", kind, labels=OURS)
    assert there.refuses_to_create(ours)

    there.make(ours)

    assert there.refuses_to_apply(ours | {"data": {"a": "YQ=="}})
    assert there.refuses_to_delete(ours)
    api_of(installed).delete(kind, "ours", namespace_of_the_system)


@pytest.mark.parametrize("kind", IMPERSONATING)
def test_the_operator_writes_no_secret_that_impersonates(trial: Trial, kind: str) -> None:
    annotations = {"kubernetes.io/service-account.name": "default"}
    data = {"token-id": "YWJjZGVm", "token-secret": "MDEyMzQ1Njc4OWFiY2RlZg=="}
    ours = thing("ours", labels=OURS, annotations=annotations, type=kind, data=data)
    eventually(lambda: trial.has("serviceaccount", "default"), what="the account that the token is for")
    assert trial.refuses_to_create(ours)

    trial.make(ours)

    assert trial.refuses_to_apply(thing("ours", labels=OURS, data={"a": "YQ=="}))
    assert trial.refuses_to_delete(ours)


def test_the_operator_makes_its_digest_key_and_never_changes_it(installed: ControlPlane, namespace: str) -> None:
    home = Trial(installed, "phase-system")
    key = thing(names.DIGEST_KEY_SECRET, data={"key": "a2V5a2V5a2V5a2V5"})
    labelled = thing(names.DIGEST_KEY_SECRET, labels=OURS)
    installed.kubectl("-n", "phase-system", "delete", "secret", names.DIGEST_KEY_SECRET, "--ignore-not-found")

    assert not home.refuses_to_create(key)

    assert home.refuses_to_apply(labelled)
    assert home.refuses_to_delete(key)
    home.replace(key | labelled)
    assert home.refuses_to_delete(key)
    assert home.refuses_to_create(thing("another"))
    assert home.refuses_to_create(thing(names.DIGEST_KEY_SECRET, "ConfigMap"))
    assert Trial(installed, namespace).refuses_to_create(key), "in its own namespace only"
    installed.kubectl("-n", "phase-system", "delete", "secret", names.DIGEST_KEY_SECRET)


def test_nobody_else_is_fenced(installed: ControlPlane, namespace: str) -> None:
    """The admin writes what he likes in every other test; so do other accounts of the operator's namespace."""
    installed.kubectl("-n", "phase-system", "create", "serviceaccount", "other")
    rights = ("create", "rolebinding", "other", "--clusterrole=phase-operator", "--serviceaccount=phase-system:other")
    installed.kubectl("-n", namespace, *rights)
    other = installed.service_account_kubeconfig("phase-system", "other")

    installed.kubectl("-n", namespace, "create", "-f", "-", stdin=json.dumps(thing("plain")), kubeconfig=other)

    assert installed.kubectl("-n", namespace, "get", "secret", "plain", "-o", "name").stdout
    installed.kubectl("-n", "phase-system", "delete", "serviceaccount", "other")


@pytest.mark.parametrize(
    ("target", "where"),
    [
        pytest.param({"secretNamespace": "kube-system"}, "kube-system", id="kube-system"),
        pytest.param(
            {
                "secretType": "kubernetes.io/service-account-token",
                "template": {"metadata": {"annotations": {"kubernetes.io/service-account.name": "default"}}},
            },
            "",
            id="a token of Kubernetes",
        ),
    ],
)
def test_a_target_that_the_settings_allow_and_the_fence_refuses_is_reported(
    world: World, target: dict[str, Any], where: str
) -> None:
    world.phase_secret(managedSecretReferences=[{"secretName": "fenced", **target}])

    message = world.until_reason("TargetRefused")["message"]

    assert "phase-operator-fence" in message
    found = world.plane.kubectl("-n", where or world.namespace, "get", "secret", "fenced", check=False)
    assert "NotFound" in found.stderr
