import os
from pathlib import Path
from typing import Any

import certifi
import pytest
from pydantic import ValidationError

from phase_operator.core.access.grants import Grant, Labelled, Use
from phase_operator.core.access.hosts import Host
from phase_operator.settings import PREFIX, REPEATED, LogFormat, LogLevel, Settings, SettingsError, load

SHARED = Grant("a", "shared", frozenset({Use.TOKEN}))


@pytest.fixture(autouse=True)
def _no_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.upper().startswith(PREFIX)]:
        monkeypatch.delenv(name)


def flags(**given: Any) -> dict[str, Any]:
    """Make what click hands over: every flag, most of them not given."""
    return dict.fromkeys(Settings.model_fields) | dict.fromkeys(REPEATED, ()) | given


def test_nothing_has_to_be_set() -> None:
    found = load(flags())

    assert (found.kubeconfig, found.namespace, found.phase_ca_file) == (None, (), None)
    assert (found.health_port, found.metrics_port, found.log_level) == (8081, 8080, LogLevel.INFO)
    assert found.pod_namespace
    assert found.log_format in LogFormat


@pytest.mark.parametrize(
    ("name", "text", "value"),
    [
        pytest.param("workers", "3", 3, id="a number"),
        pytest.param("drain_seconds", "0.5", 0.5, id="a fraction"),
        pytest.param("log_level", "debug", LogLevel.DEBUG, id="a word of a list"),
        pytest.param("log_format", "json", LogFormat.JSON, id="another list"),
        pytest.param("health_port", "0", 0, id="zero is not nothing"),
        pytest.param("pod_namespace", "home", "home", id="a name"),
        pytest.param("phase_ca_file", certifi.where(), Path(certifi.where()), id="certificates"),
        pytest.param("kubeconfig", __file__, Path(__file__), id="a file"),
        pytest.param("allow_impersonation_types", "true", True, id="a switch"),
        pytest.param("default_host", "https://phase.example", "https://phase.example", id="a host"),
        pytest.param("metrics_host", "127.0.0.1", "127.0.0.1", id="an address"),
    ],
)
def test_a_setting_comes_by_flag_or_by_variable(
    name: str, text: str, value: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    by_flag = load(flags(**{name: text}))
    monkeypatch.setenv(f"{PREFIX}{name.upper()}", text)
    by_variable = load(flags())

    assert getattr(by_flag, name) == getattr(by_variable, name) == value


def test_a_flag_wins_over_its_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(f"{PREFIX}WORKERS", "3")
    monkeypatch.setenv(f"{PREFIX}NAMESPACE", "a,b")

    found = load(flags(workers="4", namespace=("c",)))

    assert (found.workers, found.namespace) == (4, ("c",))


@pytest.mark.parametrize(
    ("text", "namespaces"),
    [
        pytest.param("a", ("a",), id="one"),
        pytest.param("a,b", ("a", "b"), id="two"),
        pytest.param(" a , b,", ("a", "b"), id="with spaces and a comma too many"),
        pytest.param("", (), id="empty is all"),
    ],
)
def test_namespaces_are_separated_by_commas_in_the_variable(
    text: str, namespaces: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(f"{PREFIX}NAMESPACE", text)

    assert load(flags()).namespace == namespaces


@pytest.mark.parametrize(
    ("name", "given", "text", "found"),
    [
        pytest.param("grant", ("from=a,to=shared,what=token",), "from=a,to=shared,what=token", (SHARED,), id="a grant"),
        pytest.param(
            "grant",
            ("from=a,to=shared,what=token", "fromLabel=x=y,to=*,what=target"),
            " from=a,to=shared,what=token; fromLabel=x=y,to=*,what=target;",
            (SHARED, Grant(Labelled((("x", "y"),)), "*", frozenset({Use.TARGET}))),
            id="two grants",
        ),
        pytest.param("grant", (), "", (), id="no grant"),
        pytest.param(
            "allow_phase_host",
            ("https://a.example", "http://*.b.example:81"),
            "https://a.example, http://*.b.example:81",
            (Host("https", "a.example", 443), Host("http", "*.b.example", 81)),
            id="two hosts",
        ),
    ],
)
def test_a_flag_that_may_be_repeated_is_separated_in_the_variable(
    name: str, given: tuple[str, ...], text: str, found: tuple[object, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    by_flag = load(flags(**{name: given}))
    monkeypatch.setenv(f"{PREFIX}{name.upper()}", text)
    by_variable = load(flags())

    assert getattr(by_flag, name) == getattr(by_variable, name) == found


@pytest.mark.parametrize(
    ("grants", "namespaces"),
    [
        pytest.param(("from=a,to=shared,what=token",), ("a", "shared"), id="a namespace that is watched"),
        pytest.param(("from=a,to=*,what=token",), ("a",), id="any, of those that are watched"),
        pytest.param(("from=elsewhere,to=a,what=token",), ("a",), id="from one that another operator watches"),
    ],
)
def test_grants_lead_to_namespaces_that_are_watched(grants: tuple[str, ...], namespaces: tuple[str, ...]) -> None:
    assert len(load(flags(grant=grants, namespace=namespaces)).grant) == 1


def test_a_grant_that_leads_to_a_namespace_that_is_not_watched_is_a_bad_setting() -> None:
    with pytest.raises(SettingsError) as caught:
        load(flags(grant=("from=a,to=shared,what=token",), namespace=("a",)))

    assert str(caught.value).startswith("--grant (PHASE_OPERATOR_GRANT): ")
    assert '"shared"' in str(caught.value)


def test_a_default_host_that_may_not_be_asked_is_a_bad_setting() -> None:
    allowed = ("https://*.example",)
    assert load(flags(default_host="https://phase.example", allow_phase_host=allowed)).default_host
    assert load(flags(allow_phase_host=allowed)).default_host is None, "a list of hosts needs no default one"

    with pytest.raises(SettingsError) as caught:
        load(flags(default_host="https://phase.other", allow_phase_host=allowed))

    assert str(caught.value).startswith("--default-host (PHASE_OPERATOR_DEFAULT_HOST): https://phase.other is none of")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        pytest.param("grant", ("from=a,to=b",), id="a grant of nothing"),
        pytest.param("grant", ("from=a,to=b,what=token", "team-a"), id="one bad grant of two"),
        pytest.param("allow_phase_host", ("phase.example",), id="a host without scheme"),
        pytest.param("allow_phase_host", ("https://a.example", "https://b.example/path"), id="a host with a path"),
        pytest.param("allow_impersonation_types", "perhaps", id="no switch"),
        pytest.param("default_host", "phase.example", id="a default host without scheme"),
        pytest.param("default_host", "", id="no default host"),
        pytest.param("workers", "many", id="no number"),
        pytest.param("workers", "0", id="too few"),
        pytest.param("phase_workers", "65", id="too many"),
        pytest.param("errand_workers", "65", id="too many errands"),
        pytest.param("leases_per_minute", "0", id="no lease"),
        pytest.param("removal_seconds", "9", id="no time to give leases back"),
        pytest.param("health_port", "65536", id="no port"),
        pytest.param("drain_seconds", "-1", id="less than nothing"),
        pytest.param("drain_seconds", "nan", id="not a number"),
        pytest.param("log_level", "loud", id="not of the list"),
        pytest.param("log_level", "", id="empty is not left out"),
        pytest.param("namespace", ("good", "Not_Good"), id="no namespace"),
        pytest.param("pod_namespace", "a.b", id="no namespace either"),
        pytest.param("kubeconfig", "/does/not/exist", id="no file"),
        pytest.param("kubeconfig", "/", id="a directory"),
        pytest.param("phase_ca_file", "/does/not/exist", id="no file of certificates"),
        pytest.param("phase_ca_file", "/", id="a directory of certificates"),
        pytest.param("phase_ca_file", __file__, id="a file without certificates"),
    ],
)
def test_a_bad_setting_is_one_line_that_names_flag_and_variable(name: str, value: Any) -> None:
    with pytest.raises(SettingsError) as caught:
        load(flags(**{name: value}))

    [line] = str(caught.value).splitlines()
    assert line.startswith(f"--{name.replace('_', '-')} ({PREFIX}{name.upper()}): ")
    assert "Value error" not in line


def test_a_bad_variable_is_told_like_a_bad_flag(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(f"{PREFIX}WORKERS", "many")

    with pytest.raises(SettingsError) as caught:
        load(flags())

    assert str(caught.value).startswith("--workers (PHASE_OPERATOR_WORKERS): ")


def test_variables_of_others_are_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WORKERS", "3")
    monkeypatch.setenv(f"{PREFIX}UNKNOWN", "x")

    assert load(flags()) == load({})


def test_settings_do_not_change() -> None:
    with pytest.raises(ValidationError):
        load(flags()).workers = 3  # type: ignore[misc]  # what mypy knows as well


def test_every_setting_is_described() -> None:
    assert [name for name, field in Settings.model_fields.items() if not field.description] == []
