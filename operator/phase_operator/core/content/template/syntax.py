"""The syntax tree of templates.

Rule: a template consists only of the classes of this module. No node loops, calls, assigns, imports or reads an
attribute, so rendering has nothing to forbid. Texts and tests are two types: a comparison is never written out as
"True".
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import TypeAlias

# The largest source, in bytes of UTF-8.
MAX_SOURCE_BYTES = 64 * 1024
# The largest result, and the largest value on the way, in bytes: core/content/limits.MAX_BYTES, which is not imported
# because that module depends on no template; a test compares them.
MAX_TEXT_BYTES = 1024 * 1024
# All text that one rendering may handle, in characters. It bounds the time, and allows a text of full size that passes
# several functions. core/targets/rendering.py has such a bound for all templates of a run.
MAX_WORK = 8 * MAX_TEXT_BYTES
# The most tokens of one placeholder or tag, and the deepest nesting of brackets and {% if %}. Together they bound how
# deep parsing and rendering recurse.
MAX_TOKENS = 200
MAX_DEPTH = 10
MAX_INDENT = 64
# The most tokens of all placeholders and tags, brackets included: parsing these takes a fraction of a second.
MAX_TOKENS_IN_ALL = 10_000


class Refused(Exception):
    """The template is not valid, in this line."""

    def __init__(self, line: int, message: str) -> None:
        super().__init__(message)
        self.line = line
        self.message = message


class TextFunction(StrEnum):
    """The functions without further arguments; core/content/template/functions.py implements them."""

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
    """The result of a function without further arguments."""

    function: TextFunction
    operand: "Text"


@dataclass(frozen=True, slots=True)
class Base64:
    """`operand|base64`: the only function that accepts bytes that are not text."""

    operand: "Text"


@dataclass(frozen=True, slots=True)
class Indented:
    """`operand|indent(width)`: indents every line but the first, or the first too."""

    operand: "Text"
    width: int
    first: bool


# Expressions that return one of their values unchanged, and expressions that make a new text.
Passing: TypeAlias = Literal | Key | Either | Both | Choice | Default | Required
Making: TypeAlias = Joined | Applied | Base64 | Indented
Text: TypeAlias = Passing | Making


@dataclass(frozen=True, slots=True)
class Constant:
    """`true` or `false`."""

    value: bool


@dataclass(frozen=True, slots=True)
class Filled:
    """A text used as a test: true if it is not empty."""

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
    """`first and second`, used as a test."""

    first: "Test"
    second: "Test"


@dataclass(frozen=True, slots=True)
class AnyOf:
    """`first or second`, used as a test."""

    first: "Test"
    second: "Test"


Test: TypeAlias = Constant | Filled | Defined | Same | Within | Negated | AllOf | AnyOf


@dataclass(frozen=True, slots=True)
class Data:
    """The literal text between placeholders."""

    data: bytes


@dataclass(frozen=True, slots=True)
class Placeholder:
    """`{{ text }}`."""

    line: int
    text: Text


@dataclass(frozen=True, slots=True)
class Arm:
    """`{% if test %}` or `{% elif test %}` and the body that follows it."""

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
