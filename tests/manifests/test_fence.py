"""The fence is the same in deploy/ and the chart, and is about the names that the operator uses."""

import re
import shutil
from pathlib import Path
from typing import Any

import pytest
import yaml

from manifests.conftest import Render
from manifests.objects import KUBERNETES, ROOT, Object, kinds, one, validate
from phase_dev import documents
from phase_operator.api import names
from phase_operator.core.access import grants
from phase_operator.core.targets.secret import IMPERSONATION

POLICY, BINDING = "ValidatingAdmissionPolicy", "ValidatingAdmissionPolicyBinding"
FENCE = {"fence": {"enabled": True}}


@pytest.fixture
def fenced(kustomize: Render, tmp_path: Path) -> Render:
    """Give what an overlay renders that takes in the component, with patches of one's own."""

    def render(mode: str = "cluster-wide", **more: Any) -> list[Object]:
        for folder in ("deploy", "crds"):
            shutil.copytree(ROOT / folder, tmp_path / folder, dirs_exist_ok=True)
        mine = tmp_path / "deploy/overlays/mine"
        mine.mkdir(exist_ok=True)
        overlay = {"resources": [f"../{mode}"], "components": ["../../fence"]} | more
        (mine / "kustomization.yaml").write_text(yaml.safe_dump(overlay))
        return kustomize(str(mine))

    return render


def specs(objects: list[Object]) -> tuple[Any, Any]:
    return one(objects, POLICY)["spec"], one(objects, BINDING)["spec"]


def commented() -> dict[str, Any]:
    """Return the patch that the component's comment has for those who allow types that impersonate."""
    text = (ROOT / "deploy/fence/kustomization.yaml").read_text()
    block = re.search(r"^#   patches:\n(?:#     .*\n)+", text, re.MULTILINE)
    assert block is not None
    found: dict[str, Any] = documents.load(re.sub(r"^# {3}", "", block[0], flags=re.MULTILINE))
    return found


@pytest.mark.parametrize("mode", ["cluster-wide", "namespaced"])
def test_the_fence_is_one(mode: str, fenced: Render, render_chart: Render) -> None:
    ours, chart = fenced(mode), render_chart(FENCE)

    assert specs(ours) == specs(chart)
    for kind in (POLICY, BINDING):
        assert one(ours, kind)["metadata"]["name"] == one(chart, kind)["metadata"]["name"] == "phase-operator-fence"


def test_there_is_no_fence_unless_asked_for(kustomize: Render, render_chart: Render) -> None:
    for objects in (kustomize("deploy/overlays/cluster-wide"), render_chart()):
        assert not kinds(objects) & {POLICY, BINDING}


def test_the_component_changes_nothing_else(fenced: Render, kustomize: Render) -> None:
    before = kustomize("deploy/overlays/cluster-wide")

    assert {each["kind"] for each in fenced() if each not in before} == {POLICY, BINDING}


def test_types_that_impersonate_are_let_through_where_they_are_allowed(fenced: Render, render_chart: Render) -> None:
    ours = fenced(**commented())
    chart = render_chart(FENCE | {"allowImpersonationTypes": True})

    assert specs(ours) == specs(chart)
    assert "service-account-token" not in str(specs(ours))
    assert len(specs(ours)[0]["validations"]) == len(specs(fenced())[0]["validations"]) - 1


def test_the_secret_of_generated_values_is_let_through_with_push_only(fenced: Render, render_chart: Render) -> None:
    ours = fenced(components=["../../fence", "../../push"])
    chart = render_chart(FENCE | {"push": {"enabled": True}})
    before, after = (str(specs(each)) for each in (fenced(), ours))

    assert specs(ours) == specs(chart)
    assert after.replace(f", '{names.LABEL_GENERATED_VALUE}'", "") == before != after


def test_a_fence_after_push_stays_closed(fenced: Render) -> None:
    """Components are taken in one after the other; the wrong order refuses, and opens nothing."""
    assert specs(fenced(components=["../../push", "../../fence"])) == specs(fenced())


@pytest.mark.parametrize(
    "values",
    [
        pytest.param({}, id="defaults"),
        pytest.param({"serviceAccount": {"name": "someone"}, "fullnameOverride": "phs"}, id="names of one's own"),
        pytest.param({"serviceAccount": {"create": False, "name": "mine"}}, id="an account that is there"),
    ],
)
def test_the_fence_is_about_the_account_that_runs_the_pod(values: dict[str, Any], render_chart: Render) -> None:
    objects = render_chart(FENCE | values)

    account = one(objects, "Deployment")["spec"]["template"]["spec"]["serviceAccountName"]
    [condition] = one(objects, POLICY)["spec"]["matchConditions"]
    assert condition["expression"] == f"request.userInfo.username == 'system:serviceaccount:phase-system:{account}'"
    assert one(objects, BINDING)["spec"]["policyName"] == one(objects, POLICY)["metadata"]["name"]


@pytest.mark.parametrize(
    ("values", "more"),
    [
        pytest.param({}, set(), id="defaults"),
        pytest.param({"push": {"enabled": True}}, {names.LABEL_GENERATED_VALUE}, id="push"),
    ],
)
def test_the_fence_speaks_of_what_the_operator_writes(
    values: dict[str, Any], more: set[str], render_chart: Render
) -> None:
    policy = one(render_chart(FENCE | values), POLICY)["spec"]
    texts = {each["name"]: each["expression"] for each in policy["variables"]}
    system, _, types = (each["expression"] for each in policy["validations"])

    labels = {names.LABEL_TARGET_VALUE, names.LABEL_COPY_VALUE, names.LABEL_LEASE_VALUE} | more
    assert words(texts["isLabelled"]) == {names.LABEL_TARGET, *labels, ""}
    assert words(texts["isMarked"]) == {names.ANNOTATION_OWNER, names.MERGE_ANNOTATION_PREFIX}
    assert words(texts["isDigestKey"]) == {"secrets", "phase-system", names.DIGEST_KEY_SECRET, ""}
    assert words(types) == {str(each) for each in IMPERSONATION} | {""}
    # A grant to `*` does not reach them either.
    assert words(system) == grants._SYSTEM


def words(expression: str) -> set[str]:
    return set(re.findall(r"'([^']*)'", expression))


@pytest.mark.parametrize("version", KUBERNETES)
def test_the_fence_is_valid(version: str, fenced: Render, render_chart: Render) -> None:
    validate(fenced(), version)
    validate(render_chart(FENCE, kubernetes=version), version)
    validate(fenced(components=["../../fence", "../../push"]), version)


@pytest.mark.parametrize("values", [{"fence": True}, {"fence": {"enabled": "yes"}}, {"fence": {"on": True}}], ids=str)
def test_a_fence_that_means_nothing_is_refused(values: dict[str, Any], render_chart: Render) -> None:
    with pytest.raises(AssertionError):
        render_chart(values)
