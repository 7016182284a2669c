"""The text functions of templates.

Rule: a function accepts every text and does exactly what docs/templates.md shows. Its result is at most a few times as
long as its input; only `indent` can exceed that, and `most_after_indent` computes its length beforehand.
"""

import base64
import json
import re
from collections.abc import Callable
from urllib.parse import quote as percent_encoded

from phase_operator.core.content.template.syntax import TextFunction

# JSON accepts these unescaped, YAML does not: escaped, the text means the same in both.
_NOT_YAML = re.compile("[\x7f-\x9f\u2028\u2029\ufeff\ufffe\uffff]")
_ESCAPES = {sign: f"\\u{sign:04x}" for sign in (*range(0x7F, 0xA0), 0x2028, 0x2029, 0xFEFF, 0xFFFE, 0xFFFF)}
# All characters with a meaning between double quotes in a POSIX shell.
_SHELL = '\\"$`'


def base64_text(data: bytes) -> str:
    """Encode bytes in standard base64 with padding, on one line."""
    return base64.b64encode(data).decode("ascii")


def json_text(text: str) -> str:
    """Write a JSON string with its quotes; it is a YAML scalar too."""
    written = json.dumps(text, ensure_ascii=False)
    return written.translate(_ESCAPES) if _NOT_YAML.search(written) else written


def url_text(text: str) -> str:
    """Percent-encode a text as one component of a URL: letters, digits and -._~ stay, UTF-8 for the rest."""
    return percent_encoded(text, safe="")


def quote_text(text: str) -> str:
    """Put a text in double quotes as a POSIX shell reads them: a backslash before backslash, quote, $ and backtick."""
    # One pass for each of the four, the backslash first: a callback for each match would take ten times as long.
    for sign in _SHELL:
        text = text.replace(sign, "\\" + sign)
    return f'"{text}"'


def trim_text(text: str) -> str:
    """Remove white space from both ends."""
    return text.strip()


TEXT_FUNCTIONS: dict[TextFunction, Callable[[str], str]] = {
    TextFunction.JSON: json_text,
    TextFunction.URL: url_text,
    TextFunction.QUOTE: quote_text,
    TextFunction.TRIM: trim_text,
}


def indent_text(text: str, width: int, *, first: bool) -> str:
    """Put `width` spaces before every line that is not empty; before the first only if `first`. LF ends a line."""
    margin = " " * width
    head, *rest = text.split("\n")
    lines = [f"{margin}{line}" if line.strip("\r") else line for line in rest]
    return "\n".join([f"{margin}{head}" if first else head, *lines])


def most_after_indent(text: str, width: int) -> int:
    """Return an upper bound of the length of `indent_text`'s result, without making it."""
    return len(text) + width * (text.count("\n") + 1)
