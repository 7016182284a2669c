"""Get an executable: from the folder that the user names, else from our cache, else by building it."""

import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from phase_dev.cluster.build import build, cached
from phase_dev.cluster.catalog import PROGRAMS, Program, version_of
from phase_dev.shell.errors import ToolError
from phase_dev.shell.folders import Folders
from phase_dev.shell.terminal import Progress

ASSETS = "KUBEBUILDER_ASSETS"

Origin = Literal["KUBEBUILDER_ASSETS", "cache", "built"]


@dataclass(frozen=True, slots=True)
class Found:
    """An executable, and where it came from."""

    name: str
    path: Path
    origin: Origin
    version: str
    """The version that our modules pin; empty when the user's folder decides."""


def locate(name: str, env: Mapping[str, str] | None = None) -> Path | None:
    """Return a program that is here already, without building anything; None when it is not."""
    here = _look(_program(name), os.environ if env is None else env)
    return here.path if here else None


def obtain(programs: Iterable[Program], env: Mapping[str, str], progress: Progress) -> dict[str, Found]:
    """Return every program, building what is neither in the user's folder nor in the cache, a module at a time."""
    wanted = list(programs)
    found = {program.name: _look(program, env) for program in wanted}
    missing = [program for program in wanted if found[program.name] is None]
    for module in dict.fromkeys(program.module for program in missing):
        together = [program for program in missing if program.module == module]
        paths = build(together, env, Folders.of(env), progress)
        found |= {each.name: Found(each.name, paths[each.name], "built", version_of(each)) for each in together}
    return {name: each for name, each in found.items() if each is not None}


def _look(program: Program, env: Mapping[str, str]) -> Found | None:
    assets = env.get(ASSETS)
    if assets:
        if not Path(assets).is_dir():
            raise ToolError(f"{ASSETS} is {assets}, which is not a folder")
        path = Path(assets) / program.name
        if os.access(path, os.X_OK):
            return Found(program.name, path, "KUBEBUILDER_ASSETS", "")
    path = cached(program, Folders.of(env))
    return Found(program.name, path, "cache", version_of(program)) if path.exists() else None


def _program(name: str) -> Program:
    try:
        return PROGRAMS[name]
    except KeyError:
        raise ToolError(f'there is no program "{name}"; there are {", ".join(PROGRAMS)}') from None
