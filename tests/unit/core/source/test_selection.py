import pytest

from phase_operator.api.v1alpha1.phasesecret import KeySelection, LeftOutWhy
from phase_operator.core.outcome import LeftOut
from phase_operator.core.source.selection import config_entries, left_out, secret_entries, select, wants
from support.builders import config_entry, entry, query


@pytest.mark.parametrize(
    ("path", "taken"),
    [
        pytest.param("/", ["ROOT"], id="the root is the root alone"),
        pytest.param("/api", ["API"], id="a folder is without its subfolders"),
        pytest.param("/api/v1", ["V1"], id="a subfolder"),
        pytest.param("/API", [], id="folders are case-sensitive"),
        pytest.param(None, ["ROOT", "API", "V1"], id="None is every folder"),
    ],
)
def test_a_path_is_exact(path: str | None, taken: list[str]) -> None:
    entries = [entry("ROOT"), entry("API", path="/api"), entry("V1", path="/api/v1")]

    found = select(entries, query(path=path), KeySelection())

    assert [each.key for each in found] == taken


@pytest.mark.parametrize(
    ("tags", "taken"),
    [
        pytest.param((), ["A", "B", "AB", "NONE"], id="no tags take all"),
        pytest.param(("a",), ["A", "AB"], id="one tag"),
        pytest.param(("a", "b"), ["A", "B", "AB"], id="any of two tags"),
        pytest.param(("A",), [], id="tags are case-sensitive"),
        pytest.param(("a*",), [], id="tags are no patterns"),
    ],
)
def test_any_of_the_tags_is_enough(tags: tuple[str, ...], taken: list[str]) -> None:
    entries = [entry("A", tags="a"), entry("B", tags="b"), entry("AB", tags="ab"), entry("NONE")]

    found = select(entries, query(tags=tags), KeySelection())

    assert [each.key for each in found] == taken


@pytest.mark.parametrize(
    ("include", "exclude", "key", "wanted"),
    [
        pytest.param([], [], "ANY", True, id="no patterns want all"),
        pytest.param(["DB_*"], [], "DB_HOST", True, id="star"),
        pytest.param(["DB_*"], [], "XDB_HOST", False, id="a pattern is anchored at the start"),
        pytest.param(["DB"], [], "DB_HOST", False, id="a pattern is anchored at the end"),
        pytest.param(["db_*"], [], "DB_HOST", False, id="patterns are case-sensitive"),
        pytest.param(["A?"], [], "AB", True, id="question mark is one character"),
        pytest.param(["A?"], [], "ABC", False, id="question mark is not two"),
        pytest.param(["A[12]"], [], "A2", True, id="a set"),
        pytest.param(["A[!12]"], [], "A2", False, id="a negated set"),
        pytest.param(["X", "A*"], [], "AB", True, id="any include is enough"),
        pytest.param([], ["A*"], "AB", False, id="exclude alone"),
        pytest.param(["AB"], ["A*"], "AB", False, id="exclude wins over an exact include"),
        pytest.param(["A.B"], [], "AXB", False, id="a dot is a dot"),
    ],
)
def test_a_key_is_wanted_if_a_pattern_includes_it_and_none_excludes_it(
    include: list[str], exclude: list[str], key: str, wanted: bool
) -> None:
    keys = KeySelection(include=include, exclude=exclude)

    assert wants(key, keys) is wanted


def test_path_tags_and_patterns_must_all_hold() -> None:
    entries = [
        entry("DB_HOST", path="/api", tags=["a"]),
        entry("DB_HOST", path="/", tags=["a"]),
        entry("DB_PORT", path="/api"),
        entry("URL", path="/api", tags=["a"]),
    ]

    found = select(entries, query(path="/api", tags=("a",)), KeySelection(include=["DB_*"]))

    assert found == (entries[0],)


def test_the_class_decides_what_is_config_not_the_word() -> None:
    pretender = entry("A", kind="config")

    assert config_entries([pretender, config_entry("B")]) == (config_entry("B"),)


@pytest.mark.parametrize(
    ("with_config", "taken"),
    [pytest.param(True, ["A", "S", "C"], id="with config"), pytest.param(False, ["A", "S"], id="without config")],
)
def test_secrets_leave_config_out_when_told(with_config: bool, taken: list[str]) -> None:
    entries = [entry("A"), entry("S", kind="sealed"), config_entry("C")]

    found = secret_entries(entries, with_config=with_config)

    assert [each.key for each in found] == taken


def test_entries_that_a_step_leaves_out_are_counted_and_named_in_order() -> None:
    entries = [entry("C"), entry("A"), entry("B")]

    assert left_out(entries, entries[2:], LeftOutWhy.TYPE) == (LeftOut(LeftOutWhy.TYPE, 2, ("A", "C")),)


def test_a_step_that_takes_everything_leaves_nothing_to_tell() -> None:
    entries = [entry("A"), config_entry("B")]

    assert left_out(entries, reversed(entries), LeftOutWhy.PATH) == ()
    assert left_out([], [], LeftOutWhy.PATH) == ()


def test_equal_keys_of_two_folders_are_told_apart_by_what_was_taken() -> None:
    here, there = entry("A"), entry("A", path="/there")

    assert left_out([here, there], [here], LeftOutWhy.PATH) == (LeftOut(LeftOutWhy.PATH, 1, ("A",)),)
    assert left_out([here, there], [], LeftOutWhy.PATH) == (LeftOut(LeftOutWhy.PATH, 2, ("A",)),)


def test_ten_are_named_and_all_counted() -> None:
    entries = [entry(f"K{number:02}") for number in range(25)]

    [found] = left_out(entries, [], LeftOutWhy.KEYS)

    assert (found.count, found.keys) == (25, tuple(f"K{number:02}" for number in range(10)))


def test_a_key_that_is_no_name_is_made_fit_to_be_shown() -> None:
    [found] = left_out([entry("A\nB"), entry("K" * 1000), entry("pss_service:v1:abc")], [], LeftOutWhy.KEYS)

    assert found.keys == ("***", "A B", "K" * 253)
