"""Texts with placeholders in Go's template language -> the same text in ours, where ours can say it.

Rule: what is not certainly the same is refused with a reason, and never passed on as text.
"""

import re
from collections.abc import Callable, Sequence

from phase_operator.core.content.template import compile_template
from phase_operator.core.errors import Invalid

_ACTION = re.compile(r"\{\{(-\s)?(.*?)(\s-)?\}\}", re.DOTALL)
_TOKEN = re.compile(r'\s*("[^"\\\n]*"|\.[A-Za-z_][A-Za-z0-9_.]*|[A-Za-z_][A-Za-z0-9_]*|[0-9]{1,3}|[.|])')
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*", re.ASCII)
# Words of our language, which are no names in it.
_WORDS = frozenset(
    {"and", "defined", "elif", "else", "entries", "false", "if", "in", "is", "none", "not", "or", "true"}
)
_LONGEST = 65_536
_DEEPEST_INDENT = 64
# Functions of one argument; "" changes nothing. Those of sprig that write JSON, and ours, read the same.
_FUNCTIONS = {
    "toString": "",
    "b64enc": "base64",
    "quote": "json",
    "toJson": "json",
    "mustToJson": "json",
    "trim": "trim",
}
_KEYWORDS = frozenset({"if", "else", "end", "range", "with", "define", "template", "block", "break", "continue"})


class Unsayable(Exception):
    """A template that has no equal here; the message says what it has, without quoting its text."""


def plain(name: str) -> str:
    """Return the key that a placeholder `.name` is about: of ESO and of Infisical's v1beta1 it is the name."""
    if "." in name:
        raise Unsayable("it takes a part of a value")
    return name


def with_value(name: str) -> str:
    """Return the key that a placeholder `.name.Value` is about, as Infisical's v1alpha1 writes it."""
    key, dot, part = name.partition(".")
    if not dot or part != "Value":
        raise Unsayable("it takes something else than .KEY.Value")
    return key


def converted(text: str, key_of: Callable[[str], str] = plain) -> str:
    """Return a template in our language; raise Unsayable. `key_of` returns the key of a placeholder."""
    if len(text) > _LONGEST:
        raise Unsayable("it is too long")
    found, end = "", 0
    for action in _ACTION.finditer(text):
        found += _text(text[end : action.start()])
        end = action.end()
        before, inside, after = action.groups()
        if inside.strip().startswith("/*"):
            raise Unsayable("it has a comment")
        found += f"{{{{{'-' if before else ''} {_expression(inside, key_of)} {'-' if after else ''}}}}}"
    found += _text(text[end:])
    try:
        compile_template(found)
    except Invalid:
        raise Unsayable("it has more than placeholders") from None
    return found


def _text(text: str) -> str:
    """Return text between placeholders, with what is a sign of our language, and none of Go's, as text."""
    if "{{" in text or "}}" in text:
        raise Unsayable("it has braces that end nowhere")
    return re.sub(r"\{[%#]", lambda sign: f'{{{{ "{sign[0]}" }}}}', text)


def _expression(inside: str, key_of: Callable[[str], str]) -> str:
    first, *functions = _stages(_tokens(inside))
    found = _operand(first, key_of)
    for stage in functions:
        found += _function(stage)
    return found


def _tokens(inside: str) -> list[str]:
    found, at, length = [], 0, len(inside.rstrip())
    while at < length:
        token = _TOKEN.match(inside, at)
        if token is None:
            raise Unsayable("it has more than placeholders and functions")
        found.append(token[1])
        at = token.end()
    return found


def _stages(tokens: Sequence[str]) -> list[list[str]]:
    stages: list[list[str]] = [[]]
    for token in tokens:
        if token == "|":
            stages.append([])
        else:
            stages[-1].append(token)
    if not all(stages):
        raise Unsayable("it has an empty placeholder")
    return stages


def _operand(stage: Sequence[str], key_of: Callable[[str], str]) -> str:
    match stage:
        case [text] if text.startswith('"'):
            return text
        case [name] if _is_field(name):
            return _key(key_of(name[1:]))
        case ["index", ".", text] if text.startswith('"'):
            return _key(text[1:-1])
        case [word, *_] if word in _KEYWORDS:
            raise Unsayable(f"it has {{{{ {word} }}}}")
        case [function, name] if _is_field(name):
            return _key(key_of(name[1:])) + _function([function])
        case ["default", text, name] if text.startswith('"') and _is_field(name):
            return _key(key_of(name[1:])) + _function(["default", text])
    raise Unsayable("it has more than placeholders and functions")


def _is_field(token: str) -> bool:
    """Return whether a token is a field of what a template is about, as `.NAME`; a dot alone is all of that."""
    return token.startswith(".") and len(token) > 1


def _function(stage: Sequence[str]) -> str:
    match stage:
        case [name] if name in _FUNCTIONS:
            return f"|{_FUNCTIONS[name]}" if _FUNCTIONS[name] else ""
        case ["default", text] if text.startswith('"'):
            return f"|default({text}, true)"
        case ["indent", number] if number.isdecimal() and int(number) <= _DEEPEST_INDENT:
            return f"|indent({int(number)}, true)"
        case ["urlquery"]:
            raise Unsayable("it has urlquery, which writes a space as +; |url writes %20")
        case [name, *_] if _NAME.fullmatch(name):
            raise Unsayable(f"it has the function {name}")
    raise Unsayable("it has more than placeholders and functions")


def _key(name: str) -> str:
    if _NAME.fullmatch(name) and name not in _WORDS:
        return name
    return f'entries["{name}"]'
