"""The names of entries in Phase: what the server makes of keys, and what it would refuse."""

import sys

import pytest

from phase_operator.core.push.places import (
    LONGEST_FOLDER,
    LONGEST_KEY,
    EntryPlace,
    entry_key,
    place_problem,
    server_key,
)


@pytest.mark.parametrize(
    ("key", "prefix", "as_name", "expected"),
    [
        ("password", "", "", "PASSWORD"),
        ("tls.crt", "", "", "TLS_CRT"),
        ("ca-bundle.pem", "web_", "", "WEB_CA_BUNDLE_PEM"),
        ("logo.png", "WEB_", "Logo.Png", "LOGO.PNG"),
        ("straße", "", "", "STRASSE"),
    ],
)
def test_a_key_in_phase_is_what_the_server_would_make_of_it(key: str, prefix: str, as_name: str, expected: str) -> None:
    assert entry_key(key, prefix, as_name) == expected


def test_a_key_of_the_server_is_its_own_upper_case() -> None:
    """What was read again has the place of what was written, in every script."""
    changed = [char for char in map(chr, range(sys.maxunicode + 1)) if server_key(server_key(char)) != server_key(char)]

    assert changed == []


@pytest.mark.parametrize(
    ("path", "key", "words"),
    [
        ("/", "", "empty"),
        ("/", "  ", "empty"),
        ("/", "A\x00B", "do not print"),
        ("/", "A\ud800", "do not print"),
        ("/", "K" * (LONGEST_KEY + 1), "longer than 512"),
        (f"/a/{'f' * (LONGEST_FOLDER + 1)}", "KEY", "longer than the 64"),
        ("/a\ud800", "KEY", "do not print"),
    ],
)
def test_a_place_that_the_server_would_not_store_is_a_problem(path: str, key: str, words: str) -> None:
    assert words in place_problem(EntryPlace(path, key))


@pytest.mark.parametrize("path", ["/", "/cluster", f"/a/{'f' * LONGEST_FOLDER}"])
def test_a_usual_place_is_no_problem(path: str) -> None:
    assert place_problem(EntryPlace(path, "K" * LONGEST_KEY)) == ""


def test_a_place_is_named_by_folder_and_key() -> None:
    assert [str(EntryPlace("/", "KEY")), str(EntryPlace("/a/b", "KEY"))] == ["/KEY", "/a/b/KEY"]
