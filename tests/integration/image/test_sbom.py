"""The list of packages: the lock and nothing else, and the same each time."""

import json
from pathlib import Path

import pytest

from phase_dev.image import sbom
from phase_dev.image.building import REPOSITORY
from phase_dev.image.machine import Machine
from phase_dev.image.tools import Tools


@pytest.fixture(scope="module")
def listed(machine: Machine, tools: Tools, tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("sbom") / "sbom.cdx.json"
    sbom.write(file, tools, machine)
    return file


def test_it_lists_the_lock(listed: Path) -> None:
    assert sbom.packages(listed) == sbom.pinned(REPOSITORY / "requirements/product.txt")


def test_it_tells_the_product_licences_and_who_needs_whom(listed: Path) -> None:
    content = json.loads(listed.read_text())

    product = content["metadata"]["component"]
    needs = {each["ref"]: each.get("dependsOn", []) for each in content["dependencies"]}
    assert (product["name"], product["type"]) == ("phase-operator", "application")
    assert [ref for ref in needs[product["bom-ref"]] if ref.startswith("kopf==")]
    assert [each["name"] for each in content["components"] if not each.get("licenses")] == []
    assert all(each["purl"].startswith("pkg:pypi/") for each in content["components"])


def test_it_names_no_folder_of_this_machine(listed: Path) -> None:
    text = listed.read_text()

    assert str(REPOSITORY) not in text
    assert "file://" not in text
