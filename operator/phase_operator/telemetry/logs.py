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
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
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
# Finds whatever one of the masks may find: most texts are looked at once.
_SUSPECT = re.compile(r"pss_|bearer|[0-9a-f]{64}", re.IGNORECASE)
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
    if _SUSPECT.search(text):
        for pattern, replacement in _MASKS:
            text = pattern.sub(replacement, text)
    return text


class _MaskingHandler(logging.StreamHandler[TextIO]):
    """Writes a masked copy of each record; other handlers share the record, so it is not changed."""

    def emit(self, record: logging.LogRecord) -> None:
        super().emit(_masked(record))


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


def _masked(record: logging.LogRecord) -> logging.LogRecord:
    copy = logging.makeLogRecord(record.__dict__)
    copy.msg, copy.args = mask(_message(record)), None
    if record.exc_info and record.exc_info[0] is not None:
        copy.exc_text = _without_text(record.exc_info[1])
    elif record.exc_text:
        copy.exc_text = mask(record.exc_text)
    copy.exc_info = None
    copy.stack_info = mask(record.stack_info) if record.stack_info else None
    for key, value in _fields(record):
        setattr(copy, key, _masked_value(value))
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


def _masked_value(value: object) -> object:
    match value:
        case None | bool() | int() | float():
            return value
        case str():
            return mask(value)
        case Mapping():
            return {mask(str(key)): _masked_value(inner) for key, inner in value.items()}
        case tuple() if hasattr(value, "_fields"):
            # A named tuple, as the name of an object is, is one value.
            return mask(str(value))
        case list() | tuple() | set() | frozenset():
            return [_masked_value(inner) for inner in value]
        case _:
            # As text, never by its fields: an encoder that reads fields would show what their repr hides.
            return mask(str(value))


def _fields(record: logging.LogRecord) -> Iterator[tuple[str, object]]:
    return ((key, value) for key, value in list(record.__dict__.items()) if key not in _NO_FIELDS)


def _quoted(value: object) -> str:
    text = value if isinstance(value, str) else json.dumps(value)
    return text if _PLAIN.fullmatch(text) else json.dumps(text)


def _time(record: logging.LogRecord) -> str:
    return datetime.fromtimestamp(record.created, tz=UTC).isoformat(timespec="milliseconds")
