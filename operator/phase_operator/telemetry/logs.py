"""Write log lines, as JSON or as text, with the fields of `extra` in both.

Rule: no log line contains what looks like a token. Of an unexpected exception only the type and the traceback are
logged, never the text. Secret values do not print anyway (core/values.py); the masks here are the last resort, for
messages of libraries.
"""

import asyncio
import json
import logging
import re
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from string import hexdigits
from types import TracebackType
from typing import TYPE_CHECKING, Any, TextIO

from pythonjsonlogger.core import RESERVED_ATTRS
from pythonjsonlogger.json import JsonFormatter

from phase_operator.reconcile.internal_errors import trace_of

if TYPE_CHECKING:
    from sys import UnraisableHookArgs

log = logging.getLogger(__name__)

# Libraries that log every step, some of them every body: at DEBUG the Kubernetes client prints responses, Secrets
# included. They never log below WARNING, whatever the level of the operator.
QUIET = (
    "aiohttp.access",
    "asyncio",
    "client",
    "hpack",
    "httpcore",
    "httpx",
    "kopf",
    "kopf.objects",
    "kubernetes",
    "urllib3",
)

_MASK = "***"
_MASKS = (
    (re.compile(r"\b(pss_(?:service|user)):[^\s\"'\\,;]+"), rf"\1:{_MASK}"),
    (re.compile(r"\b(Bearer)\s+[^\"'\\,;}\r\n]+", re.IGNORECASE), rf"\1 {_MASK}"),
    (re.compile(r"[0-9a-fA-F]{64,}"), _MASK),
)
# Every hexadecimal digit as "0", so that as many as a mask looks for can be found as one text.
_DIGITS = bytes(ord("0") if chr(each) in hexdigits else each for each in range(256))
_LONG_NUMBER = b"0" * 64
# Attributes that kopf adds for itself, and asyncio's name for a task: of no use to a reader.
_LUGGAGE = ("settings", "k8s_skip", "taskName")
_NO_FIELDS = frozenset((*RESERVED_ATTRS, *_LUGGAGE))
_PLAIN = re.compile(r"[^\s\"'=\\\x00-\x1f]+")


def configure(format: str, level: str, stream: TextIO) -> None:  # noqa: A002 - the setting is called format
    """Send every log line of the process to the stream; a second call replaces the first."""
    handler = _MaskingHandler(stream)
    handler.setFormatter(_formatter(format))
    root = logging.getLogger()
    for old in [each for each in root.handlers if isinstance(each, _MaskingHandler)]:
        root.removeHandler(old)
    root.addHandler(handler)
    root.setLevel(level.upper())
    for name in QUIET:
        logging.getLogger(name).setLevel(max(logging.WARNING, root.level))
    # Python would print an exception that ends the process or a thread as plain text, with the exception's message.
    sys.excepthook = _ended
    threading.excepthook = _thread_ended
    sys.unraisablehook = _ignored


def watch_loop(loop: asyncio.AbstractEventLoop) -> None:
    """Log errors of tasks and callbacks that nothing awaits, without their text."""
    loop.set_exception_handler(_in_loop)


def _ended(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    if issubclass(kind, KeyboardInterrupt):
        return
    log.critical("process ends", extra={"error": kind.__name__, "trace": trace_of(error.with_traceback(trace))})


def _thread_ended(found: threading.ExceptHookArgs) -> None:
    _unexpected(found.exc_value, found.exc_type.__name__)


def _ignored(found: "UnraisableHookArgs") -> None:
    _unexpected(found.exc_value, found.exc_type.__name__)


def _in_loop(_: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
    # asyncio's own message is left out: it quotes the arguments of the task.
    _unexpected(context.get("exception"), "unknown")


def _unexpected(error: BaseException | None, kind: str) -> None:
    name, trace = (type(error).__name__, trace_of(error)) if error is not None else (kind, "")
    log.error("error outside of any task", extra={"error": name, "trace": trace})


def mask(text: str) -> str:
    """Return the text with everything that looks like a token masked."""
    if _may_hold_token(text):
        for pattern, replacement in _MASKS:
            text = pattern.sub(replacement, text)
    return text


def _may_hold_token(text: str) -> bool:
    """Return True if any mask finds something in a text, or in one of those that a line was made of.

    No format escapes the letters and digits of a token. One expression for all of it would take ten times as long.
    """
    if "pss_" in text or "bearer" in text.lower():
        return True
    return _LONG_NUMBER in text.encode("ascii", "replace").translate(_DIGITS)


class _MaskingHandler(logging.StreamHandler[TextIO]):
    """Writes a masked copy of each record; other handlers share the record, so it is not changed.

    A finished line is searched once. Only if it may hold a token is it made anew, with all of its texts masked.
    """

    def format(self, record: logging.LogRecord) -> str:
        """Return the line."""
        line = super().format(_printable(record, _as_it_is))
        return super().format(_printable(record, mask)) if _may_hold_token(line) else line


class _TextFormatter(logging.Formatter):
    """One line for people: time, level, logger, message, key=value."""

    def format(self, record: logging.LogRecord) -> str:
        fields = "".join(f" {key}={_quoted(value)}" for key, value in _fields(record))
        head = f"{_time(record)} {record.levelname:<7} {record.name}: {record.getMessage()}{fields}"
        return "\n".join(part for part in (head, record.exc_text, record.stack_info) if part)


def _formatter(format: str) -> logging.Formatter:  # noqa: A002 - the setting is called format
    match format:
        case "json":
            return JsonFormatter(
                ["levelname", "name", "message"],
                rename_fields={"levelname": "level", "name": "logger", "k8s_ref": "object", "exc_info": "exception"},
                rename_fields_keep_missing=False,
                timestamp="time",
                reserved_attrs=sorted(_NO_FIELDS),
            )
        case "text":
            return _TextFormatter()
        case _:
            raise ValueError(f'unknown log format "{format}"; use json or text')


def _as_it_is(text: str) -> str:
    return text


def _printable(record: logging.LogRecord, shown: Callable[[str], str]) -> logging.LogRecord:
    """Return a copy that is made of texts, numbers, lists and mappings, with each text as it is to be shown."""
    # Without its __init__, which asks for the thread and the process only to be overwritten: a quarter of the time.
    copy = logging.LogRecord.__new__(logging.LogRecord)
    vars(copy).update(vars(record))
    copy.msg, copy.args = shown(_message(record)), None
    if record.exc_info and record.exc_info[0] is not None:
        copy.exc_text = _without_text(record.exc_info[1])
    elif record.exc_text:
        copy.exc_text = shown(record.exc_text)
    copy.exc_info = None
    copy.stack_info = shown(record.stack_info) if record.stack_info else None
    for key, value in _fields(record):
        setattr(copy, key, _printable_value(value, shown))
    return copy


def _without_text(error: BaseException | None) -> str:
    """Return the tracebacks and types of an exception and its causes, without their messages."""
    lines: list[str] = []
    while error is not None:
        lines.insert(0, f"{trace_of(error)}{type(error).__name__}")
        error = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    return "\n".join(lines)


def _message(record: logging.LogRecord) -> str:
    try:
        return record.getMessage()
    except (TypeError, ValueError, KeyError):
        # The standard handler would print the raw arguments to stderr, past all masks.
        return f"{record.msg} (its arguments do not fit)"


def _printable_value(value: object, shown: Callable[[str], str]) -> object:
    match value:
        case str():
            return shown(value)
        case None | bool() | int() | float():
            return value
        case Mapping():
            return {shown(str(key)): _printable_value(inner, shown) for key, inner in value.items()}
        case tuple() if hasattr(value, "_fields"):
            # A named tuple, as the name of an object is, is one value.
            return shown(str(value))
        case list() | tuple() | set() | frozenset():
            return [_printable_value(inner, shown) for inner in value]
        case _:
            # As text, never by its fields: an encoder that reads fields would show what their repr hides.
            return shown(str(value))


def _fields(record: logging.LogRecord) -> Iterator[tuple[str, object]]:
    return ((key, value) for key, value in list(record.__dict__.items()) if key not in _NO_FIELDS)


def _quoted(value: object) -> str:
    text = value if isinstance(value, str) else json.dumps(value)
    return text if _PLAIN.fullmatch(text) else json.dumps(text)


def _time(record: logging.LogRecord) -> str:
    return datetime.fromtimestamp(record.created, tz=UTC).isoformat(timespec="milliseconds")
