"""The recipes for Argo CD and Flux are what these take, on an API server with their own CRDs, and fit together."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from manifests.conftest import Render
from manifests.objects import CHART, CRD_FILES, ROOT, Object, kinds, load, one
from phase_dev import documents
from phase_dev.cluster import CommandFailed, ControlPlane
from support.api import api_of
from support.bare_plane import bare_plane
from support.published import ARGO_CD, FLUX, crds

GITOPS = ROOT / "deploy/gitops"
FILES = sorted(file for file in GITOPS.rglob("*.yaml") if file.name != "kustomization.yaml")
FOLDERS = sorted(str(file.parent.relative_to(ROOT)) for file in GITOPS.rglob("kustomization.yaml"))
PAGES = sorted((ROOT / "docs/gitops").glob("*.md"))
CRD = "CustomResourceDefinition"
WAVE = "argocd.argoproj.io/sync-wave"


@pytest.fixture(scope="module")
def plane(pytestconfig: pytest.Config) -> Iterator[ControlPlane]:
    """Give a cluster with the CRDs of Argo CD, of Flux and ours, and with the namespaces of the recipes."""
    with bare_plane(pytestconfig) as plane:
        for file in (*CRD_FILES, *(file for published in (ARGO_CD, *FLUX) for file in crds(published))):
            plane.kubectl("apply", "--server-side", "-f", file)
        plane.kubectl("wait", "--for=condition=Established", "crd", "--all", "--timeout=60s")
        for namespace in ("argocd", "flux-system", "phase-system", "shop"):
            plane.kubectl("create", "namespace", namespace)
        yield plane


def kind_of(found: Object) -> str:
    return str(found["kind"])


def examples() -> Iterator[tuple[Path, Object]]:
    for file in FILES:
        for found in load(file.read_text()):
            yield file, found


def refusal(plane: ControlPlane, document: Object) -> str:
    """Return what the API server has against an object; "" if it takes it."""
    # As `kubectl apply --server-side --dry-run=server --validate=strict` asks.
    try:
        api_of(plane).apply(document, "shop", "kubectl", dryRun="All", fieldValidation="Strict")
    except CommandFailed as error:
        return str(error)
    return ""


@pytest.mark.controlplane
def test_every_example_is_what_the_api_server_takes(plane: ControlPlane) -> None:
    refused = [(str(file), why) for file, found in examples() if (why := refusal(plane, found))]

    assert refused == []
    flux = {"Kustomization", "HelmRelease", "OCIRepository", "HelmRepository", "GitRepository"}
    assert kinds(found for _, found in examples()) >= {"Application", *flux}


@pytest.mark.controlplane
@pytest.mark.parametrize(
    ("file", "field", "value"),
    [
        pytest.param("argocd/shop.yaml", "sources", {}, id="another type, Argo CD"),
        pytest.param("argocd/shop.yaml", "sauce", {}, id="an unknown field, Argo CD"),
        pytest.param("flux/kustomizations.yaml", "wait", "yes please", id="another type, Flux"),
        pytest.param("flux/operator/release.yaml", "chart", {"spec": {}}, id="what a rule forbids, Flux"),
        pytest.param("flux/operator/chart.yaml", "url", "https://registry.example", id="no such address, Flux"),
        pytest.param(
            "flux/operator-from-helm-repository/source.yaml", "url", "ssh://a.example", id="no address of charts"
        ),
        pytest.param("flux/operator-from-git/source.yaml", "branch", "main", id="an unknown field, a Git repository"),
        pytest.param("shop/secrets/phasesecret.yaml", "suspended", True, id="an unknown field, ours"),
    ],
)
def test_the_api_server_refuses_a_wrong_field_of_an_example(
    plane: ControlPlane, file: str, field: str, value: Any
) -> None:
    found = load((GITOPS / file).read_text())[0]
    found["spec"][field] = value

    assert field in refusal(plane, found)


@pytest.mark.controlplane
def test_the_config_map_of_argo_cd_keeps_what_it_has(plane: ControlPlane) -> None:
    own = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "argocd-cm"}, "data": {"url": "https://x"}}
    plane.kubectl("-n", "argocd", "create", "-f", "-", stdin=yaml.safe_dump(own))

    apply = ("apply", "--server-side", "--field-manager=phase-operator-health", "-f", GITOPS / "argocd/argocd-cm.yaml")
    plane.kubectl(*apply)

    kept = documents.load(plane.kubectl("-n", "argocd", "get", "configmap", "argocd-cm", "-o", "yaml").stdout)["data"]
    added = load((GITOPS / "argocd/argocd-cm.yaml").read_text())[0]["data"]
    assert kept == {"url": "https://x"} | added


@pytest.mark.parametrize("folder", FOLDERS)
def test_every_folder_renders(folder: str, kustomize: Render) -> None:
    assert kustomize(folder)


def test_the_folders_that_the_tools_are_pointed_at_exist() -> None:
    """The folder deploy/gitops stands for the root of the reader's repository."""
    paths = [
        str(source["path"])
        for _, found in examples()
        for source in (found.get("spec", {}), found.get("spec", {}).get("source") or {})
        if "path" in source
    ]

    assert {"shop", "./shop/secrets", "./shop/workload", "./flux/operator"} == set(paths)
    assert [path for path in paths if not (GITOPS / path / "kustomization.yaml").is_file()] == []


def test_the_waves_are_token_then_phasesecret_then_workload(kustomize: Render) -> None:
    found = kustomize("deploy/gitops/shop")

    waves = {kind: int(one(found, kind)["metadata"]["annotations"][WAVE]) for kind in ("Secret", "PhaseSecret")}
    last = int(one(found, "Deployment")["metadata"]["annotations"][WAVE])
    assert waves["Secret"] < waves["PhaseSecret"] < last


def test_flux_takes_what_argo_cd_takes_in_the_same_order(kustomize: Render) -> None:
    operator, secrets, workload = load((GITOPS / "flux/kustomizations.yaml").read_text())

    before = [[each["name"] for each in found["spec"].get("dependsOn", [])] for found in (operator, secrets, workload)]
    assert before == [[], ["phase-operator"], ["shop-secrets"]]
    assert all(found["spec"]["wait"] for found in (operator, secrets, workload))
    one_by_one = [each for found in (secrets, workload) for each in kustomize(str(GITOPS / found["spec"]["path"]))]
    assert sorted(one_by_one, key=kind_of) == sorted(kustomize("deploy/gitops/shop"), key=kind_of)


def test_the_workload_reads_what_the_phasesecret_writes(kustomize: Render) -> None:
    found = kustomize("deploy/gitops/shop")

    [target] = one(found, "PhaseSecret")["spec"]["managedSecretReferences"]
    [container] = one(found, "Deployment")["spec"]["template"]["spec"]["containers"]
    assert container["envFrom"] == [{"secretRef": {"name": target["secretName"]}}]


def releases() -> list[tuple[Path, Object]]:
    """Return every HelmRelease, with the file that it is in."""
    return [(file, found) for file, found in examples() if found["kind"] == "HelmRelease"]


def test_the_chart_takes_the_values_of_every_recipe(render_chart: Render) -> None:
    application = load((GITOPS / "argocd/operator.yaml").read_text())[0]["spec"]["source"]

    assert len(releases()) == 3
    for values in (application["helm"]["valuesObject"], *(found["spec"]["values"] for _, found in releases())):
        rendered = render_chart(values)
        image = one(rendered, "Deployment")["spec"]["template"]["spec"]["containers"][0]["image"]
        assert image.startswith("registry.example/phase-operator:")
    definitions = [each for each in render_chart(application["helm"]["valuesObject"]) if kind_of(each) == CRD]
    assert len(definitions) == len(CRD_FILES)
    for definition in definitions:
        assert definition["metadata"]["annotations"] == {
            "argocd.argoproj.io/sync-options": "Prune=false,Delete=false",
            "helm.sh/resource-policy": "keep",
        }


def test_every_recipe_takes_this_version_of_the_chart() -> None:
    version = documents.load((CHART / "Chart.yaml").read_text())["version"]
    application = load((GITOPS / "argocd/operator.yaml").read_text())[0]["spec"]["source"]
    chart = load((GITOPS / "flux/operator/chart.yaml").read_text())[0]["spec"]
    from_http = load((GITOPS / "flux/operator-from-helm-repository/release.yaml").read_text())[0]["spec"]["chart"][
        "spec"
    ]
    from_git = load((GITOPS / "flux/operator-from-git/source.yaml").read_text())[0]["spec"]

    assert application["chart"] == chart["url"].rpartition("/")[2] == from_http["chart"] == "phase-operator"
    for wanted in (
        application["targetRevision"],
        chart["ref"]["semver"],
        from_http["version"],
        from_git["ref"]["semver"],
    ):
        assert version.startswith(wanted.rstrip("*x"))


@pytest.mark.parametrize("folder", ["operator", "operator-from-helm-repository", "operator-from-git"])
def test_a_release_of_flux_names_the_source_beside_it(folder: str, kustomize: Render) -> None:
    found = kustomize(f"deploy/gitops/flux/{folder}")

    spec = one(found, "HelmRelease")["spec"]
    named = spec.get("chartRef") or spec["chart"]["spec"]["sourceRef"]
    source = one(found, named["kind"], named["name"])
    assert source["metadata"]["namespace"] == one(found, "Namespace")["metadata"]["name"] == "phase-system"
    assert kinds(found) == {"Namespace", "HelmRelease", named["kind"]}


def test_the_release_from_git_takes_the_chart_that_is_there() -> None:
    chart = load((GITOPS / "flux/operator-from-git/release.yaml").read_text())[0]["spec"]["chart"]["spec"]["chart"]
    [source] = load((GITOPS / "flux/operator-from-git/source.yaml").read_text())

    assert (ROOT / chart / "Chart.yaml").is_file()
    # All but the folder of the chart is left out of what is downloaded.
    assert source["spec"]["ignore"].split() == ["/*", f"!/{Path(chart).parts[0]}"]


def test_no_recipe_asks_for_differences_to_be_ignored() -> None:
    assert [str(file) for file, found in examples() if "ignoreDifferences" in found.get("spec", {})] == []


def test_the_pages_quote_the_examples_as_they_are_shipped() -> None:
    shipped = [found for _, found in examples()]
    quoted = [
        found
        for page in PAGES
        for block in re.findall(r"^ *```yaml\n(.*?)^ *```", page.read_text(), re.DOTALL | re.MULTILINE)
        for found in load(block)
        # The page also shows settings of other programs, which are no objects.
        if "kind" in found
    ]

    assert quoted
    assert [found for found in quoted if found not in shipped] == []


def test_the_pages_name_every_example() -> None:
    told = "\n".join(page.read_text() for page in PAGES)

    assert [str(file) for file in FILES if f"deploy/gitops/{file.relative_to(GITOPS)}" not in told] == []
