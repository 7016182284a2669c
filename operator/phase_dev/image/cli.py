"""`phase-dev image`: build the image and look at it, without a container daemon.

Rule: what goes wrong is one sentence and a non-zero exit, never a trace.
"""

import os
import sys
import tempfile
from pathlib import Path

import click

from phase_dev.image import bases, building, running, sbom, scan, storage, tools
from phase_dev.image.machine import Machine, Unfit
from phase_dev.shell.errors import ToolError
from phase_dev.shell.terminal import Progress, one_sentence
from phase_operator import __version__

NAME = f"localhost/phase-operator:{__version__}"
_output = click.Path(path_type=Path)


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
def image() -> None:
    """Build the operator's image with buildah, run it by podman, list and judge what is in it."""


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
    "--output", type=_output, default=Path("build/image"), show_default=True, help="Write the OCI layout here."
)
def build(base: str, mirror: str | None, output: Path) -> None:
    """Build the Dockerfile, and tell the digest and the size."""
    with one_sentence():
        machine = _machine()
        place = storage.open_storage(machine)
        found = _bases(base, mirror, place, machine)
        built = building.build(found, place, machine, name=NAME, layout=output.absolute())
        click.echo(f"{built.name}, {'on stand-ins for the base images' if found.stand_in else f'on {found.runtime}'}")
        click.echo(f"digest {built.digest}")
        click.echo(f"size {built.size / 1e6:.1f} MB compressed")
        click.echo(f"OCI layout {output}")


@image.command(context_settings={"ignore_unknown_options": True})
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
def run(arguments: tuple[str, ...]) -> None:
    """Run the built image, restricted as the manifests say, with these arguments."""
    with one_sentence():
        machine = _machine()
        place = storage.open_storage(machine)
        machine.require("podman", "runc")
        if machine.ask(place.buildah("inspect", "--type", "image", NAME)).returncode != 0:
            raise ToolError(f"there is no {NAME}; build it first: make image")
        command = running.command(place, NAME, *arguments)
        sys.stdout.flush()
        os.execvpe(command[0], command, dict(machine.env))  # noqa: S606  # no shell: signals go to podman itself


@image.command("sbom")
@click.option(
    "--output", type=_output, default=Path("build/sbom.cdx.json"), show_default=True, help="Write the list here."
)
def list_packages(output: Path) -> None:
    """Write an SBOM (CycloneDX 1.6) of the packages in the image."""
    with one_sentence():
        machine = _machine()
        count = sbom.write(output.absolute(), tools.bring(machine), machine)
        click.echo(f"{output}: {count} packages")


@image.command("scan")
def judge() -> None:
    """Judge the Dockerfile, deploy/ and the chart by hadolint and trivy."""
    with one_sentence(), tempfile.TemporaryDirectory(prefix="phase-dev-scan-") as scratch:
        machine, folder = _machine(), Path(scratch) / "all"
        folder.mkdir()
        scan.collect(folder, machine)
        judgement = scan.judge(folder, tools.bring(machine), machine)
        found = scan.complaints(judgement, folder)
        for line in found:
            click.echo(line)
        if found:
            raise ToolError(f"{len(found)} findings")
        click.echo(f"{len(judgement.judged)} files judged, {len(judgement.excepted)} rules excepted with a reason")


def _machine() -> Machine:
    return Machine(os.environ, Progress(sys.stderr))


def _bases(base: str, mirror: str | None, place: storage.Storage, machine: Machine) -> bases.Bases:
    wanted = bases.Named.read((building.REPOSITORY / "Dockerfile").read_text())
    if base != "stand-in":
        try:
            return bases.named(wanted, place, machine)
        except Unfit as e:
            if base == "named":
                raise
            machine.progress.say(f"{e}; taking stand-ins")
    return bases.stand_in(wanted, place, machine, mirror=mirror)
