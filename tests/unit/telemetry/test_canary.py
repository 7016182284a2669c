"""The canary is trusted by all other tests: it fails when it should, and only then."""

import base64
import json
import logging
from collections.abc import Callable
from urllib.parse import quote

import pytest

from support.canary import Canary

pytest_plugins = ["pytester"]


@pytest.mark.parametrize(
    "spell",
    [
        pytest.param(str, id="raw"),
        pytest.param(repr, id="repr"),
        pytest.param(json.dumps, id="json"),
        pytest.param(lambda text: json.dumps(json.dumps({"a": text})), id="json in json"),
        pytest.param(quote, id="url"),
        pytest.param(lambda text: quote(text, safe=""), id="url component"),
        pytest.param(lambda text: base64.b64encode(text.encode()).decode(), id="base64"),
        pytest.param(lambda text: base64.b64encode(b"x" + text.encode() + b"y").decode(), id="base64 shifted by one"),
        pytest.param(lambda text: base64.b64encode(b"xx" + text.encode() + b"y").decode(), id="base64 shifted by two"),
        pytest.param(lambda text: base64.urlsafe_b64encode(b"?" + text.encode()).decode(), id="base64 for URLs"),
    ],
)
@pytest.mark.parametrize("text", [None, 'p@ss "w0rd"/+&=é\\', "ÿÿÿÿÿÿÿÿ???>>>"])
def test_every_spelling_is_found(spell: Callable[[str], str], text: str | None) -> None:
    bird = Canary()
    secret = bird.value("it") if text is None else bird.token(text)

    bird.see("here", f"before {spell(secret)} after")

    assert len(bird.leaks()) == 1


def test_a_name_stands_for_one_text_and_names_differ() -> None:
    bird = Canary()

    assert bird.value("a") == bird.value("a")
    assert bird.value("a") != bird.value("b")


def test_two_tests_get_different_texts() -> None:
    assert Canary().value("a") != Canary().value("a")


def test_a_leak_is_named_without_its_text() -> None:
    bird = Canary()
    bird.see("log", bird.value("password"))

    assert bird.leaks() == ['"password" in log']


def test_a_text_that_is_found_by_chance_is_refused() -> None:
    with pytest.raises(ValueError, match="short"):
        Canary().token("abc")


def test_unregistered_text_is_no_leak() -> None:
    bird = Canary()
    bird.value("a")
    bird.see("log", Canary().value("a"))

    assert bird.leaks() == []


BODIES = {
    "message": "logging.getLogger('x').debug('got %s', canary.value('v'))",
    "extra": "logging.getLogger('x').info('got', extra={'field': {'a': canary.value('v')}})",
    "exception": "try: raise ValueError(canary.value('v'))\n    except ValueError: logging.exception('failed')",
    "stdout": "print(canary.value('v'))",
    "stderr": "print(canary.value('v'), file=sys.stderr)",
    "child process": "subprocess.run(['echo', canary.value('v')], check=True)",
    "read with capsys": "print(canary.value('v')); capsys.readouterr()",
    "left in capsys": "capsys; print(canary.value('v'))",
    "warning log of a quiet library": "logging.getLogger('kubernetes.x').warning(canary.value('v'))",
    "token": "print(canary.token('pss_user:abc'))",
    "registered later": "print('pss_user:abc'); canary.token('pss_user:abc')",
    "watched text": "canary.watch('status ' + canary.value('v'))",
    "watched call": "canary.watch(lambda: {'status': canary.value('v')})",
    "watched file": "p = tmp_path / 'log'; canary.watch(p); p.write_text(canary.value('v'))",
    "watched directory": "canary.watch(tmp_path); (tmp_path / 'a').mkdir(); "
    "(tmp_path / 'a' / 'log').write_text(canary.value('v'))",
    "fixture at its end": "late.append(canary.value('v'))",
}


@pytest.fixture(autouse=True)
def _no_plugins(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")


TEMPLATE = """
import logging, subprocess, sys
import pytest

@pytest.fixture
def late():
    texts = []
    yield texts
    print(texts)

def test_it(canary, tmp_path{fixtures}):
    {body}
"""


def run(pytester: pytest.Pytester, body: str) -> pytest.RunResult:
    fixtures = "".join(f", {name}" for name in ("capsys", "late") if name in body)
    pytester.makepyfile(TEMPLATE.format(body=body, fixtures=fixtures))
    return pytester.runpytest_inprocess("-p", "support.canary", "-p", "no:cacheprovider")


@pytest.mark.parametrize("body", [pytest.param(body, id=name) for name, body in BODIES.items()])
def test_a_test_that_shows_a_canary_fails(pytester: pytest.Pytester, body: str) -> None:
    outcome = run(pytester, body)

    outcome.assert_outcomes(passed=1, errors=1)
    outcome.stdout.fnmatch_lines(["canaries seen:"])


@pytest.mark.parametrize(
    "body",
    [
        pytest.param("canary.value('v')", id="nothing shown"),
        pytest.param("print('hello'); logging.info('hello')", id="no canary"),
        pytest.param("canary.watch(tmp_path / 'none'); canary.value('v')", id="a file that is not there"),
        pytest.param("logging.getLogger('kubernetes.x').debug(canary.value('v'))", id="a library kept quiet"),
    ],
)
def test_a_test_that_shows_none_passes(pytester: pytest.Pytester, body: str) -> None:
    outcome = run(pytester, body)

    outcome.assert_outcomes(passed=1)


def test_the_root_logger_is_left_as_it_was(pytester: pytest.Pytester) -> None:
    root = logging.getLogger()
    before = (root.level, list(root.handlers))

    run(pytester, "canary.value('v')")

    assert (root.level, list(root.handlers)) == before


def test_a_test_that_fails_and_leaks_reports_both(pytester: pytest.Pytester) -> None:
    outcome = run(pytester, "print(canary.value('v')); assert False")

    outcome.assert_outcomes(failed=1, errors=1)
