"""What a release's image stands on: the images that the Dockerfile names, by digest, or stand-ins for a rehearsal."""

import httpx

from phase_dev.image import bases
from phase_dev.image.storage import buildah, tell
from phase_dev.release import digests
from phase_dev.release.images import Foundation, Ground, in_storage


def named(dockerfile: str, client: httpx.Client, *, secure: bool = True) -> Foundation:
    """Return the images that the Dockerfile names, by the digests that their registry says."""
    wanted = bases.named(dockerfile)
    pinned = {image: _pinned(image, client) for image in {wanted.build, wanted.runtime}}
    return in_storage(wanted, pinned, secure=secure)


def stand_ins(dockerfile: str, mirror: str | None = None) -> Foundation:
    """Return stand-ins for them, made on this machine; their digests are those of the local storage."""
    wanted = bases.named(dockerfile)

    def ground(architecture: str) -> Ground:
        found = bases.stand_ins(wanted, mirror, architecture=architecture)
        asked = buildah("inspect", "--type", "image", "--format", "{{.FromImageDigest}}", found.runtime)
        return Ground(found, found.runtime, tell(asked).strip())

    return ground


def _pinned(image: str, client: httpx.Client) -> str:
    return image if "@sha256:" in image else digests.parse(image).pinned(digests.resolve(image, client))
