"""What a spec names is a wish; what was admitted is another type, and one function makes it."""

import ast
from pathlib import Path

import pytest

import phase_operator
from phase_operator.api.reasons import Reason
from phase_operator.core.access.admission import admit
from phase_operator.core.access.tenancy import Tenancy
from phase_operator.core.errors import Invalid
from support.builders import KEY, TOKEN, parsed, secret_ref


def test_what_was_admitted_names_token_and_targets_in_the_specs_order() -> None:
    spec = parsed(managedSecretReferences=[{"secretName": "b"}, {"secretName": "a"}])

    found = admit(Tenancy(), spec, KEY, {})

    assert (found.key, found.token, list(found.target_policies)) == (KEY, TOKEN, [secret_ref("b"), secret_ref("a")])


def test_what_is_refused_is_never_admitted() -> None:
    spec = parsed(managedSecretReferences=[{"secretName": "shop", "secretNamespace": "shared"}])

    with pytest.raises(Invalid) as caught:
        admit(Tenancy(), spec, KEY, {})

    assert caught.value.reason is Reason.CROSS_NAMESPACE


def test_one_function_admits() -> None:
    rooms = Path(phase_operator.__file__).parent
    makers = [
        f"{path.relative_to(rooms)}: {node.func.id}"
        for path in rooms.rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in ("Admitted", "_Judgement")
    ]

    assert sorted(makers) == ["core/access/admission.py: Admitted", "core/access/admission.py: _Judgement"]
