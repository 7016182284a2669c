"""What a spec names is a wish; what was admitted is another type, and one function makes it."""

import ast
from pathlib import Path

import pytest

import phase_operator
from phase_operator.api.reasons import Reason
from phase_operator.core.access.admission import admit
from phase_operator.core.access.grants import Grant, Use
from phase_operator.core.access.tenancy import Tenancy
from phase_operator.core.errors import Invalid
from phase_operator.core.values import ObjectKey
from support.builders import KEY, TOKEN, parsed, secret_ref


def test_an_admission_names_the_token_and_the_targets_in_the_specs_order() -> None:
    spec = parsed(managedSecretReferences=[{"secretName": "b"}, {"secretName": "a"}])

    found = admit(Tenancy(), spec, KEY, {})

    assert (found.key, found.token, list(found.target_policies)) == (KEY, TOKEN, [secret_ref("b"), secret_ref("a")])


def test_a_refused_target_raises_instead_of_an_admission() -> None:
    spec = parsed(managedSecretReferences=[{"secretName": "shop", "secretNamespace": "shared"}])

    with pytest.raises(Invalid) as caught:
        admit(Tenancy(), spec, KEY, {})

    assert caught.value.reason is Reason.CROSS_NAMESPACE


def test_a_token_elsewhere_is_admitted_for_what_the_grant_says_alone() -> None:
    reference = {"secretName": "token", "secretNamespace": "shared"}
    spec = parsed(authentication={"serviceToken": {"serviceTokenSecretReference": reference}}, phaseHost=None)
    tenancy = Tenancy((Grant(KEY.namespace, "shared", frozenset({Use.PUSH})),))

    assert admit(tenancy, spec, KEY, {}, token_for=Use.PUSH).token == ObjectKey("shared", "token")
    with pytest.raises(Invalid):
        admit(tenancy, spec, KEY, {})


def test_only_one_function_makes_admissions() -> None:
    rooms = Path(phase_operator.__file__).parent
    makers = [
        f"{path.relative_to(rooms)}: {node.func.id}"
        for path in rooms.rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in ("Admitted", "_Judgement")
    ]

    assert sorted(makers) == ["core/access/admission.py: Admitted", "core/access/admission.py: _Judgement"]
