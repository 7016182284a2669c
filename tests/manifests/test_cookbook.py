"""The pages of the cookbook show every recipe as it is shipped, and a reader finds each of them."""

import re
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from manifests.conftest import Render
from manifests.objects import ROOT, Object, kinds, load, one
from phase_dev import documents, shown_files
from phase_operator.api import names
from phase_operator.api.crd import DEFINITIONS
from phase_operator.cli import cli
from support.cookbook import grants, values_of_grants

COOKBOOK = ROOT / "deploy/cookbook"
INDEX = ROOT / "docs/cookbook/README.md"
PAGES = [ROOT / page for page in shown_files.PAGES]
BUILDS = sorted(file.parent for file in COOKBOOK.rglob("kustomization.yaml"))
FILES = sorted(file for file in COOKBOOK.rglob("*.yaml") if file.name != "kustomization.yaml")
RESOURCES = [file for file in FILES if f"\napiVersion: {names.GROUP}/" in file.read_text()]


def recipes() -> set[str]:
    return {each.name for each in COOKBOOK.iterdir()}


def shown() -> dict[str, str]:
    """Return the blocks that the pages show, by the path of the file that each names."""
    marked = re.compile(r"<!-- generated: (\S+) -->\n```\w+\n(.*?)```\n<!-- end: \1 -->", re.DOTALL)
    return {path: text for page in PAGES for path, text in marked.findall(page.read_text())}


def test_the_pages_show_every_file_of_the_recipes() -> None:
    found = shown()

    overlays = COOKBOOK / "environments/overlays"
    told = {*FILES, *overlays.rglob("*.yaml"), COOKBOOK / "policies/kustomization.yaml"}
    # The two overlays differ in one word, and the base is the recipe for environment variables.
    left_out = {overlays / "production/kustomization.yaml", *(COOKBOOK / "environments/base").iterdir()}
    assert found.keys() == {str(file.relative_to(ROOT)) for file in told - left_out}
    assert [path for path, text in found.items() if text != (ROOT / path).read_text()] == []


def test_the_index_links_every_recipe() -> None:
    linked = re.findall(r"\]\((\w[-\w]*\.md)#[-\w]+\)[^|]*\| `deploy/cookbook/([-\w]+)`", INDEX.read_text())

    assert {folder for _, folder in linked} == recipes()
    assert len(linked) == len(recipes())
    assert {page for page, _ in linked} == {page.name for page in PAGES}


@pytest.mark.parametrize("folder", BUILDS, ids=lambda each: str(each.relative_to(COOKBOOK)))
def test_a_recipe_is_built_by_kustomize(folder: Path, kustomize: Render) -> None:
    assert kustomize(str(folder.relative_to(ROOT)))


def test_each_recipe_says_first_what_to_change() -> None:
    assert len(RESOURCES) >= len(recipes()) - 1  # the one with policies has none of our resources
    for file in RESOURCES:
        first = file.read_text().splitlines()[0]
        app = documents.load(file.read_text())["spec"]["phaseApp"]
        assert re.match(rf"# Change `{app}` to the name of (your|the team's) app[.,]", first), file


def test_lint_has_nothing_against_a_recipe() -> None:
    found = CliRunner().invoke(cli, ["lint", *(word for file in RESOURCES for word in ("-f", str(file)))])

    assert found.exit_code == 0, found.output
    assert kinds(documents.load(file.read_text()) for file in RESOURCES) == {each.kind for each in DEFINITIONS}


def test_workloads_read_what_their_recipe_writes(kustomize: Render) -> None:
    wrong = {}
    for folder in BUILDS:
        objects = kustomize(str(folder.relative_to(ROOT)))
        specs = [found.get("spec", {}) for found in objects]
        written = {each["secretName"] for spec in specs for each in spec.get("managedSecretReferences", [])}
        if folder.name != "blue-green" and (strange := read_by(objects) - written):
            wrong[str(folder)] = strange

    assert wrong == {}


def read_by(objects: list[Object]) -> set[str]:
    """Return the Secrets that the workloads, Ingresses and ServiceAccounts among objects name."""
    text = [str(each) for each in objects if each["kind"] in ("Deployment", "Ingress", "ServiceAccount")]
    named = r"'(?:secretRef|secretKeyRef)': {[^}]*'name': '([^']+)'|'secretName': '([^']+)'"
    found = {name for each in text for names_of in re.findall(named, each) for name in names_of if name}
    pulled = {each["name"] for found in objects for each in found.get("imagePullSecrets", [])}
    return found | pulled


def test_the_chart_gives_the_operator_the_grants_of_the_recipe(render_chart: Render) -> None:
    [container] = one(render_chart(values_of_grants()), "Deployment")["spec"]["template"]["spec"]["containers"]
    env = {each["name"]: each.get("value") for each in container["env"]}

    assert env["PHASE_OPERATOR_GRANT"] == grants() == "from=*,to=phase-tokens,what=token"
    assert env["PHASE_OPERATOR_ALLOW_PHASE_HOST"] == "https://console.phase.dev"


def test_the_recipe_of_policies_takes_another_host(kustomize: Render) -> None:
    def hosts(folder: str) -> Any:
        [first, *_] = one(kustomize(folder), "ValidatingAdmissionPolicy", "phase-host")["spec"]["variables"]
        return first

    before, after = hosts("deploy/policies/admission"), hosts("deploy/cookbook/policies")

    assert before["name"] == after["name"] == "hosts"
    assert after["expression"] == "['https://phase.example.com']" != before["expression"]


def test_every_page_is_named_by_the_index() -> None:
    assert {file.name for file in INDEX.parent.iterdir()} == {INDEX.name, *(page.name for page in PAGES)}
    assert load((COOKBOOK / "policies/kustomization.yaml").read_text())[0]["resources"] == ["../../policies/admission"]
