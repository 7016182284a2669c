"""Two hundred bad specs on a real API server.

The invariant: each is refused when it is applied, with the field that is to blame, or it is stored, and then the
operator says with a reason what is wrong with it, or makes a good object of it.
"""

from collections.abc import Mapping
from functools import cache
from typing import Any

import httpx
import pytest

from manifests.objects import CRD_FILE
from manifests.specs import phase_secret
from phase_dev.cluster import ControlPlane
from phase_operator.api.reasons import CATALOGUE
from phase_operator.cli.linting.resource import findings
from phase_operator.core.errors import ExpectedError
from support.builders import config_entry, entry
from support.cli_files import document
from support.dry_run import PHASE_SECRETS, judged
from support.evaluating import evaluate
from support.mutants import Mutant, blames, mutants

pytestmark = pytest.mark.controlplane

ENTRIES = [
    entry("A", "a", tags=["a"]),
    entry("B", "AP8=", tags=["a"]),
    config_entry("C", "c", tags=["a"]),
    entry("DB_HOST", "h", tags=["a"]),
]


@cache
def every_mutant() -> list[Mutant]:
    """Return the bad specs; not when the module is imported, which each worker does."""
    return mutants()


@pytest.fixture(scope="module")
def answers(control_plane: ControlPlane) -> dict[str, httpx.Response]:
    """Return what the API server says to each."""
    kubectl = control_plane.kubectl
    kubectl("apply", "--server-side", "--force-conflicts", "-f", CRD_FILE)
    kubectl("wait", "--for=condition=Established", "crd/phasesecrets.secrets.phase.dev", "--timeout=30s")
    return judged(control_plane, PHASE_SECRETS, {each.what: of_spec(each) for each in every_mutant()})


def test_each_bad_spec_is_refused_with_its_field_or_gets_a_reason(answers: Mapping[str, httpx.Response]) -> None:
    wrong = {mutant.what: why for mutant in every_mutant() if (why := complaint(mutant, answers[mutant.what]))}

    assert not wrong, "\n".join(f"{what}: {why}" for what, why in wrong.items())


def test_lint_says_what_the_api_server_says(answers: Mapping[str, httpx.Response]) -> None:
    wrong = {each.what: why for each in every_mutant() if (why := difference(each, answers[each.what]))}

    assert not wrong, "\n".join(f"{what}: {why}" for what, why in wrong.items())


def difference(mutant: Mutant, answer: httpx.Response) -> str:
    """Return where lint and the API server differ: in the verdict, or in the fields that they blame; or ""."""
    errors = findings(document(of_spec(mutant)), schema_only=True)
    if answer.is_error != bool(errors):
        return f"{answer.status_code} {answer.text}; lint: {errors}"
    told = {each["field"] for each in (answer.json().get("details") or {}).get("causes") or [] if each.get("field")}
    told -= {"<nil>"}  # that some rules were not evaluated
    found = {each.field for each in errors}
    return "" if told <= found else f"{sorted(told - found)} are not found, but {sorted(found)}"


def of_spec(mutant: Mutant) -> dict[str, Any]:
    """Return a resource without the fields that the smallest PhaseSecret would add."""
    bare: dict[str, Any] = {"managedSecretReferences": ..., "phaseApp": ...}
    return phase_secret(**bare | mutant.spec)


def complaint(mutant: Mutant, answer: httpx.Response) -> str:
    """Return what is wrong with an answer, or ""."""
    if answer.is_error:
        fits = answer.status_code in (400, 422) and is_told(mutant, answer.json())
        return "" if fits else f"{answer.status_code}, and {mutant.field} is not blamed: {answer.text}"
    errors = [each for each in evaluate(answer.json()["spec"], ENTRIES) if isinstance(each, ExpectedError)]
    return next((repr(each) for each in errors if each.reason not in CATALOGUE or not each.message), "")


def test_most_bad_specs_are_refused_by_the_api_server(answers: Mapping[str, httpx.Response]) -> None:
    refused = [what for what, answer in answers.items() if answer.is_error]

    assert len(refused) > 0.75 * len(every_mutant())


def is_told(mutant: Mutant, status: dict[str, Any]) -> bool:
    """Say whether a refusal names the field; an unknown one is named in the message alone."""
    causes = (status.get("details") or {}).get("causes") or []
    return any(blames(cause.get("field", ""), mutant.field) for cause in causes) or mutant.field in status["message"]
