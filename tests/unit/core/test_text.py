import pytest

from phase_operator.core.text import close_tags, counted, did_you_mean


@pytest.mark.parametrize(
    ("wanted", "tags", "found"),
    [
        pytest.param(["data"], ["database"], ["database"], id="a part of it"),
        pytest.param(["databases"], ["base"], ["base"], id="it is a part"),
        pytest.param(["DB"], ["db"], ["db"], id="another case"),
        pytest.param(["my_db"], ["My DB"], ["My DB"], id="an underscore for a space"),
        pytest.param(["my db"], ["my_db", "my db"], ["my db", "my_db"], id="both spellings"),
        pytest.param(["datebase"], ["database"], ["database"], id="misspelt"),
        pytest.param(["db"], ["web"], [], id="nothing alike"),
        pytest.param(["db"], ["", "db"], ["db"], id="a tag without a name"),
        pytest.param(["db", "we"], ["web", "dbs", "x"], ["dbs", "web"], id="any of those wanted"),
        pytest.param(["db"], [f"db{n}" for n in range(9)], [f"db{n}" for n in range(5)], id="five at most"),
        pytest.param(["db"], ["db\nx"], ["db x"], id="on one line"),
    ],
)
def test_close_tags_are_found_by_their_spelling(wanted: list[str], tags: list[str], found: list[str]) -> None:
    assert close_tags(wanted, tags) == found


def test_nothing_close_is_not_asked_about() -> None:
    assert did_you_mean([]) == ""
    assert did_you_mean(["a", "b"]).endswith('"a", "b"?')


def test_a_number_has_its_noun() -> None:
    assert [counted(number, "pod") for number in (0, 1, 2)] == ["0 pods", "1 pod", "2 pods"]
    assert [counted(number, "entry", "entries") for number in (1, 2)] == ["1 entry", "2 entries"]
