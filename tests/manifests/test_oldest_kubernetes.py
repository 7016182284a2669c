"""Every place that names the oldest Kubernetes names the one that the operator itself asks for."""

import re

import pytest

from manifests.objects import CHART, OLDEST, ROOT
from phase_dev import documents
from phase_operator.api.names import OLDEST_KUBERNETES
from phase_operator.kube.version import too_old

_TOLD = re.compile(r"Kubernetes (\d+\.\d+) or\s+newer")
_PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), *ROOT.glob("deploy/**/*.md"), *CHART.glob("*.md")])


def test_the_operator_starts_on_it_and_on_none_before() -> None:
    major, minor = OLDEST_KUBERNETES

    assert too_old({"major": str(major), "minor": str(minor)}) is None
    assert too_old({"major": str(major), "minor": str(minor - 1)})


def test_the_chart_asks_for_it() -> None:
    assert documents.load((CHART / "Chart.yaml").read_text())["kubeVersion"] == f">={OLDEST}.0-0"


def test_every_page_that_names_one_names_it() -> None:
    told = {str(page.relative_to(ROOT)): set(_TOLD.findall(page.read_text())) for page in _PAGES}

    assert {page: versions for page, versions in told.items() if versions - {OLDEST}} == {}
    assert sum(bool(versions) for versions in told.values()) >= 5


@pytest.mark.parametrize("text", ["Kubernetes 1.20 or newer", "Kubernetes 1.20 or\nnewer"])
def test_a_page_that_names_another_one_would_be_found(text: str) -> None:
    assert _TOLD.findall(text) == ["1.20"]
