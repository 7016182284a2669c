"""The list of packages: the lock and nothing else."""

import json
from typing import Any

import pytest
from packaging.utils import canonicalize_name

from integration.image.conftest import pinned
from phase_dev.image.building import REPOSITORY
from phase_dev.release import sboms
from support.made import made

SBOM = "build/sbom.cdx.json"


@pytest.fixture(scope="module")
def anew(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Give the list as it is made now, which nobody checks against CycloneDX's schema: that takes seconds each time."""
    file = tmp_path_factory.mktemp("sbom") / "anew.json"
    for stamp in ("build/product/.stamp", "build/tools/.stamp"):
        made(stamp)
    sboms.write_packages(REPOSITORY, file, check_schema=False)
    return file.read_text()


@pytest.fixture(scope="module")
def listed(anew: str) -> str:
    """Give what `make` makes; what is there from a run before stays, if it is bit for bit what would be made now."""
    file, recipe = REPOSITORY / SBOM, REPOSITORY / "Makefile"
    if file.exists() and (file.read_text() != anew or file.stat().st_mtime < recipe.stat().st_mtime):
        file.unlink()
    return made(SBOM).read_text()


@pytest.fixture(scope="module")
def content(listed: str) -> Any:
    return json.loads(listed)


def test_the_list_that_make_has_checked_is_the_one_that_would_be_made_now(listed: str, anew: str) -> None:
    assert listed == anew


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
