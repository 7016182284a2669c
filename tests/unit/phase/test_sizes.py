"""However large an answer is, reading it takes a bounded share of memory, and no turn of the loop takes long.

Each case is read from a real socket by a process of its own. Time is CPU time of that process, so that it matters
little what else the machine has to do.
"""

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack
from functools import cache, partial
from pathlib import Path
from typing import Any

import pytest

from support.large_answers import MIB, apps, bomb, chunked, keys, rows, tagged, twice
from support.many_references import HOSTILE, hostile
from support.measured_reads import ACCOUNT, ENVIRONMENT
from support.raw_server import Raw, serving
from support.sealing import SealedEnvironment, seal

pytestmark = [pytest.mark.sizes, pytest.mark.thorough]

Body = Callable[[], Iterable[bytes]]
TESTS = Path(__file__).parents[2]
# Wanted are 50 ms, ten times less; what is to be found took seconds.
TURN = 0.5
# Of one answer: the text of one element and its parts, and the entries up to a limit.
ONE = 70.0
# Of all: the room for answers, and one answer's.
ALL = 80.0 + 50.0


def answers(body: Body, headers: tuple[str, ...]) -> Callable[[str], Raw]:
    return lambda _: Raw(body(), headers)


Measured = Callable[..., Any]


@pytest.fixture(scope="module")
def measured() -> Iterator[Measured]:
    """Give what reads bodies from a route, all at once, in a process of its own."""
    reader = subprocess.Popen(
        [sys.executable, "-m", "support.measured_reads"],
        env=os.environ | {"PYTHONPATH": f"{TESTS}:{TESTS.parent / 'operator'}"},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    asked, told = reader.stdin, reader.stdout
    assert asked is not None
    assert told is not None

    def measure(route: str, *bodies: tuple[Body, tuple[str, ...]]) -> Any:
        with ExitStack() as stack:
            urls = [stack.enter_context(serving(answers(*each))) for each in bodies]
            asked.write(json.dumps([route, *urls]) + "\n")
            asked.flush()
            found = json.loads(told.readline())
        assert "failed" not in found, f"ended with {found['status']}: {found['failed']}"
        return found

    with reader:
        yield measure
        asked.close()


@cache
def key() -> str:
    return seal("KEY", ENVIRONMENT.public)


def sealed(count: int, value: str | None = None) -> Iterable[bytes]:
    return rows(count, key=key(), value=key() if value is None else value)


def foreign(count: int) -> Iterable[bytes]:
    return sealed(count, value=seal("value", ACCOUNT.public))


def referring(kind: str) -> Iterable[bytes]:
    """Yield an environment whose values refer to one another, sealed."""
    # One key seals all values: that is quicker here, and for whoever opens each of them it is the same.
    environment = SealedEnvironment(seed=ENVIRONMENT.seed, ephemeral=b"o" * 32)
    for key, value in hostile(kind).items():
        environment.add(key, value)
    return [json.dumps(environment.rows).encode()]


GZIP, CHUNKED = "Content-Encoding: gzip", "Transfer-Encoding: chunked"
ATTACKS = [
    pytest.param("secrets", lambda: twice(b" " * MIB, 1024), ("Content-Encoding: gzip, gzip",), id="two layers"),
    pytest.param("secrets", lambda: bomb(b" " * MIB, 1024), (GZIP,), id="a gigabyte of blanks in one layer"),
    pytest.param("secrets", lambda: bomb(b"[" * MIB, 1024), (GZIP,), id="a gigabyte of brackets in one layer"),
    pytest.param("secrets", lambda: rows(300_000), (), id="300,000 entries"),
    pytest.param("secrets", lambda: [b'[{"value":"', *[b"x" * MIB] * 64], (), id="a value that never ends"),
    pytest.param("secrets", lambda: [b'[{"value":"', *[rb"\n" * (MIB // 2)] * 64], (), id="a value of escapes"),
    pytest.param("secrets", lambda: [b'[{"id":[', *[b"0," * (MIB // 2)] * 64], (), id="numbers in one entry"),
    pytest.param("secrets", lambda: [b'[{"id":[', *[b"[]," * (MIB // 3)] * 64], (), id="lists in one entry"),
    pytest.param("secrets", lambda: [b'[{"id":[', *[b'"",' * (MIB // 3)] * 64], (), id="texts in one entry"),
    pytest.param("secrets", lambda: [b"[", *[b"{}," * (MIB // 3)] * 64], (), id="entries without anything"),
    pytest.param("secrets", lambda: [b"0" * MIB] * 64, (), id="a number that never ends"),
    pytest.param("secrets", lambda: tagged(200, 200), (), id="tags of many entries"),
    pytest.param("secrets", lambda: chunked(b"[" + b" " * 400_000), (CHUNKED,), id="chunks of one byte"),
    pytest.param("secrets", lambda: rows(200, value="\U0001f511" + "x" * 70_000), (), id="four bytes a letter"),
    pytest.param("apps", lambda: bomb(b" " * MIB, 1024), (GZIP,), id="a gigabyte of blanks for apps"),
    pytest.param("apps", lambda: [b'{"data":[', *[b"0," * (MIB // 2)] * 64], (), id="numbers for apps"),
    pytest.param("apps", lambda: apps([f"app-{number}" for number in range(40_000)]), (), id="40,000 apps"),
    pytest.param("tokens", lambda: bomb(b" " * MIB, 1024), (GZIP,), id="a gigabyte of blanks for keys"),
    pytest.param("tokens", lambda: [b'{"apps":[', *[b"0," * (MIB // 2)] * 64], (), id="numbers for keys"),
    pytest.param("tokens", lambda: keys(9_000), (), id="keys of 9,000 environments"),
    pytest.param("tokens", lambda: keys(30_000, wrapped_seed=""), (), id="30,000 withdrawn keys"),
    pytest.param("encrypted", lambda: sealed(20_000), (), id="20,000 sealed entries"),
    pytest.param("encrypted", lambda: foreign(20_000), (), id="20,000 entries for somebody else"),
    pytest.param("encrypted", lambda: sealed(20_000, value=f"ph:v1:{'0' * 64}:"), (), id="20,000 low-order points"),
    pytest.param("encrypted", lambda: sealed(7, value=":" * (2 * MIB - 2000)), (), id="entries of colons"),
    pytest.param("encrypted", lambda: sealed(10, value=f"ph:v1:{'ab' * 32}:{'A' * MIB}"), (), id="large entries"),
    *(pytest.param("encrypted", partial(referring, kind), (), id=f"references: {kind}") for kind in HOSTILE),
]


@pytest.mark.parametrize(("route", "body", "headers"), ATTACKS)
def test_an_answer_of_any_size_takes_a_bounded_share(
    route: str, body: Body, headers: tuple[str, ...], measured: Measured
) -> None:
    found = measured(route, (body, headers))

    assert found["peak"] - found["base"] < ONE, found
    assert found["turn"] < TURN, found


def test_eight_hosts_at_once_share_the_memory_of_all(measured: Measured) -> None:
    found = measured("secrets", *[(lambda: rows(19_000, value="x" * 600), ())] * 8)

    assert found["peak"] - found["base"] < ALL, found
    assert found["turn"] < TURN, found
    assert {"Snapshot", "AnswerTooLarge"} == set(found["ends"]), found


def test_the_largest_answer_is_read_and_weighs_what_it_is_said_to(measured: Measured) -> None:
    found = measured("secrets", (lambda: rows(20_000, value="x" * 600), ()))

    assert found["ends"] == ["Snapshot"]
    assert found["turn"] < TURN, found
    assert found["held"] == pytest.approx(found["peak"] - found["base"], rel=0.5), found
