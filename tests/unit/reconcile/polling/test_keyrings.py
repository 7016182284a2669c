"""The index of a keyring: what it finds, and what it takes in memory."""

import sys
import tracemalloc

import pytest

from phase_operator.core.source.apps import App, Directory
from phase_operator.core.source.keyring import KeyedApp, KeyedEnvironment, Keyring, Keys
from phase_operator.reconcile.polling.keyrings import KeyringIndex


def keyring(apps: int, environments: int) -> Keyring:
    def listed(app: int) -> tuple[KeyedEnvironment, ...]:
        return tuple(
            KeyedEnvironment(f"{app}-{number}", f"Env{number}", "2030-01-01T00:00:00", Keys())
            for number in range(environments)
        )

    return Keyring(
        tuple(KeyedApp(f"APP-{number}", f"App {number}", True, listed(number)) for number in range(apps)), Keys()
    )


@pytest.mark.parametrize(("apps", "environments"), [(2_000, 0), (500, 3), (1, 2_000)])
def test_an_index_weighs_as_much_as_it_takes_with_a_directory_of_its_names(apps: int, environments: int) -> None:
    listed = keyring(apps, environments)
    tracemalloc.start()

    index = KeyringIndex(listed)
    directory = Directory([App(app.id, app.name, app.is_encrypted) for app in listed.apps])

    taken, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert directory.pick("App 0") == "APP-0"
    names = sum(sys.getsizeof(each.name) for app in listed.apps for each in app.environments)
    assert index.weight / 3 < taken - names < index.weight


def test_an_index_finds_the_id_that_is_read_among_those_that_differ_in_case() -> None:
    one, two = (KeyedApp(ident, ident, True, ()) for ident in ("app", "APP"))
    listed = Keyring((one, two), Keys())

    assert KeyringIndex(listed).app("app") is listed.app("app")
