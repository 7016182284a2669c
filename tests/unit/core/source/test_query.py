import pytest

from phase_operator.api import names
from phase_operator.api.reasons import Reason
from phase_operator.core.errors import Invalid
from phase_operator.core.source.folders import normal_path
from phase_operator.core.source.query import AppRef, SourceQuery, ask_of, asked_url, base_url, source_query
from phase_operator.core.values import ObjectKey
from support.builders import TOKEN, parsed


def question(**fields: object) -> SourceQuery:
    """Return what a PhaseSecret of namespace `team` asks."""
    return source_query(ask_of(parsed(**fields), "team"), "account")


@pytest.mark.parametrize(
    ("host", "root"),
    [
        pytest.param("https://console.phase.dev", "https://console.phase.dev/service/public", id="the console"),
        pytest.param("https://api.phase.dev", "https://api.phase.dev", id="the cloud's API"),
        pytest.param("https://api.phase.dev/", "https://api.phase.dev", id="the cloud's API with a slash"),
        pytest.param("https://API.phase.dev", "https://api.phase.dev", id="the cloud's API in capitals"),
        pytest.param("https://phase.example", "https://phase.example/service/public", id="self-hosted"),
        pytest.param("https://phase.example///", "https://phase.example/service/public", id="slashes at the end"),
        pytest.param(
            "https://phase.example/service/public", "https://phase.example/service/public", id="spelled out in full"
        ),
        pytest.param("https://phase.example/service/public/", "https://phase.example/service/public", id="and a slash"),
        pytest.param("https://x.example/phase", "https://x.example/phase/service/public", id="below a path"),
        pytest.param("https://x.example/Phase", "https://x.example/Phase/service/public", id="a path keeps its case"),
        pytest.param("HTTP://Phase.Example:8443", "http://phase.example:8443/service/public", id="scheme, port, case"),
        pytest.param(" https://phase.example ", "https://phase.example/service/public", id="spaces around"),
        pytest.param("http://[::1]:8000", "http://[::1]:8000/service/public", id="IPv6"),
    ],
)
def test_a_host_leads_to_the_root_of_the_api(host: str, root: str) -> None:
    assert base_url(host) == root
    assert base_url(root) == root


@pytest.mark.parametrize("host", ["https://[:::]", "https://[1.2.3.4]"])
def test_a_host_that_no_url_can_have_is_told_as_the_field(host: str) -> None:
    with pytest.raises(Invalid) as caught:
        asked_url(parsed(phaseHost=host))

    assert caught.value.reason is Reason.INVALID_SPEC
    assert "spec.phaseHost" in caught.value.message


@pytest.mark.parametrize(
    "host",
    [
        pytest.param("https://[", id="a bracket"),
        pytest.param("https://[phase]", id="brackets around a name"),
        pytest.param("https://\u2100.example", id="a letter that stands for a/c"),
    ],
)
def test_a_host_that_is_none_waits_for_an_edit(host: str) -> None:
    with pytest.raises(Invalid) as caught:
        base_url(host)

    assert caught.value.reason is Reason.INVALID_SPEC
    assert "spec.phaseHost" in caught.value.message


@pytest.mark.parametrize(
    ("path", "normal"),
    [
        pytest.param(None, "/", id="nothing"),
        pytest.param("", "/", id="empty"),
        pytest.param("/", "/", id="root"),
        pytest.param("//", "/", id="two slashes"),
        pytest.param("api", "/api", id="no leading slash"),
        pytest.param("/api/", "/api", id="slash at the end"),
        pytest.param("api//v1", "/api/v1", id="doubled inside"),
        pytest.param("/Api", "/Api", id="case stays"),
    ],
)
def test_a_folder_has_one_spelling(path: str | None, normal: str) -> None:
    assert normal_path(path) == normal
    assert normal_path(normal) == normal


@pytest.mark.parametrize(
    "other",
    [
        pytest.param({"phaseHost": "https://PHASE.example/"}, id="host"),
        pytest.param({"phaseAppEnv": ""}, id="the default environment"),
        pytest.param({"phaseAppEnvPath": ""}, id="the default folder"),
        pytest.param({"phaseAppEnvTag": ""}, id="an empty tag"),
        pytest.param({"pollingInterval": 5}, id="another interval"),
        pytest.param({"keys": {"include": ["A"]}}, id="other keys"),
        pytest.param({"managedSecretReferences": [{"secretName": "other"}]}, id="another target"),
    ],
)
def test_equal_questions_are_equal(other: dict[str, object]) -> None:
    assert question(**other) == question(phaseAppEnv="production")


@pytest.mark.parametrize(
    "other",
    [
        pytest.param({"phaseHost": "https://other.example"}, id="host"),
        pytest.param({"phaseApp": "Shop"}, id="case of the app"),
        pytest.param({"phaseAppId": "1-2"}, id="id of the app"),
        pytest.param({"phaseAppEnv": "staging"}, id="environment"),
        pytest.param({"phaseAppEnvPath": "/api"}, id="folder"),
        pytest.param({"phaseAppEnvTag": "a"}, id="tag"),
    ],
)
def test_other_questions_are_other(other: dict[str, object]) -> None:
    assert question(**other) != question()


def test_the_case_of_an_environment_is_kept_beside_the_name_that_phase_compares() -> None:
    """An encrypted app may have environments whose names differ in case alone."""
    spelled, folded = question(phaseAppEnv="Production"), question(phaseAppEnv="production")

    assert (spelled.environment, spelled.exact) == ("production", "Production")
    assert (folded.environment, folded.exact) == ("production", "production")
    assert spelled.is_like(folded)
    assert spelled != folded
    assert repr(spelled) == repr(folded)


def test_another_account_asks_another_question() -> None:
    assert question() != source_query(ask_of(parsed(), "team"), "other")


def test_one_tag_and_a_list_of_one_are_equal() -> None:
    one = question(phaseAppEnvTag="a")

    assert one == question(phaseAppEnvTags=["a"])
    assert one.tags == ("a",)


def test_tags_are_sorted_and_unique() -> None:
    assert question(phaseAppEnvTags=["b", "a", "b"]).tags == ("a", "b")


def test_the_id_of_an_app_wins_over_its_name() -> None:
    assert question(phaseApp="shop", phaseAppId="1-2").app == AppRef(id="1-2")


def test_without_a_host_the_console_is_asked() -> None:
    found = question(phaseHost=None)

    assert found.account.base_url == "https://console.phase.dev/service/public"


@pytest.mark.parametrize(
    ("field", "fields"),
    [
        pytest.param("phaseAppEnvTags", {"phaseAppEnvTags": [f"{'é' * 250}{n}" for n in range(10)]}, id="tags"),
        pytest.param("phaseAppEnvPath", {"phaseAppEnvPath": "/" + "é" * 1000}, id="path"),
        pytest.param("phaseHost", {"phaseHost": "https://phase.example/" + "x" * 2000, "phaseAppEnv": "é" * 250,
                                   "phaseAppEnvPath": "/" + "x" * 1000}, id="host"),
    ],
)  # fmt: skip
def test_a_question_that_no_server_reads_is_refused_and_names_its_longest_field(
    field: str, fields: dict[str, object]
) -> None:
    with pytest.raises(Invalid, match=rf"^spec\.{field}: ") as caught:
        question(**fields)

    assert caught.value.reason is Reason.INVALID_SPEC


@pytest.mark.parametrize(
    "fields",
    [
        pytest.param({"phaseAppEnv": "é" * 253}, id="an environment in any letters"),
        pytest.param(
            {"phaseAppEnvPath": "/" + "x" * 1023, "phaseAppEnvTags": [f"{n:0253}" for n in range(8)]}, id="all"
        ),
    ],
)
def test_a_query_asks_with_the_fields_that_a_server_reads(fields: dict[str, object]) -> None:
    assert question(**fields).account.name == "account"


@pytest.mark.parametrize(
    ("reference", "key", "foreign"),
    [
        pytest.param({}, TOKEN, False, id="not said"),
        pytest.param({"secretNamespace": "other"}, ObjectKey("other", TOKEN.name), True, id="another namespace"),
        pytest.param({"secretName": "own"}, ObjectKey("team", "own"), False, id="a name"),
        pytest.param({"secretNamespace": "team"}, TOKEN, False, id="the own namespace"),
    ],
)
def test_a_token_lies_where_the_spec_says(reference: dict[str, str], key: ObjectKey, foreign: bool) -> None:
    spec = parsed(authentication={"serviceToken": {"serviceTokenSecretReference": reference}})

    found = ask_of(spec, "team")

    assert (found.token_key, found.foreign) == (key, foreign)


def test_the_operators_own_secret_holds_no_token() -> None:
    reference = {"secretName": names.DIGEST_KEY_SECRET}

    with pytest.raises(Invalid) as caught:
        ask_of(parsed(authentication={"serviceToken": {"serviceTokenSecretReference": reference}}), "team")

    assert names.DIGEST_KEY_SECRET in caught.value.message
