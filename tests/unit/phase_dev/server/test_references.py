"""References are resolved as section by section of the recording shows."""

import pytest

from phase_dev.server.references import MAX_DEPTH, Place, resolve
from phase_dev.server.scope import CallerLookup
from unit.phase_dev.server.builders import SEED, Installation

STORED = [
    ("backend", "development", "/", "DB_NAME", "root-db"),
    ("backend", "development", "/refs", "SIB", "sibling"),
    ("backend", "development", "/a/b", "KEY", "deep"),
    ("backend", "development", "/refs", "CYCLE_A", "a${/refs/CYCLE_B}"),
    ("backend", "development", "/refs", "CYCLE_B", "b${/refs/CYCLE_A}"),
    ("backend", "development", "/", "A_B", "x"),
    ("backend", "development", "/", "TO_PRODUCTION", "<${production.PW}>"),
    ("backend", "staging", "/", "HOST", "stg.example"),
    ("backend", "staging", "/net", "HOST", "stg-inner"),
    ("backend", "staging", "/", "NESTED", "n:${HOST}"),
    ("backend", "production", "/", "PW", "hidden"),
    ("Shared Config", "development", "/", "LICENCE", "lic"),
    ("Shared Config", "development", "/", "LATER", "${DB_NAME}"),
    ("Shared Config", "development", "/", "K.L", "dotted"),
    ("backend", "development", "/", "A", "a"),
    ("backend", "development", "/", "A$B", "dollar"),
    ("backend", "development", "/x/y", "D", "deep"),
    ("backend", "development", "/", "X", "x${X}"),
    ("backend", "development", "/", "U1", "${A}-${production.A}"),
    ("backend", "development", "/", "V1", "${production.LOC}"),
    ("backend", "staging", "/v.1", "A", "v1"),
    ("backend", "staging", "/", "E.F", "ef"),
    ("backend", "staging", "/", "A::B", "colons"),
]


def resolved(stored: str, *, account: str | None = "operator", key: str = "REFERRER", path: str = "/refs") -> str:
    installation = Installation()
    for app, env, folder, name, value in STORED:
        installation.phase.set_secret(app, env, name, value, path=folder)
    caller = installation.phase.account(account) if account else None
    here = installation.phase.environment("backend", "development").id
    return resolve(stored, Place(here, path, key), CallerLookup(installation.phase.state, caller))


@pytest.mark.parametrize(
    ("stored", "returned"),
    [
        pytest.param("db=${DB_NAME}", "db=root-db", id="a bare key is in the root"),
        pytest.param("${SIB}", "${SIB}", id="a bare key is not in the folder of the referrer"),
        pytest.param("${/a/b/KEY} ${a/b/KEY}", "deep deep", id="a folder with or without the leading slash"),
        pytest.param("${staging.HOST} ${STAGING.HOST}", "stg.example stg.example", id="environment in any case"),
        pytest.param("${staging./net/HOST} ${staging.net/HOST}", "stg-inner stg-inner", id="environment and folder"),
        pytest.param("${Shared Config::development.LICENCE}", "lic", id="another app"),
        pytest.param("${shared config::DEVELOPMENT.LICENCE}", "lic", id="another app in any case"),
        pytest.param("${db_name}", "${db_name}", id="keys are case-sensitive"),
        pytest.param("${ DB_NAME }", "${ DB_NAME }", id="spaces count"),
        pytest.param("${{DB_NAME}}", "${{DB_NAME}}", id="double braces are never touched"),
        pytest.param(r"\${DB_NAME} $${DB_NAME}", r"\root-db $root-db", id="there is no escape"),
        pytest.param("${DB_${A_B}}", "${DB_x}", id="only the inner of two is replaced"),
        pytest.param("${A-B.C D} ${/a.b/K}", "${A-B.C D} ${/a.b/K}", id="a dot means environment"),
        pytest.param("${staging.NESTED}", "n:stg.example", id="nested values resolve where they are"),
        pytest.param("a${/refs/CYCLE_B}", "aba${/refs/CYCLE_B}", id="a cycle stays as written"),
        pytest.param("${nope.X} ${NOPE} ${DB_NAME}", "${nope.X} ${NOPE} root-db", id="unknown ones stay, others go on"),
        pytest.param("${No::development.X}", "${No::development.X}", id="unknown app"),
        pytest.param("${legacy::development.X}", "${legacy::development.X}", id="app without SSE"),
        pytest.param("${production.PW} ${DB_NAME}", "${production.PW} ${DB_NAME}", id="an unreadable one stops all"),
        pytest.param("${Shared Config::development.LATER}", "root-db", id="second order in the referring environment"),
        pytest.param("${} ${.} ${::.}", "${} ${.} ${::.}", id="degenerate"),
        pytest.param(
            "${Shared Config::development.LICENCE}-${production.A}",
            "lic-${production.A}",
            id="what another app brought stays where an unreadable one ends it",
        ),
        pytest.param(
            "${staging.HOST}-${production.A}-${staging.HOST}",
            "stg.example-${production.A}-stg.example",
            id="what stands before the unreadable one is replaced wherever it stands",
        ),
        pytest.param(
            "${production.A}-${staging.HOST}", "${production.A}-${staging.HOST}", id="what stands after is not"
        ),
        pytest.param("${U1}", "${A}-${production.A}", id="an unreadable one ends the inner value alone"),
        pytest.param("${A}-${U1}", "a-${A}-${production.A}", id="an outer value goes on before it"),
        pytest.param("${U1}-${A}", "a-${production.A}-a", id="and after it, in what it brought too"),
        pytest.param("${V1}", "${production.LOC}", id="an unreadable one alone"),
        pytest.param("${X}-${X}", "xx${X}-xx${X}", id="what stands twice is replaced twice"),
        pytest.param("${staging./v.1/A} ${staging.v.1/A}", "v1 v1", id="a dot in a folder of another environment"),
        pytest.param("${staging.E.F} ${Shared Config::development.K.L}", "ef dotted", id="a dot in a key elsewhere"),
        pytest.param("${A$B}", "dollar", id="a dollar is a character"),
        pytest.param("${staging.A::B}", "${staging.A::B}", id="two colons mean another app"),
        pytest.param("${//x//y//D}", "deep", id="doubled slashes"),
    ],
)
def test_a_stored_value_is_returned(stored: str, returned: str) -> None:
    assert resolved(stored) == returned


def test_a_legacy_token_reads_what_its_values_refer_to() -> None:
    installation = Installation(SEED | {"accounts": [*SEED["accounts"], {"name": "old", "kind": "legacy"}]})
    installation.phase.set_secret("backend", "production", "PW", "hidden")
    here = installation.phase.environment("backend", "development").id
    lookup = CallerLookup(installation.phase.state, installation.phase.account("old"))

    assert resolve("${production.PW}", Place(here, "/", "X"), lookup) == "hidden"


async def test_a_key_that_is_there_twice_is_no_target() -> None:
    installation = Installation()
    twins = [{"key": "A", "value": "1"}, {"key": "a", "value": "2"}, {"key": "R", "value": "${A}"}]
    await installation.call("POST", body={"secrets": twins})

    rows = (await installation.call("GET", key="R")).json()

    assert [row["value"] for row in rows] == ["${A}"]


async def test_the_value_of_an_override_is_resolved_too() -> None:
    installation = Installation(SEED | {"accounts": [{"name": "me", "kind": "user", "access": {"backend": ["*"]}}]})
    installation.phase.set_secret("backend", "development", "A", "a")
    override = {"value": "o-${A}", "isActive": True}
    await installation.call("POST", account="me", body={"secrets": [{"key": "B", "value": "b", "override": override}]})

    [row] = (await installation.call("GET", account="me", key="B")).json()

    assert row["override"]["value"] == "o-a"


def test_without_a_caller_everything_is_readable() -> None:
    assert resolved("${production.PW}", account=None) == "hidden"


def test_an_app_name_that_two_apps_share_stays_unresolved() -> None:
    installation = Installation()
    installation.phase.set_secret("Shared Config", "development", "LICENCE", "lic")
    installation.phase.add_app("shared config")
    here = installation.phase.environment("backend", "development").id
    written = "${Shared Config::development.LICENCE}"

    value = resolve(written, Place(here, "/", "X"), CallerLookup(installation.phase.state, None))

    assert value == written


def test_a_chain_deeper_than_the_limit_stays_as_written() -> None:
    installation = Installation()
    for depth in range(MAX_DEPTH + 5):
        installation.phase.set_secret("backend", "development", f"K{depth}", f"${{K{depth + 1}}}")
    here = installation.phase.environment("backend", "development").id

    value = resolve("${K1}", Place(here, "/", "K0"), CallerLookup(installation.phase.state, None))

    assert value == f"${{K{MAX_DEPTH}}}"
