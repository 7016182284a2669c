"""The images that ours is made of: the ones that the Dockerfile names, or stand-ins made of Debian's packages.

Rule: a stand-in has the Python and the Debian of the images it stands for, and says that it is one.

The runtime's stand-in is what distroless images are: Python, the libraries it needs and no other program.
"""

import hashlib
import re
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from filelock import FileLock

from phase_dev.image.machine import Machine, Unfit
from phase_dev.image.storage import Storage
from phase_dev.shell.errors import ToolError

_CERTIFICATES = 'cat "$1"/usr/share/ca-certificates/mozilla/*.crt > "$1/etc/ssl/certs/ca-certificates.crt"'
# What mmdebstrap takes over from this machine.
_FOREIGN = 'cd "$1/etc" && rm hostname resolv.conf apt/sources.list'
_NO_PROGRAMS = 'find "$1/usr/bin" "$1/usr/sbin" ! -type d ! -name "python3*" -delete'
_NO_REST = 'cd "$1/usr" && rm -rf lib/*/perl* share/perl* share/doc share/man share/locale share/lintian share/info'
_PASSWD = "root:x:0:0:root:/root:/sbin/nologin\\nnonroot:x:65532:65532:nonroot:/home/nonroot:/sbin/nologin\\n"
_ACCOUNTS = (
    f'printf "{_PASSWD}" > "$1/etc/passwd"',
    'printf "root:x:0:\\nnonroot:x:65532:\\n" > "$1/etc/group"',
    'mkdir "$1/home/nonroot" && chown 65532:65532 "$1/home/nonroot"',
)


@dataclass(frozen=True, slots=True)
class Named:
    """The two images that a Dockerfile names, and what they are: a minor version of Python on a suite of Debian."""

    build: str
    runtime: str
    python: str
    suite: str

    @classmethod
    def read(cls, dockerfile: str) -> Self:
        """Read the defaults of BUILD_IMAGE and RUNTIME_IMAGE."""
        images = dict(re.findall(r"^ARG (BUILD|RUNTIME)_IMAGE=(\S+)", dockerfile, re.MULTILINE))
        found = re.search(r"python:(3\.\d+)-slim-([a-z]+)", images.get("BUILD", ""))
        if found is None or "RUNTIME" not in images:
            raise ToolError("the Dockerfile names no BUILD_IMAGE python:3.x-slim-<suite> and no RUNTIME_IMAGE")
        return cls(images["BUILD"], images["RUNTIME"], found[1], found[2])


@dataclass(frozen=True, slots=True)
class Bases:
    """The two images that a build uses."""

    build: str
    runtime: str
    stand_in: bool


@dataclass(frozen=True, slots=True)
class Recipe:
    """What a stand-in is made of: packages, and what is done to them once they are unpacked."""

    name: str
    packages: tuple[str, ...]
    hooks: tuple[str, ...]

    def command(self, suite: str, mirror: str, output: Path) -> list[str]:
        """Return the command that makes it; nothing of it runs inside, so it needs no maintainer script."""
        command = ["mmdebstrap", "--quiet", "--variant=extract", f"--include={','.join(self.packages)}"]
        command += [f"--extract-hook={hook}" for hook in self.hooks]
        return [*command, suite, str(output), f"deb {mirror} {suite} main"]

    def image(self, suite: str) -> str:
        """Return the name of its image, which changes with the recipe."""
        key = hashlib.sha256(repr(self.command(suite, "", Path())).encode()).hexdigest()[:12]
        return f"localhost/phase-operator-{self.name}-stand-in:{suite}-{key}"


def recipes(python: str) -> tuple[Recipe, Recipe]:
    """Return how the stand-ins for the build and for the runtime are made."""
    build = ("base-files", "dash", "coreutils", "ca-certificates", "python3", "python3-pip")
    system = ("base-files", "netbase", "tzdata", "media-types", "ca-certificates", "libc6", "libgcc-s1")
    runtime = (*system, f"python{python}-minimal", f"libpython{python}-stdlib")
    link = f'ln -s python{python} "$1/usr/bin/python3"'
    return (
        Recipe("build", build, (_CERTIFICATES, _FOREIGN)),
        Recipe("runtime", runtime, (_CERTIFICATES, _FOREIGN, _NO_PROGRAMS, _NO_REST, link, *_ACCOUNTS)),
    )


def named(wanted: Named, storage: Storage, machine: Machine) -> Bases:
    """Fetch the images that the Dockerfile names."""
    for image in sorted({wanted.build, wanted.runtime}):
        done = machine.ask(storage.buildah("pull", "--quiet", image), within=600)
        if done.returncode != 0:
            said = done.stderr.strip().splitlines()[-1:] or [f"exit {done.returncode}"]
            raise Unfit(f"cannot fetch {image}: {said[0]}")
    return Bases(wanted.build, wanted.runtime, stand_in=False)


def stand_in(wanted: Named, storage: Storage, machine: Machine, *, mirror: str | None = None) -> Bases:
    """Make stand-ins for the images that the Dockerfile names, unless they are there."""
    machine.require("mmdebstrap")
    build, runtime = (_make(each, wanted.suite, storage, machine, mirror) for each in recipes(wanted.python))
    return Bases(build, runtime, stand_in=True)


def debian_mirror(machine: Machine) -> str:
    """Return the mirror of Debian that this machine's apt uses."""
    machine.require("apt-get")
    wanted = ("Created-By: Packages", "Origin: Debian", "Label: Debian")
    said = machine.tell(["apt-get", "indextargets", "--format", "$(REPO_URI)", *wanted])
    if not said:
        raise Unfit("apt on this machine uses no mirror of Debian; name one by --mirror")
    return said.splitlines()[0]


def _make(recipe: Recipe, suite: str, storage: Storage, machine: Machine, mirror: str | None) -> str:
    image = recipe.image(suite)
    with FileLock(storage.folder / f"{recipe.name}.lock"):
        if machine.ask(storage.buildah("inspect", "--type", "image", image)).returncode == 0:
            return image
        with tempfile.TemporaryDirectory(prefix="phase-dev-base-") as scratch:
            tarball = Path(scratch) / "base.tar"
            command = recipe.command(suite, mirror or debian_mirror(machine), tarball)
            what = f"a stand-in for the {recipe.name} image, from Debian {suite}"
            try:
                machine.work(what, command, cwd=Path(scratch), SOURCE_DATE_EPOCH="0", LC_ALL="C")
            except ToolError as e:
                raise Unfit(str(e)) from e
            container = machine.tell(storage.buildah("from", "scratch"))
            try:
                machine.tell(storage.buildah("add", "--quiet", container, tarball, "/"))
                machine.tell(storage.buildah("commit", "--quiet", "--timestamp", "0", container, image))
            finally:
                machine.ask(storage.buildah("rm", container))
    return image
