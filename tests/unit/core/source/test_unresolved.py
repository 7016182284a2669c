import base64

import pytest

from phase_operator.api.reasons import Reason
from phase_operator.api.v1alpha1.phasesecret import OnSecretReferenceError
from phase_operator.core.errors import Waiting
from phase_operator.core.outcome import Warned
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
    ],
)
def test_what_the_server_would_have_resolved_is_a_reference(text: str) -> None:
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
    ],
)
def test_other_text_is_text(text: str) -> None:
    assert not holds_reference(text)


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
