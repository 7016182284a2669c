"""All that a template can say.

Rule: what is not a class of this module cannot be said. There is no node that loops, calls, assigns, imports or reaches
for an attribute, so nothing has to be forbidden when a template is rendered. Text and truth are two types: a comparison
is never written out as "True".
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import TypeAlias

# A source, in bytes of UTF-8.
MAX_SOURCE_BYTES = 64 * 1024
# What one text may become, and what any value in between may be: core/content/limits.MAX_BYTES, which is not imported
# because targets stand above templates; a test compares them.
MAX_TEXT_BYTES = 1024 * 1024
# All text that one rendering may handle, in characters: the bound of its time. Enough for a full-sized text whose every
# part goes through several functions. core/targets/rendering.py has such a bound for all templates of a run.
MAX_WORK = 8 * MAX_TEXT_BYTES
# Words and signs of one placeholder or tag, and how deep brackets and {% if %} may stand in one another. Together they
# bound how deep reading and rendering recurse, whatever the template says.
MAX_TOKENS = 200
MAX_DEPTH = 10
MAX_INDENT = 64
# Words and signs of all placeholders and tags, their brackets included: reading them takes a fraction of a second.
MAX_TOKENS_IN_ALL = 10_000


class Refused(Exception):
    """The text says what a template cannot say, in that line."""

    def __init__(self, line: int, message: str) -> None:
        super().__init__(message)
        self.line = line
        self.message = message


class TextFunction(StrEnum):
    """The functions that take a text and nothing else; core/content/template/functions.py says what they make of it."""

    JSON = "json"
    URL = "url"
    QUOTE = "quote"
    TRIM = "trim"


@dataclass(frozen=True, slots=True)
class Literal:
    """A text in quotes, or a number: its digits."""

    text: str


@dataclass(frozen=True, slots=True)
class Key:
    """The value of one key of the target."""

    name: str


@dataclass(frozen=True, slots=True)
class Either:
    """`first or second`: the first if it is not empty."""

    first: "Text"
    second: "Text"


@dataclass(frozen=True, slots=True)
class Both:
    """`first and second`: the second if the first is not empty."""

    first: "Text"
    second: "Text"


@dataclass(frozen=True, slots=True)
class Choice:
    """`then if test else otherwise`."""

    test: "Test"
    then: "Text"
    otherwise: "Text"


@dataclass(frozen=True, slots=True)
class Default:
    """`operand|default(fallback)`: the fallback if the key is missing, or if it is empty and that counts too."""

    operand: "Text"
    fallback: "Text"
    for_empty: bool


@dataclass(frozen=True, slots=True)
class Required:
    """`operand|required("message")`. The message is a constant: an expression could carry a value into the status."""

    operand: "Text"
    message: str


@dataclass(frozen=True, slots=True)
class Joined:
    """`a ~ b ~ c`."""

    parts: tuple["Text", ...]


@dataclass(frozen=True, slots=True)
class Applied:
    """A text put through a function that has no arguments."""

    function: TextFunction
    operand: "Text"


@dataclass(frozen=True, slots=True)
class Base64:
    """`operand|base64`: the one function that takes bytes which are not text."""

    operand: "Text"


@dataclass(frozen=True, slots=True)
class Indented:
    """`operand|indent(width)`: every line but the first, or that one too."""

    operand: "Text"
    width: int
    first: bool


# What hands on a value as it is, and what makes a new text.
Passing: TypeAlias = Literal | Key | Either | Both | Choice | Default | Required
Making: TypeAlias = Joined | Applied | Base64 | Indented
Text: TypeAlias = Passing | Making


@dataclass(frozen=True, slots=True)
class Constant:
    """`true` or `false`."""

    value: bool


@dataclass(frozen=True, slots=True)
class Filled:
    """A text where a test is expected: whether it is not empty."""

    text: Text


@dataclass(frozen=True, slots=True)
class Defined:
    """`KEY is defined`."""

    name: str


@dataclass(frozen=True, slots=True)
class Same:
    """`left == right`, as texts."""

    left: Text
    right: Text


@dataclass(frozen=True, slots=True)
class Within:
    """`part in whole`, as texts."""

    part: Text
    whole: Text


@dataclass(frozen=True, slots=True)
class Negated:
    """`not test`."""

    test: "Test"


@dataclass(frozen=True, slots=True)
class AllOf:
    """`first and second`, where only the truth of it counts."""

    first: "Test"
    second: "Test"


@dataclass(frozen=True, slots=True)
class AnyOf:
    """`first or second`, where only the truth of it counts."""

    first: "Test"
    second: "Test"


Test: TypeAlias = Constant | Filled | Defined | Same | Within | Negated | AllOf | AnyOf


@dataclass(frozen=True, slots=True)
class Data:
    """What stands between the placeholders."""

    data: bytes


@dataclass(frozen=True, slots=True)
class Placeholder:
    """`{{ text }}`."""

    line: int
    text: Text


@dataclass(frozen=True, slots=True)
class Arm:
    """`{% if test %}` or `{% elif test %}` and what follows it."""

    line: int
    test: Test
    body: "Body"


@dataclass(frozen=True, slots=True)
class Branches:
    """`{% if %}` to `{% endif %}`."""

    arms: tuple[Arm, ...]
    otherwise: "Body"


Part: TypeAlias = Data | Placeholder | Branches
Body: TypeAlias = tuple[Part, ...]
