"""What a client that decrypts reads from the embedded server, of apps of both modes, with every kind of token."""

from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from contract.phase_server.recording import HERE
from phase_dev.server import EmbeddedPhase
from phase_dev.server.sealing import SealError
from support.reading import OpenEnvironment, account_key, open_environments

HTTP = httpx.Client(verify=False, trust_env=False)
ACCOUNTS = ("operator", "person", "old")


@pytest.fixture(scope="module", autouse=True)
def _connections() -> Iterator[None]:
    yield
    HTTP.close()


@pytest.fixture(scope="module")
def shared_phase() -> Iterator[EmbeddedPhase]:
    with EmbeddedPhase(HERE / "encrypted_seed.yaml") as phase:
        yield phase


@pytest.fixture
def phase(shared_phase: EmbeddedPhase) -> Iterator[EmbeddedPhase]:
    """Yield a server that everybody leaves as it was."""
    before = shared_phase.phase.state.secrets.keys() | shared_phase.phase.state.tokens.keys()
    yield shared_phase
    assert shared_phase.phase.state.secrets.keys() | shared_phase.phase.state.tokens.keys() == before


@pytest.fixture
def own_phase() -> Iterator[EmbeddedPhase]:
    with EmbeddedPhase(HERE / "encrypted_seed.yaml") as phase:
        yield phase


def tokens(phase: EmbeddedPhase, account: str = "operator") -> dict[str, Any]:
    answer = HTTP.get(f"{phase.url}/service/secrets/tokens/", headers=phase.headers(account))
    assert answer.status_code == 200
    return dict(answer.json())


def opened(phase: EmbeddedPhase, account: str = "operator") -> dict[str, OpenEnvironment]:
    return open_environments(phase.token(account, "pss"), tokens(phase, account))


def rows(
    phase: EmbeddedPhase, place: str = "vault/Development", account: str = "operator", **headers: str | bytes
) -> list[dict[str, Any]]:
    asked = {"Environment": phase.environment_id(*place.split("/")), **headers, **phase.headers(account)}
    spelled = [(name.encode(), text if isinstance(text, bytes) else text.encode()) for name, text in asked.items()]
    answer = HTTP.get(f"{phase.url}/service/secrets/", headers=spelled)
    assert answer.status_code == 200
    return list(answer.json())


def values(
    phase: EmbeddedPhase, place: str = "vault/Development", account: str = "operator", **headers: str | bytes
) -> dict[str, str]:
    environment = opened(phase, account)[place]
    return {key: value for key, value, _ in map(environment.row, rows(phase, place, account, **headers))}


@pytest.mark.parametrize("account", ACCOUNTS)
def test_every_kind_of_token_decrypts_apps_of_both_modes(phase: EmbeddedPhase, account: str) -> None:
    found = values(phase, account=account)

    assert found["GREETING"] == "héllo wörld 日本語 🔐\nsecond line"
    assert found["EMPTY"] == ""
    assert found["DATABASE_URL"] == "postgres://${DB_USER}:${/net/DB_PASS}@${Staging.DB_HOST}/app"
    assert found["mixedCase"] == "m"
    assert values(phase, "plain/Development", account) == {"A": "a-${B}", "B": "b"}


def test_the_head_of_the_answer_tells_the_kinds_apart(phase: EmbeddedPhase) -> None:
    heads = {account: [name for name in tokens(phase, account) if name != "apps"] for account in ACCOUNTS}

    assert heads == {
        "operator": ["wrapped_key_share", "account_id", "offline_enabled", "organisation"],
        "person": ["wrapped_key_share", "user_id", "offline_enabled", "organisation"],
        "old": ["wrapped_key_share", "organisation"],
    }
    assert {len(tokens(phase, account)["wrapped_key_share"]) for account in ACCOUNTS} == {208}


def test_the_mode_of_an_app_is_told_but_to_an_old_service_token(phase: EmbeddedPhase) -> None:
    modes = {
        account: {each["name"]: each["encryption"] for each in tokens(phase, account)["apps"]} for account in ACCOUNTS
    }

    assert modes["operator"] == modes["person"] == {"vault": "E2E", "plain": "SSE"}
    assert modes["old"] == {"vault": "E2E", "plain": "E2E"}


def test_a_key_says_whose_it_is(phase: EmbeddedPhase) -> None:
    keys = {
        account: next(key for app in tokens(phase, account)["apps"] for key in app["environment_keys"])
        for account in ACCOUNTS
    }

    ids = {account: phase.phase.account(account).id for account in ACCOUNTS}
    assert (keys["operator"]["service_account"], keys["operator"]["user"]) == (ids["operator"], None)
    assert (keys["person"]["service_account"], keys["person"]["user"]) == (None, ids["person"])
    assert (keys["old"]["service_account"], keys["old"]["user"]) == (None, None)
    assert {len(key["wrapped_seed"]) for key in keys.values()} == {211}
    assert {len(key["wrapped_salt"]) for key in keys.values()} == {211}


def test_the_tokens_of_an_account_share_its_key_and_nothing_else(own_phase: EmbeddedPhase) -> None:
    first = own_phase.token("operator", "pss")
    own_phase.phase.add_token("operator", "third")
    second = own_phase.token("operator", "pss")

    pair = account_key(second, tokens(own_phase)["wrapped_key_share"])

    assert pair.public.hex() == first.split(":")[3]
    assert [one != other for one, other in zip(first.split(":"), second.split(":"), strict=True)] == [
        False,
        False,
        True,
        False,
        True,
        True,
    ]


def test_an_old_service_token_has_a_key_of_its_own(own_phase: EmbeddedPhase) -> None:
    first = own_phase.token("old", "pss")
    second = own_phase.rotate_token("old", "pss")

    assert first.split(":")[3] != second.split(":")[3]
    assert values(own_phase, account="old")["DB_USER"] == "admin"


def test_everything_is_the_same_after_a_restart(own_phase: EmbeddedPhase) -> None:
    before = own_phase.token("operator", "pss"), tokens(own_phase), rows(own_phase)
    own_phase.stop()
    own_phase.start()
    after = own_phase.token("operator", "pss"), tokens(own_phase), rows(own_phase)

    assert _timeless(after) == _timeless(before)


def _timeless(content: Any) -> Any:
    if isinstance(content, dict):
        return {k: _timeless(v) for k, v in content.items() if not k.endswith("_at")}
    return [_timeless(each) for each in content] if isinstance(content, list | tuple) else content


def test_a_withdrawn_environment_vanishes_and_comes_back_with_the_same_keys(phase: EmbeddedPhase) -> None:
    before = opened(phase)["vault/Staging"]
    phase.withdraw("operator", "vault", "Staging")
    assert "vault/Staging" not in opened(phase)

    phase.grant("operator", "vault", "Staging")

    assert opened(phase)["vault/Staging"] == before


def test_an_old_service_token_still_lists_what_was_withdrawn_with_empty_keys(own_phase: EmbeddedPhase) -> None:
    own_phase.withdraw("old", "vault", "Staging")

    [key] = [
        key
        for app in tokens(own_phase, "old")["apps"]
        for key in app["environment_keys"]
        if key["environment"]["name"] == "Staging"
    ]

    assert key["deleted_at"] is not None
    assert (key["wrapped_seed"], key["wrapped_salt"], key["identity_key"]) == ("", "", "")
    assert "vault/Development" in opened(own_phase, "old")


def test_a_change_moves_the_environment_and_reading_does_not(own_phase: EmbeddedPhase) -> None:
    before = _updated(own_phase)
    rows(own_phase)
    assert _updated(own_phase) == before

    own_phase.set("vault", "Development", "DB_USER", "root")

    assert {name for name, at in _updated(own_phase).items() if at != before[name]} == {"vault/Development"}
    assert values(own_phase)["DB_USER"] == "root"


def _updated(phase: EmbeddedPhase) -> dict[str, str]:
    return {
        f"{app['name']}/{key['environment']['name']}": key["environment"]["updated_at"]
        for app in tokens(phase)["apps"]
        for key in app["environment_keys"]
    }


def test_a_row_is_the_same_text_until_it_is_written(own_phase: EmbeddedPhase) -> None:
    before = {row["id"]: row for row in rows(own_phase)}
    assert {row["id"]: row for row in rows(own_phase)} == before
    [old] = [row for row in before.values() if opened(own_phase)["vault/Development"].text(row["key"]) == "DB_USER"]

    own_phase.set("vault", "Development", "DB_USER", "admin")

    [new] = [row for row in rows(own_phase) if row["id"] == old["id"]]
    assert new["value"] != old["value"]
    assert (new["key"], new["version"]) == (old["key"], old["version"] + 1)


def test_turning_server_side_encryption_on_changes_the_label_alone(own_phase: EmbeddedPhase) -> None:
    before_tokens, before_rows = tokens(own_phase), rows(own_phase)

    own_phase.turn_sse("vault")

    after = tokens(own_phase)
    assert rows(own_phase) == before_rows
    assert after != before_tokens
    for app in (*after["apps"], *before_tokens["apps"]):
        del app["encryption"]
    assert after == before_tokens
    plain = HTTP.get(
        f"{own_phase.url}/service/public/v1/secrets/",
        params={"app_id": own_phase.app_id("vault"), "env": "development", "key": "DATABASE_URL"},
        headers=own_phase.headers("operator"),
    )
    assert [row["value"] for row in plain.json()] == ["postgres://admin:p:w$1@db.staging/app"]


def test_a_row_has_the_fields_of_the_real_one_in_their_order(phase: EmbeddedPhase) -> None:
    row = rows(phase)[0]

    assert list(row) == [
        "id", "key", "value", "comment", "tags", "override", "type", "lifecycle", "path", "key_digest", "version",
        "created_at", "updated_at", "environment", "folder",
    ]  # fmt: skip
    assert (row["override"], row["path"], row["folder"], row["tags"]) == (None, "/", None, ["a", "b"])


def test_camel_case_is_for_those_who_ask_exactly(phase: EmbeddedPhase) -> None:
    assert "keyDigest" in rows(phase, **{"X-Use-Camel-Case": "true"})[0]
    assert "key_digest" in rows(phase, **{"X-Use-Camel-Case": "True"})[0]


def test_an_override_is_its_owners_alone_and_sealed(own_phase: EmbeddedPhase) -> None:
    own_phase.turn_sse("vault")
    params = {"app_id": own_phase.app_id("vault"), "env": "development"}
    body = {"secrets": [{"key": "MINE", "value": "v", "override": {"value": "o", "isActive": True}}]}
    HTTP.post(f"{own_phase.url}/v1/secrets/", params=params, headers=own_phase.headers("person"), json=body)
    environment = opened(own_phase)["vault/Development"]

    def override(account: str) -> Any:
        return [row["override"] for row in rows(own_phase, account=account) if environment.text(row["key"]) == "MINE"]

    [mine] = override("person")
    assert list(mine) == ["id", "value", "is_active", "created_at", "updated_at"]
    assert environment.text(mine["value"]) == "o"
    assert override("operator") == [None]


@pytest.mark.parametrize(
    ("headers", "keys"),
    [
        pytest.param({"Path": "/net"}, {"DB_PASS"}, id="a folder"),
        pytest.param({"Path": "net//"}, {"DB_PASS"}, id="a folder in another spelling"),
        pytest.param({"Path": "/NET"}, set(), id="a folder in another case"),
        pytest.param({"Path": "/nope"}, set(), id="an unknown folder"),
        pytest.param({"Path": "/grün".encode("latin-1")}, {"ÜBER"}, id="a folder in the bytes of Latin-1"),
        pytest.param({"Path": "/grün".encode()}, set(), id="a folder in the bytes of UTF-8"),
        pytest.param({"Path": "/gr%C3%BCn"}, set(), id="a folder with escapes"),
        pytest.param({"Tags": "a"}, {"GREETING"}, id="a tag"),
        pytest.param({"Tags": "A"}, set(), id="a tag in another case"),
        pytest.param({"Tags": "x, a"}, set(), id="a tag that is not trimmed"),
        pytest.param({"Tags": "a,b"}, {"GREETING", "DATABASE_URL"}, id="any of two tags"),
        pytest.param({"Tags": "b", "Path": "/net"}, set(), id="a tag and a folder"),
        pytest.param({"KeyDigest": "garbage"}, set(), id="no digest"),
    ],
)
def test_headers_select(phase: EmbeddedPhase, headers: dict[str, str | bytes], keys: set[str]) -> None:
    assert set(values(phase, "vault/Development", "operator", **headers)) == keys


def test_an_empty_path_is_the_whole_environment(phase: EmbeddedPhase) -> None:
    assert len(rows(phase, Path="")) == len(rows(phase)) == 8


def test_a_row_with_two_of_the_tags_comes_twice(phase: EmbeddedPhase) -> None:
    environment = opened(phase)["vault/Development"]

    keys = sorted(environment.text(row["key"]) for row in rows(phase, Tags="a,b"))

    assert keys == ["DATABASE_URL", "GREETING", "GREETING"]


def test_a_digest_finds_its_key_in_all_folders_unless_one_is_named(own_phase: EmbeddedPhase) -> None:
    own_phase.set("vault", "Development", "DB_PASS", "root", path="/")
    digest = rows(own_phase, Path="/net")[0]["key_digest"]

    assert len(rows(own_phase, KeyDigest=digest)) == 2
    assert len(rows(own_phase, KeyDigest=digest, Path="/net")) == 1
    assert rows(own_phase, KeyDigest=digest.upper()) == []


def test_the_query_names_an_environment_too_and_the_header_wins(phase: EmbeddedPhase) -> None:
    query = {"app_id": phase.app_id("vault"), "env": "STAGING", "path": "/ignored"}
    url = f"{phase.url}/secrets/"

    by_query = HTTP.get(url, params=query, headers=phase.headers("operator")).json()
    development = {"Environment": phase.environment_id("vault", "Development")}
    by_header = HTTP.get(url, params=query, headers=phase.headers("operator") | development).json()

    assert [row["environment"] for row in by_query] == [phase.environment_id("vault", "Staging")]
    assert len(by_header) == 8


def test_dynamic_secrets_come_if_asked_for_and_their_leases_are_sealed(phase: EmbeddedPhase) -> None:
    environment = opened(phase)["plain/Development"]
    assert all(row["type"] != "dynamic" for row in rows(phase, "plain/Development"))

    *_, row = rows(phase, "plain/Development", dynamic="true", lease="true", **{"lease-ttl": "600"})

    assert row["type"] == "dynamic"
    assert (row["default_ttl"], row["lease"]["ttl"]) == ("01:00:00", "00:10:00")
    keys = {environment.text(entry["key_name"]) for entry in row["key_map"]}
    leased = {environment.text(each["key"]): environment.text(each["value"]) for each in row["lease"]["credentials"]}
    assert leased.keys() == keys
    assert leased["AWS_ACCESS_KEY_ID"].startswith("AKIA")


def test_a_lease_that_cannot_be_is_told_in_snake_case(phase: EmbeddedPhase) -> None:
    headers = {"Environment": phase.environment_id("plain", "Development"), "dynamic": "true", "lease": "true"}

    def answer(ttl: str) -> httpx.Response:
        asked = headers | phase.headers("operator") | {"lease-ttl": ttl}
        return HTTP.get(f"{phase.url}/service/secrets/", headers=asked)

    assert answer("x").json() == {"error": "lease_ttl must be a valid integer (seconds)"}
    assert list(answer("1").json()) == ["error", "failed_leases", "successful_leases"]
    assert list(answer("1").json()["failed_leases"][0]) == ["secret_id", "secret_name", "error"]


@pytest.mark.parametrize("how", ["flipped", "cut", "version", "parts", "base64", "empty", "recipient"])
@pytest.mark.parametrize("field", ["key", "value", "comment"])
def test_a_damaged_field_does_not_open_until_it_is_whole_again(phase: EmbeddedPhase, how: Any, field: Any) -> None:
    environment = opened(phase)["vault/Development"]
    [before] = [row for row in rows(phase) if environment.text(row["key"]) == "GREETING"]
    phase.damage("vault", "Development", "GREETING", how, field=field)

    [row] = [row for row in rows(phase) if row["id"] == before["id"]]
    with pytest.raises(SealError):
        environment.text(row[field])
    assert {name for name in row if row[name] != before[name]} == {field, "updated_at"}

    phase.damage("vault", "Development", "GREETING", None, field=field)
    [whole] = [row for row in rows(phase) if row["id"] == before["id"]]
    assert {name for name in whole if whole[name] != before[name]} == {"updated_at"}


def test_a_key_may_be_no_text_and_a_digest_another_keys(own_phase: EmbeddedPhase) -> None:
    environment = opened(own_phase)["vault/Development"]
    own_phase.damage("vault", "Development", "DB_PASS", "not-utf8", field="key", path="/net")
    [row] = rows(own_phase, Path="/net")
    with pytest.raises(UnicodeDecodeError):
        environment.text(row["key"])

    own_phase.set("vault", "Development", "DB_PASS", "new", path="/net")
    own_phase.damage("vault", "Development", "DB_PASS", "other", field="key_digest", path="/net")
    [row] = rows(own_phase, Path="/net")
    assert environment.text(row["key"]) == "DB_PASS"
    with pytest.raises(AssertionError):
        environment.row(row)


@pytest.mark.parametrize("how", ["flipped", "cut", "version", "parts", "base64", "empty", "recipient", "other"])
@pytest.mark.parametrize("field", ["wrapped_seed", "wrapped_salt"])
def test_damaged_keys_of_an_environment_are_seen(phase: EmbeddedPhase, how: Any, field: Any) -> None:
    good = opened(phase)["vault/Development"]
    phase.damage_keys("vault", "Development", how, field=field)

    # A foreign salt can be decrypted: only the digests of keys show that it is foreign.
    if (field, how) == ("wrapped_salt", "other"):
        assert opened(phase)["vault/Development"].salt != good.salt
    else:
        with pytest.raises((SealError, AssertionError)):
            opened(phase)

    phase.damage_keys("vault", "Development", None, field=field)
    assert opened(phase)["vault/Development"] == good


@pytest.mark.parametrize("how", ["flipped", "cut", "empty", "other"])
def test_a_damaged_share_or_public_key_is_seen(phase: EmbeddedPhase, how: Any) -> None:
    phase.damage_share("operator", how)
    with pytest.raises((SealError, AssertionError)):
        opened(phase)
    phase.damage_share("operator", None)

    phase.damage_keys("vault", "Development", how, field="identity_key")
    with pytest.raises(AssertionError):
        opened(phase)


def test_faults_and_counts_know_the_environment_of_a_header(own_phase: EmbeddedPhase) -> None:
    own_phase.fail("quota", route="/secrets/tokens/", times=1)
    own_phase.fail("html", route="/secrets/", app="vault", env="development", times=1)
    url = f"{own_phase.url}/service/secrets/"
    headers = {"Environment": own_phase.environment_id("vault", "Development")} | own_phase.headers("operator")

    answers = [HTTP.get(url + route, headers=headers) for route in ("tokens/", "", "tokens/", "")]

    assert [answer.status_code for answer in answers] == [429, 200, 200, 200]
    assert [answer.headers["content-type"].split(";")[0] for answer in answers] == [
        "application/json", "text/html", "application/json", "application/json",
    ]  # fmt: skip
    assert own_phase.calls("/secrets/", app="vault", env="development", account="operator") == 2
    assert own_phase.calls("/secrets/tokens/", account="operator") == 2
