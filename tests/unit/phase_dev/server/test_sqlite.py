"""What was written to the file is there after a restart, in the same order."""

from pathlib import Path

from phase_dev.server.sqlite import SqliteJournal
from unit.phase_dev.server.builders import Installation


async def rows(installation: Installation) -> object:
    return (await installation.call("GET", dynamic="true")).json()


async def test_a_restart_finds_everything_as_it_was(tmp_path: Path) -> None:
    path = tmp_path / "state.sqlite"
    before = Installation(journal=SqliteJournal(path))
    body = {"secrets": [{"key": key, "value": f"v-{key}", "tags": ["db"], "path": "/x"} for key in "ABC"]}
    made = (await before.call("POST", body=body)).json()
    await before.call("PUT", body={"secrets": [{"id": made[0]["id"], "value": "changed"}]})
    await before.call("DELETE", body={"secrets": [made[1]["id"]]})
    before.phase.change_access("other", "backend", ["staging"], grant=True)
    expected, token = await rows(before), before.phase.token("operator")
    before.phase.state.close()

    after = Installation(journal=SqliteJournal(path))

    assert await rows(after) == expected
    assert after.phase.token("operator") == token
    assert (await after.call("GET", account="other", env="staging")).status_code == 200
    after.phase.state.close()


async def test_what_was_removed_stays_removed(tmp_path: Path) -> None:
    path = tmp_path / "state.sqlite"
    before = Installation(journal=SqliteJournal(path))
    before.phase.set_secret("backend", "production", "K", "v")
    before.phase.remove("backend", "production")
    before.phase.revoke_tokens("other")
    before.phase.state.close()

    after = Installation(journal=SqliteJournal(path))

    assert after.phase.state.environment_named(after.phase.app("backend").id, "production") is None
    assert not after.phase.state.secrets
    assert not after.phase.state.tokens_of(after.phase.account("other").id)
    after.phase.state.close()
