"""Build a program from its Go module into the cache.

Rule: nothing is written into the checkout, and a half-built program is never seen under its name.
"""

import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path

from filelock import FileLock, Timeout

from phase_dev.cluster.catalog import MODULES, Program, go_needed, linker_flags, version_of
from phase_dev.cluster.errors import BuildFailed
from phase_dev.cluster.folders import Folders
from phase_dev.cluster.guard import Guard
from phase_dev.cluster.progress import Progress
from phase_dev.cluster.running import run_with_ticks, tail
from phase_dev.cluster.toolchain import find_go


def cached(program: Program, folders: Folders, modules: Path = MODULES) -> Path:
    """Return where the cache keeps, or would keep, this program."""
    version = version_of(program, modules)
    family = "etcd" if program.name == "etcd" else program.module
    return folders.program(family, version, program.name)


def build(
    program: Program, env: Mapping[str, str], folders: Folders, progress: Progress, *, modules: Path = MODULES
) -> Path:
    """Build the program unless it is in the cache by now, and return its path; two runs at once build once."""
    path = cached(program, folders, modules)
    path.parent.mkdir(parents=True, exist_ok=True)
    lock = FileLock(path.with_name(f".{path.name}.lock"))
    try:
        lock.acquire(timeout=0)
    except Timeout:
        with progress.step(f"waiting for another run that builds {program.name}") as tick:
            _wait(lock, tick)
    try:
        if not path.exists():
            _build(program, path, env, folders, progress, modules)
    finally:
        lock.release()
    return path


def _build(
    program: Program, path: Path, env: Mapping[str, str], folders: Folders, progress: Progress, modules: Path
) -> None:
    version = version_of(program, modules)
    go = find_go(go_needed(program, modules), env, folders, progress)
    fresh, log = path.with_name(f".{path.name}.new"), path.with_name(f".{path.name}.log")
    command = build_command(go, program, version, fresh)
    scratch = Path(tempfile.mkdtemp(prefix="phase-dev-build-"))  # Go does not tidy up when it is killed
    with Guard(scratch) as guard, progress.step(f"building {program.name} {version}") as tick:
        try:
            code = run_with_ticks(
                command,
                env={**build_environment(env), "GOTMPDIR": str(scratch)},
                cwd=modules / program.module,
                log=log,
                group=guard.group,
                tick=tick,
            )
            if code == 0:
                fresh.replace(path)
        except BaseException:
            log.unlink(missing_ok=True)
            raise
        finally:
            fresh.unlink(missing_ok=True)
        if code != 0:
            raise BuildFailed(f"could not build {program.name} {version}: {tail(log)} (the whole log: {log})")
    log.unlink()


def build_command(go: Path, program: Program, version: str, output: Path) -> list[str]:
    """Return the command that builds a small, reproducible program and leaves go.mod and go.sum alone."""
    flags = ["-mod=readonly", "-buildvcs=false", "-trimpath", "-ldflags", linker_flags(program, version)]
    flags += ["-tags", ",".join(program.tags)] if program.tags else []
    return [str(go), "build", *flags, "-o", str(output), program.package]


def build_environment(env: Mapping[str, str]) -> dict[str, str]:
    """Return the environment of a build: the user's proxies and caches, none of their build switches."""
    ours = {"CGO_ENABLED": "0", "GOFLAGS": "", "GOWORK": "off", "GOTOOLCHAIN": "local"}
    kept = {k: v for k, v in env.items() if k not in {"GOOS", "GOARCH", "GOROOT", "GOEXPERIMENT"}}
    return {**kept, **ours}


def _wait(lock: FileLock, tick: Callable[[], None]) -> None:
    while True:
        try:
            lock.acquire(timeout=0.5)
        except Timeout:
            tick()
        else:
            return
