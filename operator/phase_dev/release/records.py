"""What a release says of itself: checksums, and the provenance of its image.

Rule: provenance says what was built from what, as SLSA 1.0 and in-toto have it; who vouches for it is the signature's.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

Object = dict[str, Any]

_BUILD_TYPE = "docs/development/releasing.md#what-a-release-is-made-of"


@dataclass(frozen=True, slots=True)
class Origin:
    """What an image was built from."""

    repository: str
    commit: str
    version: str
    bases: Mapping[str, str]
    """Name of each base image, and its digest."""
    lock: str
    """The text of the lock of its packages."""
    architectures: tuple[str, ...]
    builder: str
    started: str
    finished: str
    """Both as RFC 3339."""


def checksums(files: Mapping[str, bytes]) -> str:
    """Return what `sha256sum --check` reads, by name."""
    return "".join(f"{hashlib.sha256(files[name]).hexdigest()}  {name}\n" for name in sorted(files))


def predicate(origin: Origin) -> Object:
    """Return the SLSA provenance, version 1."""
    lock = hashlib.sha256(origin.lock.encode()).hexdigest()
    source = {"uri": f"git+{origin.repository}@refs/tags/v{origin.version}", "digest": {"gitCommit": origin.commit}}
    packages = {"uri": f"{origin.repository}/blob/{origin.commit}/requirements/product.txt", "digest": {"sha256": lock}}
    bases = [
        {"uri": f"docker://{name}", "digest": {"sha256": digest.removeprefix("sha256:")}}
        for name, digest in sorted(origin.bases.items())
    ]
    return {
        "buildDefinition": {
            "buildType": f"{origin.repository}/blob/v{origin.version}/{_BUILD_TYPE}",
            "externalParameters": {"version": origin.version, "architectures": list(origin.architectures)},
            "internalParameters": {},
            "resolvedDependencies": [source, packages, *bases],
        },
        "runDetails": {
            "builder": {"id": origin.builder},
            "metadata": {"startedOn": origin.started, "finishedOn": origin.finished},
        },
    }


def statement(image: str, digest: str, found: Object) -> Object:
    """Return the in-toto statement that says this of an image."""
    return {
        "_type": "https://in-toto.io/Statement/v1",
        "subject": [{"name": image, "digest": {"sha256": digest.removeprefix("sha256:")}}],
        "predicateType": "https://slsa.dev/provenance/v1",
        "predicate": found,
    }
