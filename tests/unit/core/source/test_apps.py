"""A name means one app or none, and the error says why none."""

import pytest

from phase_operator.api.reasons import Reason
from phase_operator.core.errors import Transient, Waiting
from phase_operator.core.source.apps import App, Directory, is_list_alone, no_environment, no_list
from phase_operator.core.source.query import AppRef
from phase_operator.core.text import close, hint


def known(*names: str) -> list[App]:
    return [App(id=f"id-{number}", name=name) for number, name in enumerate(names)]


@pytest.mark.parametrize(
    ("name", "found"),
    [
        pytest.param("shop", "id-0", id="exact"),
        pytest.param("SHOP", "id-1", id="exact before case"),
        pytest.param("backend", "id-2", id="case alone"),
        pytest.param("STRASSE", "id-3", id="case of every script"),
    ],
)
def test_a_name_means_the_app_that_is_spelt_so(name: str, found: str) -> None:
    assert Directory(known("shop", "SHOP", "Backend", "straße")).pick(name) == found


@pytest.mark.parametrize("name", ["Shop", "twin"])
def test_two_apps_of_a_name_are_ambiguous_and_their_ids_are_told_in_order(name: str) -> None:
    with pytest.raises(Waiting) as caught:
        Directory(known("shop", "SHOP", "twin", "twin")[::-1]).pick(name)

    assert caught.value.reason is Reason.APP_AMBIGUOUS
    ids = [word for word in caught.value.message.replace('"', " ").replace(",", " ").split() if word.startswith("id-")]
    assert len(ids) == 2
    assert ids == sorted(ids)


def test_part_of_a_name_is_not_the_app_but_tells_it() -> None:
    with pytest.raises(Waiting) as caught:
        Directory(known("Backend", "Feedback", "shop")).pick("back")

    assert caught.value.reason is Reason.APP_NOT_FOUND
    assert caught.value.message == 'the account sees no app "back"; did you mean "Backend", "Feedback"?'


@pytest.mark.parametrize(
    ("name", "names", "found"),
    [
        pytest.param("prod", ["production", "development"], ["production"], id="beginning"),
        pytest.param("developement", ["production", "development"], ["development"], id="slip"),
        pytest.param("shop-eu", ["shop"], ["shop"], id="longer than the app's"),
        pytest.param("a", [f"a{n}" for n in range(9)], ["a4", "a5", "a6", "a7", "a8"], id="at most five"),
        pytest.param("zzz", ["shop"], [], id="nothing comes close"),
        pytest.param("zzz", [""], [], id="an empty name"),
        pytest.param("shop", [], [], id="no names"),
        pytest.param("shop", ["sh\nop\x00s"], ["sh op s"], id="fit to be shown"),
    ],
)
def test_names_that_come_close_are_few_and_sorted(name: str, names: list[str], found: list[str]) -> None:
    assert close(name, names) == found
    assert close(name, reversed(names)) == found
    assert bool(hint(name, names)) == bool(found)


def test_an_unknown_environment_names_those_that_the_account_sees() -> None:
    refused = Waiting(Reason.ENVIRONMENT_NOT_FOUND, "Phase answers 404: Environment 'prod' not found in App X")

    told = no_environment(refused, AppRef(name="Backend"), "prod", ["production", "development"])

    assert told.reason is Reason.ENVIRONMENT_NOT_FOUND
    assert told.message == (
        'app "Backend" has no environment "prod"; did you mean "production"? '
        '(the account sees: "development", "production")'
    )


@pytest.mark.parametrize(
    ("reason", "names"),
    [
        pytest.param(Reason.ENVIRONMENT_NOT_FOUND, [], id="no names"),
        pytest.param(Reason.ENVIRONMENT_NOT_FOUND, ["Prod"], id="made this moment"),
        pytest.param(Reason.ACCESS_DENIED, ["production"], id="another refusal"),
    ],
)
def test_an_error_that_names_cannot_explain_keeps_the_servers_words(reason: Reason, names: list[str]) -> None:
    refused = Waiting(reason, "Phase answers 404: x")

    assert no_environment(refused, AppRef(name="Backend"), "prod", names) is refused


def test_a_role_that_may_not_list_apps_is_told_both_cures() -> None:
    told = no_list(Waiting(Reason.ACCESS_DENIED, "Phase answers 403: You don't have permission to read apps."))

    assert "You don't have permission to read apps." in told.message
    assert "spec.phaseAppId" in told.message
    assert "Apps: read" in told.message


def test_a_token_of_one_app_lists_no_apps_and_is_told_to_use_an_id() -> None:
    refused = Waiting(Reason.ACCESS_DENIED, "Phase answers 401: Service tokens require an environment context")

    assert is_list_alone(refused)
    assert "spec.phaseAppId" in no_list(refused).message


def test_a_bad_token_is_not_told_to_use_an_id() -> None:
    refused = Waiting(Reason.ACCESS_DENIED, "Phase answers 401: Token expired or deleted")

    assert no_list(refused) is refused


def test_a_server_that_knows_no_list_of_apps_is_told_by_its_age() -> None:
    told = no_list(Transient(Reason.UNEXPECTED_ANSWER, "host is not Phase's API: it answers 404 with text/html"))

    assert (type(told), told.reason) == (Transient, Reason.UNEXPECTED_ANSWER)
    assert "spec.phaseAppId" in told.message


def test_ids_of_apps_are_shown_on_one_line_and_not_at_any_length() -> None:
    apps = [App(id=f"a\n{'x' * 5000}{number}", name="twin") for number in range(3)]

    with pytest.raises(Waiting) as caught:
        Directory(apps).pick("twin")

    assert "\n" not in caught.value.message
    assert "x" * 301 not in caught.value.message
