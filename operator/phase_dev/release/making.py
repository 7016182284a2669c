"""Make a release: look, refuse or go on, build everything from a copy, publish at the end.

Rule: a rehearsal takes the same way. It differs in whose it is, in what the image stands on where no registry can be
reached, in that locked packages may be there from a build before and the single file is not compressed, in the registry
that it is pushed to, and in that nothing is signed and the checkout stays as it is.
"""

import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

from phase_dev.image.building import REPOSITORY
from phase_dev.release import assets, checkout, clients, images, labels, owner, records, refusals, sboms
from phase_dev.release.assets import Release
from phase_dev.release.images import ARCHITECTURES, Foundation, Images
from phase_dev.release.owner import Owner
from phase_dev.release.publishing import Built
from phase_dev.shell.errors import ToolError


@dataclass(frozen=True, slots=True)
class Made:
    """A release that is built, and not published."""

    built: Built
    images: Images
    commit: str


def refuse(version: str, repository: Path, *, owned: Owner | None) -> None:
    """Raise ToolError with all that is wrong, a line each; the owner of a rehearsal is not looked at."""
    wrong = refusals.refusals(version, checkout.look(repository), owner.faults(owned) if owned else ())
    if wrong:
        raise ToolError("no release: " + "\n  ".join(["", *wrong] if len(wrong) > 1 else wrong))


@contextmanager
def made(
    version: str,
    whose: Owner,
    foundation: Foundation,
    *,
    rehearsal: bool,
    repository: Path = REPOSITORY,
    output: Path = REPOSITORY / "build/release",
) -> Iterator[Made]:
    """Build a release in a folder of the output, and give it; its copy of the repository goes away with the block."""
    folder = output / version
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    started = datetime.now(UTC)
    with checkout.copied(repository, folder / "copy") as copy:
        checkout.write_version(copy, checkout.look(repository).version, version, f"{started:%Y-%m-%d}")
        commit = checkout.commit(copy, version, rehearsal=rehearsal)
        label = partial(labels.arguments, whose, version, commit)
        name = f"localhost/{owner.NAME}-release:{version}"
        found = images.build(foundation, label, copy, folder, name, reuse=rehearsal)
        date = int(checkout.git(copy, "log", "-1", "--format=%ct"))
        release = Release(copy, whose, version, commit, date, _spelled(started), found.digest)
        files = folder / "assets"
        # It takes four seconds, and Python reads the one as it reads the other.
        assets.write(release, files, compress=not rehearsal)
        # It takes six seconds; of the same packages, `make sbom` does it, which a test runs beside each rehearsal.
        sboms.write(copy, found.layouts, version, files, check_schema=not rehearsal)
        provenance = _provenance(release, found, files, folder)
        assets.seal(files)
        yield Made(Built(whose, version, found.digest, files, provenance), found, commit)


def _provenance(release: Release, found: Images, files: Path, folder: Path) -> Path:
    """Write what the image was built from: the statement for readers, and the predicate for the one who signs."""
    origin = records.Origin(
        repository=release.owner.repository,
        commit=release.commit,
        version=release.version,
        bases=found.bases,
        lock=(release.copy / clients.LOCK).read_text(),
        architectures=ARCHITECTURES,
        builder=f"{release.owner.repository}/blob/v{release.version}/Makefile",
        started=release.created,
        finished=_spelled(datetime.now(UTC)),
    )
    predicate = records.predicate(origin)
    statement = records.statement(release.owner.image, release.digest, predicate)
    (files / f"{owner.NAME}-{release.version}-provenance.json").write_text(json.dumps(statement, indent=2) + "\n")
    file = folder / "predicate.json"
    file.write_text(json.dumps(predicate, indent=2) + "\n")
    return file


def _spelled(moment: datetime) -> str:
    return f"{moment:%Y-%m-%dT%H:%M:%SZ}"
