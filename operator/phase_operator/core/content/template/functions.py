"""What each function makes of a text.

Rule: a function is total and exact: it takes every text, docs/templates.md shows what it makes of one, and nothing that
it makes is more than a few times as long as what it got. `indent` can be, and says so beforehand.
"""

import base64
import json
import re
from collections.abc import Callable
from urllib.parse import quote as percent_encoded

from phase_operator.core.content.template.syntax import TextFunction

# JSON takes these as they are, YAML does not: escaped, the text is the same in both.
_NOT_YAML = re.compile("[\x7f-\x9f\u2028\u2029\ufeff\ufffe\uffff]")
_ESCAPES = {sign: f"\\u{sign:04x}" for sign in (*range(0x7F, 0xA0), 0x2028, 0x2029, 0xFEFF, 0xFFFE, 0xFFFF)}
# All that has a meaning between double quotes in a POSIX shell.
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
    # A pass for each of the four, the backslash first: a function called for each sign found takes ten times as long.
    for sign in _SHELL:
        text = text.replace(sign, "\\" + sign)
    return f'"{text}"'


def trim_text(text: str) -> str:
    """Take white space from both ends."""
    return text.strip()


TEXT_FUNCTIONS: dict[TextFunction, Callable[[str], str]] = {
    TextFunction.JSON: json_text,
    TextFunction.URL: url_text,
    TextFunction.QUOTE: quote_text,
    TextFunction.TRIM: trim_text,
}


def indent_text(text: str, width: int, *, first: bool) -> str:
    """Put spaces before every line that is not empty, and before the first if asked; LF ends a line."""
    margin = " " * width
    head, *rest = text.split("\n")
    lines = [f"{margin}{line}" if line.strip("\r") else line for line in rest]
    return "\n".join([f"{margin}{head}" if first else head, *lines])


def most_after_indent(text: str, width: int) -> int:
    """Say how many characters `indent_text` could make, without making them."""
    return len(text) + width * (text.count("\n") + 1)
