"""The image for all architectures: built one by one, bound together, pushed as it was built.

Rule: bases are named by digest. What is pushed has the digest that was written into every manifest, or nothing is.
"""

import json
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from phase_dev.image import building
from phase_dev.image.bases import Bases
from phase_dev.image.storage import ask, buildah, carry_out, tell
from phase_dev.shell.errors import ToolError

ARCHITECTURES = ("amd64", "arm64")


@dataclass(frozen=True, slots=True)
class Ground:
    """What the image of one architecture stands on: images in the storage, and what the runtime one is called."""

    bases: Bases
    name: str
    digest: str


@dataclass(frozen=True, slots=True)
class Images:
    """The image for each architecture, and the index that binds them; `name` is that of the index in the storage."""

    name: str
    digest: str
    layouts: Mapping[str, Path]
    bases: Mapping[str, str]
    """Name of each base that it stands on, and its digest."""


Foundation = Callable[[str], Ground]
Labels = Callable[[Ground], Mapping[str, str]]


def build(
    foundation: Foundation, labels: Labels, copy: Path, folder: Path, name: str, *, reuse: bool = False
) -> Images:
    """Build the image of a copy of the repository for each architecture, with its labels; from nothing, or not."""
    date = building.source_date(repository=copy)
    layouts, bases = {}, {}
    for architecture in ARCHITECTURES:
        ground = foundation(architecture)
        layouts[architecture] = folder / f"image-{architecture}"
        building.build(
            ground.bases,
            date=date,
            layout=layouts[architecture],
            repository=copy,
            architecture=architecture,
            arguments=labels(ground),
            reuse=reuse,
        )
        bases[ground.name] = ground.digest
    return Images(name, _bound(name, layouts, folder / "image"), layouts, bases)


def push(images: Images, target: str, *, secure: bool = True) -> None:
    """Push the index and all that it binds, and check that it arrived as it was built."""
    tls = () if secure else ("--tls-verify=false",)
    file = next(iter(images.layouts.values())).parent / "pushed-digest"
    flags = ("--quiet", "--all", *tls, "--digestfile", file)
    carry_out(f"pushing {target}", buildah("manifest", "push", *flags, images.name, f"docker://{target}"))
    if (pushed := file.read_text().strip()) != images.digest:
        raise ToolError(f"{target} was pushed as {pushed}, and the manifests name {images.digest}")


def in_storage(wanted: Bases, pinned: Mapping[str, str], *, secure: bool = True) -> Foundation:
    """Return the named images, fetched by the digests that `pinned` has for them."""
    tls = () if secure else ("--tls-verify=false",)

    def fetched(image: str, role: str, *arch: str) -> str:
        carry_out(f"fetching {pinned[image]}", buildah("pull", "--quiet", *tls, *arch, pinned[image]))
        # Under a name of its own: one name cannot mean the images of two architectures.
        local = f"localhost/phase-operator-{role}-base:{'-'.join(arch[1:]) or 'native'}"
        tell(buildah("tag", pinned[image], local))
        return local

    def ground(architecture: str) -> Ground:
        build, runtime = fetched(wanted.build, "build"), fetched(wanted.runtime, "runtime", "--arch", architecture)
        name, _, digest = pinned[wanted.runtime].partition("@")
        return Ground(replace(wanted, build=build, runtime=runtime), name, digest)

    return ground


def _bound(name: str, layouts: Mapping[str, Path], layout: Path) -> str:
    """Bind the architectures together, write them out as an OCI layout, and return the digest.

    The index refers to their layouts, so that what is pushed was packed once and has the digests that it had then.
    """
    ask(buildah("manifest", "rm", name))
    tell(buildah("manifest", "create", name))
    for each in layouts.values():
        tell(buildah("manifest", "add", name, f"oci:{each}"))
    shutil.rmtree(layout, ignore_errors=True)
    carry_out(f"writing {layout}", buildah("manifest", "push", "--quiet", "--all", name, f"oci:{layout}"))
    [index] = json.loads((layout / "index.json").read_text())["manifests"]
    return str(index["digest"])
