"""`phase-dev release`: make a release, or rehearse one.

Rule: what goes wrong is a sentence and a non-zero exit. Nothing is public, and the checkout is as it was, until all is
built.
"""

import os
import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path

import click
import httpx

from phase_dev.cluster.catalog import HELM
from phase_dev.cluster.programs import obtain
from phase_dev.image.building import REPOSITORY
from phase_dev.image.storage import require, tell
from phase_dev.release import checkout, grounds, images, making, owner, publishing, versions
from phase_dev.release.making import Made
from phase_dev.release.registry import loopback
from phase_dev.shell.errors import ToolError
from phase_dev.shell.terminal import Progress, one_sentence
from phase_operator import __version__


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
def release() -> None:
    """Make a release of the image, the chart, the manifests and the command line; or rehearse one."""


@release.command()
@click.argument("version")
def run(version: str) -> None:
    """Set VERSION everywhere, build everything, sign it, push it, and publish it."""
    with one_sentence():
        whose = owner.read((REPOSITORY / owner.FILE).read_text())
        making.refuse(version, REPOSITORY, owned=whose)
        require(*publishing.needed(whose.repository))
        with httpx.Client(timeout=30.0) as client:
            foundation = grounds.named((REPOSITORY / "Dockerfile").read_text(), client)
        with making.made(version, whose, foundation, rehearsal=False) as done:
            _publish(done)
        click.echo(f"{whose.image}:{version}@{done.built.digest}")


@release.command()
@click.argument("version", default="")
@click.option("--keep", is_flag=True, help="Keep the registry running until Ctrl-C, to install from it.")
@click.option("--mirror", metavar="URL", help="Debian's mirror for the bases; default: the one that apt uses.")
def dry(version: str, keep: bool, mirror: str | None) -> None:
    """Do all of that but signing and publishing, against a registry on this machine."""
    with one_sentence(), ExitStack() as closing:
        tags = checkout.look(REPOSITORY).tags
        version = version or versions.following(__version__, f"v{__version__}" in tags)
        making.refuse(version, REPOSITORY, owned=None)
        require("buildah", "mmdebstrap")
        scratch = Path(closing.enter_context(tempfile.TemporaryDirectory(prefix="phase-dev-release-")))
        host = closing.enter_context(loopback(scratch))
        whose = owner.stand_in(f"{host}/rehearsal")
        foundation = grounds.stand_ins((REPOSITORY / "Dockerfile").read_text(), mirror)
        with making.made(version, whose, foundation, rehearsal=True) as done:
            _push(done, secure=False)
        for line in summary(done):
            click.echo(line)
        if keep:
            click.echo("Ctrl-C ends the registry.")
            sys.stdout.flush()
            while True:
                time.sleep(1.0)


@release.command()
def check() -> None:
    """Say what keeps a release of the next version from being made, without making one."""
    with one_sentence():
        tags = checkout.look(REPOSITORY).tags
        whose = owner.read((REPOSITORY / owner.FILE).read_text())
        making.refuse(versions.following(__version__, f"v{__version__}" in tags), REPOSITORY, owned=whose)
        click.echo("nothing: a release can be made")


def summary(done: Made) -> list[str]:
    """Return what a person wants to know of a rehearsal."""
    built = done.built
    files = sorted(built.folder.iterdir())
    size = max(len(each.name) for each in files)
    return [
        f"{built.owner.image}:{built.version}@{built.digest}",
        f"{built.owner.charts}/{owner.NAME} --version {built.version} --plain-http",
        *(f"  {each.name:<{size}}  {each.stat().st_size / 1e6:7.2f} MB" for each in files),
        f"not done, as this is a rehearsal: {len(list(publishing.signatures(built)))} signatures, the tag, the page",
    ]


def _push(done: Made, *, secure: bool) -> None:
    """Push image and chart."""
    built = done.built
    for tag in (built.version, built.minor):
        images.push(done.images, f"{built.owner.image}:{tag}", secure=secure)
    helm = obtain([HELM], os.environ, Progress(sys.stderr))[HELM.name].path
    tell(publishing.chart(built, helm, secure=secure))


def _publish(done: Made) -> None:
    """Push, sign, and move the checkout on."""
    _push(done, secure=True)
    for command in publishing.signatures(done.built):
        _aloud(command)
    checkout.move_on(REPOSITORY, done.commit, done.built.version)
    for command in publishing.announcements(done.built):
        _aloud(command)


def _aloud(command: publishing.Command) -> None:
    """Run a command that may want to talk to the person: to log in, or to show a page."""
    if subprocess.run(command, cwd=REPOSITORY, check=False).returncode != 0:
        raise ToolError(f"{' '.join(map(str, command[:3]))} failed; see above")
