import pytest

from phase_operator.cli.migrating.official import Version, app_of, environments_of, has_tag, keys_of
from phase_operator.core.source.apps import App, Environment
from support.builders import entry, parsed


@pytest.mark.parametrize(
    ("wanted", "tag", "is_selected"),
    [
        ("db", "db", True),
        ("db", "db-main", True),
        ("DB", "old db", True),
        ("my_tag", "my tag", True),
        ("my tag", "my_tag", True),
        ("db-main", "db", False),
        ("db", "cache", False),
    ],
)
def test_a_tag_is_part_of_one(wanted: str, tag: str, is_selected: bool) -> None:
    assert has_tag(wanted, ["other", tag]) is is_selected


def test_of_the_apps_whose_name_holds_it_the_shortest_is_read() -> None:
    apps = [App("1", "My-Shop-Backend"), App("2", "my-shop"), App("3", "other")]

    found = app_of("SHOP", apps)

    assert found == App("2", "my-shop")
    assert app_of("none", apps) is None


def test_environments_whose_name_holds_it_may_be_read() -> None:
    names = [Environment("Pre-Prod"), Environment("Prod"), Environment("Staging")]

    assert [each.name for each in environments_of("prod", names)] == ["Pre-Prod", "Prod"]


def test_keys_have_every_entry_that_may_win() -> None:
    spec = parsed(managedSecretReferences=[{"secretName": "shop", "nameTransformer": "camel"}])
    [target] = spec.managed_secret_references
    one, two = entry("DB_HOST"), entry("db_host")

    found = keys_of(target, spec, [one, two, entry("X", path="/other")], Version.SECOND)

    assert found == {"dbHost": [one, two]}


def test_an_empty_value_is_left_out_by_the_second_version_alone() -> None:
    spec = parsed()
    [target] = spec.managed_secret_references

    empty = [entry("EMPTY", "")]

    assert keys_of(target, spec, empty, Version.SECOND) == {}
    assert list(keys_of(target, spec, empty, Version.FIRST)) == ["EMPTY"]
