"""Two hundred bad specs on a real API server.

The invariant: each is refused when it is applied, with the field that is to blame, or it is stored, and then the
operator says with a reason what is wrong with it, or makes a good object of it.
"""

import asyncio
import ssl
from collections.abc import Mapping
from typing import Any

import httpx
import pytest

from manifests.objects import CRD_FILE
from manifests.specs import phase_secret
from phase_dev.cluster import ControlPlane
from phase_operator.api.reasons import CATALOGUE
from phase_operator.core.errors import ExpectedError
from support.builders import config_entry, entry
from support.evaluating import evaluate
from support.mutants import Mutant, blames, mutants

pytestmark = pytest.mark.controlplane

ENTRIES = [
    entry("A", "a", tags=["a"]),
    entry("B", "AP8=", tags=["a"]),
    config_entry("C", "c", tags=["a"]),
    entry("DB_HOST", "h", tags=["a"]),
]
MUTANTS = mutants()
PATH = "/apis/secrets.phase.dev/v1alpha1/namespaces/default/phasesecrets"
# Each is compared with the schema only: nothing is stored, and nobody reads it but the API server.
DRY = {"dryRun": "All", "fieldValidation": "Strict"}


@pytest.fixture(scope="module")
def answers(control_plane: ControlPlane) -> dict[str, httpx.Response]:
    """Return what the API server says to each."""
    kubectl = control_plane.kubectl
    kubectl("apply", "--server-side", "--force-conflicts", "-f", CRD_FILE)
    kubectl("wait", "--for=condition=Established", "crd/phasesecrets.secrets.phase.dev", "--timeout=30s")
    return asyncio.run(ask(control_plane))


async def ask(plane: ControlPlane) -> dict[str, httpx.Response]:
    trust = ssl.create_default_context(cafile=str(plane.ca_file))
    headers = {"Authorization": f"Bearer {plane.admin_token}"}
    gate = asyncio.Semaphore(8)
    async with httpx.AsyncClient(base_url=plane.url, verify=trust, headers=headers, timeout=60) as client:

        async def one(mutant: Mutant) -> tuple[str, httpx.Response]:
            async with gate:
                # Without the fields that the smallest PhaseSecret would add.
                spec: dict[str, Any] = {"managedSecretReferences": ..., "phaseApp": ..., **mutant.spec}
                return mutant.what, await client.post(PATH, params=DRY, json=phase_secret(**spec))

        return dict(await asyncio.gather(*(one(mutant) for mutant in MUTANTS)))


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.what)
def test_it_is_refused_with_its_field_or_gets_a_reason(mutant: Mutant, answers: Mapping[str, httpx.Response]) -> None:
    answer = answers[mutant.what]

    if answer.is_success:
        for each in evaluate(answer.json()["spec"], ENTRIES):
            assert not isinstance(each, ExpectedError) or (each.reason in CATALOGUE and each.message)
        return
    assert answer.status_code in (400, 422)
    assert is_told(mutant, answer.json()), answer.json()["message"]


def test_most_are_refused_before_anybody_reads_them(answers: Mapping[str, httpx.Response]) -> None:
    refused = [what for what, answer in answers.items() if answer.is_error]

    assert len(refused) > 0.75 * len(MUTANTS)


def is_told(mutant: Mutant, status: dict[str, Any]) -> bool:
    """Say whether a refusal names the field; an unknown one is named in the message alone."""
    causes = (status.get("details") or {}).get("causes") or []
    return any(blames(cause.get("field", ""), mutant.field) for cause in causes) or mutant.field in status["message"]
