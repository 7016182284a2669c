import asyncio
import io
import json
import logging
import sys
import threading
from collections.abc import Iterator
from dataclasses import dataclass

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from phase_operator.core.refs import Kind, TargetRef
from phase_operator.core.values import ObjectKey, SecretValue
from phase_operator.telemetry import logs
from support.canary import Canary

HEX = "0123456789abcdef" * 4
FORMATS = pytest.mark.parametrize("format", ["json", "text"])


@pytest.fixture(autouse=True)
def _restore() -> Iterator[None]:
    """Begin with loggers that nobody has configured, and leave those of the process as they were."""
    loggers = [logging.getLogger(name) for name in ("", *logs.QUIET)]
    before = [(each, each.level, list(each.handlers)) for each in loggers]
    hooks = (sys.excepthook, threading.excepthook, sys.unraisablehook)
    for name in logs.QUIET:
        # The canary keeps them quiet in all other tests.
        logging.getLogger(name).setLevel(logging.NOTSET)
    yield
    sys.excepthook, threading.excepthook, sys.unraisablehook = hooks
    for each, level, handlers in before:
        each.setLevel(level)
        each.handlers[:] = handlers


def written(format: str, level: str = "info") -> io.StringIO:  # noqa: A002 - as in configure()
    stream = io.StringIO()
    logs.configure(format, level, stream)
    return stream


def test_json_lines_carry_level_logger_message_time_and_fields() -> None:
    stream = written("json")

    logging.getLogger("x").info("target applied", extra={"target": "a/b", "count": 2})

    line = json.loads(stream.getvalue())
    assert line.pop("time").endswith("+00:00")
    assert line == {"level": "INFO", "logger": "x", "message": "target applied", "target": "a/b", "count": 2}


def test_text_lines_show_fields_as_key_and_value() -> None:
    stream = written("text")

    logging.getLogger("x").info("target applied", extra={"target": "a/b", "why": "it changed"})

    assert stream.getvalue().endswith('INFO    x: target applied target=a/b why="it changed"\n')


@FORMATS
@pytest.mark.parametrize(
    ("text", "secret"),
    [
        pytest.param("pss_service:v1:abc:def", "abc", id="service token"),
        pytest.param("pss_user:v1:abc:def", "abc", id="user token"),
        pytest.param(f"share {HEX} end", HEX, id="64 hex digits"),
        pytest.param("Authorization: Bearer ServiceAccount s3cret", "s3cret", id="bearer of Phase"),
        pytest.param("authorization: bearer eyJ.abc", "eyJ.abc", id="bearer in lower case"),
    ],
)
def test_token_like_text_is_masked_wherever_it_stands(format: str, text: str, secret: str) -> None:  # noqa: A002
    stream = written(format)
    log = logging.getLogger("x")

    log.info(text)
    log.info("args %s", text)
    log.info("extra", extra={"plain": text, "nested": {"a": [text]}, "key": {text: 1}, "other": ValueError(text)})
    try:
        try:
            raise ValueError(text)
        except ValueError as cause:
            raise KeyError("outer") from cause
    except KeyError:
        log.exception("failed")

    assert stream.getvalue().count("***") >= 6
    assert secret not in stream.getvalue()


# Tokens, what they are made of, and what stands between them, in any order.
_TOKENS = ["pss_service:v1:a", "pss_user:b", "Bearer c", "bearer\td", "BEARER\ne", HEX, HEX.upper(), f"{HEX}0"]
_PARTS = ["pss_service", "PSS_USER:", "pss_", "bearer", "Bearer", ":", "v1", HEX[:63], "0", "G", "_", "é", "\u017f"]
_BETWEEN = [" ", "\t", "\n", "\u2028", '"', "'", ",", ";", "}", "\\"]
TEXTS = st.lists(st.sampled_from(_TOKENS + _PARTS + _BETWEEN) | st.text(max_size=3), max_size=4).map("".join)


@given(TEXTS)
@example(HEX)
def test_a_text_is_masked_as_if_every_mask_had_been_tried(text: str) -> None:
    masked = text
    for pattern, replacement in logs._MASKS:
        masked = pattern.sub(replacement, masked)

    assert logs.mask(text) == masked


@given(TEXTS, TEXTS)
@example("x", HEX)
@example("x", f'"{HEX}')
@example("bearer", "\u0130 Bearer c")
def test_a_line_is_masked_as_if_each_of_its_texts_had_been(message: str, field: str) -> None:
    log, extra = logging.getLogger("x"), {"field": field, "inner": {"key": [field]}, "last": field}
    told, masked = logs.mask(message), logs.mask(field)

    stream = written("json")
    log.info("%s", message, extra=extra)
    line = json.loads(stream.getvalue())
    assert (line["message"], line["field"], line["inner"], line["last"]) == (told, masked, {"key": [masked]}, masked)

    stream = written("text")
    log.info("%s", message, extra=extra)
    inner = logs._quoted({"key": [masked]})
    fields = f"field={logs._quoted(masked)} inner={inner} last={logs._quoted(masked)}"
    assert stream.getvalue().endswith(f"INFO    x: {told} {fields}\n")


def test_the_record_stays_as_it_is_for_other_handlers() -> None:
    written("text")
    seen: list[logging.LogRecord] = []

    class Other(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            seen.append(record)

    logging.getLogger().addHandler(Other())
    logging.getLogger("x").info("token %s", "pss_user:abc", extra={"field": "pss_user:abc"})

    assert seen[0].getMessage() == "token pss_user:abc"
    assert seen[0].__dict__["field"] == "pss_user:abc"


@FORMATS
def test_an_object_in_extra_is_printed_by_its_own_text_never_by_its_fields(format: str, canary: Canary) -> None:  # noqa: A002
    @dataclass
    class Holder:
        value: SecretValue

    stream = written(format)
    canary.watch(stream.getvalue)

    logging.getLogger("x").info("held", extra={"holder": Holder(SecretValue(canary.value("held")))})

    assert "***" in stream.getvalue()


def test_the_name_of_an_object_is_one_text() -> None:
    stream, key = written("json"), ObjectKey("team", "shop")

    logging.getLogger("x").info("applied", extra={"object": key, "targets": [TargetRef(Kind.SECRET, key)]})

    line = json.loads(stream.getvalue())
    assert (line["object"], line["targets"]) == (str(key), [str(TargetRef(Kind.SECRET, key))])


def test_arguments_that_do_not_fit_lose_nothing_but_themselves(capsys: pytest.CaptureFixture[str]) -> None:
    stream = written("text")
    record = logging.LogRecord("x", logging.INFO, "", 0, "only %s", ("one", "pss_user:abc"), None)

    logging.getLogger().handlers[-1].handle(record)

    assert "only %s" in stream.getvalue()
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize("name", logs.QUIET)
def test_a_talkative_library_speaks_from_warning_on(name: str) -> None:
    stream = written("text", "debug")

    logging.getLogger(name).info("chatter")
    logging.getLogger(name).warning("trouble")

    assert "chatter" not in stream.getvalue()
    assert "trouble" in stream.getvalue()


def test_a_second_call_replaces_the_first() -> None:
    first, second = written("text"), written("json")

    logging.getLogger("x").info("once")

    assert first.getvalue() == ""
    assert len(second.getvalue().splitlines()) == 1


def test_the_level_is_a_floor_for_quiet_libraries_too() -> None:
    stream = written("text", "error")

    logging.getLogger("kopf").warning("trouble")

    assert stream.getvalue() == ""


def test_an_unknown_format_is_refused_and_changes_nothing() -> None:
    before = list(logging.getLogger().handlers)

    with pytest.raises(ValueError, match="xml"):
        logs.configure("xml", "info", io.StringIO())

    assert logging.getLogger().handlers == before


def raised(error: Exception) -> Exception:
    try:
        raise error
    except Exception as found:  # noqa: BLE001 - whatever it is
        return found


@FORMATS
def test_an_exception_that_ends_the_process_or_a_thread_is_a_line_without_its_text(format: str, canary: Canary) -> None:  # noqa: A002
    stream = written(format)
    canary.watch(stream.getvalue)
    one = raised(RuntimeError(canary.value("one")))
    error = raised(ExceptionGroup(canary.value("group"), [one]))

    sys.excepthook(type(error), error, error.__traceback__)
    threading.excepthook(threading.ExceptHookArgs((type(one), one, one.__traceback__, None)))

    lines = stream.getvalue()
    assert "process ends" in lines
    assert "error outside of any task" in lines
    assert lines.count("RuntimeError") >= 2
    assert lines.count("def raised") == 0
    assert lines.count("in raised") == 3
    if format == "json":
        assert [json.loads(line)["error"] for line in lines.splitlines()] == ["ExceptionGroup", "RuntimeError"]


@FORMATS
async def test_an_exception_that_nobody_awaits_is_a_line_without_its_text(format: str, canary: Canary) -> None:  # noqa: A002
    stream = written(format)
    canary.watch(stream.getvalue)
    loop = asyncio.get_running_loop()
    logs.watch_loop(loop)

    def fail() -> None:
        raise ValueError(canary.value("loop"))

    loop.call_soon(fail)
    await asyncio.sleep(0)
    await asyncio.sleep(0)

    assert "ValueError" in stream.getvalue()


@FORMATS
def test_the_text_of_an_exception_is_in_no_line_of_a_library(format: str, canary: Canary) -> None:  # noqa: A002
    stream = written(format)
    canary.watch(stream.getvalue)
    # Apart from all others: what pytest captures has texts.
    library = logging.Logger("aiohttp.server")  # noqa: LOG001 - none that others have
    library.addHandler(logging.getLogger().handlers[-1])

    try:
        try:
            raise ValueError(canary.value("cause"))
        except ValueError as cause:
            raise KeyError(canary.value("text")) from cause
    except KeyError:
        library.exception("Error handling request")

    assert "KeyError" in stream.getvalue()
    assert "ValueError" in stream.getvalue()
