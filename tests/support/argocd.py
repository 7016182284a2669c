"""Argo CD's side of a script of ours: a Lua 5.1 with as little in it as Argo CD gives a script."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from lupa.lua51 import LuaRuntime, lua_type  # type: ignore[import-not-found, import-untyped, unused-ignore]  # untyped

CUSTOMIZATIONS = Path(__file__).parents[2] / "contrib/argocd/resource_customizations/secrets.phase.dev"
HEALTH = CUSTOMIZATIONS / "PhaseSecret/health.lua"
# Argo CD opens `package`, `base`, `table` and a narrow `os`; what a script of ours does not need is left out too.
_NOT_THERE = ("coroutine", "debug", "io", "math", "os", "package", "python", "require", "string")


def executed(script: str, resource: Mapping[str, Any]) -> Any:
    """Return what a script returns for a resource, tables as dicts or lists; an empty one is a list, as in Argo CD."""
    lua = LuaRuntime()
    for name in _NOT_THERE:
        lua.globals()[name] = None
    lua.globals()["obj"] = lua.table_from(resource, recursive=True)
    return _plain(lua.execute(script))


def health(resource: Mapping[str, Any], script: str | None = None) -> tuple[str, str]:
    """Return the health and the message to which a script, ours if none is given, comes."""
    found = executed(HEALTH.read_text() if script is None else script, resource)
    return str(found["status"]), str(found["message"])


def discovered(script: str, resource: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return the actions that a script offers for a resource, in the order of their names."""
    return [{"name": name, "disabled": found["disabled"]} for name, found in sorted(executed(script, resource).items())]


def acted(script: str, resource: Mapping[str, Any]) -> Any:
    """Return what an action makes of a resource; as Argo CD, take an empty list for the mapping that was there."""
    return _cleaned(executed(script, resource), resource)


def _plain(found: Any) -> Any:
    if lua_type(found) != "table":
        return found
    keys = list(found.keys())
    if keys == list(range(1, len(keys) + 1)):
        return [_plain(each) for each in found.values()]
    return {key: _plain(value) for key, value in found.items()}


def _cleaned(found: Any, before: Any) -> Any:
    if isinstance(found, dict) and isinstance(before, Mapping):
        return {key: _cleaned(value, before.get(key)) for key, value in found.items()}
    if found == [] and isinstance(before, Mapping):
        return {}
    if isinstance(found, list) and isinstance(before, list):
        return [_cleaned(*each) for each in zip(found, before, strict=False)] + found[len(before) :]
    return found
