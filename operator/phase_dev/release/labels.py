"""The labels of the image, as the OCI names them: what the Dockerfile takes as arguments."""

from phase_dev.release.images import Ground
from phase_dev.release.owner import Owner


def arguments(owner: Owner, version: str, commit: str, ground: Ground) -> dict[str, str]:
    """Return the arguments of the build that end up in labels."""
    return {
        "SOURCE": owner.repository,
        "VERSION": version,
        "REVISION": commit,
        "URL": owner.docs,
        "DOCUMENTATION": owner.docs,
        "VENDOR": owner.vendor,
        "BASE_NAME": ground.name,
        "BASE_DIGEST": ground.digest,
    }
