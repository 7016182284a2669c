"""Put the pages together, and have mkdocs build the site of them; mike keeps one copy a version on a branch.

Rule: what mkdocs warns of ends the build: a page that no menu has, a link or an anchor that leads nowhere.
"""

import os
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import yaml

from phase_dev.image.scan import TOOLS
from phase_dev.release.checkout import git
from phase_dev.release.owner import Owner
from phase_dev.shell.errors import ToolError
from phase_dev.site import pages

BRANCH = "gh-pages"
_HERE = Path(__file__).parent


@dataclass(frozen=True, slots=True)
class Site:
    """Pages that were put together: what mkdocs reads, and where it writes."""

    configuration: Path
    output: Path


def assemble(repository: Path, whose: Owner, ref: str, folder: Path) -> Site:
    """Copy the repository's pages into a folder, and write what mkdocs has to know beside them.

    Links to other files lead to the owner's repository at `ref`, a tag or a branch; without one to the checkout.
    """
    shutil.rmtree(folder, ignore_errors=True)
    tree = f"{whose.repository}/blob/{ref}" if whose.repository else repository.as_uri()
    files = [each for each in git(repository, "ls-files", "-z").split("\0") if (repository / each).is_file()]
    found = {each for each in files if pages.is_page(each) or pages.is_shown(each)}
    for path in found:
        copy = folder / "pages" / path
        copy.parent.mkdir(parents=True, exist_ok=True)
        content = (repository / path).read_bytes()
        if pages.is_page(path):
            content = pages.of_site(path, content.decode(), found, lambda target: f"{tree}/{target}").encode()
        copy.write_bytes(content)
    configuration = folder / "mkdocs.yml"
    configuration.write_text(yaml.safe_dump(_configuration(whose, folder)))
    return Site(configuration, folder / "site")


def build(site: Site) -> None:
    """Write the site into its folder; raise ToolError if mkdocs warns of anything."""
    # Not --quiet: what is not said is not counted as a warning either.
    _run("mkdocs", ["build", "--config-file", site.configuration], _HERE)


def deploy(site: Site, repository: Path, version: str, aliases: Sequence[str], *, push: bool) -> None:
    """Commit the site as that of a version to the branch of the pages, and push the branch if that is wanted.

    The first alias is where readers come to that name no version.
    """
    settings: list[str | Path] = ["--config-file", site.configuration, "--branch", BRANCH]
    _run("mike", ["deploy", *settings, "--update-aliases", version, *aliases], repository)
    if aliases:
        _run("mike", ["set-default", *settings, aliases[0]], repository)
    if push:
        git(repository, "push", "origin", BRANCH)


def _configuration(whose: Owner, folder: Path) -> dict[str, object]:
    named = {"site_url": f"{whose.docs}/"} if whose.docs else {}
    repo = {"repo_url": whose.repository} if whose.repository else {}
    return {
        "INHERIT": str(_HERE / "mkdocs.yml"),
        "docs_dir": str(folder / "pages"),
        "site_dir": str(folder / "site"),
        "hooks": [str(_HERE / "hooks.py")],
        **named,
        **repo,
    }


def _run(program: str, arguments: Sequence[str | Path], folder: Path) -> None:
    # mike calls mkdocs by its name.
    variables = {**os.environ, "PATH": f"{TOOLS / 'bin'}{os.pathsep}{os.environ['PATH']}"}
    command = [TOOLS / "bin" / program, *arguments]
    done = subprocess.run(command, cwd=folder, env=variables, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise ToolError(f"{program} {arguments[0]} failed:\n{(done.stdout + done.stderr).strip()}")
