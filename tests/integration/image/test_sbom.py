"""The list of packages: the lock and nothing else."""

import json
from typing import Any

import pytest
from packaging.utils import canonicalize_name

from integration.image.conftest import made, pinned
from phase_dev.image.building import REPOSITORY

SBOM = "build/sbom.cdx.json"


@pytest.fixture(scope="module")
def listed() -> str:
    (REPOSITORY / SBOM).unlink(missing_ok=True)
    return made(SBOM).read_text()


@pytest.fixture(scope="module")
def content(listed: str) -> Any:
    return json.loads(listed)


def test_the_sbom_lists_the_lock(content: Any) -> None:
    found = {(canonicalize_name(each["name"]), each["version"]) for each in content["components"]}

    assert found == pinned()


def test_the_sbom_names_the_product_its_licences_and_dependencies(content: Any) -> None:
    product = content["metadata"]["component"]
    needs = {each["ref"]: each.get("dependsOn", []) for each in content["dependencies"]}
    assert (content["bomFormat"], content["specVersion"]) == ("CycloneDX", "1.6")
    assert (product["name"], product["type"]) == ("phase-operator", "application")
    assert [ref for ref in needs[product["bom-ref"]] if ref.startswith("kopf==")]
    assert [each["name"] for each in content["components"] if not each.get("licenses")] == []
    assert all(each["purl"].startswith("pkg:pypi/") for each in content["components"])


def test_the_sbom_names_no_folder_of_this_machine(listed: str) -> None:
    assert str(REPOSITORY) not in listed
    assert "file://" not in listed
