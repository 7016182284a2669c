"""Secrets are written and read by the server's rules."""

import pytest

from unit.phase_dev.server.builders import Installation


@pytest.fixture
def installation() -> Installation:
    return Installation()


async def created(installation: Installation, **fields: object) -> str:
    answer = await installation.call("POST", body={"secrets": [{"key": "K", "value": "v", **fields}]})
    return str(answer.json()[0]["id"])


async def test_a_secret_comes_once_for_each_tag_asked_for(installation: Installation) -> None:
    await created(installation, tags=["db", "aws"])

    rows = (await installation.call("GET", tags="db,aws,other")).json()

    assert len(rows) == 2
    assert rows[0] == rows[1]


async def test_tags_are_not_trimmed_and_have_a_case(installation: Installation) -> None:
    await created(installation, tags=["db"])

    answers = [await installation.call("GET", tags=tags) for tags in (" db", "DB")]

    assert [answer.json() for answer in answers] == [[], []]


async def test_a_sealed_secret_keeps_its_value_and_still_gets_a_version(installation: Installation) -> None:
    secret = await created(installation, type="sealed")

    row = (await installation.call("PUT", body={"secrets": [{"id": secret, "value": "other"}]})).json()[0]

    assert (row["value"], row["version"]) == ("v", 2)


async def test_a_sealed_secret_is_not_unsealed(installation: Installation) -> None:
    secret = await created(installation, type="sealed")

    answer = await installation.call("PUT", body={"secrets": [{"id": secret, "type": "config"}]})

    assert answer.status_code == 400


async def test_a_bad_tag_leaves_the_secret_behind(installation: Installation) -> None:
    body = {"secrets": [{"key": "K", "value": "v", "tags": ["t" * 65]}]}

    answer = await installation.call("POST", body=body)

    assert answer.status_code == 400
    assert [row["key"] for row in (await installation.call("GET")).json()] == ["K"]


async def test_an_updated_secret_moves_to_the_end(installation: Installation) -> None:
    first = await created(installation, key="A")
    await created(installation, key="B")

    await installation.call("PUT", body={"secrets": [{"id": first, "value": "w"}]})

    assert [row["key"] for row in (await installation.call("GET")).json()] == ["B", "A"]


async def test_every_write_moves_the_environments_time_and_reading_does_not(installation: Installation) -> None:
    async def updated_at() -> str:
        rows = (await installation.call("GET", "/v1/environments/", env=None)).json()["data"]
        return str(rows[0]["updatedAt"])

    installation.clock.advance(10)
    before = await updated_at()
    await created(installation)
    after_write = await updated_at()
    installation.clock.advance(10)
    await installation.call("GET")

    assert before < after_write
    assert await updated_at() == after_write


async def test_a_deleted_key_may_be_created_again(installation: Installation) -> None:
    secret = await created(installation)

    await installation.call("DELETE", body={"secrets": [secret]})
    answer = await installation.call("POST", body={"secrets": [{"key": "K", "value": "w"}]})

    assert answer.status_code == 200


async def test_withdrawn_access_is_a_401_with_the_servers_text(installation: Installation) -> None:
    installation.phase.change_access("operator", "backend", ["development"], grant=False)

    answer = await installation.call("GET")

    assert answer.status_code == 401
    assert answer.json() == {"error": "Service account cannot access this environment"}


async def test_a_secret_id_names_the_environment_whatever_else_does(installation: Installation) -> None:
    secret_id = await created(installation)

    here = await installation.call("GET", env="staging", secret_id=secret_id)
    unknown = await installation.call("GET", secret_id="nope")

    assert [row["id"] for row in here.json()] == [secret_id]
    assert (unknown.status_code, unknown.json()) == (404, {"error": "Secret not found"})
