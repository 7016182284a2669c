"""Build programs from their Go module into the cache.

Rule: nothing is written into the checkout, and a half-built program is never seen under its name.
"""

import hashlib
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from phase_dev.cluster.catalog import MODULES, OURS, Program, go_needed, linker_flags, version_of
from phase_dev.cluster.toolchain import find_go
from phase_dev.shell.folders import Folders
from phase_dev.shell.guard import Guard
from phase_dev.shell.processes import work
from phase_dev.shell.terminal import Progress


def cached(program: Program, folders: Folders, modules: Path = MODULES) -> Path:
    """Return where the cache keeps, or would keep, this program."""
    version = version_of(program, modules)
    family = "etcd" if program.name == "etcd" else program.module
    return folders.program(family, version + _sources_of_ours(program, modules), program.name)


def build(
    programs: Sequence[Program],
    env: Mapping[str, str],
    folders: Folders,
    progress: Progress,
    *,
    modules: Path = MODULES,
) -> dict[str, Path]:
    """Build those programs of one module that are not in the cache by now, and return the paths of all.

    One run of Go builds them together: what they share is compiled once, and while one is linked, which keeps a single
    core busy, another is compiled. Two builds of a module at once build once.
    """
    paths = {program.name: cached(program, folders, modules) for program in programs}
    [module] = {program.module for program in programs}
    folders.programs.mkdir(parents=True, exist_ok=True)
    with _alone(folders.programs / f".{module}.lock", f"waiting for another run that builds {module}", progress):
        missing = [program for program in programs if not paths[program.name].exists()]
        if missing:
            _Build(missing, env, folders, progress, modules).run(paths)
    return paths


class _Build:
    """One run of Go, for programs of one module with the same build tags."""

    def __init__(
        self, programs: Sequence[Program], env: Mapping[str, str], folders: Folders, progress: Progress, modules: Path
    ) -> None:
        self._programs = programs
        self._what = ", ".join(f"{each.name} {version_of(each, modules)}" for each in programs)
        self._env, self._folders, self._progress = env, folders, progress
        self._modules = modules
        self._folder = modules / programs[0].module
        self._log = folders.programs / f".{programs[0].module}.log"

    def run(self, paths: Mapping[str, Path]) -> None:
        """Put each program at its path, or raise ToolError and leave none."""
        go = find_go(
            max(go_needed(each, self._modules) for each in self._programs), self._env, self._folders, self._progress
        )
        flags = build_flags({each: version_of(each, self._modules) for each in self._programs})
        packages = [each.package for each in self._programs]
        scratch = Path(tempfile.mkdtemp(prefix="phase-dev-build-"))  # Go does not tidy up when it is killed
        fresh = Path(tempfile.mkdtemp(prefix=".new-", dir=self._folders.programs))
        with Guard(scratch, fresh) as guard:
            environment = {**build_environment(self._env), "GOTMPDIR": str(scratch)}

            def go_does(step: str, *command: str, left: Callable[[], str]) -> str:
                return work(
                    f"{step} {self._what}",
                    [go, *command, *packages],
                    env=environment,
                    cwd=self._folder,
                    log=self._log,
                    group=guard.group,
                    progress=self._progress,
                    left=left,
                )

            stale = ("list", "-deps", "-f", "{{if .Stale}}{{.ImportPath}}{{end}}")
            said = go_does("fetching the sources of", *stale, *flags, left=lambda: fetched(self._lines()))
            todo = set(packages_in(said.splitlines()))
            steps = ("build", "-v", *flags, "-o", f"{fresh}/")
            go_does("building", *steps, left=lambda: left(todo, packages_in(self._lines())))
            for each in self._programs:
                paths[each.name].parent.mkdir(parents=True, exist_ok=True)
                (fresh / executable(each.package)).replace(paths[each.name])

    def _lines(self) -> list[str]:
        return self._log.read_text(errors="replace").splitlines()


def build_flags(versions: Mapping[Program, str]) -> list[str]:
    """Return the flags for small, reproducible programs, which leave go.mod and go.sum alone.

    What debuggers read (DWARF) is not even made: that is a fifth of a compiler's work, and the linker drops it anyway.
    """
    flags = ["-mod=readonly", "-buildvcs=false", "-trimpath", "-gcflags=all=-dwarf=false"]
    flags += [f"-ldflags={program.package}={linker_flags(program, version)}" for program, version in versions.items()]
    [tags] = {program.tags for program in versions}
    return flags + (["-tags", ",".join(tags)] if tags else [])


def build_environment(env: Mapping[str, str]) -> dict[str, str]:
    """Return the environment of a build: the user's proxies and caches, none of their build switches."""
    ours = {"CGO_ENABLED": "0", "GOFLAGS": "", "GOWORK": "off", "GOTOOLCHAIN": "local"}
    kept = {k: v for k, v in env.items() if k not in {"GOOS", "GOARCH", "GOROOT", "GOEXPERIMENT"}}
    return {**kept, **ours}


def executable(package: str) -> str:
    """Return the name that Go gives to a package's program: the last part of its path that is no version."""
    *_, before, last = ["", *package.split("/")]
    return before if last[:1] == "v" and last[1:].isdecimal() else last


def packages_in(lines: Iterable[str]) -> list[str]:
    """Return the packages that a run of Go has named so far, a line each; what has spaces is said for people."""
    return [line for line in lines if line and " " not in line]


def fetched(lines: Iterable[str]) -> str:
    """Say how many modules a run of Go has downloaded so far; nobody knows before how many there will be."""
    count = sum(line.startswith("go: downloading ") for line in lines)
    return f"{count:,} modules so far" if count else ""


def left(todo: set[str], begun: Sequence[str]) -> str:
    """Say how much of a build is left to do."""
    rest = len(todo.difference(begun))
    return f"{rest:,} of {len(todo):,} packages left" if rest else "linking"


def _sources_of_ours(program: Program, modules: Path) -> str:
    """Return a mark of the Go files of a program that we wrote, which no version tells apart; "" if others wrote it."""
    if not program.package.startswith(OURS):
        return ""
    files = (modules / program.package.removeprefix(OURS)).glob("*.go")
    return f"-{hashlib.sha256(b''.join(file.read_bytes() for file in sorted(files))).hexdigest()[:8]}"


@contextmanager
def _alone(path: Path, waiting: str, progress: Progress) -> Iterator[None]:
    lock = FileLock(path)
    try:
        lock.acquire(timeout=0)
    except Timeout:
        with progress.step(waiting) as tick:
            _wait(lock, tick)
    try:
        yield
    finally:
        lock.release()


def _wait(lock: FileLock, tick: Callable[[], None]) -> None:
    while True:
        try:
            lock.acquire(timeout=0.5)
        except Timeout:
            tick()
        else:
            return
