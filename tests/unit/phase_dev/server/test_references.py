"""References are resolved as section by section of the recording shows."""

import pytest

from phase_dev.server.references import MAX_DEPTH, Place, resolve
from phase_dev.server.scope import CallerLookup
from unit.phase_dev.server.builders import Installation

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
    ],
)
def test_a_stored_value_is_returned(stored: str, returned: str) -> None:
    assert resolved(stored) == returned


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

    assert value == f"${{K{MAX_DEPTH + 1}}}"
