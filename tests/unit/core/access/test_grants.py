"""Who may use which namespace: nobody another's, unless a grant says so."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from phase_operator.core.access.grants import Grant, Labelled, Use, allowed, parse_grant

HOME = "phase-system"
NAMES = st.sampled_from(["team", "other", "shared", "kube-system", "kube-public", "kube-node-lease", HOME])
FROMS = st.one_of(NAMES, st.just("*"), st.just(Labelled((("team", "a"),))))
USES = st.frozensets(st.sampled_from(list(Use)), min_size=1)
GRANTS = st.lists(st.builds(Grant, FROMS, st.one_of(NAMES, st.just("*")), USES), max_size=4)
LABELS = st.sampled_from([{}, {"team": "a"}, {"team": "b"}, {"team": "a", "tier": "x"}])


def may(text: str, *, what: Use = Use.TOKEN, labels: dict[str, str] | None = None, to: str = "shared") -> bool:
    """Say whether PhaseSecrets of `team` may, by this one grant."""
    return allowed([parse_grant(text)], what, "team", labels or {}, to, home=HOME)


@pytest.mark.parametrize("what", list(Use))
def test_without_a_grant_a_namespace_uses_itself_only(what: Use) -> None:
    assert allowed([], what, "team", {}, "team")
    assert not allowed([], what, "team", {}, "shared")


@pytest.mark.parametrize(
    ("text", "found"),
    [
        pytest.param("from=team,to=shared,what=token", True, id="by name"),
        pytest.param("from=other,to=shared,what=token", False, id="another's name"),
        pytest.param("from=tea,to=shared,what=token", False, id="the beginning of a name"),
        pytest.param("from=*,to=shared,what=token", True, id="from anywhere"),
        pytest.param("from=team,to=*,what=token", True, id="to anywhere"),
        pytest.param("from=team,to=other,what=token", False, id="to another"),
        pytest.param("from=shared,to=team,what=token", False, id="the other way round"),
        pytest.param("from=team,to=shared,what=target", False, id="another use"),
        pytest.param("from=team,to=shared,what=token+target", True, id="both uses"),
        pytest.param("from=team,to=shared,what=push+replace", False, id="to push with it alone"),
        pytest.param("fromLabel=team=a,to=shared,what=token", True, id="by label"),
        pytest.param("fromLabel=team=b,to=shared,what=token", False, id="another value"),
        pytest.param("fromLabel=tier=a,to=shared,what=token", False, id="another label"),
        pytest.param("fromLabel=team=a,fromLabel=env=dev,to=shared,what=token", True, id="by two labels"),
        pytest.param("fromLabel=team=a,fromLabel=env=prod,to=shared,what=token", False, id="one of two labels"),
        pytest.param("fromLabel=none=,to=shared,what=token", False, id="a label without value is not no label"),
    ],
)
def test_a_grant_means_what_it_says(text: str, found: bool) -> None:
    assert may(text, labels={"team": "a", "env": "dev"}) is found


@pytest.mark.parametrize("to", ["kube-system", "kube-public", "kube-node-lease", HOME])
@pytest.mark.parametrize("source", ["from=team", "from=*", "fromLabel=team=a"])
def test_the_systems_namespaces_and_the_operators_are_granted_by_their_name_only(source: str, to: str) -> None:
    labels = {"team": "a"}

    assert not may(f"{source},to=*,what=token", labels=labels, to=to)
    assert may(f"{source},to={to},what=token", labels=labels, to=to)


@pytest.mark.parametrize("use", list(Use))
def test_a_grant_as_a_refusal_spells_it_allows_that_use(use: Use) -> None:
    assert may(f"from=team,to=shared,what={use.granted}", what=use)


@pytest.mark.parametrize("use", list(Use))
def test_no_use_implies_another(use: Use) -> None:
    grant = parse_grant(f"from=team,to=shared,what={use.granted}")

    for other in set(Use) - grant.what:
        assert not allowed([grant], other, "team", {}, "shared", home=HOME)


@given(GRANTS, st.sampled_from(list(Use)), NAMES, LABELS, NAMES)
def test_more_grants_never_take_away_and_each_stands_alone(
    grants: list[Grant], what: Use, source: str, labels: dict[str, str], to: str
) -> None:
    one_by_one = any(allowed([grant], what, source, labels, to, home=HOME) for grant in grants)

    assert allowed(grants, what, source, labels, to, home=HOME) is (one_by_one or source == to)


@pytest.mark.parametrize(
    ("text", "grant"),
    [
        pytest.param(
            "from=team-a,to=shared,what=token", Grant("team-a", "shared", frozenset({Use.TOKEN})), id="the usual one"
        ),
        pytest.param(" what=target , to=* , from=* ", Grant("*", "*", frozenset({Use.TARGET})), id="order and spaces"),
        pytest.param(
            "from=a,to=b,what=token,what=target,what=adopt,what=push,what=replace",
            Grant("a", "b", frozenset(Use)),
            id="a use each",
        ),
        pytest.param(
            "from=a,to=b,what=push+replace", Grant("a", "b", frozenset({Use.PUSH, Use.REPLACE})), id="others' entries"
        ),
        pytest.param(
            "from=a,to=b,what=target+adopt", Grant("a", "b", frozenset({Use.TARGET, Use.ADOPT})), id="others' objects"
        ),
        pytest.param(
            "fromLabel=b=2,fromLabel=example.com/a=1,to=b,what=token",
            Grant(Labelled((("b", "2"), ("example.com/a", "1"))), "b", frozenset({Use.TOKEN})),
            id="labels, sorted",
        ),
    ],
)
def test_a_grant_is_read(text: str, grant: Grant) -> None:
    assert parse_grant(text) == grant


@pytest.mark.parametrize(
    ("text", "told"),
    [
        pytest.param("", "from", id="nothing"),
        pytest.param("team", '"team"', id="a word"),
        pytest.param("form=a,to=b,what=token", '"form=a"', id="a misspelt name"),
        pytest.param("to=b,what=token", "from", id="no from"),
        pytest.param("from=a,from=b,to=c,what=token", "from", id="two froms"),
        pytest.param("from=a,fromLabel=x=y,to=b,what=token", "from", id="a name and a label"),
        pytest.param("from=a,what=token", "to", id="no to"),
        pytest.param("from=a,to=b,to=c,what=token", "to", id="two tos"),
        pytest.param("from=a,to=b", "what", id="no use"),
        pytest.param("from=a,to=b,what=", "what", id="an empty use"),
        pytest.param("from=a,to=b,what=secrets", "what", id="no known use"),
        pytest.param("from=a,to=b,what=adopt", "what=target+adopt", id="others' objects and no target"),
        pytest.param("from=a,to=b,what=token+adopt", "what=target+adopt", id="others' objects and a token"),
        pytest.param("from=a,to=b,what=replace", "what=push+replace", id="others' entries and no push"),
        pytest.param("from=a,to=b,what=token+replace", "what=push+replace", id="others' entries and a token"),
        pytest.param("from=a,to=b,what=push+adopt", "what=target+adopt", id="others' objects and a push"),
        pytest.param("from=A_b,to=b,what=token", '"A_b"', id="from no namespace"),
        pytest.param("from=a,to=,what=token", '""', id="to no namespace"),
        pytest.param("from=a,to=team-*,what=token", '"team-*"', id="to a pattern"),
        pytest.param("from=a,to=b.c,what=token", '"b.c"', id="to a name with a dot"),
        pytest.param("fromLabel=team,to=b,what=token", '"team"', id="a label without value"),
        pytest.param("fromLabel=te am=a,to=b,what=token", '"te am=a"', id="no label"),
        pytest.param("fromLabel=team=a=b,to=b,what=token", '"team=a=b"', id="no value of a label"),
        pytest.param("fromLabel=team=a,fromLabel=team=b,to=b,what=token", "twice", id="a label twice"),
    ],
)
def test_a_text_that_is_no_grant_is_refused_in_one_line(text: str, told: str) -> None:
    with pytest.raises(ValueError, match=re.escape(told)) as caught:
        parse_grant(text)

    assert len(str(caught.value).splitlines()) == 1
