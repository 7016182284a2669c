"""The invariant: a file is read back as the very text that went in, by readers that are not ours, or is refused."""

import base64
import io
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import dotenv
import javaproperties
import jproperties  # type: ignore[import-untyped]  # the library has no types
import pytest
import tomli_w
import yaml
from hypothesis import Phase, example, given, settings
from hypothesis import strategies as st

from phase_operator.api.reasons import Reason
from phase_operator.api.v1alpha1.phasesecret import Format
from phase_operator.core.content.formats import default_file_key, file_of
from phase_operator.core.content.keys import legal
from phase_operator.core.errors import Waiting
from support.examples import examples

PAGE = Path(__file__).parents[4] / "docs/formats.md"
FILES = [form for form in Format if form is not Format.KEY_PER_ENTRY]
TEXT_FILES = [form for form in FILES if form is not Format.DOCKERCONFIGJSON]

# What some grammar gives a meaning to, and characters at the edges of Unicode's ranges.
_PIECES = [
    *"\n\r\t '\"\\$`{}()#=!~:;&|<>*?[]^%ab07",
    *"\x01\x1b\x7f\x81\x85\x88\x9bé\u0401\u2028\ud7ff\ufeff\uffff\U0001f600\U0010ffff",
    *["${X}", "${X:-a}", "$(id)", "$'a'", "\\n", "\\\\", "''", '""', "\r\n", "\nA=1\n", " #", "export "],
    *["yes", "null", "1", "1e3", "0x1f", "0o17", "2001-01-01", "~", ".inf", "<<", "-----BEGIN A-----"],
]
_ANY = st.characters(exclude_categories=["Cs"])
TEXT = st.lists(st.sampled_from("'\"\\$`\n") | st.sampled_from(_PIECES) | _ANY, max_size=6).map("".join)
LINE_TEXT = TEXT.map(lambda text: text.replace("\0", ""))
KEY = st.text("-._aZ09", min_size=1, max_size=4).filter(legal) | st.sampled_from(
    ["yes", "null", "1e3", "0x1f", "2001-01-01", ".inf", "a.b.c", "a" * 253]
)
# A prefix, since a shell keeps some names for itself.
VARIABLE = st.text("_aZ09", max_size=3).map(lambda name: f"V_{name}")
VALUES = st.dictionaries(KEY, TEXT, max_size=5)
VARIABLES = st.dictionaries(VARIABLE, LINE_TEXT, max_size=5)
# Starting a process is what costs: many values, few examples.
BATCH = st.lists(LINE_TEXT, min_size=60, max_size=60).map(
    lambda texts: {f"V_{n}": text for n, text in enumerate(texts)}
)  # Not shrunk: that starts thousands of processes, and the difference of two mappings names the culprit anyway.
BY_PROCESS = settings(max_examples=10, phases=[Phase.explicit, Phase.reuse, Phase.generate])

# What no spelling serves.
UNSPELLABLE = re.compile(r"(?=.*('|\\\\|\\\Z))(?=.*[$`])", re.DOTALL)


def encoded(values: Mapping[str, str]) -> dict[str, bytes]:
    return {key: text.encode() for key, text in values.items()}


def written(form: Format, values: Mapping[str, str]) -> str:
    return file_of(form, encoded(values)).decode()


def refused(text: str) -> bool:
    try:
        written(Format.DOTENV, {"V": text})
    except Waiting:
        return True
    return False


def spellable(values: Mapping[str, str]) -> dict[str, str]:
    """Take what is not refused, which another test pins down: all of it has to be read back."""
    return {key: text for key, text in values.items() if not refused(text)}


def refusal(form: Format, values: Mapping[str, bytes]) -> Waiting:
    with pytest.raises(Waiting) as caught:
        file_of(form, values)
    assert caught.value.reason is Reason.VALUE_INVALID
    assert caught.value.__cause__ is None
    assert caught.value.__context__ is None
    return caught.value


def by_python_dotenv(file: str, *, interpolate: bool = False) -> dict[str, str | None]:
    return dict(dotenv.dotenv_values(stream=io.StringIO(file, newline=""), interpolate=interpolate))


def by_shell(shell: str, locale: str, file: str) -> dict[str, str]:
    if shutil.which(shell) is None:
        pytest.skip(f"no {shell} on PATH: nothing proves that it reads the file")
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "file"
        path.write_bytes(file.encode())
        command = [shell, "-c", 'set -a; . "$1"; exec env -0', "sh", str(path)]
        environment = {"PATH": os.defpath, "LC_ALL": locale}
        output = subprocess.run(command, env=environment, stdin=subprocess.DEVNULL, capture_output=True, check=True)
    assert output.stderr == b""
    variables = dict(line.split("=", 1) for line in output.stdout.decode().split("\0") if line)
    return {name: text for name, text in variables.items() if name not in {"PATH", "LC_ALL", "PWD", "SHLVL", "_"}}


def by_node(file: str) -> dict[str, str]:
    if shutil.which("node") is None:
        pytest.skip("no node on PATH: nothing proves that it reads the file")
    program = "process.stdout.write(JSON.stringify(require('util').parseEnv(require('fs').readFileSync(0, 'utf8'))))"
    output = subprocess.run(["node", "-e", program], input=file.encode(), capture_output=True, check=False)
    if b"parseEnv is not a function" in output.stderr:
        pytest.skip("this node has no util.parseEnv: nothing proves that it reads the file")
    variables: dict[str, str] = json.loads(output.stdout)
    return variables


def by_jproperties(file: str) -> dict[str, str]:
    properties = jproperties.Properties()
    # ASCII: Java takes ISO-8859-1 or UTF-8, depending on who opens the file.
    properties.load(file.encode("ascii"), "ascii")
    return dict(properties.properties)


@pytest.mark.parametrize("form", FILES)
def test_a_file_has_a_key_that_kubernetes_takes(form: Format) -> None:
    assert legal(default_file_key(form))


def test_every_file_has_a_key_of_its_own() -> None:
    assert [default_file_key(form) for form in FILES] == [
        ".env",
        "entries.json",
        "entries.yaml",
        "entries.properties",
        "entries.toml",
        ".dockerconfigjson",
    ]


def test_a_key_per_entry_is_no_file() -> None:
    with pytest.raises(ValueError, match="KeyPerEntry"):
        default_file_key(Format.KEY_PER_ENTRY)
    with pytest.raises(ValueError, match="KeyPerEntry"):
        file_of(Format.KEY_PER_ENTRY, {})


@given(VALUES)
def test_a_json_file_is_read_back(values: dict[str, str]) -> None:
    file = written(Format.JSON, values)

    assert json.loads(file.encode("ascii")) == values
    assert file.endswith("}\n")


@given(VALUES)
def test_a_yaml_file_is_read_back_and_every_value_is_a_string(values: dict[str, str]) -> None:
    file = written(Format.YAML, values)

    assert yaml.safe_load(file.encode("ascii")) == values
    assert file.endswith("\n")


@given(VALUES)
def test_the_yaml_library_in_python_would_write_the_same_bytes(values: dict[str, str]) -> None:
    plain = yaml.dump(values, Dumper=yaml.SafeDumper, default_style='"', width=2**31 - 1)

    assert written(Format.YAML, values) == plain


@given(st.dictionaries(KEY, TEXT | st.text(_ANY, max_size=20).map(lambda text: f" {text} "), max_size=5))
def test_the_libraries_would_write_the_same_bytes(values: dict[str, str]) -> None:
    in_order = dict(sorted(values.items()))

    assert written(Format.TOML, values) == tomli_w.dumps(in_order)
    assert written(Format.PROPERTIES, values) == javaproperties.dumps(in_order, timestamp=None)


@given(st.dictionaries(KEY, TEXT, min_size=1, max_size=8))
def test_every_key_and_value_of_a_yaml_file_stands_in_quotes(values: dict[str, str]) -> None:
    file = written(Format.YAML, values)

    # What is plain text to one version of YAML is a number to another.
    assert all(event.style == '"' for event in yaml.parse(file) if isinstance(event, yaml.ScalarEvent))


@given(VALUES)
@settings(max_examples=examples(50))
def test_a_properties_file_is_read_back(values: dict[str, str]) -> None:
    # jproperties takes this one letter, which Java reads right, for a byte order mark.
    values = {key: text.replace("\ufeff", "") for key, text in values.items()}

    file = written(Format.PROPERTIES, values)

    assert by_jproperties(file) == values
    assert file.count("\n") == len(values)


@given(VALUES)
def test_a_toml_file_is_read_back(values: dict[str, str]) -> None:
    file = written(Format.TOML, values)

    assert tomllib.loads(file) == values
    assert file.count("\n") == len(values)


@given(VARIABLES)
@example({"V_": "\\", "V_A": '"', "V_B": "'\\\nV_C=1"})
@settings(max_examples=2 * settings().max_examples)
def test_a_dotenv_file_is_read_back_by_python_dotenv(values: dict[str, str]) -> None:
    values = spellable(values)

    assert by_python_dotenv(written(Format.DOTENV, values)) == values


@given(VARIABLES)
def test_python_dotenv_with_interpolation_reads_back_what_holds_no_reference(values: dict[str, str]) -> None:
    values = {key: text for key, text in spellable(values).items() if "${" not in text}

    assert by_python_dotenv(written(Format.DOTENV, values), interpolate=True) == values


def test_python_dotenv_with_interpolation_replaces_a_reference_in_any_spelling() -> None:
    file = written(Format.DOTENV, {"V_A": "${V_B}!", "V_B": "b"})

    assert by_python_dotenv(file, interpolate=True) == {"V_A": "!", "V_B": "b"}
    assert by_python_dotenv(file) == {"V_A": "${V_B}!", "V_B": "b"}


@pytest.mark.parametrize("locale", ["C", "C.UTF-8"])
@pytest.mark.parametrize("shell", ["sh", "bash"])
@given(values=BATCH)
@BY_PROCESS
def test_a_dotenv_file_is_read_back_by_a_shell(shell: str, locale: str, values: dict[str, str]) -> None:
    values = spellable(values)

    assert by_shell(shell, locale, written(Format.DOTENV, values)) == values


@given(BATCH)
@BY_PROCESS
def test_a_dotenv_file_is_read_back_by_node_within_its_documented_limits(values: dict[str, str]) -> None:
    in_double_quotes = re.compile(r"'|\\\\|\\\Z")
    values = {
        key: text
        for key, text in spellable(values).items()
        if "\r" not in text and not (in_double_quotes.search(text) and re.search(r'["\\]', text))
    }

    assert by_node(written(Format.DOTENV, values)) == values


@given(LINE_TEXT)
@settings(max_examples=2 * settings().max_examples)
def test_a_dotenv_file_refuses_only_what_no_spelling_serves(text: str) -> None:
    assert refused(text) is (UNSPELLABLE.match(text) is not None)


@pytest.mark.parametrize(
    ("text", "line"),
    [
        pytest.param("", "V=\n", id="nothing"),
        pytest.param("postgres://u:p@db:5432/app", "V=postgres://u:p@db:5432/app\n", id="plain text stays as it is"),
        pytest.param("aGVsbG8=", "V=aGVsbG8=\n", id="base64"),
        pytest.param("=a", "V='=a'\n", id="an equals sign first, which zsh expands"),
        pytest.param("~/a", "V='~/a'\n", id="a tilde"),
        pytest.param("a # b", "V='a # b'\n", id="no comment"),
        pytest.param('$5 `id` "x"', "V='$5 `id` \"x\"'\n", id="what a shell would expand"),
        pytest.param("C:\\new", "V='C:\\new'\n", id="a backslash"),
        pytest.param("a\nb\n", "V='a\nb\n'\n", id="lines"),
        pytest.param("it's", 'V="it\'s"\n', id="a single quote"),
        pytest.param(
            "\\\\host\\", 'V="\\\\\\\\host\\\\"\n', id="backslashes that python-dotenv would take for escapes"
        ),
        pytest.param("'\"\\!", 'V="\'\\"\\\\!"\n', id="every kind of quote"),
    ],
)
def test_a_dotenv_file_quotes_a_text_if_it_has_to(text: str, line: str) -> None:
    assert written(Format.DOTENV, {"V": text}) == line


@pytest.mark.parametrize(
    "key",
    [
        pytest.param("a-b", id="a dash"),
        pytest.param("tls.crt", id="a dot"),
        pytest.param("1A", id="a digit first"),
    ],
)
def test_a_dotenv_file_refuses_what_names_no_variable(key: str) -> None:
    caught = refusal(Format.DOTENV, {key: b"canary", "GOOD": b"canary"})

    assert f'"{key}"' in caught.message
    assert "nameTransformer" in caught.message
    assert "GOOD" not in caught.message
    assert "canary" not in caught.message


@pytest.mark.parametrize(
    "value",
    [
        pytest.param(b"canary\0", id="NUL"),
        pytest.param(b"canary'$x", id="a single quote with a dollar"),
        pytest.param(b"canary\\\\`", id="a doubled backslash with a backtick"),
        pytest.param(b"$canary\\", id="a backslash at the end with a dollar"),
    ],
)
def test_a_dotenv_file_names_the_key_of_what_it_cannot_hold_and_not_the_value(value: bytes) -> None:
    caught = refusal(Format.DOTENV, {"BAD": value, "GOOD": b"canary", "ALSO_BAD": value})

    assert caught.message.endswith('"ALSO_BAD", "BAD"')
    assert "GOOD" not in caught.message
    assert "canary" not in caught.message


@pytest.mark.parametrize("form", FILES)
def test_bytes_that_are_no_text_name_the_key_and_not_the_value(form: Format) -> None:
    caught = refusal(form, {"B": b"canary\xff", "GOOD": b"", "A": b"\xed\xa0\x80"})

    assert caught.message.endswith('"A", "B"')
    assert "canary" not in caught.message


@pytest.mark.parametrize("form", TEXT_FILES)
@given(values=st.dictionaries(VARIABLE, st.text(_ANY.filter(lambda letter: letter not in "\0'\\"))), data=st.data())
@settings(max_examples=20)
def test_equal_entries_make_equal_bytes_in_any_order(form: Format, values: dict[str, str], data: st.DataObject) -> None:
    turned = dict(data.draw(st.permutations(list(values.items()))))

    assert written(form, turned) == written(form, values)


@pytest.mark.parametrize("form", TEXT_FILES)
def test_a_file_is_sorted_by_key(form: Format) -> None:
    file = written(form, {"b": "2", "a": "1", "C": "3"})

    assert sorted("Cab", key=file.index) == list("Cab")


@pytest.mark.parametrize(
    ("form", "file"),
    [
        pytest.param(Format.DOTENV, b"", id="dotenv"),
        pytest.param(Format.JSON, b"{}\n", id="json"),
        pytest.param(Format.YAML, b"{}\n", id="yaml"),
        pytest.param(Format.PROPERTIES, b"", id="properties"),
        pytest.param(Format.TOML, b"", id="toml"),
        pytest.param(Format.DOCKERCONFIGJSON, b'{"auths": {}}', id="dockerconfigjson"),
    ],
)
def test_no_entries_make_an_empty_file(form: Format, file: bytes) -> None:
    assert file_of(form, {}) == file


def login(**changes: str) -> dict[str, str]:
    return {"REGISTRY": "ghcr.io", "USERNAME": "me", "PASSWORD": "canary"} | changes


def auths(values: Mapping[str, str]) -> Any:
    file = json.loads(written(Format.DOCKERCONFIGJSON, values))
    assert file.keys() == {"auths"}
    return file["auths"]


def test_a_login_becomes_a_docker_config() -> None:
    assert auths(login(EMAIL="me@example.com")) == {
        "ghcr.io": {
            "username": "me",
            "password": "canary",
            "email": "me@example.com",
            "auth": base64.b64encode(b"me:canary").decode(),
        }
    }


@pytest.mark.parametrize(
    "keys",
    [
        pytest.param(("registry", "username", "password"), id="lower case"),
        pytest.param(("Registry", "USER", "Password"), id="any case, and user"),
        pytest.param(("HUB_REGISTRY", "HUB_USER", "HUB_PASSWORD"), id="with a prefix"),
        pytest.param(("my-hub-registry", "my-hub-username", "my-hub-password"), id="in kebab"),
        pytest.param(("hub.registry", "HUB_USERNAME", "Hub-Password"), id="one login in three styles"),
    ],
)
def test_the_keys_of_a_login_may_be_spelled_in_several_ways(keys: tuple[str, str, str]) -> None:
    values = dict(zip(keys, ("ghcr.io", "me", "canary"), strict=True))

    assert auths(values).keys() == {"ghcr.io"}


def test_every_prefix_is_a_login() -> None:
    values = login() | {f"HUB_{part}": text for part, text in login(REGISTRY="docker.io", USERNAME="you").items()}

    assert {registry: auth["username"] for registry, auth in auths(values).items()} == {
        "ghcr.io": "me",
        "docker.io": "you",
    }


@given(
    username=st.text(_ANY, min_size=1).filter(lambda text: not re.search(r"[:\x00-\x1f\x7f]", text)),
    password=LINE_TEXT.filter(bool),
)
def test_any_password_is_read_back_from_a_docker_config(username: str, password: str) -> None:
    auth = auths(login(USERNAME=username, PASSWORD=password))["ghcr.io"]

    assert base64.b64decode(auth["auth"], validate=True).decode().split(":", 1) == [username, password]
    assert (auth["username"], auth["password"]) == (username, password)


@pytest.mark.parametrize(
    ("values", "named"),
    [
        pytest.param(login(TOKEN="canary"), ["TOKEN"], id="a key that means nothing"),
        pytest.param(login(HUBUSER="canary"), ["HUBUSER"], id="a part that is no word of its own"),
        pytest.param(login(USER="canary"), ["USER", "USERNAME"], id="two usernames"),
        pytest.param(login(password="canary"), ["PASSWORD", "password"], id="two passwords"),
        pytest.param({"A_REGISTRY": "ghcr.io"}, ["A_REGISTRY"], id="a registry alone"),
        pytest.param(
            login(A_REGISTRY="canary", B_USER="canary"), ["A_REGISTRY", "B_USER"], id="parts of different logins"
        ),
        pytest.param(login(PASSWORD=""), ["PASSWORD"], id="an empty password"),
        pytest.param(login(REGISTRY="canary\n"), ["REGISTRY"], id="a registry with a line break"),
        pytest.param(login(REGISTRY="canary example"), ["REGISTRY"], id="a registry with a blank"),
        pytest.param(login(USERNAME="canary:x"), ["USERNAME"], id="a username with a colon"),
        pytest.param(login(USERNAME="canary\n"), ["USERNAME"], id="a username with a line break"),
        pytest.param(login(PASSWORD="canary\0"), ["PASSWORD"], id="a password with NUL"),
        pytest.param(
            login() | {f"HUB_{part}": text for part, text in login().items()},
            ["HUB_REGISTRY", "REGISTRY"],
            id="two logins for a registry",
        ),
    ],
)
def test_a_docker_config_names_the_keys_that_it_cannot_take(values: dict[str, str], named: list[str]) -> None:
    caught = refusal(Format.DOCKERCONFIGJSON, encoded(values))

    assert caught.message.endswith(", ".join(f'"{key}"' for key in named))
    assert "canary" not in caught.message
    assert "ghcr.io" not in caught.message


@pytest.mark.parametrize("form", FILES)
def test_the_docs_show_what_is_written(form: Format) -> None:
    values = {"DB_HOST": "db.example.com", "DB_PASSWORD": "it's #5", "GREETING": "Grüße,\nzwei Zeilen"}
    if form is Format.DOCKERCONFIGJSON:
        values = {"HUB_REGISTRY": "ghcr.io", "HUB_USERNAME": "me", "HUB_PASSWORD": "example"}

    section = PAGE.read_text(encoding="utf-8").split(f"\n## {form}\n")[1].split("\n## ")[0]

    assert f"`{default_file_key(form)}`" in section
    assert f"\n{written(form, values).rstrip()}\n```\n" in section


def test_a_format_that_nobody_uses_loads_no_library() -> None:
    program = (
        "import sys, phase_operator.core.content.formats; print({'yaml', 'javaproperties', 'tomli_w'} & {*sys.modules})"
    )
    source = Path(__file__).parents[4] / "operator"

    loaded = subprocess.run(
        [sys.executable, "-c", program], env={"PYTHONPATH": str(source)}, capture_output=True, check=True, text=True
    )

    assert loaded.stdout.strip() == "set()"
