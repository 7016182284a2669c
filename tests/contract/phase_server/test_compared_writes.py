"""Writes are answered as the real server answers them, and leave what they leave there."""

import json
from datetime import timedelta
from typing import Any

import pytest

from contract.phase_server.compared import SECRETS, ask, told
from contract.phase_server.write_cases import HALF, LONG, WRITES, Case, before_writes, change, new, send
from unit.phase_dev.server.builders import Installation


@pytest.fixture
def installation() -> Installation:
    return before_writes()


async def write(installation: Installation, case: Case) -> tuple[int, Any]:
    return told(await send(installation, case))


async def rows(installation: Installation) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = (await ask(installation, SECRETS, "operator")).json()
    return sorted(found, key=lambda row: (row["path"], row["key"], row["value"]))


@pytest.mark.parametrize("case", [pytest.param(case, id=case.name) for case in WRITES])
async def test_a_write_is_answered_and_leaves_what_the_real_server_leaves(
    installation: Installation, case: Case
) -> None:
    environment = installation.phase.environment("backend", "development").id
    before = installation.clock.now

    status, content = await write(installation, case)

    assert (status, content if status >= 400 else "") == (case.status, case.error)
    left = [f"{row['path']} {row['key']}={row['value']} {row['version']}" for row in await rows(installation)]
    assert left == case.left
    moved = installation.phase.state.environments[environment].updated_at > before + timedelta(seconds=5)
    assert moved == case.moves


async def test_too_deep_a_body_is_no_json(installation: Installation) -> None:
    answer = await ask(installation, SECRETS, "operator", "POST", body=b"[" * 100_000)

    assert told(answer) == (400, "Request body must be valid JSON.")


@pytest.mark.parametrize(
    ("size", "status", "keys"),
    [pytest.param(2_621_440, 200, ["N"], id="the largest"), pytest.param(2_621_441, 500, [], id="a byte more")],
)
async def test_a_body_has_a_limit_to_the_byte(
    installation: Installation, size: int, status: int, keys: list[str]
) -> None:
    start, end = b'{"secrets":[{"key":"N","value":"', b'"}]}'

    answer = await ask(installation, SECRETS, "operator", "POST", body=start + b"x" * (size - len(start + end)) + end)

    assert answer.status_code == status
    assert [row["key"] for row in await rows(installation)] == keys


@pytest.mark.parametrize("method", ["POST", "PUT"])
@pytest.mark.parametrize(
    ("tags", "kept"),
    [
        pytest.param({"a": 1}, ["a"], id="the names of an object"),
        pytest.param([1], [], id="a number is skipped"),
        pytest.param([None, "new tag", 1, " new tag ", ""], ["new tag"], id="what is no text is skipped"),
        pytest.param("ab", ["a", "b"], id="letters of a text"),
        pytest.param(None, [], id="null"),
        pytest.param(0, [], id="zero"),
    ],
)
async def test_tags_are_taken_as_the_real_server_takes_them(
    installation: Installation, method: str, tags: object, kept: list[str]
) -> None:
    entry = new("N", tags=tags) if method == "POST" else change("A", tags=tags)

    status, content = await write(installation, Case("", method, [entry], 200, []))

    assert (status, [row["tags"] for row in content]) == (200, [kept])


@pytest.mark.parametrize(
    ("tag", "quoted"),
    [
        pytest.param("it's" + LONG, "\"it's" + "t" * 28 + '"', id="a quote"),
        pytest.param("a\n" + LONG, "'a\\n" + "t" * 30 + "'", id="a new line"),
    ],
)
async def test_too_long_a_tag_is_quoted_as_python_quotes_it(installation: Installation, tag: str, quoted: str) -> None:
    answer = await write(installation, Case("", "PUT", [change("A", tags=[tag])], 400, []))

    assert answer == (400, f"Tag name exceeds 64 characters: {quoted}…")


async def test_tags_are_kept_of_a_change_that_fails_in_the_database(installation: Installation) -> None:
    """By the source: the rows of tags are written before the secret's own."""
    await write(installation, Case("", "PUT", [change("A", tags=["t"], type=None)], 500, []))

    [row] = await rows(installation)
    assert (row["tags"], row["version"]) == (["t"], 1)


@pytest.mark.parametrize(("method", "active"), [("POST", True), ("PUT", False)])
async def test_a_new_override_is_active_whatever_is_asked_for(
    installation: Installation, method: str, active: bool
) -> None:
    override = {"value": "o", "isActive": False}
    entry = new("N", override=override, id="x") if method == "POST" else change("A", override=override)

    _, [row] = await write(installation, Case("", method, [entry], 200, [], account="person"))

    assert (row["override"]["value"], row["override"]["isActive"]) == ("o", active)


async def test_the_echo_of_one_id_twice_shows_each_step_with_the_last_tags(installation: Installation) -> None:
    """By the source: tags and overrides are looked up when the answer is written."""
    steps = [change("A", value="x", tags=["a"]), change("A", value="y", tags=["b"])]

    _, echo = await write(installation, Case("", "PUT", steps, 200, []))

    assert [(row["value"], row["version"], row["tags"]) for row in echo] == [("x", 2, ["b"]), ("y", 3, ["b"])]


async def test_a_deleted_secret_is_changed_and_stays_unlisted(installation: Installation) -> None:
    secret = installation.phase.set_secret("backend", "development", "A", "A").id
    await write(installation, Case("", "DELETE", [secret], 200, [], held={}))

    body = json.dumps({"secrets": [{"id": secret, "value": "z"}]}).encode()
    status, [row] = told(await ask(installation, SECRETS, "operator", "PUT", body=body))

    assert (status, row["value"], row["version"]) == (200, "z", 2)
    assert await rows(installation) == []


async def test_no_write_makes_an_environment_unreadable(installation: Installation) -> None:
    for name in ("key", "value", "comment", "path", "tags"):
        await write(installation, Case("", "POST", [new("N") | {name: HALF}], 500, []))

    assert (await ask(installation, SECRETS, "operator")).status_code == 200
