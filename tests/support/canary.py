"""Fail every test whose logs, output or registered sinks show a secret.

Rule: what is scanned is what a user of the operator could read; libraries that `telemetry.logs` keeps quiet are scanned
as quiet as they are there. With `-s` there is no captured output to scan.
"""

import base64
import json
import logging
import secrets
import traceback
from collections.abc import Callable, Generator, Iterator
from pathlib import Path
from urllib.parse import quote, quote_plus

import pytest

from phase_operator.telemetry.logs import QUIET

Sink = str | Path | Callable[[], object]
# What no operator uses: the tests' locks have four lines for each port that is leased.
_QUIET_IN_TESTS = ("filelock",)
_SHORTEST = 8  # below that, a text is found by chance


class Canary:
    """Hands out secret texts, and finds them where they should not be."""

    def __init__(self) -> None:
        self._texts: dict[str, tuple[str, ...]] = {}
        self._values: dict[str, str] = {}
        self._sinks: list[Sink] = []
        self._seen: list[tuple[str, str]] = []

    def value(self, name: str) -> str:
        """Return the secret text of that name, unique to this test, with characters that every encoding changes."""
        if name not in self._values:
            core = f"canary{secrets.token_hex(12)}"
            self._values[name] = f'{core}/+"&='
            # The core alone: an encoding may change the tail in a way that no list foresees.
            self._texts[name] = (*_spellings(self._values[name]), *_spellings(core))
        return self._values[name]

    def token(self, text: str) -> str:
        """Register a text that must not be seen, and return it."""
        if len(text) < _SHORTEST:
            raise ValueError("too short for a canary: it would be found by chance")
        self._texts[f"token {len(self._texts) + 1}"] = _spellings(text)
        return text

    def watch(self, sink: Sink) -> None:
        """Scan this too: a text, a file or a directory, or whatever a call returns when the test is over."""
        self._sinks.append(sink)

    def see(self, where: str, text: str) -> None:
        """Keep a text for the scan."""
        self._seen.append((where, text))

    def look(self) -> None:
        """Read the registered sinks as they are now."""
        for sink in self._sinks:
            if isinstance(sink, Path):
                files = [sink] if sink.is_file() else [each for each in sink.rglob("*") if each.is_file()]
                for file in files:
                    self.see(f"file {file.name}", file.read_text(errors="replace"))
            elif callable(sink):
                self.see("watched call", _text(sink()))
            else:
                self.see("watched text", sink)

    def leaks(self) -> list[str]:
        """Name every canary that was seen and the place; never its text."""
        return sorted(
            {
                f'"{name}" in {where}'
                for name, spellings in self._texts.items()
                for where, text in self._seen
                if any(spelling in text for spelling in spellings)
            }
        )


_CANARY = pytest.StashKey[Canary]()


@pytest.fixture(autouse=True)
def canary(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[Canary]:
    """Hand out secrets that may not be seen."""
    bird = Canary()
    request.node.stash[_CANARY] = bird
    handler = _Listener(bird)
    root = logging.getLogger()
    level = root.level
    root.addHandler(handler)
    root.setLevel(logging.DEBUG)
    read = pytest.CaptureFixture.readouterr

    def readouterr(self: pytest.CaptureFixture[str]) -> object:
        # What a test reads from its capture is gone from pytest's own.
        result = read(self)
        bird.see("captured output", _text(result.out) + _text(result.err))
        return result

    monkeypatch.setattr(pytest.CaptureFixture, "readouterr", readouterr)
    yield bird
    root.removeHandler(handler)
    root.setLevel(level)


def pytest_configure() -> None:
    """Keep libraries as quiet as they are there.

    A client of HTTP has a line for each byte that it waits for: records that nobody reads are a third of a request's
    cost, and hide the others in the report of a failure.
    """
    for name in (*QUIET, *_QUIET_IN_TESTS):
        logging.getLogger(name).setLevel(logging.WARNING)


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_teardown(item: pytest.Item) -> None:
    """Read the sinks while the test's fixtures still stand."""
    if bird := item.stash.get(_CANARY, None):
        bird.look()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Turn the report of the teardown, which knows all output, into a failure."""
    report = yield
    bird = item.stash.get(_CANARY, None)
    if report.when != "teardown" or bird is None:
        return report
    for title, text in report.sections:
        if not title.startswith("Captured log"):  # the listener hears the same, and knows who is quiet
            bird.see(title.lower(), text)
    if leaks := bird.leaks():
        report.outcome = "failed"
        report.longrepr = "\n".join([*([str(report.longrepr)] if report.longrepr else []), "canaries seen:", *leaks])
    return report


class _Listener(logging.Handler):
    """Keeps every record as text, unmasked."""

    def __init__(self, bird: Canary) -> None:
        super().__init__(logging.DEBUG)
        self._bird = bird
        self._known = frozenset(logging.makeLogRecord({}).__dict__)

    def emit(self, record: logging.LogRecord) -> None:
        extra = {key: value for key, value in record.__dict__.items() if key not in self._known}
        parts = [record.getMessage(), _text(extra), record.exc_text or "", record.stack_info or ""]
        if record.exc_info and record.exc_info[0]:
            parts.extend(traceback.format_exception(*record.exc_info))
        self._bird.see(f"log of {record.name}", "\n".join(parts))


def _spellings(text: str) -> tuple[str, ...]:
    found = {text, quote(text), quote(text, safe=""), quote_plus(text), repr(text)[1:-1]}
    found |= {json.dumps(text)[1:-1], json.dumps(json.dumps(text)[1:-1])[1:-1]}
    data = text.encode()
    for shift in range(3):  # base64 of a longer text spells ours in one of three ways
        encoded = base64.b64encode(b"\0" * shift + data).decode().rstrip("=")
        inner = encoded[(0, 2, 3)[shift] : -1]
        found |= {inner, inner.replace("+", "-").replace("/", "_")}
    return tuple(sorted(found))


def _text(value: object) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, bytes):
        return value.decode(errors="replace")
    return repr(value)
