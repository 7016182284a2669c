"""References and what becomes of them: here, on Phase's server, and in the official clients.

The server is the norm, so that an app means the same before and after server-side encryption is turned on. A row that
differs from it says why. What the official clients do is told for whoever comes from them, and not tested.
"""

from collections.abc import Iterable
from dataclasses import dataclass

import pytest

from support.keyrings import resolve, values
from support.server_references import World, server_value

LONG = {("/", f"D{number}"): f"{number}-${{D{number + 1}}}" for number in range(30)}
WORLD: World = {
    "backend": {
        "Development": {
            ("/", "DB_NAME"): "root-db",
            ("/", "EMPTY"): "",
            ("/", "A_B"): "ab",
            ("/", "A$B"): "dollar",
            ("/", "TWIN"): ["1", "2"],
            ("/", "mixedCase"): "mixed",
            ("/", "WITH SPACE"): "spaced",
            ("/", "A.B"): "unreachable",
            ("/a.b", "K"): "unreachable",
            ("/refs", "SIB"): "sibling",
            ("/a/b", "KEY"): "deep",
            ("/net", "HOST"): "net-host",
            ("/", "NEST"): "n-${DB_NAME}",
            ("/", "NEST2"): "m-${NEST}",
            ("/refs", "CYC1"): "c-${/refs/CYC2}",
            ("/refs", "CYC2"): "d-${/refs/CYC1}",
            ("/refs", "SELF"): "s${/refs/SELF}",
            ("/", "LEFT"): "l-${MISSING}",
            ("/", "DOLLAR"): "$",
            ("/", "TO_PRODUCTION"): "<${Production.PW}>",
            **LONG,
        },
        "Staging": {
            ("/", "HOST"): "stg.example",
            ("/net", "INNER"): "stg-inner",
            ("/", "NESTED"): "n:${HOST}",
            ("/", "BACK"): "b:${Development.DB_NAME}",
            ("/", "E.F"): "dotted",
            ("/v.1", "A"): "v1",
            ("/", "A::B"): "colons",
        },
        "Prod": {("/", "X"): "prod"},
        "Pre-Prod": {("/", "X"): "pre"},
        "Production": {("/", "PW"): "hidden"},
    },
    "Shared Config": {
        "development": {
            ("/", "LICENSE"): "lic-123",
            ("/deep/er", "TOKEN"): "tok",
            ("/", "LOCALREF"): "<${LICENSE}>",
            ("/", "LATER"): "later-${DB_NAME}",
            ("/", "K.L"): "dotted",
            ("/", "VIA"): "v-${Other.X}",
        },
        "Other": {("/", "X"): "other"},
    },
}
# The account has no keys of it. In the server's answer and in a keyring it looks like one that does not exist.
HIDDEN = ("backend/Production",)


@dataclass(frozen=True)
class Row:
    """A value and what becomes of it; `server`, `go` and `op1` where that is something else there."""

    stored: str
    ours: str
    server: str | None = None
    go: str | None = None
    op1: str | None = None
    why: str = ""


ROWS = {
    # Forms that are the same everywhere.
    "a key of the root folder": Row("db=${DB_NAME}", "db=root-db"),
    "a key of its own folder is not found by its name alone": Row("x=${SIB}", "x=${SIB}"),
    "a folder": Row("x=${/refs/SIB}", "x=sibling"),
    "a folder without the leading slash": Row("x=${refs/SIB}", "x=sibling"),
    "a folder in a folder": Row("${/a/b/KEY} ${a/b/KEY}", "deep deep"),
    "the root folder by its slash": Row("${/DB_NAME}", "root-db"),
    "doubled slashes": Row("${//net//HOST}", "net-host"),
    "a key in another case": Row("x=${db_name}", "x=${db_name}"),
    "a key in mixed case": Row("${mixedCase}", "mixed"),
    "a key with a space": Row("${WITH SPACE}", "spaced"),
    "another environment": Row("h=${Staging.HOST}", "h=stg.example"),
    "another environment in another case": Row("h=${STAGING.HOST}", "h=stg.example"),
    "a folder of another environment": Row("${staging./net/INNER}", "stg-inner"),
    "the same without the leading slash": Row("${staging.net/INNER}", "stg-inner"),
    "its own environment by name": Row("${development.DB_NAME}", "root-db"),
    "another app": Row("l=${Shared Config::development.LICENSE}", "l=lic-123"),
    "another app in another case": Row("l=${shared config::DEVELOPMENT.LICENSE}", "l=lic-123"),
    "a folder of another app": Row("${Shared Config::development./deep/er/TOKEN}", "tok"),
    "its own app by name": Row("${backend::staging.HOST}", "stg.example"),
    "a value with nothing in it": Row("[${EMPTY}]", "[]"),
    "several in one value": Row("${DB_NAME}-${DB_NAME}-${staging.HOST}", "root-db-root-db-stg.example"),
    "a dollar before one": Row("$${DB_NAME}", "$root-db"),
    "a backslash before one": Row("\\${DB_NAME}", "\\root-db"),
    "no braces": Row("$DB_NAME", "$DB_NAME"),
    "spaces inside count": Row("${ DB_NAME } ${staging. HOST}", "${ DB_NAME } ${staging. HOST}"),
    "nothing inside": Row("${} ${.} ${::.}", "${} ${.} ${::.}"),
    "not closed": Row("${DB_NAME", "${DB_NAME"),
    "lines": Row("a=${DB_NAME}\nb=${staging.HOST}\n", "a=root-db\nb=stg.example\n"),
    "a dot in another environment's key": Row("${staging.E.F}", "dotted"),
    "a dot in another environment's folder": Row("${staging./v.1/A}", "v1"),
    "a dot in another app's key": Row("${Shared Config::development.K.L}", "dotted"),
    "a dollar in a key": Row("${A$B}", "dollar"),
    # Nested values.
    "nested": Row("${NEST}", "n-root-db", op1="n-${DB_NAME}"),
    "nested twice": Row("${NEST2}", "m-n-root-db", op1="m-${NEST}"),
    "nested in another environment": Row("${staging.NESTED}", "n:stg.example", op1="n:${HOST}"),
    "there and back": Row("${staging.BACK}", "b:root-db", op1="b:${Development.DB_NAME}"),
    "nested in another app": Row("${Shared Config::development.LOCALREF}", "<lic-123>", op1="<${LICENSE}>"),
    "another environment of another app": Row("${Shared Config::development.VIA}", "v-other", op1="v-${Other.X}"),
    "a cycle ends where it closes": Row(
        "${/refs/CYC1}", "c-d-${/refs/CYC1}", go="${/refs/CYC1}", op1="c-${/refs/CYC2}"
    ),
    "a value that names itself": Row("${/refs/SELF}", "s${/refs/SELF}", go="${/refs/SELF}"),
    "twice one that names itself": Row("${/refs/SELF}-${/refs/SELF}", "ss${/refs/SELF}-ss${/refs/SELF}"),
    "25 on a chain": Row("${D6}", "".join(f"{n}-" for n in range(6, 30)) + "${D30}"),
    "26 on a chain": Row("${D5}", "".join(f"{n}-" for n in range(5, 29)) + "${D29}"),
    "one inside another": Row("${DB_${A_B}}", "${DB_ab}", go="${DB_${A_B}}", op1="${DB_${A_B}}"),
    "one that others make up": Row("${DOLLAR}{A_B} ${A_B}", "ab ab"),
    "a nested one that is left": Row("${LEFT}", "l-${MISSING}"),
    "what another app leaves is looked for here": Row(
        "${Shared Config::development.LATER}", "later-root-db", go="later-${DB_NAME}", op1="later-${DB_NAME}"
    ),
    # Names.
    "a part of an environment's name": Row("${stag.HOST}", "${stag.HOST}", go="stg.example", op1="stg.example"),
    "a part of an app's name": Row(
        "${Shared::development.LICENSE}", "${Shared::development.LICENSE}", go="lic-123", op1="lic-123"
    ),
    "a name that is also part of another": Row("${prod.X}", "prod", go="prod or pre, as the server lists them"),
    "an unknown environment": Row("${nope.X} and ${DB_NAME}", "${nope.X} and root-db", op1="the whole sync fails"),
    "an unknown app": Row("${NoApp::development.X}", "${NoApp::development.X}", op1="the whole sync fails"),
    "an unknown environment of another app": Row("${Shared Config::nope.X}", "${Shared Config::nope.X}"),
    "an unknown key": Row("${NOPE} and ${DB_NAME}", "${NOPE} and root-db"),
    "an unknown key of another environment": Row("${staging.NOPE} ${DB_NAME}", "${staging.NOPE} root-db"),
    "an app without an environment": Row(
        "${Shared Config::LICENSE}", "${Shared Config::LICENSE}", go="the whole value is left", op1="lic-123"
    ),
    "an app with an empty environment": Row(
        "${Shared Config::.LICENSE}", "${Shared Config::.LICENSE}", go="the whole value is left", op1="lic-123"
    ),
    "an empty environment": Row("${.DB_NAME}", "${.DB_NAME}"),
    "a key that is there twice": Row("${TWIN}", "${TWIN}"),
    "a dot in a key is an environment's": Row("${A.B} ${/a.b/K}", "${A.B} ${/a.b/K}"),
    "colons in another environment's key": Row("${staging.A::B}", "${staging.A::B}"),
    # Text of others.
    "double braces": Row(
        "${{staging.HOST}} ${{DB_NAME}}", "${{staging.HOST}} ${{DB_NAME}}", op1="the whole sync fails"
    ),
    "one in double braces": Row("${{ ${DB_NAME} }}", "${{ root-db }}"),
    "a variable of a shell": Row("${HOME}/bin", "${HOME}/bin"),
    "a default of a shell": Row("${PORT:-8080}", "${PORT:-8080}"),
    # Access.
    "an environment that may not be read": Row(
        "${Production.PW} and ${DB_NAME}",
        "${Production.PW} and root-db",
        server="${Production.PW} and ${DB_NAME}",
        op1="the whole sync fails",
        why="a keyring has no environment that may not be read: it looks like one that does not exist",
    ),
    "a nested one that may not be read": Row("${DB_NAME}-${TO_PRODUCTION}", "root-db-<${Production.PW}>"),
}


def world(stored: str, hidden: Iterable[str] = ()) -> World:
    """Make the world with one more value in the folder of references, without the environments `hidden`."""
    referrer = {("/refs", "REFERRER"): stored}
    return {
        app: {
            name: {**held, **referrer} if (app, name) == ("backend", "Development") else held
            for name, held in environments.items()
            if f"{app}/{name}" not in hidden
        }
        for app, environments in WORLD.items()
    }


@pytest.mark.parametrize("row", [pytest.param(row, id=name) for name, row in ROWS.items()])
def test_a_value_becomes_what_the_table_says(row: Row) -> None:
    found = resolve(world(row.stored), "backend", "Development", hidden=HIDDEN)

    assert values(found)["/refs/REFERRER"] == row.ours


@pytest.mark.parametrize("row", [pytest.param(row, id=name) for name, row in ROWS.items() if row.server is None])
def test_the_server_resolves_each_row_as_the_table_says(row: Row) -> None:
    readable = world(row.stored, HIDDEN)

    assert server_value(readable, "backend", "Development", "/refs", "REFERRER") == row.ours


def test_a_row_that_differs_from_the_server_says_why() -> None:
    assert all(bool(row.why) == (row.server is not None) for row in ROWS.values())
