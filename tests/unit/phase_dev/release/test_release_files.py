"""The files of a release, as far as they are decided without building anything."""

import hashlib
import io
import json
import tarfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from manifests.objects import CHART, ROOT
from phase_dev import documents
from phase_dev.release import krew, manifests, olm, pages, publishing, records
from phase_dev.release.owner import Owner
from phase_dev.release.publishing import Built
from phase_dev.shell.errors import ToolError
from phase_operator import __version__
from unit.phase_dev.release.owners import GOOD

ALERTS = "https://example.com/docs/operating/alerts.md"
DIGEST = f"sha256:{'0f' * 32}"
IMAGE = f"ghcr.io/example/phase-operator:{__version__}@{DIGEST}"
INSTALL = (ROOT / "deploy/install.yaml").read_text()
ABOUT = olm.About("1.2.3", IMAGE, "2026-11-29T00:00:00Z", "1.31.0", "Keeps Secrets", GOOD)


def test_a_manifest_names_the_image_with_registry_and_digest() -> None:
    text = manifests.with_image(INSTALL, __version__, IMAGE)

    [deployment] = [each for each in documents.load_all(text) if each["kind"] == "Deployment"]
    assert deployment["spec"]["template"]["spec"]["containers"][0]["image"] == IMAGE


@pytest.mark.parametrize(
    "text", ["image: other:1.2.3\n", "image: phase-operator:1.2.3\n" * 2, "image: phase-operator:1.2.30\n"]
)
def test_a_manifest_without_exactly_one_image_of_ours_is_refused(text: str) -> None:
    with pytest.raises(ToolError):
        manifests.with_image(text, "1.2.3", IMAGE)


def test_the_charts_default_image_and_page_of_alerts_are_the_releases() -> None:
    text = (CHART / "values.yaml").read_text()

    after = documents.load(manifests.chart_values(text, "ghcr.io/example", DIGEST, ALERTS))

    before = documents.load(text)
    assert (after["image"]["registry"], after["image"]["digest"]) == ("ghcr.io/example", DIGEST)
    before["image"] |= {"registry": "ghcr.io/example", "digest": DIGEST}
    before["metrics"]["prometheusRule"]["runbookUrl"] = ALERTS
    assert after == before, "nothing else changes"


def test_the_runbooks_of_the_alerts_can_be_opened() -> None:
    text = (ROOT / "deploy/monitoring/prometheusrule.yaml").read_text()

    [group] = documents.load(manifests.with_runbooks(text, "https://example.com/tree"))["spec"]["groups"]

    urls = {each["annotations"]["runbook_url"].partition("#")[0] for each in group["rules"]}
    assert urls == {"https://example.com/tree/docs/operating/alerts.md"}


def test_alerts_without_a_runbook_are_refused() -> None:
    with pytest.raises(ToolError, match="runbook"):
        manifests.with_runbooks("groups: []\n", "https://example.com/tree")


def test_a_chart_that_names_a_registry_already_is_refused() -> None:
    with pytest.raises(ToolError, match=r"image\.registry"):
        manifests.chart_values('a: 1\n\nimage:\n  registry: "x"\n  digest: ""\n', "ghcr.io/example", DIGEST, ALERTS)


def test_the_chart_says_who_publishes_it() -> None:
    text = (CHART / "Chart.yaml").read_text()

    chart = documents.load(manifests.chart_metadata(text, GOOD, IMAGE))

    assert (chart["home"], chart["sources"]) == (GOOD.docs, [GOOD.repository])
    assert chart["maintainers"] == [{"name": "A. Person", "url": "https://github.com/a-person"}]
    assert documents.load(chart["annotations"]["artifacthub.io/images"]) == [{"name": "phase-operator", "image": IMAGE}]
    assert documents.load(text)["annotations"].items() <= chart["annotations"].items()


@pytest.mark.parametrize(
    ("link", "folder", "wanted"),
    [
        ("[a](../../docs/a.md#b)", "helm/phase-operator", "[a](T/docs/a.md#b)"),
        ("[a](docs/a.md)", "", "[a](T/docs/a.md)"),
        ("[a](./values.yaml)", "helm/phase-operator", "[a](T/helm/phase-operator/values.yaml)"),
        ("[a](https://example.com/b)", "", "[a](https://example.com/b)"),
        ("[a](#here)", "", "[a](#here)"),
    ],
)
def test_links_of_a_page_work_outside_the_repository(link: str, folder: str, wanted: str) -> None:
    assert manifests.absolute_links(link, folder, "T") == wanted


def test_the_archive_of_the_plugin_depends_on_its_files_alone() -> None:
    files = {"kubectl-phase": b"#!/bin/sh\n", "LICENSE": b"x"}

    packed = krew.archive(files, 1_700_000_000)

    assert packed == krew.archive(dict(reversed(files.items())), 1_700_000_000)
    with tarfile.open(fileobj=io.BytesIO(packed)) as tar:
        assert {each.name: each.mode for each in tar} == {"LICENSE": 0o644, "kubectl-phase": 0o755}


def test_a_placeholder_that_a_release_forgets_is_refused() -> None:
    with pytest.raises(ToolError, match="@WHEEL@"):
        krew.filled("@VERSION@ @WHEEL@", {"@VERSION@": "1.2.3"})


def test_checksums_are_what_sha256sum_reads() -> None:
    assert records.checksums({"b": b"2", "a": b"1"}) == (
        f"{hashlib.sha256(b'1').hexdigest()}  a\n{hashlib.sha256(b'2').hexdigest()}  b\n"
    )


@pytest.fixture
def bundle() -> dict[str, Any]:
    """Give the files of the bundle that deploy/install.yaml makes."""
    objects = [each for each in documents.load_all(INSTALL) if each]
    texts = olm.bundle(objects, [{"kind": "PhaseSecret"}], ABOUT)
    return {path: text if path == "bundle.Dockerfile" else documents.load(text) for path, text in texts.items()}


def test_the_bundle_has_the_rights_and_the_pods_of_the_manifests(bundle: dict[str, Any]) -> None:
    objects = {(each["kind"], each["metadata"]["name"]): each for each in documents.load_all(INSTALL) if each}

    installed = bundle["manifests/phase-operator.clusterserviceversion.yaml"]["spec"]["install"]["spec"]

    assert installed["clusterPermissions"] == [
        {"serviceAccountName": "phase-operator", "rules": objects["ClusterRole", "phase-operator"]["rules"]}
    ]
    assert installed["permissions"] == [
        {"serviceAccountName": "phase-operator", "rules": objects["Role", "phase-operator-leader"]["rules"]}
    ]
    assert installed["deployments"][0]["spec"] == objects["Deployment", "phase-operator"]["spec"]


def test_the_bundle_has_all_else_of_the_manifests_without_a_namespace(bundle: dict[str, Any]) -> None:
    made_by_olm = {"Namespace", "ServiceAccount", "Role", "RoleBinding", "ClusterRoleBinding", "Deployment"}
    wanted = {
        (each["kind"], each["metadata"]["name"])
        for each in documents.load_all(INSTALL)
        if each and each["kind"] not in made_by_olm
    } - {("ClusterRole", "phase-operator")}
    others = {path: each for path, each in bundle.items() if path.startswith("manifests/")}
    del others["manifests/phase-operator.clusterserviceversion.yaml"]

    assert {(each["kind"], each["metadata"]["name"]) for each in others.values()} == wanted
    assert [path for path, each in others.items() if "namespace" in each["metadata"]] == []


def test_the_bundle_names_every_kind_of_ours(bundle: dict[str, Any]) -> None:
    owned = bundle["manifests/phase-operator.clusterserviceversion.yaml"]["spec"]["customresourcedefinitions"]["owned"]

    kinds = {
        each["spec"]["names"]["kind"] for each in documents.load_all(INSTALL) if each["kind"].endswith("Definition")
    }
    assert {each["kind"] for each in owned} == kinds
    assert all(each["description"] for each in owned)


def test_provenance_names_the_commit_the_lock_and_the_bases() -> None:
    origin = records.Origin(
        repository=GOOD.repository,
        commit="c" * 40,
        version="1.2.3",
        bases={"docker.io/library/python": DIGEST},
        lock="a==1\n",
        architectures=("amd64", "arm64"),
        builder="https://example.com/builder",
        started="2026-11-29T00:00:00Z",
        finished="2026-11-29T00:01:00Z",
    )

    statement = records.statement("ghcr.io/example/phase-operator", DIGEST, records.predicate(origin))

    assert statement["subject"] == [{"name": "ghcr.io/example/phase-operator", "digest": {"sha256": "0f" * 32}}]
    digests = [each["digest"] for each in statement["predicate"]["buildDefinition"]["resolvedDependencies"]]
    assert digests == [
        {"gitCommit": "c" * 40},
        {"sha256": hashlib.sha256(b"a==1\n").hexdigest()},
        {"sha256": "0f" * 32},
    ]


def test_publishing_signs_the_image_by_digest_before_anything_is_announced(tmp_path: Path) -> None:
    for name in ("SHA256SUMS", "install.yaml", "a.cdx.json"):
        (tmp_path / name).write_text("x")
    built = Built(GOOD, "1.2.3", DIGEST, tmp_path, tmp_path / "predicate.json")

    signed, announced = list(publishing.signatures(built)), list(publishing.announcements(built))

    assert [each[:2] for each in signed] == [("cosign", "sign"), ("cosign", "attest"), ("cosign", "attest")]
    assert all(each[-1] == f"ghcr.io/example/phase-operator@{DIGEST}" for each in signed)
    assert [each[:2] for each in announced] == [("cosign", "sign-blob"), ("git", "push"), ("gh", "release")]
    assert announced[1][-1] == "v1.2.3"
    assert {tmp_path / "install.yaml", tmp_path / "SHA256SUMS.sigstore.json"} <= set(announced[2])
    assert built.minor == "1.2"


def test_publishing_elsewhere_than_on_github_needs_no_gh(tmp_path: Path) -> None:
    elsewhere = Built(replace(GOOD, repository="https://git.example.com/a"), "1.2.3", DIGEST, tmp_path, tmp_path / "p")

    assert "gh" not in publishing.needed(elsewhere.owner.repository)
    assert [each[0] for each in publishing.announcements(elsewhere)] == ["cosign", "git"]


def test_pages_name_nobody_as_long_as_the_owner_is_empty() -> None:
    empty = Owner("", "", "", "", "", ())

    assert "@" not in pages.codeowners(empty)
    assert "Nobody is named yet" in pages.maintainers(empty)
    assert "Report a vulnerability" in pages.reporting(empty)
    assert documents.load(pages.contacts(empty)) == {"blank_issues_enabled": False}


def test_pages_name_those_of_the_owner() -> None:
    assert pages.codeowners(GOOD).endswith("* @a-person\n")
    assert pages.maintainers(GOOD) == "- A. Person ([@a-person](https://github.com/a-person))"
    assert "security@example.com" in pages.reporting(GOOD)
    links = documents.load(pages.contacts(GOOD))["contact_links"]
    assert [each["url"] for each in links] == [GOOD.docs, GOOD.security_contact]


def test_the_samples_of_the_bundle_are_json() -> None:
    objects = [each for each in documents.load_all(INSTALL) if each]
    text = olm.bundle(objects, [{"kind": "PhaseSecret"}], ABOUT)["manifests/phase-operator.clusterserviceversion.yaml"]

    annotations = documents.load(text)["metadata"]["annotations"]
    assert json.loads(annotations["alm-examples"]) == [{"kind": "PhaseSecret"}]
