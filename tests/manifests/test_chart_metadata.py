"""What Artifact Hub and people see of the chart is what the chart has."""

from manifests.objects import CHART
from phase_dev import documents
from phase_operator.api import names
from phase_operator.api.crd import DEFINITIONS


def test_the_kinds_that_artifact_hub_shows_are_those_of_the_crds() -> None:
    about = documents.load((CHART / "Chart.yaml").read_text())
    shown = documents.load(about["annotations"]["artifacthub.io/crds"])

    assert [(each["kind"], each["version"], each["name"]) for each in shown] == [
        (each.kind, names.VERSION, f"{each.plural}.{names.GROUP}") for each in DEFINITIONS
    ]
    assert all(each["displayName"] and each["description"] for each in shown)


def test_the_chart_says_that_it_is_not_phases() -> None:
    about = documents.load((CHART / "Chart.yaml").read_text())

    assert "not affiliated with Phase" in about["description"]
    assert "home" not in about, "its owner's, once there is one"
