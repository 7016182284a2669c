"""The images that ours is made of: the ones that the Dockerfile names, or stand-ins made of Debian's packages.

Rule: a stand-in has the Python and the Debian of the images that it replaces, and its name says that it is a stand-in.

The runtime's stand-in is what distroless images are: Python, the libraries it needs and no other program.
"""

import hashlib
import re
import tempfile
from dataclasses import dataclass, replace
from pathlib import Path

from filelock import FileLock

from phase_dev.image.storage import Unfit, ask, buildah, cache, carry_out, own_architecture, require, tell
from phase_dev.shell.errors import ToolError

_CERTIFICATES = 'cat "$1"/usr/share/ca-certificates/mozilla/*.crt > "$1/etc/ssl/certs/ca-certificates.crt"'
# What mmdebstrap takes over from this machine.
_FOREIGN = 'cd "$1/etc" && rm hostname resolv.conf apt/sources.list'
_NO_PROGRAMS = 'find "$1/usr/bin" "$1/usr/sbin" ! -type d ! -name "python3*" -delete'
_NO_REST = 'cd "$1/usr" && rm -rf lib/*/perl* share/perl* share/doc share/man share/locale share/lintian share/info'
# mmdebstrap's option; the recipe is all that tells what a stand-in is for.
_FOR = "--architectures="
_PASSWD = "root:x:0:0:root:/root:/sbin/nologin\\nnonroot:x:65532:65532:nonroot:/home/nonroot:/sbin/nologin\\n"
_ACCOUNTS = (
    f'printf "{_PASSWD}" > "$1/etc/passwd"',
    'printf "root:x:0:\\nnonroot:x:65532:\\n" > "$1/etc/group"',
    'mkdir "$1/home/nonroot" && chown 65532:65532 "$1/home/nonroot"',
)


@dataclass(frozen=True, slots=True)
class Bases:
    """The images for the build and for the runtime, the minor version of their Python and the suite of their Debian."""

    build: str
    runtime: str
    python: str
    suite: str


def named(dockerfile: str) -> Bases:
    """Return the images that a Dockerfile takes by default."""
    images = dict(re.findall(r"^ARG (BUILD|RUNTIME)_IMAGE=(\S+)", dockerfile, re.MULTILINE))
    found = re.search(r"python:(3\.\d+)-slim-([a-z]+)", images.get("BUILD", ""))
    if found is None or "RUNTIME" not in images:
        raise ToolError("the Dockerfile names no BUILD_IMAGE python:3.x-slim-<suite> and no RUNTIME_IMAGE")
    return Bases(images["BUILD"], images["RUNTIME"], found[1], found[2])


def pull(bases: Bases) -> None:
    """Fetch the images from their registry."""
    for image in sorted({bases.build, bases.runtime}):
        done = ask(buildah("pull", "--quiet", image), within=600)
        if done.returncode != 0:
            said = done.stderr.strip().splitlines()[-1:] or [f"exit {done.returncode}"]
            raise Unfit(f"cannot fetch {image}: {said[0]}")


def stand_ins(bases: Bases, mirror: str | None = None, *, architecture: str = "") -> Bases:
    """Make stand-ins for the images, unless they are there; the runtime may be for another architecture.

    Those for this machine have one name, whether its architecture is named or not: buildah writes the name into what
    is built on them, and of two names for the same image it takes any.
    """
    require("buildah", "mmdebstrap")
    commands = recipes(bases.python, bases.suite, architecture or own_architecture())
    for image, command in commands.items():
        with FileLock(cache() / "stand-ins.lock"):
            if ask(buildah("inspect", "--type", "image", image)).returncode != 0:
                _make(image, command, f"deb {mirror or debian_mirror()} {bases.suite} main")
    build, runtime = commands
    return replace(bases, build=build, runtime=runtime)


def recipes(python: str, suite: str, architecture: str) -> dict[str, list[str]]:
    """Return the commands that make the stand-ins for the build and for the runtime, without a place and a mirror.

    Their keys are the images' names, which change with the commands. Packages are unpacked and no more: nothing runs
    inside, so that no maintainer script is needed, and the runtime may be for an architecture that runs nothing here.
    """
    system = ("base-files", "netbase", "tzdata", "media-types", "ca-certificates", "libc6", "libgcc-s1")
    link = f'ln -s python{python} "$1/usr/bin/python3"'
    made = {
        "build": (("base-files", "dash", "coreutils", "ca-certificates", "python3", "python3-pip"), ()),
        "runtime": (
            (*system, f"python{python}-minimal", f"libpython{python}-stdlib"),
            (_NO_PROGRAMS, _NO_REST, link, *_ACCOUNTS),
        ),
    }
    commands = {}
    for role, (packages, hooks) in made.items():
        command = ["mmdebstrap", "--quiet", "--variant=extract", f"--include={','.join(packages)}"]
        if role == "runtime":
            command += [f"{_FOR}{architecture}"]
        command += [*(f"--extract-hook={hook}" for hook in (_CERTIFICATES, _FOREIGN, *hooks)), suite]
        key = hashlib.sha256(repr(command).encode()).hexdigest()[:12]
        commands[f"localhost/phase-operator-{role}-stand-in:{suite}-{key}"] = command
    return commands


def debian_mirror() -> str:
    """Return the mirror of Debian that this machine's apt uses."""
    require("apt-get")
    wanted = ("Created-By: Packages", "Origin: Debian", "Label: Debian")
    said = tell(["apt-get", "indextargets", "--format", "$(REPO_URI)", *wanted])
    if not said.strip():
        raise Unfit("apt on this machine uses no mirror of Debian; name one by --mirror")
    return said.splitlines()[0]


def _make(image: str, command: list[str], source: str) -> None:
    with tempfile.TemporaryDirectory(prefix="phase-dev-base-") as scratch:
        tarball = Path(scratch) / "base.tar"
        try:
            carry_out(f"making {image}", [*command, tarball, source], SOURCE_DATE_EPOCH="0", LC_ALL="C")
        except ToolError as e:
            raise Unfit(str(e)) from e
        (Path(scratch) / "Dockerfile").write_text(f"FROM scratch\nADD {tarball.name} /\n")
        for_whom = [each.removeprefix(_FOR) for each in command if each.startswith(_FOR)]
        arch = ("--arch", *for_whom) if for_whom else ()
        carry_out(f"keeping {image}", buildah("bud", "--quiet", "--timestamp", "0", *arch, "--tag", image, scratch))
