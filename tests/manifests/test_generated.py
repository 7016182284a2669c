"""Generated files are what their sources say, and the check notices when they are not."""

import json
import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner

from manifests.objects import CHART, CRD_FILES, DYNAMIC_SAMPLES, KUBERNETES, PUSH_SAMPLES, ROOT, SAMPLES, load, validate
from phase_dev import calls_picture, documents, generate
from phase_dev.release import owner
from phase_operator.api import crd
from phase_operator.api.reasons import CATALOGUE, Reason
from phase_operator.api.v1alpha1 import PhaseDynamicSecretSpec, PhaseSecretSpec
from phase_operator.api.v1alpha1.phasepushsecret import PhasePushSecretSpec
from phase_operator.cli.commands.crds import crds
from phase_operator.cli.commands.lint import lint
from phase_operator.core.push.spec import push_spec


def test_no_generated_file_is_stale() -> None:
    assert dict(generate.stale()) == {}


def test_the_check_passes_in_this_repository() -> None:
    assert CliRunner().invoke(generate.main, ["--check"]).exit_code == 0


def test_a_changed_file_and_a_missing_file_are_named(tmp_path: Path) -> None:
    for path in generate.generated():
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / path, tmp_path / path)
    shutil.copytree(ROOT / "deploy", tmp_path / "deploy", dirs_exist_ok=True)
    shutil.copy(ROOT / "crds/kustomization.yaml", tmp_path / "crds")
    for path in (calls_picture.FIGURES, calls_picture.COMPARISON, owner.FILE):
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / path, tmp_path / path)
    shutil.copy(CHART / "values.yaml", tmp_path / "helm/phase-operator")
    (tmp_path / "crds/secrets.phase.dev_phasesecrets.yaml").write_text("changed: by hand\n")
    (tmp_path / "docs/operating/troubleshooting.md").unlink()

    stale = dict(generate.stale(tmp_path))

    assert set(stale) == {"crds/secrets.phase.dev_phasesecrets.yaml", "docs/operating/troubleshooting.md"}
    assert "-changed: by hand" in stale["crds/secrets.phase.dev_phasesecrets.yaml"]


def test_a_generated_file_says_first_where_it_comes_from() -> None:
    for path, text in generate.generated().items():
        if path.endswith("/dashboard.json"):  # JSON has no comments
            assert "Generated from operator/phase_dev/monitoring/" in json.loads(text)["description"]
        elif path.endswith(("troubleshooting.md", "alerts.md")) or not path.endswith((".md", "/__init__.py")):
            # Parts of the other pages are by hand.
            sources = "operator/phase_operator/api|operator/phase_dev/monitoring|deploy/overlays"
            places = f"{sources}|contrib|docs/operating|release"
            assert re.search(f"Generated from ({places})/", text.splitlines()[0])


def test_the_command_prints_the_crds_of_the_repository() -> None:
    done = CliRunner().invoke(crds)

    assert load(done.output) == [documents.load(file.read_text()) for file in CRD_FILES]
    assert {f"secrets.phase.dev_{each.plural}.yaml" for each in crd.DEFINITIONS} == {file.name for file in CRD_FILES}


@pytest.mark.parametrize("version", KUBERNETES)
def test_the_crd_is_one_for_the_oldest_and_the_newest_kubernetes(version: str) -> None:
    validate([crd.document(definition) for definition in crd.DEFINITIONS], version)


def test_troubleshooting_tells_every_reason() -> None:
    page = (ROOT / "docs/operating/troubleshooting.md").read_text()

    assert set(CATALOGUE) == set(Reason)
    for reason, entry in CATALOGUE.items():
        section = page.split(f"\n### {reason.value}\n")[1].split("\n### ")[0]
        assert f"{entry.meaning}\n" in section
        assert f"\n**What to do:** {entry.cure}\n" in section


def test_the_reference_tells_every_field() -> None:
    page = (ROOT / "docs/api/v1alpha1/phasesecret.md").read_text()

    for field in PhaseSecretSpec.model_fields.values():
        assert f"| `spec.{field.alias}` |" in page


@pytest.mark.parametrize("sample", SAMPLES, ids=lambda path: path.stem)
def test_the_operator_reads_every_sample(sample: Path) -> None:
    body = documents.load(sample.read_text())

    spec = PhaseSecretSpec.model_validate(body["spec"])

    assert spec.managed_secret_references


@pytest.mark.parametrize("sample", DYNAMIC_SAMPLES, ids=lambda path: path.stem)
def test_the_operator_reads_every_sample_of_a_lease(sample: Path) -> None:
    body = documents.load(sample.read_text())

    spec = PhaseDynamicSecretSpec.model_validate(body["spec"])

    assert spec.managed_secret_references
    assert spec.lease_ttl == 86400


@pytest.mark.parametrize("sample", PUSH_SAMPLES, ids=lambda path: path.stem)
def test_the_operator_reads_every_sample_of_a_push(sample: Path) -> None:
    body = documents.load(sample.read_text())

    push = push_spec(PhasePushSecretSpec.model_validate(body["spec"]))

    assert [name for _, name in push.named] == ["postgres-app"]
    assert push.generate_into == "shop-generated"


@pytest.mark.parametrize(
    ("page", "sample"),
    [
        ("phasesecret", "secret-and-configmap"),
        ("phasedynamicsecret", "dynamic-secret"),
        ("phasepushsecret", "push-secret"),
    ],
)
def test_the_example_in_the_reference_is_the_sample(page: str, sample: str) -> None:
    text = (ROOT / f"docs/api/v1alpha1/{page}.md").read_text()
    example = text.split("```yaml\n")[1].split("```")[0]

    assert documents.load(example) == documents.load((ROOT / f"deploy/samples/{sample}.yaml").read_text())


EXAMPLES = ROOT / "docs/api/v1alpha1/examples"
# A target of a lease has the fields of a PhaseSecret's Secret, which the other example shows.
ELSEWHERE = {"PhaseDynamicSecret": "managedSecretReferences"}


def fields(schema: crd.Schema, left_out: str = "") -> Iterator[str]:
    """Yield the names of all fields of a schema."""
    for name, child in schema.get("properties", {}).items():
        yield name
        if name != left_out:
            yield from fields(child)
    for inner in ("items", "additionalProperties"):
        if isinstance(schema.get(inner), dict):
            yield from fields(schema[inner])


@pytest.mark.parametrize("definition", crd.DEFINITIONS, ids=lambda each: each.kind)
def test_the_complete_example_names_every_field(definition: crd.Definition) -> None:
    text = (EXAMPLES / f"{definition.kind.lower()}.yaml").read_text()
    spec = crd.structural(definition.model)["properties"]["spec"]

    wanted = set(fields(spec, ELSEWHERE.get(definition.kind, "")))

    assert len(wanted) > 20
    assert {
        name for name in wanted if not re.search(rf"^ *(- |# )?{name}:|[{{,] ?{name}:", text, re.MULTILINE)
    } == set()


def test_every_example_of_the_reference_passes_the_rules_of_the_api_server() -> None:
    done = CliRunner().invoke(lint, ["-f", str(EXAMPLES), "--strict"])

    assert done.exit_code == 0, done.output
    assert len(list(EXAMPLES.glob("*.yaml"))) > 6


def test_every_example_is_on_a_page() -> None:
    pages = "".join(page.read_text() for page in EXAMPLES.parent.glob("*.md"))

    assert [file.name for file in EXAMPLES.glob("*.yaml") if file.read_text() not in pages] == []
