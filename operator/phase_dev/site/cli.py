"""`phase-dev site`: build the pages as a site, or publish them as those of a version."""

import click

from phase_dev.image.building import REPOSITORY
from phase_dev.release import owner
from phase_dev.release.owner import Owner
from phase_dev.shell.errors import ToolError
from phase_dev.shell.terminal import one_sentence
from phase_dev.site import building

_FOLDER = REPOSITORY / "build/site"
# What a published page needs: its own address, and that of the files that it links to.
_NEEDED = ("repository", "docs")


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
def site() -> None:
    """Build the pages as a site, or publish them as those of a version."""


@site.command()
def build() -> None:
    """Write the site to build/site/site, and fail if a page, a link or an anchor is missing."""
    with one_sentence():
        made = building.assemble(REPOSITORY, _owner(), "main", _FOLDER)
        building.build(made)
        files = [each for each in made.output.rglob("*") if each.is_file()]
        count = sum(each.suffix == ".html" for each in files)
        size = sum(each.stat().st_size for each in files) / 1e6
        click.echo(f"{made.output.relative_to(REPOSITORY)}: {count} pages, {size:.1f} MB")


@site.command()
@click.argument("version")
@click.argument("aliases", nargs=-1)
@click.option("--ref", metavar="REF", default="main", show_default=True, help="Tag or branch that its links lead to.")
@click.option("--push", is_flag=True, help="Push the branch gh-pages afterwards.")
def deploy(version: str, aliases: tuple[str, ...], ref: str, push: bool) -> None:
    """Commit the site as that of VERSION to the branch gh-pages; ALIASES, such as latest, then lead there."""
    with one_sentence():
        whose = _owner()
        if wrong := [each for each in owner.faults(whose) if each.removeprefix(f"{owner.FILE}: ").startswith(_NEEDED)]:
            raise ToolError("the site is not published: " + "; ".join(wrong))
        made = building.assemble(REPOSITORY, whose, ref, _FOLDER)
        building.deploy(made, REPOSITORY, version, aliases, push=push)
        click.echo(f"{building.BRANCH}: {' '.join((version, *aliases))}")


def _owner() -> Owner:
    return owner.read((REPOSITORY / owner.FILE).read_text())
