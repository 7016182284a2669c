"""A selector means what it means to kubectl. The cases are those of apimachinery's own tests."""

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from phase_operator.core.errors import Invalid
from phase_operator.core.label_selector import EVERYTHING, Operator, Requirement, Selector, parse_selector

LABELS = {"tier": "api", "env": "prod", "size": "3", "empty": "", "example.com/team": "shop"}


@pytest.mark.parametrize(
    ("text", "matches"),
    [
        pytest.param("", True, id="nothing is asked"),
        pytest.param("   ", True, id="blanks"),
        pytest.param("tier=api", True, id="equal"),
        pytest.param("tier==api", True, id="equal, the other spelling"),
        pytest.param(" tier = api ", True, id="blanks around"),
        pytest.param("tier=web", False, id="another value"),
        pytest.param("absent=api", False, id="equal, no such label"),
        pytest.param("tier!=web", True, id="unequal"),
        pytest.param("tier!=api", False, id="unequal, but it is equal"),
        pytest.param("absent!=api", True, id="unequal, no such label"),
        pytest.param("tier in (web,api)", True, id="one of"),
        pytest.param("tier in(web, api)", True, id="one of, tight"),
        pytest.param("tier in (web)", False, id="none of"),
        pytest.param("tier notin (web,db)", True, id="not one of"),
        pytest.param("absent notin (web)", True, id="not one of, no such label"),
        pytest.param("tier", True, id="there"),
        pytest.param("absent", False, id="not there"),
        pytest.param("!absent", True, id="must not be there"),
        pytest.param("! tier", False, id="must not be there, but is"),
        pytest.param("size>2", True, id="greater"),
        pytest.param("size > 3", False, id="not greater"),
        pytest.param("size<4", True, id="less"),
        pytest.param("tier<4", False, id="no number"),
        pytest.param("absent>1", False, id="a number, no such label"),
        pytest.param("empty=", True, id="an empty value"),
        pytest.param("empty=,tier=api", True, id="an empty value and more"),
        pytest.param("tier=", False, id="an empty value, but it has one"),
        pytest.param("empty in ()", True, id="no value in brackets is the empty one"),
        pytest.param("empty in (,api)", True, id="the empty one first"),
        pytest.param("empty in (api,)", True, id="the empty one last"),
        pytest.param("tier in (in,notin,api)", True, id="words as values"),
        pytest.param("tier=in", False, id="a word as value"),
        pytest.param("tier=api,env in (prod),!absent,size", True, id="all of them"),
        pytest.param("tier=api,env=dev", False, id="all but one"),
        pytest.param("example.com/team=shop", True, id="a key with a prefix"),
    ],
)
def test_labels_are_judged_as_kubectl_judges(text: str, matches: bool) -> None:
    assert parse_selector(text).matches(LABELS) is matches


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("tier=api,", id="ends in a comma"),
        pytest.param(",tier=api", id="begins with a comma"),
        pytest.param("a,,b", id="two commas"),
        pytest.param("tier=api env=prod", id="no comma between"),
        pytest.param("tier in api", id="no brackets"),
        pytest.param("tier in (api", id="not closed"),
        pytest.param("tier in (api web)", id="no comma in brackets"),
        pytest.param("tier notin", id="no values"),
        pytest.param("=api", id="no key"),
        pytest.param("!", id="nothing after the sign"),
        pytest.param("!tier=api", id="two conditions in one"),
        pytest.param("tier===api", id="three signs"),
        pytest.param("size>many", id="no integer"),
        pytest.param("size>", id="no bound"),
        pytest.param("in=api", id="a word as key"),
        pytest.param("-tier=api", id="a key that is none"),
        pytest.param("a/b/c=api", id="two prefixes"),
        pytest.param("tier=" + "a" * 64, id="a value that is too long"),
        pytest.param("x" * 64, id="a key that is too long"),
        pytest.param("tier=a/b", id="a value that is none"),
        pytest.param("()", id="brackets alone"),
    ],
)
def test_a_selector_that_kubectl_refuses_is_refused(text: str) -> None:
    with pytest.raises(Invalid):
        parse_selector(text)


def test_a_refusal_says_what_stands_where_something_else_belongs() -> None:
    with pytest.raises(Invalid) as caught:
        parse_selector("tier in api")

    assert 'it has "api" where "(" is expected' in caught.value.message


def test_conditions_are_kept_as_data() -> None:
    assert parse_selector("a=b,!c") == Selector(
        (Requirement("a", Operator.IN, frozenset({"b"})), Requirement("c", Operator.DOES_NOT_EXIST))
    )


def test_no_condition_is_met_by_everything() -> None:
    assert parse_selector("") is EVERYTHING
    assert EVERYTHING.matches({})


@given(st.text(st.sampled_from("ab1-_./=!<>(), \tin"), max_size=30))
def test_any_text_is_read_or_refused(text: str) -> None:
    with contextlib.suppress(Invalid):
        parse_selector(text).matches(LABELS)


@pytest.mark.parametrize("text", ["app", "!app", "app in (a,b)", "app notin (a,b)", "n>3", "n<3", "app in (),tier"])
def test_a_selector_is_spelled_so_that_it_means_the_same(text: str) -> None:
    selector = parse_selector(text)
    assert str(selector) == text
    assert parse_selector(str(parse_selector("a=b,c!=d,e==f"))) == parse_selector("a=b,c!=d,e==f")
