"""The last step: what is pushed and signed, in which order, as commands.

Rule: nothing is public before everything is built. What others refer to goes first: the image, its signature and what
is attested of it, then the chart, then the tag, then the page with the files.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from phase_dev.release.assets import SUMS
from phase_dev.release.owner import NAME, Owner

Command = tuple[str | Path, ...]


@dataclass(frozen=True, slots=True)
class Built:
    """What a release has in its folder."""

    owner: Owner
    version: str
    digest: str
    folder: Path
    """With the files for the release's page."""
    provenance: Path
    """The predicate to attest."""

    @property
    def minor(self) -> str:
        """The tag that moves on with each patch."""
        return self.version.rpartition(".")[0]

    @property
    def subject(self) -> str:
        """The image by digest: what is signed."""
        return f"{self.owner.image}@{self.digest}"


def needed(repository: str) -> list[str]:
    """Return the programs that publishing calls, beyond those that are built here."""
    return ["git", "buildah", "cosign", *(["gh"] if repository.startswith("https://github.com/") else [])]


def signatures(built: Built) -> Iterator[Command]:
    """Yield what signs the image, and attests its packages and its provenance; keyless, as the one who is logged in."""
    yield ("cosign", "sign", "--yes", "--recursive", built.subject)
    yield (*("cosign", "attest", "--yes", "--type", "slsaprovenance1", "--predicate", built.provenance, built.subject),)
    for file in sorted(built.folder.glob("*.cdx.json")):
        yield ("cosign", "attest", "--yes", "--type", "cyclonedx", "--predicate", file, built.subject)


def chart(built: Built, helm: Path, *, secure: bool = True) -> Command:
    """Return what pushes the chart."""
    plain = () if secure else ("--plain-http",)
    return (helm, "push", built.folder / f"{NAME}-{built.version}.tgz", built.owner.charts, *plain)


def announcements(built: Built) -> Iterator[Command]:
    """Yield what signs the checksums, pushes commit and tag, and makes the page of the release."""
    sums = built.folder / SUMS
    bundle = built.folder / f"{SUMS}.sigstore.json"
    yield ("cosign", "sign-blob", "--yes", "--bundle", bundle, sums)
    yield ("git", "push", "--atomic", "origin", "HEAD", f"v{built.version}")
    if "gh" in needed(built.owner.repository):
        title = ("--title", f"{NAME} {built.version}", "--notes-file", built.folder / "RELEASE_NOTES.md")
        files = sorted({*built.folder.iterdir(), bundle})
        yield ("gh", "release", "create", f"v{built.version}", "--verify-tag", *title, *files)
