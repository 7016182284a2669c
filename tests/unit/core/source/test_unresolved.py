import base64
from dataclasses import replace

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from phase_operator.api.reasons import Reason
from phase_operator.api.v1alpha1.phasesecret import OnSecretReferenceError
from phase_operator.core.errors import Waiting
from phase_operator.core.outcome import Warned
from phase_operator.core.source.references.grammar import WRITTEN, read
from phase_operator.core.source.unresolved import check_references, holds_reference, unresolved
from support.builders import entry

OPEN = "${MISSING}"


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("${KEY}", id="local"),
        pytest.param("${/folder/KEY}", id="local in a folder"),
        pytest.param("${staging.KEY}", id="another environment"),
        pytest.param("${staging./folder/KEY}", id="a folder of another environment"),
        pytest.param("${billing::production.KEY}", id="another app"),
        pytest.param("${billing::production./folder/KEY}", id="a folder of another app"),
        pytest.param("postgres://${USER}:${PASSWORD}@db", id="inside other text"),
        pytest.param("line\n${KEY}\n", id="in several lines"),
        pytest.param("${{ ${KEY} }}", id="inside a template"),
        pytest.param("${ {x} ${KEY}", id="after a broken one"),
        pytest.param("${ KEY}", id="a space in front, which may be a slip"),
        pytest.param("${KEY }", id="a space at the end"),
        pytest.param("${ KEY } ${KEY}", id="after one with white space"),
    ],
)
def test_a_text_that_the_server_would_have_resolved_is_a_reference(text: str) -> None:
    assert holds_reference(text)


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("", id="nothing"),
        pytest.param("$KEY", id="a shell variable without braces"),
        pytest.param("${}", id="empty braces"),
        pytest.param("${{ secrets.KEY }}", id="a template of GitHub"),
        pytest.param("${{KEY}}", id="double braces"),
        pytest.param("{KEY}", id="braces alone"),
        pytest.param("${KEY", id="never closed"),
        pytest.param("$ {KEY}", id="a space between"),
        pytest.param("${ KEY } ${\nstaging.KEY\t} ${ } ${  }", id="white space at both ends"),
        pytest.param("${staging.A::B}", id="two colons after the dot"),
        pytest.param("${billing::KEY} ${billing::.KEY}", id="another app without an environment"),
    ],
)
def test_other_text_is_text(text: str) -> None:
    assert not holds_reference(text)


@settings(max_examples=5 * settings().max_examples, deadline=None)
@example("A.A::A")
@given(st.text(st.sampled_from("A.:/- "), min_size=1, max_size=12))
def test_text_that_is_reported_is_a_reference_of_the_server(body: str) -> None:
    match = WRITTEN.fullmatch(f"${{{body}}}")

    assert match
    assert not holds_reference(match[0]) or read(match)


def test_the_entries_that_hold_references_are_named_sorted() -> None:
    entries = [entry("Z", "${X}"), entry("PLAIN", "x"), entry("A", "${X}", path="/api")]

    assert unresolved(entries) == ("/Z", "/api/A")


@pytest.mark.parametrize("policy", [None, OnSecretReferenceError.FAIL])
def test_references_that_are_left_raise_unless_told_otherwise(policy: OnSecretReferenceError | None) -> None:
    with pytest.raises(Waiting) as caught:
        check_references([entry("A", OPEN), entry("B")], policy)

    assert caught.value.reason is Reason.UNRESOLVED_REFERENCES
    assert '"/A"' in caught.value.message
    assert OPEN not in caught.value.message


def test_references_that_are_left_are_a_warning_if_told_so() -> None:
    found = check_references([entry("A", OPEN)], OnSecretReferenceError.WARN)

    assert isinstance(found, Warned)
    assert found.reason is Reason.UNRESOLVED_REFERENCES


@pytest.mark.parametrize("policy", OnSecretReferenceError)
def test_no_reference_left_is_nothing_to_tell(policy: OnSecretReferenceError) -> None:
    assert check_references([entry("A", base64.b64encode(b"x").decode())], policy) is None


def test_an_entry_with_a_problem_is_told_by_its_name_and_the_reason() -> None:
    held = [
        replace(entry("DB_URL", OPEN, path="/api"), problem="it refers to itself"),
        replace(entry("CERT", "left whole"), problem="it would be too large"),
        entry("Z", OPEN),
        entry("FINE"),
    ]

    with pytest.raises(Waiting) as caught:
        check_references(held, None)

    assert caught.value.message == (
        'references are left unresolved in "/CERT": it would be too large; "/Z"; "/api/DB_URL": it refers to itself; '
        "targets stay as they are"
    )
    assert unresolved(held) == ("/CERT", "/Z", "/api/DB_URL")


def test_many_problems_with_long_names_leave_room_for_what_follows_from_them() -> None:
    held = [replace(entry(f"{number}{'K' * 5000}"), problem="it refers to " + "x" * 280) for number in range(9)]

    with pytest.raises(Waiting) as caught:
        check_references(held, None)

    assert caught.value.message.endswith("; and 4 more; targets stay as they are")
    assert len(caught.value.message) <= 1000


def test_a_problem_is_a_warning_if_told_so() -> None:
    found = check_references([replace(entry("A"), problem="it refers to itself")], OnSecretReferenceError.WARN)

    assert found == Warned(Reason.UNRESOLVED_REFERENCES, 'references are left unresolved in "/A": it refers to itself')
