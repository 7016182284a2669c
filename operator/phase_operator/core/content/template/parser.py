"""Read a template: Jinja's lexer and parser in, `core/content/template/syntax.py` out.

Rule: a template is translated, not filtered. A Jinja node without a translation here is refused with its line. No
object of Jinja is kept, and its compiler and runtime are never used. A refusal depends on the template's text alone,
and its message does not repeat quoted texts.

This module imports jinja2. Import it when the first template is parsed and not before: an operator whose resources have
no templates is spared the memory.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import lru_cache
from typing import Literal as OneOf
from typing import TypeAlias

from jinja2 import Environment, TemplateSyntaxError, nodes
from jinja2.parser import Parser

from phase_operator.core.content.keys import legal
from phase_operator.core.content.template.syntax import (
    MAX_DEPTH,
    MAX_INDENT,
    MAX_TOKENS,
    MAX_TOKENS_IN_ALL,
    AllOf,
    AnyOf,
    Applied,
    Arm,
    Base64,
    Body,
    Both,
    Branches,
    Choice,
    Constant,
    Data,
    Default,
    Defined,
    Either,
    Filled,
    Indented,
    Joined,
    Key,
    Literal,
    Negated,
    Part,
    Placeholder,
    Refused,
    Required,
    Same,
    Test,
    Text,
    TextFunction,
    Within,
)

_Token: TypeAlias = tuple[int, str, str]
_LineEnd: TypeAlias = OneOf["\n", "\r\n"]
# {{ .KEY }} and {{ index . "KEY" }}; the patterns are bounded, because users write the texts.
_GO = re.compile(
    r"""\{\{-?[ \t]{0,20}(?:\.(?P<dotted>[-._A-Za-z0-9]{1,253})"""
    r"""|index[ \t]{1,20}\.[ \t]{1,20}"(?P<indexed>[^"\n]{1,253})")"""
)


def parse(text: str) -> tuple[Body, frozenset[str]]:
    """Return the parsed template and the keys that it mentions, or raise Refused."""
    environment = _environment(_newline(text))
    try:
        _screen(environment.lex(text))
        tree = Parser(environment, text).parse()
    except TemplateSyntaxError as error:
        # `from None`: the original exception holds the source.
        raise Refused(error.lineno, _in_go(text) or f"cannot be read: {error.message}") from None
    reader = _Reader()
    return reader.body(tree.body), frozenset(reader.names)


def _in_go(text: str) -> str | None:
    """Return our spelling of a placeholder in Go's style, or None; it repeats only legal keys, no other text."""
    found = _GO.search(text)
    if found is None:
        return None
    key = found["dotted"] or found["indexed"] or ""
    ours = f"{{{{ {key} }}}}" if key.isidentifier() else f'{{{{ entries["{key}"] }}}}'
    return f"this is how Go's templates are written; here it is {ours if legal(key) else '{{ KEY }}'}"


@lru_cache(maxsize=2)
def _environment(newline: _LineEnd) -> Environment:
    # A tag alone on its line leaves no empty line. Jinja renders nothing here, so escaping does not matter.
    return Environment(  # noqa: S701 - it is a lexer's configuration; templates never reach Jinja's runtime
        trim_blocks=True, lstrip_blocks=True, keep_trailing_newline=True, newline_sequence=newline
    )


def _newline(text: str) -> _LineEnd:
    """Return the line ending of the text; refuse mixed ones, because Jinja would write the same for all lines."""
    if "\r" not in text:
        return "\n"
    rest = text.replace("\r\n", "")
    if "\r" in rest or "\n" in rest:
        raise Refused(1, "cannot be read: its lines do not all end alike; use LF or CRLF throughout")
    return "\r\n"


# --- Before the parser: it recurses as deep as its input is nested, so its input is bounded. ---

_SPACE = frozenset({"whitespace", "comment_begin", "comment", "comment_end", "data", "raw_begin", "raw_end"})
_TAGS = {"if": 1, "elif": 0, "else": 0, "endif": -1}
_INSTEAD_OF_TAG = {
    "for": "there are no loops: write a placeholder for each key",
    "set": "there are no variables: write the expression where it is needed",
    "include": "a template is one text: put it under a key of its own",
    "import": "a template is one text",
    "from": "a template is one text",
    "extends": "a template is one text",
    "filter": "write {{ ...|name }} around each placeholder",
}
_NUMBER = re.compile(r"0|[1-9][0-9]{0,8}")
# With its quotes.
_TEXT = re.compile(r""".(?:[^\\]|\\[\\"'nrt])*.""", re.DOTALL)
_NO_NUMBER = "a number is at most nine digits, without a zero before them; put any other in quotes"
# How the tokens of a kind are written, and the message about one that is not.
_SPELLINGS = {
    "float": (_NUMBER, _NO_NUMBER),
    "integer": (_NUMBER, _NO_NUMBER),
    "string": (_TEXT, r"between quotes, a backslash comes before \ " + "\" ' n r t and nothing else"),
}


def _screen(tokens: Iterable[_Token]) -> None:
    """Refuse tags, numbers and escapes that the language lacks, and input too long or too deep for the parser."""
    blocks = 0
    for kind, words in _tags(tokens):
        if kind == "block_begin" and words:
            blocks += _opened(words[0])
            _bound(words[0][0], blocks, "{% if %}")
        _screen_words(words)


def _screen_words(words: Iterable[_Token]) -> None:
    """Refuse numbers and escapes that the language lacks, and brackets too deep for the parser."""
    brackets = 0
    for line, kind, word in words:
        if kind == "operator":
            brackets += (word in "([{") - (word in ")]}")
            _bound(line, brackets, "brackets")
        _spelling(line, kind, word)


def _tags(tokens: Iterable[_Token]) -> Iterator[tuple[str, list[_Token]]]:
    """Yield the kind and the tokens of each placeholder and tag."""
    kind, words = "", list[_Token]()
    for token in _without_space(tokens):
        line, what, _ = token
        if what in ("variable_begin", "block_begin"):
            kind, words = what, []
        elif what in ("variable_end", "block_end"):
            yield kind, words
            kind, words = "", []
        elif len(words) < MAX_TOKENS:
            words.append(token)
        else:
            raise Refused(line, f"one placeholder holds at most {MAX_TOKENS} words and signs: make it several")
    # An unclosed one, too: the parser would notice it only after it has recursed into all brackets.
    yield kind, words


def _without_space(tokens: Iterable[_Token]) -> Iterator[_Token]:
    """Yield the words and signs; refuse a template with too many of them."""
    for total, token in enumerate(each for each in tokens if each[1] not in _SPACE):
        if total >= MAX_TOKENS_IN_ALL:
            message = f"a template holds at most {MAX_TOKENS_IN_ALL:,} words and signs: use several keys"
            raise Refused(token[0], message)
        yield token


def _opened(word: _Token) -> int:
    line, kind, name = word
    if name in _TAGS:
        return _TAGS[name]
    if kind != "name":
        raise Refused(line, "a tag begins with if, elif, else or endif")
    instead = _INSTEAD_OF_TAG.get(name, "there are if, elif, else and endif")
    raise Refused(line, f"there is no tag {{% {name[:20]} %}}; {instead}")


def _bound(line: int, depth: int, what: str) -> None:
    if depth > MAX_DEPTH:
        raise Refused(line, f"{what} are nested at most {MAX_DEPTH} deep")


def _spelling(line: int, kind: str, word: str) -> None:
    form, message = _SPELLINGS.get(kind, (None, ""))
    if form is not None and not form.fullmatch(word):
        raise Refused(line, message)


# --- After the parser: its nodes become those of syntax.py. ---

_NO_ARITHMETIC = "there is no arithmetic"
_INSTEAD: dict[type[nodes.Node], str] = {
    nodes.Getattr: 'there are no attributes; a key with a dot is written entries["tls.crt"]',
    nodes.Call: "nothing can be called; a function is written after its value, as in KEY|json",
    nodes.Add: "there is no +; texts are joined with ~",
    nodes.Sub: f'{_NO_ARITHMETIC}; a key with a dash is written entries["db-host"]',
    nodes.Neg: f"{_NO_ARITHMETIC}; put a negative number in quotes",
    nodes.Pos: _NO_ARITHMETIC,
    nodes.Mul: _NO_ARITHMETIC,
    nodes.Div: _NO_ARITHMETIC,
    nodes.FloorDiv: _NO_ARITHMETIC,
    nodes.Mod: f"{_NO_ARITHMETIC} and no formatting; texts are joined with ~",
    nodes.Pow: _NO_ARITHMETIC,
    nodes.List: "there are no lists; compare with == and join with or",
    nodes.Tuple: "there are no lists; one placeholder holds one expression",
    nodes.Dict: "there are no dictionaries; write JSON as text and put each value through |json",
    nodes.Compare: 'this is true or false and no text; write {{ "yes" if ... else "no" }}',
    nodes.Not: 'this is true or false and no text; write {{ "yes" if ... else "no" }}',
    nodes.Test: 'this is true or false and no text; write {{ "yes" if ... else "no" }}',
}
_FUNCTIONS = {
    "base64": "base64",
    "default": 'default("text"), or default("text", true) for an empty value too',
    "indent": f"indent(4) or indent(4, true), at most {MAX_INDENT}",
    "json": "json",
    "quote": "quote",
    "required": 'required("message"), the message in quotes',
    "trim": "trim",
    "url": "url",
}


_COMPARISONS: Mapping[str, Callable[[Text, Text], Test]] = {
    "eq": Same,
    "ne": lambda left, right: Negated(Same(left, right)),
    "in": Within,
    "notin": lambda left, right: Negated(Within(left, right)),
}


class _Reader:
    """Translates Jinja's nodes and collects the keys that they mention."""

    def __init__(self) -> None:
        self.names: set[str] = set()

    def body(self, found: Sequence[nodes.Node]) -> Body:
        return tuple(part for node in found for part in self._parts(node))

    def _parts(self, node: nodes.Node) -> Iterator[Part]:
        match node:
            case nodes.Output(nodes=children):
                for child in children:
                    yield self._output(child)
            case nodes.If():
                arms = tuple(self._arm(each) for each in (node, *node.elif_))
                yield Branches(arms, self.body(node.else_))
            case _:
                raise _refusal(node)

    def _output(self, node: nodes.Expr) -> Part:
        if isinstance(node, nodes.TemplateData):
            return Data(node.data.encode())
        return Placeholder(node.lineno, self._text(node))

    def _arm(self, node: nodes.If) -> Arm:
        return Arm(node.lineno, self._test(node.test), self.body(node.body))

    def _text(self, node: nodes.Node) -> Text:
        match node:
            case nodes.Const(value=value):
                return Literal(_constant(node.lineno, value))
            case nodes.Name() | nodes.Getitem():
                return Key(self._key(node))
            case nodes.Concat(nodes=parts):
                return Joined(tuple(self._text(part) for part in parts))
            case nodes.Or(left=left, right=right):
                return Either(self._text(left), self._text(right))
            case nodes.And(left=left, right=right):
                return Both(self._text(left), self._text(right))
            case nodes.CondExpr(test=test, expr1=then, expr2=otherwise):
                if otherwise is None:
                    raise Refused(node.lineno, 'an if within a placeholder needs its else, as in else ""')
                return Choice(self._test(test), self._text(then), self._text(otherwise))
            case nodes.Filter():
                return self._function(node)
            case _:
                raise _refusal(node)

    def _test(self, node: nodes.Node) -> Test:
        match node:
            case nodes.Const(value=bool() as value):
                return Constant(value)
            case nodes.Not(node=inner):
                return Negated(self._test(inner))
            case nodes.And(left=left, right=right):
                return AllOf(self._test(left), self._test(right))
            case nodes.Or(left=left, right=right):
                return AnyOf(self._test(left), self._test(right))
            case nodes.Compare():
                return self._comparison(node)
            case nodes.Test():
                return self._defined(node)
            case _:
                return Filled(self._text(node))

    def _comparison(self, node: nodes.Compare) -> Test:
        if len(node.ops) != 1:
            raise Refused(node.lineno, "one comparison at a time; join them with and")
        left, right = self._text(node.expr), self._text(node.ops[0].expr)
        made = _COMPARISONS.get(node.ops[0].op)
        if made is None:
            raise Refused(node.lineno, "texts have no order here; there are ==, !=, in and not in")
        return made(left, right)

    def _defined(self, node: nodes.Test) -> Test:
        if node.name != "defined" or _argument_count(node) or not isinstance(node.node, nodes.Name | nodes.Getitem):
            raise Refused(node.lineno, "the only question with is is KEY is defined, or is not defined")
        return Defined(self._key(node.node))

    def _key(self, node: nodes.Name | nodes.Getitem) -> str:
        name = _name(node)
        if not legal(name):
            raise Refused(node.lineno, "a key has letters, digits, '-', '_' and '.', at most 253")
        self.names.add(name)
        return name

    def _function(self, node: nodes.Filter) -> Text:
        if node.name not in _FUNCTIONS:
            known = ", ".join(_FUNCTIONS)
            raise Refused(node.lineno, f'there is no function "{node.name[:20]}"; there are {known}')
        if node.node is None:
            raise _refusal(node)
        operand = self._text(node.node)
        match node.name, _positional(node):
            case "base64", []:
                return Base64(operand)
            case ("json" | "quote" | "trim" | "url") as name, []:
                return Applied(TextFunction(name), operand)
            case "indent", [width]:
                return Indented(operand, _width(width), first=False)
            case "indent", [width, nodes.Const(value=bool() as first)]:
                return Indented(operand, _width(width), first)
            case "default", [fallback]:
                return Default(operand, self._text(fallback), for_empty=False)
            case "default", [fallback, nodes.Const(value=bool() as for_empty)]:
                return Default(operand, self._text(fallback), for_empty)
            case "required", [nodes.Const(value=str() as message)]:
                return Required(operand, message)
            case _:
                raise _misuse(node)


def _name(node: nodes.Name | nodes.Getitem) -> str:
    match node:
        case nodes.Getitem(node=nodes.Name(name="entries"), arg=nodes.Const(value=str() as name)):
            return name
        case nodes.Name(name=name) if name != "entries":
            return str(name)
        case _:
            raise Refused(node.lineno, 'brackets take one key of the target in quotes, as in entries["db-host"]')


def _constant(line: int, value: object) -> str:
    if isinstance(value, bool) or value is None:
        raise Refused(line, "true, false and none are no texts; put the word in quotes")
    return str(value)


def _positional(node: nodes.Filter) -> list[nodes.Expr]:
    if node.kwargs or node.dyn_args is not None or node.dyn_kwargs is not None:
        raise _misuse(node)
    return node.args


def _argument_count(node: nodes.Test) -> int:
    return len(node.args) + len(node.kwargs) + (node.dyn_args is not None) + (node.dyn_kwargs is not None)


def _width(node: nodes.Expr) -> int:
    match node:
        case nodes.Const(value=int() as width) if not isinstance(width, bool) and width <= MAX_INDENT:
            return width
        case _:
            raise Refused(node.lineno, f"write {_FUNCTIONS['indent']}")


def _misuse(node: nodes.Filter) -> Refused:
    return Refused(node.lineno, f"write {_FUNCTIONS[node.name]}")


def _refusal(node: nodes.Node) -> Refused:
    return Refused(node.lineno, _INSTEAD.get(type(node), "this is not part of the language of templates"))
