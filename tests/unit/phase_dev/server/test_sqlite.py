"""What was written to the file is there after a restart, in the same order."""

import json
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from phase_dev.server.keys import environment_keys, token_text
from phase_dev.server.sealing import unseal
from phase_dev.server.sqlite import SqliteJournal
from phase_dev.server.state import State
from support.recorded import Recording
from unit.phase_dev.server.builders import Installation
from unit.phase_dev.server.test_leases import LEASING, LOOK, lease, listed, renew, revoke

RECORDED = Path(__file__).parents[3] / "recorded"


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


async def test_removed_objects_stay_removed(tmp_path: Path) -> None:
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


@pytest.mark.parametrize("recorded", sorted(RECORDED.glob("*.json.gz")), ids=lambda path: path.name)
async def test_a_file_of_an_older_version_is_read_and_its_rows_can_be_decrypted(tmp_path: Path, recorded: Path) -> None:
    path = tmp_path / "state.sqlite"
    path.write_bytes(Recording.load(recorded).phase)
    state = State(SqliteJournal(path))
    environment = next(e for e in state.environments.values() if list(state.secrets_of(e.id)))

    opened = {
        unseal(state.ciphertexts(secret).key, environment_keys(environment.id).pair).decode()
        for secret in state.secrets_of(environment.id)
    }

    assert opened == {secret.key for secret in state.secrets_of(environment.id)}
    assert all(token_text(token, state.accounts[token.account]) for token in state.tokens.values())
    state.close()


async def test_damage_and_what_was_withdrawn_outlive_a_restart(tmp_path: Path) -> None:
    path = tmp_path / "state.sqlite"
    before = Installation(journal=SqliteJournal(path))
    before.phase.set_secret("backend", "development", "K", "v")
    before.phase.damage_secret("backend", "development", "K", "value", "flipped")
    before.phase.damage_environment("backend", "development", "wrapped_seed", "cut")
    before.phase.damage_token("operator", "other")
    before.phase.change_access("operator", "backend", ["staging"], grant=False)
    held = before.phase.state
    before.phase.state.close()

    after = Installation(journal=SqliteJournal(path)).phase.state

    for kind in ("secrets", "environments", "tokens", "accounts"):
        assert getattr(after, kind) == getattr(held, kind)
    after.close()


async def test_leases_their_users_and_their_ends_outlive_a_restart(tmp_path: Path) -> None:
    path = tmp_path / "state.sqlite"
    before = Installation(LEASING, journal=SqliteJournal(path))
    made = [await lease(before, ttl=ttl) for ttl in ("60", "600")]
    await renew(before, made[0]["id"], 300)
    await revoke(before, made[1]["id"])
    expected, users = await listed(before), before.phase.leases.users()
    before.phase.state.close()

    after = Installation(LEASING, journal=SqliteJournal(path))

    assert (await listed(after), after.phase.leases.users()) == (expected, users)
    after.clock.advance(60 + LOOK)
    assert [row["status"] for row in await listed(after)] == ["revoked", "expired"]
    assert after.phase.leases.users() == []
    after.phase.state.close()


async def test_a_lease_of_an_older_file_ends_at_its_expiry(tmp_path: Path) -> None:
    path = tmp_path / "state.sqlite"
    before = Installation(LEASING, journal=SqliteJournal(path))
    made = await lease(before, ttl="60")
    before.phase.state.close()
    with closing(sqlite3.connect(path)) as db, db:
        [text] = db.execute("SELECT document FROM records WHERE kind = 'Lease'").fetchone()
        document = {k: v for k, v in json.loads(text).items() if k not in ("status", "user", "jobs")}
        db.execute(
            "UPDATE records SET document = ? WHERE kind = 'Lease'", [json.dumps(document | {"renewed_at": None})]
        )

    after = Installation(LEASING, journal=SqliteJournal(path))

    [row] = await listed(after)
    after.clock.advance(60 + LOOK)
    [ended] = await listed(after)
    assert (row["id"], row["status"], ended["status"]) == (made["id"], "active", "expired")
    after.phase.state.close()
