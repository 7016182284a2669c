"""Templates of any kind.

The invariants: any source with any values renders within the limits or raises Invalid or Waiting, and nothing else;
what is taken means what it means to Jinja's own engine; what a function writes is read back by those it writes for.
"""

import json
import re
import shlex
import tomllib
from collections.abc import Callable
from urllib.parse import unquote

import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from jinja2 import Environment, StrictUndefined, UndefinedError

from phase_operator.core.content.limits import MAX_BYTES
from phase_operator.core.content.template import compile_template
from phase_operator.core.content.template.functions import base64_text, json_text, quote_text, url_text
from phase_operator.core.errors import Invalid, Waiting

any_text = st.text(st.characters(exclude_categories=["Cs"]))


@given(any_text)
def test_json_is_read_back_by_json_yaml_and_toml(text: str) -> None:
    written = json_text(text)

    assert json.loads(written) == text
    assert yaml.safe_load(f"a: {written}") == {"a": text}
    assert tomllib.loads(f"a = {written}") == {"a": text}


@given(any_text)
def test_url_is_read_back_and_has_nothing_that_divides_a_url(text: str) -> None:
    assert unquote(url_text(text), errors="strict") == text
    assert re.fullmatch(r"[A-Za-z0-9._~%-]*", url_text(text))


@given(any_text)
def test_quote_is_one_word_of_a_shell(text: str) -> None:
    # Python's shlex knows the backslash before two of the four; test_template.py asks a shell about all.
    plain = text.replace("$", "").replace("`", "")

    assert shlex.split(quote_text(plain)) == [plain]


# --- Templates that are taken; each strategy makes source. ---

Source = st.SearchStrategy[str]
KEYS = ["A", "B", "entries['c.d']", "NO", "entries['no']"]
FUNCTIONS = ["base64", "json", "url", "quote", "trim", "indent(2)", "indent(1, true)"]
COMPARISONS = ["==", "!=", "in", "not in"]

keys = st.sampled_from(KEYS)
# A bare number is a number to Jinja, and its digits to us.
literals = st.sampled_from(["'x'", "''", '"\\n\\\\ü"', "'it\\'s'", "('' ~ 7)"])


def conditions(text: Source) -> Source:
    simple = st.one_of(
        text,
        keys.map(lambda key: f"{key} is defined"),
        keys.map(lambda key: f"{key} is not defined"),
        st.tuples(text, st.sampled_from(COMPARISONS), text).map(" ".join),
        st.sampled_from(["true", "false"]),
    )
    return st.one_of(
        simple,
        simple.map(lambda each: f"(not {each})"),
        st.tuples(simple, st.sampled_from(["and", "or"]), simple).map(lambda each: f"({' '.join(each)})"),
    )


def texts(inner: Source) -> Source:
    return st.one_of(
        st.tuples(inner, st.sampled_from(["~", "or", "and"]), inner).map(lambda each: f"({' '.join(each)})"),
        st.tuples(inner, st.sampled_from(FUNCTIONS)).map("|".join),
        # Jinja renders a default that is not needed too, and fails if that does; here it is not looked at.
        st.tuples(inner, keys | literals).map(lambda each: f"{each[0]}|default({each[1]})"),
        st.tuples(inner, keys | literals).map(lambda each: f"{each[0]}|default({each[1]}, true)"),
        st.tuples(inner, conditions(inner), inner).map(lambda each: f"({each[0]} if {each[1]} else {each[2]})"),
    )


expressions = st.recursive(keys | literals, texts, max_leaves=6)
parts = st.one_of(
    expressions.map(lambda text: f"{{{{ {text} }}}}"),
    st.sampled_from(["a", " ", "\n", "  {# c #}\n", "{% raw %}{{{% endraw %}", "{ ", "}}"]),
    st.tuples(conditions(expressions), conditions(expressions), expressions).map(
        lambda each: (
            f"{{% if {each[0]} %}}\n1\n  {{% elif {each[1]} -%}}\n2{{% else %}}{{{{ {each[2]} }}}}{{% endif %}}\n"
        )
    ),
)
templates = st.lists(parts, max_size=4).map("".join)
plain_values = st.dictionaries(st.sampled_from(["A", "B", "c.d"]), st.text(st.sampled_from("ab x\n\"'$/ü"), max_size=5))


def on_text(function: Callable[[str], str]) -> Callable[[object], str]:
    """Make a filter for Jinja: a missing key is an error."""
    return lambda value: function(f"{value}")


# Jinja's engine, with our functions where it has none of that name or means something else by it.
JINJA = Environment(
    trim_blocks=True, lstrip_blocks=True, keep_trailing_newline=True, undefined=StrictUndefined, autoescape=False
)
JINJA.filters |= {
    "base64": on_text(lambda text: base64_text(text.encode())),
    "json": on_text(json_text),
    "url": on_text(url_text),
    "quote": on_text(quote_text),
}


@given(templates, plain_values)
@settings(max_examples=2 * settings().max_examples)
def test_a_template_means_what_it_means_to_jinja(source: str, values: dict[str, str]) -> None:
    try:
        meant: str | None = JINJA.from_string(source).render({**values, "entries": values})
    except (UndefinedError, TypeError):  # the latter for a missing key before `in`
        meant = None

    try:
        found: str | None = (
            compile_template(source).render({key: text.encode() for key, text in values.items()}).decode()
        )
    except Waiting:
        found = None

    assert found == meant


# --- Anything else ---

WORDS = """
{{ }} {% %} {# #} {{- -}} {%- -%} ( ) [ ] { } | ~ , . : == != < > = + - * / ** % A B NO entries self range
entries[ ['A'] ['a.b'] 'x' "y" ' " 0 7 1.5 1_0 true false none if elif else endif {%if(A)%} {%endif%} for in not and or
is defined set macro raw endraw {%raw%} {%endraw%} |json |base64 |url |quote |trim |indent( |indent(9)
|default('x') |default(B) |required('m') |required( |attr( .__class__ ()
"""
FRAGMENTS = [*WORDS.split(), " ", " ", "\\", "\\n", "\n", "\r\n", "\r", "ü", "\u2028", "\ud800", "\x00"]

some = st.lists(st.sampled_from(FRAGMENTS), max_size=20)
sources = st.one_of(
    templates,
    st.lists(st.sampled_from(FRAGMENTS), max_size=60).map("".join),
    some.map(lambda words: "{{ " + " ".join(words) + " }}"),
    some.map(lambda words: "{% if " + " ".join(words) + " %}A{% endif %}"),
    st.tuples(st.sampled_from(["{{ ", "{% if ", "", "{{ A"]), st.sampled_from(FRAGMENTS), st.integers(1, 9000)).map(
        lambda drawn: drawn[0] + drawn[1] * drawn[2]
    ),
    st.text(st.characters(codec=None), max_size=200).map(lambda text: "{{" + text),
)
bodies = st.one_of(st.binary(max_size=30), st.integers(0, MAX_BYTES + 1).map(lambda size: b'"\n' * (size // 2)))


@given(sources, st.dictionaries(st.sampled_from(["A", "B", "a.b"]), bodies))
@settings(max_examples=4 * settings().max_examples)
def test_any_source_renders_within_the_limits_or_says_why_not(source: str, values: dict[str, bytes]) -> None:
    try:
        result = compile_template(source).render(values)
    except (Invalid, Waiting):
        return

    assert len(result) <= MAX_BYTES
