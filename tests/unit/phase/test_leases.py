"""Answers about dynamic secrets that no server should give, and what is made of them."""

from typing import Any

import httpx
import pytest

from phase_operator.api.reasons import Reason
from phase_operator.core.errors import ExpectedError
from phase_operator.core.leases.facts import DynamicSecret, IssuedLease
from phase_operator.core.leases.ledger import LeasePlace
from phase_operator.phase.leases import LeaseClient
from unit.phase.builders import APP_ID, URL, Server, credential, place, session

SECRET_ID = "7d0c0000-0000-4000-8000-000000000000"


def dynamic(**fields: Any) -> dict[str, Any]:
    return {
        "id": SECRET_ID,
        "name": "bucket",
        "path": "/aws",
        "defaultTtl": "01:00:00",
        "maxTtl": "1 00:00:00",
    } | fields


def client(*answer: dict[str, Any]) -> LeaseClient:
    server = Server(dynamic=list(answer))
    return LeaseClient(session(httpx.MockTransport(server)))


async def find(client: LeaseClient) -> DynamicSecret | None:
    return await client.find(
        URL, credential(), app_id=APP_ID, environment="production", path="/aws", name="bucket", memory=place()
    )


async def lease(client: LeaseClient) -> IssuedLease:
    where = LeasePlace(URL, APP_ID, "production", SECRET_ID)
    return await client.lease(URL, credential(), where, 300, place(), sent_within=30.0)


async def test_two_of_one_name_in_one_folder_are_told_apart_by_nobody() -> None:
    with pytest.raises(ExpectedError) as refused:
        await find(client(dynamic(), dynamic(id="another")))

    assert refused.value.reason is Reason.DYNAMIC_SECRET_NOT_FOUND
    assert 'folder /aws has 2 dynamic secrets "bucket"' in refused.value.message
    assert "rename" in refused.value.message


async def test_others_that_a_server_sends_along_are_not_counted() -> None:
    found = await find(client(dynamic(), dynamic(path="/"), dynamic(name="Bucket"), dynamic(name="pail")))

    assert found == DynamicSecret(SECRET_ID, 3600, 86_400)


@pytest.mark.parametrize(("said", "read"), [("azure", "azure"), (None, ""), ({"id": "aws"}, "")])
async def test_a_provider_is_read_in_whatever_form_it_comes(said: object, read: str) -> None:
    found = await find(client(dynamic(provider=said)))

    assert found is not None
    assert found.provider == read


async def test_a_lease_without_credentials_is_not_what_was_asked_for() -> None:
    issued = {"id": "lease-1", "ttl": "00:05:00", "credentials": []}

    with pytest.raises(ExpectedError) as failed:
        await lease(client(dynamic(lease=issued)))

    assert failed.value.reason is Reason.UNEXPECTED_ANSWER
    assert not failed.value.had_no_effect
