"""`phase-dev image`: build the image, run it, and have it judged, without a container daemon.

Rule: what goes wrong is one sentence and a non-zero exit, never a trace.
"""

import os
import sys
import tempfile
from pathlib import Path

import click

from phase_dev.image import bases, building, running, scan
from phase_dev.image.storage import Unfit, require
from phase_dev.shell.errors import ToolError
from phase_dev.shell.terminal import one_sentence
from phase_operator import __version__

NAME = f"localhost/phase-operator:{__version__}"


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
def image() -> None:
    """Build the operator's image with buildah, run it by podman, have hadolint and trivy judge it."""


@image.command()
@click.option(
    "--base",
    type=click.Choice(["auto", "named", "stand-in"]),
    default="auto",
    show_default=True,
    help="named: the images in the Dockerfile. stand-in: made of Debian's packages, Python and no shell. "
    "auto: stand-in where the named ones cannot be fetched.",
)
@click.option("--mirror", metavar="URL", help="Debian's mirror for a stand-in; default: the one that apt uses.")
@click.option(
    "--output",
    type=click.Path(path_type=Path),
    default=Path("build/image"),
    show_default=True,
    help="Write the OCI layout here.",
)
def build(base: str, mirror: str | None, output: Path) -> None:
    """Build the Dockerfile, and tell the digest and the size."""
    with one_sentence():
        require("buildah")
        found = _bases(base, mirror)
        date = building.source_date(os.environ.get("SOURCE_DATE_EPOCH", ""))
        built = building.build(found, name=NAME, date=date, layout=output.absolute())
        click.echo(f"{built.name}, on {found.runtime}")
        click.echo(f"digest {built.digest}")
        click.echo(f"size {built.size / 1e6:.1f} MB compressed")
        click.echo(f"OCI layout {output}")


@image.command(context_settings={"ignore_unknown_options": True}, add_help_option=False)
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
def run(arguments: tuple[str, ...]) -> None:
    """Run the image that `make image` has built, restricted as the manifests say, with these arguments."""
    with one_sentence():
        require("podman", "runc")
        command = running.command(NAME, *arguments)
        sys.stdout.flush()
        os.execvp("podman", [*map(str, command)])  # noqa: S606  # no shell: signals go to podman itself


@image.command("scan")
def judge() -> None:
    """Have hadolint and trivy judge the Dockerfile, deploy/ and the chart."""
    with one_sentence(), tempfile.TemporaryDirectory(prefix="phase-dev-scan-") as scratch:
        scan.collect(Path(scratch))
        found = scan.complaints(Path(scratch))
        for line in found:
            click.echo(line)
        if found:
            raise ToolError(f"{len(found)} findings")
        judged = len(list(Path(scratch).iterdir()))
        click.echo(f"{judged} files judged, {len(scan.reasons())} rules excepted with a reason")


def _bases(base: str, mirror: str | None) -> bases.Bases:
    wanted = bases.named((building.REPOSITORY / "Dockerfile").read_text())
    if base != "stand-in":
        try:
            bases.pull(wanted)
        except Unfit as e:
            if base == "named":
                raise
            click.echo(f"{e}; taking stand-ins", err=True)
        else:
            return wanted
    return bases.stand_ins(wanted, mirror)
