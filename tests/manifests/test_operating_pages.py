"""The YAML of the pages for those who run the operator: values of the chart, overlays, and objects."""

import shutil
from pathlib import Path
from typing import Any

import pytest
import yaml

from manifests.conftest import Render, Run, template
from manifests.objects import KUBERNETES, ROOT, Object, kinds, load, load_rendered, one, validate
from support.pages import REGISTRY, every_block

PAGES = sorted((ROOT / "docs/operating").glob("*.md"))
# What the pages show of other programs, by the kind or by the first field, and whose it is.
OTHERS = {
    "ExternalSecret": "External Secrets Operator",
    "SecretStore": "External Secrets Operator",
    "Schedule": "Velero",
    "prometheus": "the chart kube-prometheus-stack",
}
OURS = frozenset({"PhaseSecret", "PhaseDynamicSecret", "PhasePushSecret"})


def shown() -> list[tuple[str, Object]]:
    """Return the documents of the pages' YAML, each with its page and place."""
    found = []
    for page in PAGES:
        blocks = [block for _, block in every_block(str(page.relative_to(ROOT)), "yaml")]
        documents = [each for block in blocks for each in load(block)]
        found += [(f"{page.name}, {place}", each) for place, each in enumerate(documents, 1)]
    return found


def kind_of(document: Object) -> str:
    """Return the kind of an object; "values" of what is none, unless it is another program's."""
    kind = document.get("kind") or next(iter(document))
    return str(kind) if "kind" in document or kind in OTHERS else "values"


SHOWN = [(place, kind_of(document), document) for place, document in shown()]


def of_kind(*wanted: str) -> list[Any]:
    """Return the documents of some kinds, as parameters."""
    found = [pytest.param(each, id=place) for place, kind, each in SHOWN if kind in wanted]
    assert found
    return found


@pytest.mark.parametrize("values", of_kind("values"))
def test_values_of_a_page_are_values_of_the_chart(values: dict[str, Any], helm_batch: Run) -> None:
    image = {"registry": REGISTRY} | values.get("image", {})

    done = template(helm_batch, {**values, "image": image}, "monitoring.coreos.com/v1/PodMonitor")

    assert done.returncode == 0, done.stderr
    validate(load_rendered(done.stdout), KUBERNETES[-1])


@pytest.mark.parametrize("overlay", of_kind("Kustomization"))
def test_an_overlay_of_a_page_can_be_built(overlay: Object, tmp_path: Path, kustomize: Render) -> None:
    for folder in ("deploy", "crds"):
        shutil.copytree(ROOT / folder, tmp_path / folder)
    base = tmp_path / "base"
    base.mkdir()
    shutil.copy(ROOT / "deploy/samples/secret-only.yaml", base / "resource.yaml")
    (base / "kustomization.yaml").write_text("resources: [resource.yaml]\n")
    mine = tmp_path / "my-overlay"
    mine.mkdir()
    (mine / "kustomization.yaml").write_text(yaml.safe_dump(overlay).replace("REGISTRY", REGISTRY))

    objects = kustomize(str(mine))

    validate([each for each in objects if each["kind"] not in {*OURS, "CustomResourceDefinition"}], KUBERNETES[-1])
    if "Deployment" in kinds(objects):
        [container] = one(objects, "Deployment")["spec"]["template"]["spec"]["containers"]
        assert container["image"].startswith(f"{REGISTRY}/")


def test_the_overlay_for_openshift_leaves_the_ids_to_it(tmp_path: Path, kustomize: Render) -> None:
    [overlay] = [each for place, kind, each in SHOWN if place.startswith("openshift") and kind == "Kustomization"]
    for folder in ("deploy", "crds"):
        shutil.copytree(ROOT / folder, tmp_path / folder)
    (tmp_path / "my-overlay").mkdir()
    (tmp_path / "my-overlay/kustomization.yaml").write_text(yaml.safe_dump(overlay))

    pod = one(kustomize(str(tmp_path / "my-overlay")), "Deployment")["spec"]["template"]["spec"]

    assert pod["securityContext"] == {"runAsNonRoot": True, "seccompProfile": {"type": "RuntimeDefault"}}


def test_every_other_document_of_a_page_is_a_valid_object_or_of_another_program() -> None:
    rest = {place: each for place, kind, each in SHOWN if kind not in {"values", "Kustomization", *OURS, *OTHERS}}

    assert {"Service", "ValidatingAdmissionPolicy", "PrometheusRule"} <= kinds(rest.values())
    for each in rest.values():
        validate([each], KUBERNETES[-1])


def test_every_other_program_is_on_a_page() -> None:
    assert {kind for _, kind, _ in SHOWN} >= OTHERS.keys()
