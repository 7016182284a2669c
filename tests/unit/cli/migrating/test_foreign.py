from phase_operator.cli.migrating.foreign import Foreign, spelled

BODY = {
    "kind": "Thing",
    "metadata": {"name": "thing", "labels": {"a": "b", "bad": 1}},
    "spec": {
        "text": "x",
        "flag": True,
        "count": 5,
        "words": ["a", "b"],
        "mixed": ["a", 1],
        "empty": {"labels": {}, "list": [None, ""]},
        "items": [{"name": "one", "more": {"deep": 1}}, {"name": "two"}, "no object"],
    },
}


def test_a_field_that_was_read_is_not_named() -> None:
    original = Foreign(BODY)

    original.text("spec", "text")
    original.flag("spec", "flag")
    original.number("spec", "count")
    original.words("spec", "words")

    assert list(map(spelled, original.unread())) == ["spec.mixed", "spec.items"]


def test_of_an_object_that_was_read_in_part_the_rest_is_named() -> None:
    original = Foreign({"spec": {"items": BODY["spec"]["items"]}})  # type: ignore[index]  # the literal is a dict

    names = [original.text(*item, "name") for item in original.items("spec", "items")]

    assert names == ["one", "two"]
    assert list(map(spelled, original.unread())) == ["spec.items[0].more", "spec.items[2]"]


def test_a_value_of_another_type_reads_as_nothing_and_stays_unread() -> None:
    original = Foreign({"spec": {"text": 5, "flag": "true", "count": True, "words": "a", "pairs": {"a": 1}}})

    assert original.text("spec", "text") == ""
    assert original.flag("spec", "flag") is None
    assert original.number("spec", "count") is None
    assert original.words("spec", "words") == []
    assert original.pairs("spec", "pairs") == {}
    assert len(original.unread()) == 5


def test_the_usual_value_is_read_and_another_one_is_not() -> None:
    original = Foreign({"spec": {"a": "None", "b": "Fetch"}})

    original.skip("None", "spec", "a")
    original.skip("None", "spec", "b")

    assert original.unread() == [("spec", "b")]


def test_fields_that_say_nothing_are_not_named() -> None:
    assert Foreign({"spec": {"empty": {"labels": {}, "list": [None, ""]}, "none": None}}).unread() == []


def test_of_very_many_fields_the_first_are_named() -> None:
    assert len(Foreign({"spec": {f"field-{number}": "x" for number in range(10_000)}}).unread()) == 50


def test_a_resource_without_a_namespace_is_in_the_one_that_is_named() -> None:
    assert str(Foreign({"metadata": {"name": "a"}}, "team").key) == "team/a"
    assert str(Foreign({"metadata": {"name": "a"}}).key) == "default/a"


def test_a_body_that_is_nonsense_reads_as_nothing() -> None:
    original = Foreign({"metadata": [], "spec": "text"})

    assert (original.key.name, original.labels, original.unread()) == ("", {}, [])


def test_a_path_is_spelled_without_signs_that_a_terminal_obeys() -> None:
    assert spelled(("spec", "data", 0, "a\x1b[31m\nb")) == "spec.data[0].a [31m b"


def test_a_field_that_is_very_deep_is_named() -> None:
    deep: object = ""
    for _ in range(5000):
        deep = {"x": deep}

    original = Foreign({"spec": {"deep": deep}})
    original.text("spec", "deep", "x", "x")

    [path] = original.unread()
    assert path[:2] == ("spec", "deep")
