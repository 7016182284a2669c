import json

import pytest
import yaml

from phase_operator.cli.looking.bodies import Bodies
from support.shown import HOSTILE, resource

MANAGED = resource() | {"metadata": {"name": "shop", "managedFields": [{"manager": "kubectl"}]}}


def printed(form: str, *, is_one: bool, count: int, capsys: pytest.CaptureFixture[str]) -> str:
    bodies = Bodies(form, is_one=is_one)
    for _ in range(count):
        bodies.print(MANAGED)
    bodies.end()
    return capsys.readouterr().out


@pytest.mark.parametrize("count", [0, 1, 3])
def test_json_is_a_list_of_them(count: int, capsys: pytest.CaptureFixture[str]) -> None:
    found = json.loads(printed("json", is_one=False, count=count, capsys=capsys))

    assert (found["kind"], found["apiVersion"], len(found["items"])) == ("List", "v1", count)
    assert all(each["metadata"] == {"name": "shop"} for each in found["items"])


def test_json_of_one_that_was_named_is_that_one(capsys: pytest.CaptureFixture[str]) -> None:
    assert json.loads(printed("json", is_one=True, count=1, capsys=capsys))["kind"] == "PhaseSecret"


@pytest.mark.parametrize("count", [1, 3])
def test_yaml_is_a_document_for_each(count: int, capsys: pytest.CaptureFixture[str]) -> None:
    found = list(yaml.safe_load_all(printed("yaml", is_one=False, count=count, capsys=capsys)))

    assert [each["metadata"] for each in found] == [{"name": "shop"}] * count


def test_names_are_as_kubectl_prints_them(capsys: pytest.CaptureFixture[str]) -> None:
    assert printed("name", is_one=False, count=2, capsys=capsys) == "phasesecret.secrets.phase.dev/shop\n" * 2


@pytest.mark.parametrize("form", ["json", "yaml", "name"])
def test_no_sequence_of_others_reaches_the_terminal(form: str, capsys: pytest.CaptureFixture[str]) -> None:
    Bodies(form, is_one=True).print(resource(HOSTILE, message=HOSTILE, spec={HOSTILE: HOSTILE}))

    assert not {"\x1b", "\x07", "\x9b", "\r"} & set(capsys.readouterr().out)
