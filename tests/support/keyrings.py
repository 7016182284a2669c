"""Apps and environments with their entries, as an account's keyring and Phase's answers show them."""

from collections.abc import Iterable, Mapping

from phase_operator.core.source.keyring import Decrypted, EnvironmentId, KeyedApp, KeyedEnvironment, Keyring, Keys
from phase_operator.core.source.references import ReferenceLimits, References
from phase_operator.core.values import Entry
from support.builders import entry
from support.server_references import World


def keyring(
    apps: Mapping[str, Iterable[str]] | Iterable[tuple[str, Iterable[str]]], hidden: Iterable[str] = ()
) -> Keyring:
    """Make the keyring of these apps and environments, without the environments `hidden` (app/environment)."""
    listed = list(apps.items() if isinstance(apps, Mapping) else apps)
    lost = set(hidden)
    found = (
        KeyedApp(
            f"id-{name}-{number}" if sum(each == name for each, _ in listed) > 1 else f"id-{name}",
            name,
            True,
            tuple(
                KeyedEnvironment(f"{name}/{each}", each, None, Keys())
                for each in environments
                if f"{name}/{each}" not in lost
            ),
        )
        for number, (name, environments) in enumerate(listed)
    )
    return Keyring(tuple(app for app in found if app.environments), Keys())


def place(app: str, environment: str) -> EnvironmentId:
    """Return the ids of an environment in the keyring that `keyring` makes."""
    return EnvironmentId(f"id-{app}", f"{app}/{environment}")


def entries(world: World, app: str, environment: str) -> list[Entry]:
    """Make the entries of an environment."""
    stored = world[app][environment].items()
    return [
        entry(key, value, path=path, ident=f"{path}|{key}|{number}")
        for (path, key), values in stored
        for number, value in enumerate([values] if isinstance(values, str) else values)
    ]


def resolve(
    world: World, app: str, environment: str, limits: ReferenceLimits | None = None, hidden: Iterable[str] = ()
) -> Decrypted:
    """Resolve an environment's references; every other environment can be read, but those that are hidden."""
    found = References(keyring(world, hidden), place(app, environment), entries(world, app, environment), limits)
    while wanted := found.wanted():
        for each in wanted:
            name, _, other = each.environment_id.partition("/")
            found.give(each, entries(world, name, other))
    return found.resolved()


def values(found: Decrypted) -> dict[str, str]:
    """Return the values by source."""
    return {each.source: each.value.reveal() for each in found.entries}


def problems(found: Decrypted) -> dict[str, str]:
    """Return the problems by source, of the entries that have one."""
    return {each.source: each.problem for each in found.entries if each.problem}
