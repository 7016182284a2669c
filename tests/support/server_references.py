"""What Phase's server makes of references, written down as plainly as it works: step by step.

It stands for the server in tests of our own resolver. It has no accounts: everything may be read. The server has no
bounds either, and a few references can take it hours; this one gives up.
"""

import re
from collections.abc import Iterator, Mapping

# App -> environment -> (folder, key) -> stored value; a list of values if the key is there several times.
World = Mapping[str, Mapping[str, Mapping[tuple[str, str], str | list[str]]]]
Secret = tuple[str, str, str, str]

_OTHER_APP = re.compile(r"\$\{(?!\{)(?P<app>[^{}]+?)::(?P<env>[^{}]+?)\.(?P<key>[^{}]+?)\}")
_OTHER_ENV = re.compile(r"\$\{(?!\{)(?![^{}]*::)(?P<env>[^{}.]+?)\.(?P<key>[^{}]+?)\}")
_LOCAL = re.compile(r"\$\{(?!\{)(?P<key>[^{}.]+?)\}")
_DEPTH = 25
LONGEST = 20_000


class TooMuchError(Exception):
    """The server would take very long, or answer very much."""


class _LeftAsItIsError(Exception):
    pass


def server_value(world: World, app: str, environment: str, path: str, key: str, most: int = LONGEST) -> str:
    """Return what GET answers as the value of an entry that is there once.

    Raises TooMuchError if that takes more than so many steps, or a longer text.
    """
    return _value(world, (app, environment, path, key), frozenset(), iter(range(most)), most)


def _value(world: World, secret: Secret, chain: frozenset[Secret], steps: Iterator[int], most: int) -> str:
    if secret in chain or len(chain) >= _DEPTH:
        raise _LeftAsItIsError
    app, environment, path, key = secret
    value = world[app][environment][path, key]
    assert isinstance(value, str)
    for form in (_OTHER_APP, _OTHER_ENV, _LOCAL):
        for match in list(form.finditer(value)):
            try:
                named = _named(world, app, environment, match.groupdict())
                value = value.replace(match[0], _value(world, named, chain | {secret}, steps, most))
            except _LeftAsItIsError:
                continue
            if len(value) > most or next(steps, None) is None:
                raise TooMuchError
    return value


def _named(world: World, app: str, environment: str, names: Mapping[str, str]) -> Secret:
    if "app" in names:
        app = _only(world, names["app"])
    if "env" in names:
        environment = _only(world[app], names["env"])
    folder, _, key = names["key"].rpartition("/")
    path = "/" + re.sub("//+", "/", folder).strip("/")
    if not isinstance(world[app][environment].get((path, key)), str):
        raise _LeftAsItIsError
    return app, environment, path, key


def _only(named: Mapping[str, object], name: str) -> str:
    found = [each for each in named if each.casefold() == name.casefold()]
    if len(found) != 1:
        raise _LeftAsItIsError
    return found[0]
