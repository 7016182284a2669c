"""Whatever others wrote into their resources, a migration reads it, and prints what a terminal can take."""

from typing import Any

import yaml
from hypothesis import given
from hypothesis import strategies as st

from phase_operator.cli.migrating.adoption import Force, secrets_of, steps
from phase_operator.cli.migrating.candidates import candidates
from phase_operator.cli.migrating.converters import KINDS, Other, convert
from phase_operator.cli.migrating.draft import Named
from phase_operator.cli.migrating.findings import Report, rows
from phase_operator.cli.migrating.go_templates import Unsayable, converted
from phase_operator.cli.migrating.official import Version
from phase_operator.cli.migrating.running import running
from phase_operator.cli.migrating.spec_check import contested, of_all, of_spec
from phase_operator.core.access.tenancy import Tenancy
from phase_operator.core.content.template import compile_template
from support.any_json import anything, nested

TENANCY = Tenancy()
KNOWN = [(other, each) for other in Other for each in KINDS[other] if each.is_converted]
# Fields that converters read, so that what is under them is reached.
NAMES = (
    *("data", "dataFrom", "target", "template", "secretStoreRef", "remoteRef", "find", "extract", "rewrite", "name"),
    *(
        "managedSecret",
        "processors",
        "secrets",
        "authentication",
        "universalAuth",
        "secretsScope",
        "sources",
        "targets",
    ),
    *("managedKubeSecretReferences", "metadata", "labels", "secretsPath", "refreshInterval", "regexp", "secretKey"),
)
TEXTS = st.one_of(st.text(max_size=20), st.sampled_from(["{{ .a }}", "^a_.*", "1h", "/a/b", "Merge", "a,b"]))
SPECS = nested(
    st.one_of(st.none(), st.booleans(), st.integers(), TEXTS),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3), st.dictionaries(st.one_of(st.sampled_from(NAMES), TEXTS), inner, max_size=5)
    ),
    5,
)


@given(known=st.sampled_from(KNOWN), spec=SPECS, metadata=SPECS)
def test_a_conversion_of_anything_is_one_document(known: Any, spec: Any, metadata: Any) -> None:
    other, kind = known
    body = {"apiVersion": f"{kind.group}/v1", "kind": kind.kind, "metadata": metadata, "spec": spec}

    [made] = convert([body], other, Named()).made

    text = made.as_yaml()
    [document] = yaml.safe_load_all(text)
    assert document == made.body
    assert all(line.isprintable() for line in text.split("\n") if line.lstrip().startswith("#"))
    assert all(cell.isprintable() for _, row in rows([made.report()]) for cell in row)


@given(bodies=st.lists(anything, max_size=3))
def test_a_check_of_anything_is_printable(bodies: list[Any]) -> None:
    every = list(candidates([{"metadata": each, "spec": each, "status": each} for each in bodies]))
    shared = of_all(every)

    for version in Version:
        for each in every:
            findings = [*of_spec(each, version, TENANCY), *contested(each, shared, TENANCY)]
            assert all(cell.isprintable() for _, row in rows([Report(each.key, findings)]) for cell in row)


@given(status=anything, metadata=anything)
def test_an_adoption_of_anything_is_printable(status: Any, metadata: Any) -> None:
    spec = {"phaseApp": "shop", "managedSecretReferences": [{"secretName": "shop"}]}
    every = list(candidates([{"metadata": {"name": "shop"}, "spec": spec, "status": status}]))
    [secret] = secrets_of(every)

    for found in (metadata, None):
        [step] = steps(every, {secret: found if isinstance(found, dict) else None}, Force())
        assert all(cell.isprintable() for cell in step.row())


@given(text=st.one_of(st.text(alphabet='{}%#-. |"ab\n', max_size=40), st.text(max_size=40)))
def test_a_template_becomes_one_of_ours_or_is_refused(text: str) -> None:
    try:
        found = converted(text)
    except Unsayable:
        return
    compile_template(found)


@given(deployment=anything)
def test_anything_is_no_running_operator(deployment: Any) -> None:
    assert running([deployment] if isinstance(deployment, dict) else [], "eso") == []
