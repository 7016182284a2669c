"""The language of templates: what it says, what it refuses, where it ends."""

import re
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from phase_operator.api.reasons import Reason
from phase_operator.core.content.limits import MAX_BYTES
from phase_operator.core.content.template import MAX_METADATA_BYTES, compile_template, render_text
from phase_operator.core.content.template.functions import quote_text
from phase_operator.core.content.template.syntax import (
    MAX_DEPTH,
    MAX_INDENT,
    MAX_SOURCE_BYTES,
    MAX_TEXT_BYTES,
    MAX_TOKENS,
    MAX_TOKENS_IN_ALL,
    MAX_WORK,
)
from phase_operator.core.errors import ExpectedError, Invalid, Waiting
from support.canary import Canary

PAGE = Path(__file__).parents[4] / "docs/templates.md"
WHERE = 'template.data["app.ini"]'
VALUES = {
    "HOST": b"db.example",
    "EMPTY": b"",
    "tls.crt": b"one\ntwo\n",
    "db-host": b"dashed",
    "entries": b"odd",
    "BYTES": b"\xff\x00",
    "QUOTES": b'it\'s "$5" \\ `x`\n',
}


def render(text: str, values: Mapping[str, bytes] = VALUES) -> str:
    return compile_template(text, WHERE).render(values).decode()


def invalid(text: str) -> Invalid:
    with pytest.raises(Invalid) as caught:
        compile_template(text, WHERE)
    assert caught.value.reason is Reason.TEMPLATE_INVALID
    return caught.value


def failing(text: str, values: Mapping[str, bytes] = VALUES) -> Waiting:
    template = compile_template(text, WHERE)
    with pytest.raises(Waiting) as caught:
        template.render(values)
    assert caught.value.reason is Reason.TEMPLATE_FAILED
    return caught.value


# --- What it says ---


@pytest.mark.parametrize(
    ("text", "result"),
    [
        pytest.param("{{ HOST }}", "db.example", id="a key"),
        pytest.param('{{ entries["db-host"] }}', "dashed", id="a key with a dash"),
        pytest.param("{{ entries['tls.crt'] }}", "one\ntwo\n", id="a key with a dot"),
        pytest.param('{{ entries["entries"] }}', "odd", id="a key that is called entries"),
        pytest.param("{{ 'a' ~ HOST ~ \"b\" ~ 5 }}", "adb.exampleb5", id="joined"),
        pytest.param("{{ 'a' 'b' }}", "ab", id="texts side by side"),
        pytest.param(r"""{{ "\\ \" \' \n \t ü" }}""", "\\ \" ' \n \t ü", id="escapes"),
        pytest.param('{{ "yes" if HOST == "db.example" else "no" }}', "yes", id="a condition in a placeholder"),
        pytest.param("{% if EMPTY %}a{% elif HOST %}b{% else %}c{% endif %}", "b", id="elif"),
        pytest.param("{% if EMPTY %}a{% endif %}", "", id="no branch"),
        pytest.param("{% if true and not false %}a{% endif %}", "a", id="constants"),
        pytest.param("{% if 'exa' in HOST and 'x' not in EMPTY %}a{% endif %}", "a", id="a text within another"),
        pytest.param("{% if HOST != 'x' or MISSING %}a{% endif %}", "a", id="or stops at the first that holds"),
        pytest.param("{% if NO is defined %}a{% endif %}{% if HOST is not defined %}b{% endif %}", "", id="defined"),
        pytest.param("{{ EMPTY or HOST }}", "db.example", id="or between texts"),
        pytest.param("[{{ EMPTY and HOST }}]", "[]", id="and between texts"),
        pytest.param("{% if entries['n'] is defined %}{% else %}x{% endif %}", "x", id="defined in brackets"),
        pytest.param("{% if PORT|default(80) == 80 %}x{% endif %}", "x", id="a number is its digits"),
        pytest.param("{{ NO|default('x') }}{{ EMPTY|default('y') }}", "x", id="default for a missing key"),
        pytest.param("{{ EMPTY|default('y', true) }}", "y", id="default for an empty value"),
        pytest.param("{{ NO|default(NEITHER|default(HOST)) }}", "db.example", id="defaults in one another"),
        pytest.param("{{ HOST|required('say') }}", "db.example", id="required and there"),
        pytest.param("{{ NO|default(HOST)|required('say') }}", "db.example", id="required after a default"),
        pytest.param("{{ BYTES|base64 }}", "/wA=", id="bytes through base64"),
        pytest.param("{{ BYTES|default('x')|required('y')|base64 }}", "/wA=", id="bytes handed on to base64"),
        pytest.param("{{ (BYTES if BYTES else BYTES)|base64 }}", "/wA=", id="bytes chosen for base64"),
        pytest.param("{{ 'ü'|base64|base64 }}", "dzd3PQ==", id="base64 of a text, twice"),
        pytest.param("{{ QUOTES|quote }}", '"it\'s \\"\\$5\\" \\\\ \\`x\\`\n"', id="quote"),
        pytest.param("{{ ' a b/ü~'|url }}", "%20a%20b%2F%C3%BC~", id="url"),
        pytest.param("{{ '\\n\\'\u2028\U0001f600' | json }}", '"\\n\'\\u2028\U0001f600"', id="json"),
        pytest.param("{{ entries['tls.crt']|indent(2) }}", "one\n  two\n", id="indent"),
        pytest.param(
            "{{ 'a\\n\\n\\r\\nb'|indent(1, true) }}", " a\n\n\r\n b", id="indent the first, never empty lines"
        ),
        pytest.param("[{{ ''|indent(2, true) }}]", "[  ]", id="indent the first, even if it is empty"),
        pytest.param("{{ 'a\u2028b'|indent(2) }}", "a\u2028b", id="indent leaves other separators"),
        pytest.param("{{ '\\n a \\t'|trim }}", "a", id="trim"),
        pytest.param("a\n{% if HOST %}\nb\n{% endif %}\nc\n", "a\nb\nc\n", id="a tag alone in its line leaves none"),
        pytest.param("a \n{{- HOST -}}\n b", "adb.exampleb", id="white space taken away"),
        pytest.param("{# note #}\na{# b #}c", "ac", id="comments"),
        pytest.param("{% raw %}{{ x }}{% endraw %}", "{{ x }}", id="raw"),
        pytest.param("a\r\n{{ HOST }}\r\n", "a\r\ndb.example\r\n", id="CRLF stays"),
        pytest.param("{{ HOST }}\n\n", "db.example\n\n", id="line ends at the end stay"),
    ],
)
def test_a_template_renders_this_text(text: str, result: str) -> None:
    assert render(text) == result


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("", id="nothing"),
        pytest.param("plain\n", id="a line"),
        pytest.param("a\r\nb\rc\n\n", id="any line ends"),
        pytest.param('{"a": {"b": "}}"}, "c": "%}"}\n', id="JSON"),
        pytest.param("${HOST} $(x) { } #}", id="a shell's braces"),
        pytest.param("x" * (MAX_SOURCE_BYTES + 1), id="longer than a template may be"),
    ],
)
def test_a_text_that_is_no_template_stays_as_it_is(text: str) -> None:
    template = compile_template(text)

    assert template.render({}) == text.encode()
    assert template.names == frozenset()


def test_values_are_not_read_as_templates() -> None:
    assert render("{{ A }}", {"A": b"{{ B }}{% if x %}"}) == "{{ B }}{% if x %}"


def test_a_template_names_the_keys_that_it_mentions() -> None:
    text = '{{ A|default(B) }}{% if C is defined %}{{ entries["d.e"] }}{% elif F %}{% else %}{{ G }}{% endif %}'

    assert compile_template(text).names == {"A", "B", "C", "d.e", "F", "G"}


def test_a_template_is_read_once() -> None:
    first, second = compile_template("{{ ONCE }}", "here"), compile_template("{{ ONCE }}", "there")

    assert first.body is second.body
    assert (first.where, second.where) == ("here", "there")


def test_jinja_is_not_imported_before_the_first_template() -> None:
    program = (
        "import sys; from phase_operator.core.content.template import compile_template as c;"
        "c('{ no template }').render({}); assert 'jinja2' not in sys.modules;"
        "c('{{ A }}').render({'A': b''}); assert 'jinja2' in sys.modules"
    )

    subprocess.run([sys.executable, "-c", program], check=True)


def test_a_text_may_be_as_large_as_a_target() -> None:
    assert MAX_TEXT_BYTES == MAX_BYTES


def test_a_shell_reads_quote_back() -> None:
    text = 'it\'s $HOME `id` $(id) "x" \\ \\\\n ü\n two!'

    done = subprocess.run(["/bin/sh", "-c", f"printf %s {quote_text(text)}"], capture_output=True, check=True)

    assert done.stdout.decode() == text


# --- What is refused ---


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("{{ ''.__class__ }}", id="an attribute of a text"),
        pytest.param("{{ HOST.__class__ }}", id="an attribute of a value"),
        pytest.param("{{ ''.__class__.__mro__[1].__subclasses__() }}", id="the way to all classes"),
        pytest.param("{{ HOST|attr('__class__') }}", id="the filter attr"),
        pytest.param("{{ HOST|map(attribute='x') }}", id="the filter map"),
        pytest.param("{{ HOST|safe }}", id="a filter of Jinja's"),
        pytest.param("{{ HOST['__class__'] }}", id="an item of a value"),
        pytest.param("{{ entries[HOST] }}", id="a key that is computed"),
        pytest.param("{{ entries['a' ~ 'b'] }}", id="a key that is joined"),
        pytest.param("{{ entries[0] }}", id="an item by number"),
        pytest.param("{{ entries['a']['b'] }}", id="an item of an item"),
        pytest.param("{{ entries['a b'] }}", id="what cannot be a key"),
        pytest.param("{{ entries }}", id="all entries"),
        pytest.param("{{ entries.HOST }}", id="entries by attribute"),
        pytest.param("{{ entries.items() }}", id="a method of entries"),
        pytest.param("{{ HOST[1:2] }}", id="a slice"),
        pytest.param("{{ HOST.format() }}", id="format as a method"),
        pytest.param("{{ '%s' % HOST }}", id="format as an operator"),
        pytest.param("{{ '%s'|format(HOST) }}", id="format as a filter"),
        pytest.param("{{ 'a' * 10**9 }}", id="a text times a number"),
        pytest.param("{{ 10**9 }}", id="a power"),
        pytest.param("{{ 'a' + 'b' }}", id="plus"),
        pytest.param("{{ db-host }}", id="minus"),
        pytest.param("{{ -1 }}", id="a negative number"),
        pytest.param("{{ 1.5 }}", id="a number with a point"),
        pytest.param("{{ 1e999 }}", id="a number with an exponent"),
        pytest.param("{{ 0x10 }}", id="a number in hex"),
        pytest.param("{{ 1_000 }}", id="a number in groups"),
        pytest.param("{{ 1٣ }}", id="digits that are not ASCII"),
        pytest.param("{{ %s }}" % ("9" * 5000), id="a number of many digits"),
        pytest.param("{{ range(10**9) }}", id="range"),
        pytest.param("{{ cycler('a') }}", id="cycler, called"),
        pytest.param("{{ lipsum() }}", id="lipsum, called"),
        pytest.param("{{ self.x() }}", id="self"),
        pytest.param("{{ cycler.__init__.__globals__.os }}", id="globals of cycler"),
        pytest.param("{{ HOST|json() }}{{ HOST|json(1) }}", id="an argument too many"),
        pytest.param("{{ HOST|default }}", id="an argument too few"),
        pytest.param("{{ HOST|default(*x) }}", id="arguments spread"),
        pytest.param("{{ HOST|default(value='x') }}", id="an argument by name"),
        pytest.param("{{ HOST|default('x', HOST) }}", id="a switch that is computed"),
        pytest.param("{{ HOST|required(HOST) }}", id="a value for a message"),
        pytest.param("{{ HOST|required('a' ~ HOST) }}", id="a value in a message"),
        pytest.param("{{ HOST|indent }}", id="indent without a width"),
        pytest.param("{{ HOST|indent(true) }}", id="indent by true"),
        pytest.param("{{ HOST|indent('  ') }}", id="indent by a text"),
        pytest.param(f"{{{{ HOST|indent({MAX_INDENT + 1}) }}}}", id="indent too far"),
        pytest.param("{{ [1, 2] }}", id="a list"),
        pytest.param("{{ 1, 2 }}", id="a tuple"),
        pytest.param("{{ () }}", id="an empty tuple"),
        pytest.param("{{ {'a': 1} }}", id="a dictionary"),
        pytest.param("{{ true }}", id="true as a text"),
        pytest.param("{{ none }}", id="none as a text"),
        pytest.param("{{ HOST|default(false) }}", id="false as a text"),
        pytest.param("{{ HOST == 'x' }}", id="a comparison as a text"),
        pytest.param("{{ not HOST }}", id="not as a text"),
        pytest.param("{{ HOST is defined }}", id="defined as a text"),
        pytest.param("{{ 'a' if HOST }}", id="no else"),
        pytest.param("{% if HOST < 'x' %}{% endif %}", id="an order of texts"),
        pytest.param("{% if 'a' == HOST == 'b' %}{% endif %}", id="two comparisons at once"),
        pytest.param("{% if HOST is none %}{% endif %}", id="another question"),
        pytest.param("{% if HOST is defined(1) %}{% endif %}", id="a question with an argument"),
        pytest.param("{% if ('a' ~ 'b') is defined %}{% endif %}", id="a question about no key"),
        pytest.param("{% if HOST is sameas HOST %}{% endif %}", id="a question of Jinja's"),
        pytest.param("{% for a in HOST %}{% endfor %}", id="for"),
        pytest.param("{% set a = 1 %}", id="set"),
        pytest.param("{% set a %}{% endset %}", id="set of a block"),
        pytest.param("{% with a = 1 %}{% endwith %}", id="with"),
        pytest.param("{% macro a() %}{% endmacro %}", id="macro"),
        pytest.param("{% call a() %}{% endcall %}", id="call"),
        pytest.param("{% filter upper %}{% endfilter %}", id="filter"),
        pytest.param("{% include '/etc/passwd' %}", id="include"),
        pytest.param("{% import 'os' as os %}", id="import"),
        pytest.param("{% from 'os' import path %}", id="from"),
        pytest.param("{% extends 'a' %}", id="extends"),
        pytest.param("{% block a %}{% endblock %}", id="block"),
        pytest.param("{% autoescape true %}{% endautoescape %}", id="autoescape"),
        pytest.param("{% print HOST %}", id="print"),
        pytest.param("{% do HOST %}", id="do"),
        pytest.param("{% debug %}", id="debug"),
        pytest.param("{% 'x' %}", id="a text as a tag"),
        pytest.param("{% %}", id="an empty tag"),
        pytest.param("{{ }}", id="an empty placeholder"),
        pytest.param("{% if HOST %}", id="an if that is not closed"),
        pytest.param("{% endif %}", id="an if that is not opened"),
        pytest.param("{{ HOST", id="a placeholder that is not closed"),
        pytest.param("{{ 'HOST }}", id="a text that is not closed"),
        pytest.param("{# HOST", id="a comment that is not closed"),
        pytest.param("{% raw %}{{ x", id="raw that is not closed"),
        pytest.param("{{ ) }}", id="a bracket that is not opened"),
        pytest.param("{{ HOST HOST }}", id="two values side by side"),
        pytest.param("{{ HÖST }}", id="a name that cannot be a key"),
        pytest.param("{{ x² }}", id="a name that is none"),
        pytest.param("{{ %s }}" % ("x" * 254), id="a name too long for a key"),
        pytest.param(r"{{ '\x41' }}", id="an escape in hex"),
        pytest.param(r"{{ '\ud800' }}", id="half a character"),
        pytest.param(r"{{ '\N{DIGIT ONE}' }}", id="a character by name"),
        pytest.param("{{ '\\\n' }}", id="a line continued"),
        pytest.param("{{ HOST }}\r\n\n", id="mixed line ends"),
        pytest.param("{{ HOST }}\ud800", id="no Unicode text"),
    ],
)
def test_the_language_lacks(text: str) -> None:
    error = invalid(text)

    assert error.message.startswith(WHERE)
    assert "__" not in error.message


@pytest.mark.parametrize(
    "name", ["cycler", "joiner", "namespace", "dict", "lipsum", "range", "self", "loop", "super", "caller", "__class__"]
)
def test_a_builtin_name_of_jinja_is_a_missing_key_here(name: str) -> None:
    assert f'no key "{name}"' in failing(f"{{{{ {name} }}}}").message


@pytest.mark.parametrize(
    ("text", "line"),
    [
        pytest.param("a\n\n{{ HOST.x }}", 3, id="a placeholder"),
        pytest.param("a\n{% for x in y %}\n{% endfor %}", 2, id="a tag"),
        pytest.param("a\n{% if HOST %}\nb\n{{ 'x' + 'y' }}{% endif %}", 4, id="inside an if"),
        pytest.param("{% if HOST %}\n{% elif HOST < 'x' %}\n{% endif %}", 2, id="an elif"),
        pytest.param("a\r\n{{ 1.5 }}\r\n", 2, id="CRLF"),
        pytest.param("{% if HOST -%}\n\n\n{{ HOST( }}{% endif %}", 4, id="what the parser says"),
    ],
)
def test_a_refusal_names_the_line(text: str, line: int) -> None:
    assert f", line {line}: " in invalid(text).message


def test_texts_in_quotes_are_not_repeated(canary: Canary) -> None:
    word = canary.token("not-to-be-seen")

    for text in ("'{}' 5.5", "x|default('{}'", "'{}'.y", "x|required('{}' ~ y)", "'{}' '", "'\\d{}'", "5 '{}'"):
        error = invalid("{{ " + text.format(word) + " }}")
        assert word not in error.message
        assert error.__suppress_context__


# --- What fails on the values ---


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("{{ NO }}", id="a placeholder"),
        pytest.param("{{ entries['NO'] }}", id="in brackets"),
        pytest.param("{{ 'a' ~ NO }}", id="joined"),
        pytest.param("{{ NO|json }}", id="in a function"),
        pytest.param("{{ NO|base64|default('x') }}", id="in a function before a default"),
        pytest.param("{{ EMPTY or NO }}", id="after or"),
        pytest.param("{{ ALSO|default(NO) }}", id="as a default"),
        pytest.param("{{ NO|default(EMPTY, true)|default(NO, true) }}", id="as a default for an empty one"),
        pytest.param("{{ NO|required('say') }}", id="required"),
        pytest.param("{% if NO %}{% endif %}", id="in a test"),
        pytest.param("{% if not NO == 'x' %}{% endif %}", id="in a comparison"),
    ],
)
def test_a_missing_key_is_named(text: str) -> None:
    message = failing(f"\n{text}").message

    assert message.startswith(f"{WHERE}, line 2: ")
    assert '"NO"' in message


def test_a_missing_key_that_is_not_reached_is_no_error() -> None:
    assert render("{% if EMPTY %}{{ NO }}{% endif %}{{ HOST or NO }}{{ 'a' if HOST else NO }}") == "db.examplea"


def test_keys_that_come_close_are_proposed() -> None:
    assert 'did you mean "DB_HOST"?' in failing("{{ DB_HST }}", {"DB_HOST": b"", "OTHER": b""}).message


def test_required_says_its_message_and_the_key() -> None:
    message = failing("{{ EMPTY|required('ask\nthe platform team') }}").message

    assert '"EMPTY"' in message
    assert message.endswith("ask the platform team")


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("{{ BYTES }}", id="a placeholder"),
        pytest.param("{{ BYTES ~ '' }}", id="joined"),
        pytest.param("{{ BYTES|json }}", id="json"),
        pytest.param("{{ BYTES|trim|base64 }}", id="base64 after another"),
        pytest.param("{{ BYTES|indent(2) }}", id="indent"),
        pytest.param("{% if BYTES == 'x' %}{% endif %}", id="a comparison"),
        pytest.param("{% if 'x' in BYTES %}{% endif %}", id="within"),
    ],
)
def test_bytes_that_are_no_text_are_named(text: str) -> None:
    assert '"BYTES"' in failing(text).message


def test_whether_bytes_are_empty_can_be_asked() -> None:
    assert render("{% if BYTES %}some{% endif %}") == "some"


def test_no_error_shows_a_value(canary: Canary) -> None:
    text = canary.value("text")
    values = {"TEXT": text.encode(), "BYTES": b"\xff" + text.encode(), "MUCH": text.encode() * 20000, "EMPTY": b""}
    templates = [
        "{{ BYTES }}",
        "{{ TEXT ~ BYTES }}",
        "{{ TEXT ~ NO }}",
        "{{ MUCH ~ MUCH }}",
        "{{ MUCH|json|json|url|url }}",
        "{% if TEXT in BYTES %}{% endif %}",
        "{{ (TEXT and EMPTY)|required('say') }}",
        "{{ TEXT|default(NO)|required('say')|indent(1) ~ EMPTY|required('say') }}",
    ]

    for template in templates:
        error = failing(template, values)
        canary.watch(error.message)
        assert error.__cause__ is None
        assert error.__suppress_context__ or error.__context__ is None
    canary.watch(repr(compile_template("{{ TEXT }}")))


# --- Where it ends ---


def test_a_text_may_have_a_mebibyte_and_not_a_byte_more() -> None:
    half = {"A": b"x" * (MAX_BYTES // 2)}

    assert len(compile_template("{{ A }}{{ A }}").render(half)) == MAX_BYTES
    failing("{{ A }}{{ A }}.", half)


def test_a_result_is_measured_in_bytes() -> None:
    failing("{{ A }}{{ A }}", {"A": "ü".encode() * (MAX_BYTES // 4 + 1)})


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("{{ A ~ A }}", id="joined"),
        pytest.param("{{ A|json|json }}", id="json"),
        pytest.param("{{ A|url }}", id="url"),
        pytest.param("{{ A|quote|quote }}", id="quote"),
        pytest.param("{{ A|base64|base64 }}", id="base64"),
        pytest.param("{{ A|indent(1, true) }}", id="indent"),
        pytest.param("{{ A|default('') ~ 'x' }}", id="by one"),
        pytest.param("{% if A ~ A == A %}{% endif %}", id="in a test"),
        pytest.param("{{ TOO_MUCH }}", id="a value"),
        pytest.param("{{ TOO_MUCH|base64 }}", id="a value through base64"),
        pytest.param("{{ '\"'" + "|json" * 40 + " }}", id="a chain that doubles"),
        pytest.param("{{ 'x\\n'" + f"|indent({MAX_INDENT}, true) ~ '\\nx\\n' ~ A" * 2 + " }}", id="a chain of indents"),
    ],
)
def test_no_text_on_the_way_is_larger_either(text: str) -> None:
    values = {"A": b'"\n' * (MAX_BYTES // 2), "TOO_MUCH": b"x" * (MAX_BYTES + 1)}

    assert "longer than" in failing(text, values).message


def test_the_work_is_bounded_though_the_result_is_small() -> None:
    values = {"A": b"x" * (MAX_BYTES // 2)}
    enough = MAX_WORK // (MAX_BYTES // 2)
    question = "{% if A == '' %}{% endif %}"

    assert render(question * (enough - 1), values) == ""
    assert "work" in failing(question * (enough + 1), values).message


def test_a_node_is_rendered_once() -> None:
    class Counting(dict[str, bytes]):
        read = 0

        def __getitem__(self, key: str) -> bytes:
            self.read += 1
            return super().__getitem__(key)

    values = Counting(A=b"x")
    chain = "|base64|trim|default('')|required('x')|indent(1)|json"

    compile_template("{{ A" + chain * 3 + " }}").render(values)

    assert values.read == 1


@pytest.mark.parametrize(
    ("build", "most"),
    [
        pytest.param(lambda size: "{{ A }}".ljust(size), MAX_SOURCE_BYTES, id="bytes"),
        pytest.param(lambda size: "{{ " + "'a'" * size + " }}", MAX_TOKENS, id="words in a placeholder"),
        pytest.param(lambda size: "{{ A }}" * size, MAX_TOKENS_IN_ALL // 3, id="words in all"),
        pytest.param(lambda size: "{{ " + "(" * size + "A" + ")" * size + " }}", MAX_DEPTH, id="brackets"),
        pytest.param(lambda size: "{% if A %}" * size + "{% endif %}" * size, MAX_DEPTH, id="ifs"),
    ],
)
def test_a_template_may_be_that_large_and_no_larger(build: Callable[[int], str], most: int) -> None:
    compile_template(build(most))

    invalid(build(most + 1))


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("{{ " + "(" * 30000, id="brackets that are not closed"),
        pytest.param("{{ " + "[" * 30000 + "]" * 30000 + " }}", id="lists"),
        pytest.param("{% if A %}" * 5000, id="ifs that are not closed"),
        pytest.param("{{ A" + "|json" * 10000 + " }}", id="functions"),
        pytest.param("{{ A" + ".a" * 30000 + " }}", id="attributes"),
        pytest.param("{{ " + "not " * 15000 + "A }}", id="not"),
        pytest.param("{{ " + "-" * 60000 + "A }}", id="minus"),
        pytest.param("{{ A" + " if A else A" * 5000 + " }}", id="conditions"),
        pytest.param("{{ A" + " or A" * 10000 + " }}", id="or"),
        pytest.param("{{ A" + "(" * 30000, id="calls"),
        pytest.param("{{ " + "{" * 30000, id="braces"),
        pytest.param("{%" + " " * 60000, id="white space"),
        pytest.param("{% raw" + " " * 60000, id="white space after raw"),
        pytest.param("{% raw %}" + "{% " * 20000, id="raw that is not closed"),
        pytest.param("{#" * 30000, id="comments"),
        pytest.param("{{ '" + "\\\\" * 30000, id="backslashes"),
        pytest.param("{{ " + "1_" * 30000, id="digits"),
    ],
)
def test_depth_and_length_are_refused_before_anything_follows_them(text: str) -> None:
    invalid(text)


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("{% if " + "(" * 10 + "not " * 170 + "A" + ")" * 10 + " %}{% endif %}", id="not"),
        pytest.param("{{ " + "(" * 10 + "A" + "|trim" * 89 + ")" * 10 + " }}", id="functions"),
        pytest.param("{{ " + "A|default(" * 10 + "A" + " if A else A" * 30 + ")" * 10 + " }}", id="conditions"),
        pytest.param("{{ " + "A|default(" * 10 + "A" + " or A" * 70 + ")" * 10 + " }}", id="or"),
    ],
)
def test_the_deepest_template_leaves_half_of_the_stack(text: str) -> None:
    within = MAX_DEPTH - text.startswith("{% if")
    nested = "{% if A %}" * within + text + "{% endif %}" * within

    def deep(frames: int) -> bytes:
        return deep(frames - 1) if frames else compile_template(nested).render({"A": b"x"})

    assert deep(sys.getrecursionlimit() // 2) in (b"", b"x")


# --- Metadata ---


def test_a_label_is_rendered_as_text() -> None:
    assert render_text("v{{ VERSION }}", {"VERSION": b"1.2"}) == "v1.2"


def test_metadata_has_a_smaller_bound() -> None:
    assert len(render_text("{{ A }}", {"A": b"x" * MAX_METADATA_BYTES})) == MAX_METADATA_BYTES
    for text, limit in (("{{ A }}.", MAX_METADATA_BYTES), ("{{ A }}", 63)):
        with pytest.raises(Waiting):
            render_text(text, {"A": b"x" * MAX_METADATA_BYTES}, limit=limit)


# --- The page ---


def examples() -> list[Any]:
    page = PAGE.read_text()
    found = re.findall(r"^```jinja\n(.*?)^```\n\n^```text (result|error)\n(.*?)^```$", page, re.DOTALL | re.MULTILINE)
    assert len(found) == page.count("```jinja")
    return [
        pytest.param(source[:-1], kind, expected[:-1], id=source.splitlines()[0]) for source, kind, expected in found
    ]


def blocks() -> list[str]:
    return re.findall(r"```yaml\n(.*?)```", PAGE.read_text(), re.DOTALL)


def values_of_the_page() -> dict[str, bytes]:
    [block] = [each for each in blocks() if each.startswith("DB_HOST: ")]
    document: dict[str, str | bytes] = yaml.safe_load(block)
    return {key: value.encode() if isinstance(value, str) else value for key, value in document.items()}


@pytest.mark.parametrize(("source", "kind", "expected"), examples())
def test_the_page_shows_what_comes_out(source: str, kind: str, expected: str) -> None:
    try:
        found = "result", render(source, values_of_the_page())
    except ExpectedError as error:
        found = "error", error.message.removeprefix(f"{WHERE}, ")

    assert found == (kind, expected)


def test_the_first_example_makes_the_connection_string_below_it() -> None:
    example = yaml.safe_load(blocks()[0])
    [[key, source]] = example["spec"]["managedSecretReferences"][0]["template"]["data"].items()
    [shown] = re.findall(rf"\.data\.{key}.*\n(.*)\n```", PAGE.read_text())

    assert render(source, values_of_the_page()) == shown


def test_the_page_tells_the_limits() -> None:
    limits = PAGE.read_text().split("## Limits")[1]

    for amount in (
        f"{MAX_SOURCE_BYTES // 1024} KiB",
        f"{MAX_TOKENS_IN_ALL:,} words",
        f"{MAX_TOKENS} words",
        f"{MAX_DEPTH} deep",
        f"{MAX_TEXT_BYTES // 1024**2} MiB",
        f"{4 * MAX_WORK // 1024**2} MiB",
        f"{MAX_METADATA_BYTES // 1024} KiB",
    ):
        assert amount in limits


def test_the_page_tells_every_function() -> None:
    functions = re.findall(r"^### (\w+)$", PAGE.read_text(), re.MULTILINE)

    listed = invalid("{{ A|unknown }}").message.split("there are ")[1].split(", ")
    assert sorted(functions) == sorted(listed)


@pytest.mark.parametrize(
    ("text", "ours"),
    [
        ("{{ .DB_HOST }}", "{{ DB_HOST }}"),
        ("{{.DB_HOST}}", "{{ DB_HOST }}"),
        ('{{ index . "db-host" }}', '{{ entries["db-host"] }}'),
        ('{{- index . "DB_HOST" -}}', "{{ DB_HOST }}"),
    ],
)
def test_a_template_in_the_syntax_of_go_is_answered_with_ours(text: str, ours: str) -> None:
    with pytest.raises(Invalid) as caught:
        compile_template(text, "here")

    assert ours in caught.value.message
