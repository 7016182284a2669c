"""References that the embedded server once resolved otherwise than the real one, each with the real answer.

They are read over the API, by a caller who has `development` and another app, but not `staging`.
"""

from typing import NamedTuple

import pytest

from contract.phase_server.compared import SECRETS, WORLD, ask
from unit.phase_dev.server.builders import Installation

HELD = {
    ("backend", "development", "/", "A"): "a",
    ("backend", "development", "/", "A$B"): "dollar",
    ("backend", "development", "/x/y", "D"): "deep",
    ("backend", "development", "/", "X"): "x${X}",
    ("backend", "development", "/", "U1"): "${A}-${staging.A}",
    ("backend", "development", "/", "V1"): "${staging.LOC}",
    ("backend", "staging", "/", "A"): "sa",
    ("backend", "staging", "/v.1", "A"): "v1",
    ("backend", "staging", "/", "E.F"): "ef",
    ("backend", "staging", "/", "A::B"): "scolons",
    ("Shared Config", "development", "/", "A"): "ha",
    ("Shared Config", "development", "/", "K.L"): "dotted",
}
DIGITS = "".join(str(number % 10) for number in range(25))


class Row(NamedTuple):
    kind: str
    stored: str
    returned: str
    account: str = "half"


ROWS = (
    Row("unreadable, after another app", "${Shared Config::development.A}-${staging.A}", "ha-${staging.A}"),
    Row("unreadable, before a local one", "${staging.A}-${A}", "${staging.A}-${A}"),
    Row("unreadable, within another", "${U1}", "${A}-${staging.A}"),
    Row("unreadable, within another after a local one", "${A}-${U1}", "a-${A}-${staging.A}"),
    Row("unreadable, within another before a local one", "${U1}-${A}", "a-${staging.A}-a"),
    Row("unreadable, alone within another", "${V1}", "${staging.LOC}"),
    Row("unreadable, of an app", "${A}-${Closed::development.A}", "${A}-${Closed::development.A}"),
    # By the console's published source: access is looked at first.
    Row("unreadable, of an app without SSE", "${A}-${legacy::development.A}", "${A}-${legacy::development.A}", "other"),
    Row("of an app without SSE", "${A}-${legacy::development.A}", "a-${legacy::development.A}"),
    Row("replace, what is there twice", "${X}-${X}", "xx${X}-xx${X}"),
    Row("legacy token", "${staging.A}-${Shared Config::development.A}", "sa-ha", "old"),
    Row("depth", "${D0}", f"{DIGITS[:24]}${{D24}}"),
    Row("dot in a folder", "${staging./v.1/A}", "v1", "operator"),
    Row("dot in a key", "${staging.E.F}", "ef", "operator"),
    Row("dot in a key of another app", "${Shared Config::development.K.L}", "dotted"),
    Row("dollar", "${A$B}", "dollar"),
    Row("colons", "${staging.A::B}", "${staging.A::B}", "operator"),
    Row("slashes", "${//x//y//D}", "deep"),
)


@pytest.fixture
def installation() -> Installation:
    made = Installation(WORLD)
    for (app, env, path, key), value in HELD.items():
        made.phase.set_secret(app, env, key, value, path=path)
    for number in range(30):
        made.phase.set_secret("backend", "development", f"D{number}", f"{number % 10}${{D{number + 1}}}")
    return made


@pytest.mark.parametrize("row", [pytest.param(row, id=row.kind) for row in ROWS])
async def test_a_value_is_returned_as_the_real_server_returns_it(installation: Installation, row: Row) -> None:
    installation.phase.set_secret("backend", "development", "R", row.stored)

    [answer] = (await ask(installation, f"{SECRETS}&key=R", row.account)).json()

    assert answer["value"] == row.returned


async def test_a_chain_ends_after_25_secrets(installation: Installation) -> None:
    [answer] = (await ask(installation, f"{SECRETS}&key=D0")).json()

    assert answer["value"] == f"{DIGITS}${{D25}}"


@pytest.mark.parametrize(
    ("method", "shown"),
    [pytest.param("GET", "o-a-${staging.A}", id="checked"), pytest.param("POST", "o-a-sa", id="unchecked in an echo")],
)
async def test_the_value_of_an_override_is_resolved(installation: Installation, method: str, shown: str) -> None:
    override = b'{"value":"o-${backend::development.A}-${staging.A}","isActive":true}'
    body = b'{"secrets":[{"key":"B","value":"b","override":' + override + b"}]}"

    echo = await ask(installation, SECRETS, "person", "POST", body=body)
    read = await ask(installation, f"{SECRETS}&key=B", "person")

    [row] = (echo if method == "POST" else read).json()
    assert row["override"]["value"] == shown


async def test_a_key_that_is_there_twice_is_no_target(installation: Installation) -> None:
    body = b'{"secrets":[{"key":"T","value":"1"},{"key":"t","value":"2"},{"key":"R","value":"${T}"}]}'
    await ask(installation, SECRETS, method="POST", body=body)

    [row] = (await ask(installation, f"{SECRETS}&key=R")).json()

    assert row["value"] == "${T}"
