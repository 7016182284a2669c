import os
from pathlib import Path
from typing import Any

import certifi
import pytest
from pydantic import ValidationError

from phase_operator.settings import PREFIX, LogFormat, LogLevel, Settings, SettingsError, load


@pytest.fixture(autouse=True)
def _no_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.upper().startswith(PREFIX)]:
        monkeypatch.delenv(name)


def flags(**given: Any) -> dict[str, Any]:
    """Make what click hands over: every flag, most of them not given."""
    return dict.fromkeys(Settings.model_fields) | {"namespace": ()} | given


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
    ("name", "value"),
    [
        pytest.param("workers", "many", id="no number"),
        pytest.param("workers", "0", id="too few"),
        pytest.param("phase_workers", "65", id="too many"),
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
