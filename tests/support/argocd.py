"""Argo CD's side of a health check: a Lua 5.1 with as little in it as Argo CD gives a script."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from lupa.lua51 import LuaRuntime  # type: ignore[import-not-found, import-untyped, unused-ignore]  # it ships no types

HEALTH = Path(__file__).parents[2] / "deploy/gitops/argocd/health.lua"
# Argo CD opens `package`, `base`, `table` and a narrow `os`; what a script of ours does not need is left out too.
_NOT_THERE = ("coroutine", "debug", "io", "math", "os", "package", "python", "require", "string")


def health(resource: Mapping[str, Any], script: str | None = None) -> tuple[str, str]:
    """Return the health and the message to which a script, ours if none is given, comes."""
    lua = LuaRuntime()
    for name in _NOT_THERE:
        lua.globals()[name] = None
    lua.globals()["obj"] = lua.table_from(resource, recursive=True)
    found = lua.execute(HEALTH.read_text() if script is None else script)
    return str(found["status"]), str(found["message"])
