"""The site, built by mkdocs and kept by mike, of the pages as they are."""

import json
import re
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from html.parser import HTMLParser
from pathlib import Path

import pytest
import yaml

from phase_dev.image.building import REPOSITORY
from phase_dev.release import owner
from phase_dev.release.checkout import is_checkout
from phase_dev.shell.errors import ToolError
from phase_dev.site import building
from phase_dev.site.building import Site
from support.made import made

WHOSE = owner.stand_in("registry.invalid/rehearsal")
PAGE = "docs/operating/production-checklist/index.html"


class Page(HTMLParser):
    """What a reader's browser would fetch, and the depth of the lists that commands stand in."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.fetched: list[str] = []
        self.boxes = self.code_in_lists = self._depth = 0
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        named = dict(attrs)
        is_fetched = tag in {"script", "img"} or (tag == "link" and named.get("rel") == "stylesheet")
        if is_fetched and (address := named.get("src") or named.get("href")):
            self.fetched.append(address)
        self._depth += tag == "li"
        self.boxes += "task-list-item" in (named.get("class") or "").split()
        self.code_in_lists += tag == "pre" and self._depth > 0

    def handle_endtag(self, tag: str) -> None:
        self._depth -= tag == "li"


@dataclass(frozen=True)
class Small:
    """A repository of a few pages, and where sites of it are put together."""

    folder: Path
    sites: Path

    def git(self, *arguments: str) -> str:
        """Run git there and return what it says."""
        command = ["git", "-C", str(self.folder), *arguments]
        return subprocess.run(command, check=True, capture_output=True, text=True).stdout

    def commit(self, message: str, files: Mapping[str, str]) -> None:
        """Write files and commit them."""
        for name, text in files.items():
            (self.folder / name).parent.mkdir(parents=True, exist_ok=True)
            (self.folder / name).write_text(text)
        self.git("add", "--all")
        self.git("commit", "--quiet", "--message", message)

    def assembled(self, name: str, *menu: str) -> Site:
        """Put a site together with these pages in its menu."""
        made = building.assemble(self.folder, WHOSE, "main", self.sites / name)
        settings = yaml.safe_load(made.configuration.read_text()) | {"nav": list(menu)}
        made.configuration.write_text(yaml.safe_dump(settings))
        return made


@pytest.fixture(scope="module")
def tools() -> None:
    """Make the environment in which mkdocs is."""
    made("build/tools/.stamp")


@pytest.fixture(scope="module")
def repository() -> Path:
    """Give the repository of the pages, as git knows it."""
    if not is_checkout(REPOSITORY):
        pytest.skip("THE SITE IS NOT BUILT: only git knows which pages are of the repository")
    return REPOSITORY


@pytest.fixture(scope="module")
def site(repository: Path, tools: None, tmp_path_factory: pytest.TempPathFactory) -> Site:
    """Give the site of the repository's pages; what mkdocs warns of would fail here."""
    made = building.assemble(repository, WHOSE, "v0.1.0", tmp_path_factory.mktemp("site"))
    building.build(made)
    return made


def test_every_page_is_there_and_can_be_searched(site: Site) -> None:
    pages = {each.relative_to(site.output).as_posix() for each in site.output.rglob("index.html")}
    entries = json.loads((site.output / "search/search_index.json").read_text())["docs"]

    assert {"index.html", "docs/index.html", "docs/tutorial/index.html", PAGE, "deploy/index.html"} <= pages
    assert len(pages) > 60
    assert any("minAvailable" in each["text"] for each in entries)
    assert {each["location"].partition("#")[0] for each in entries} == {
        each.removesuffix("index.html") for each in pages
    }


def test_nothing_is_fetched_from_others(site: Site) -> None:
    fetched = {address for file in site.output.rglob("*.html") for address in Page(file.read_text()).fetched}

    assert fetched
    assert [each for each in fetched if re.match(r"https?:|//", each)] == []


def test_commands_in_lists_are_blocks_of_the_item_that_they_belong_to(site: Site) -> None:
    page = Page((site.output / PAGE).read_text())

    source = (REPOSITORY / "docs/operating/production-checklist.md").read_text()
    assert page.boxes == len(re.findall(r"^ *- \[ \] ", source, re.MULTILINE))
    assert page.code_in_lists == len(re.findall(r"^ {2,}```\w", source, re.MULTILINE))
    assert "```" not in re.sub(r"<[^>]*>", "", (site.output / PAGE).read_text())


def test_a_link_to_a_file_leads_to_the_release(site: Site) -> None:
    page = (site.output / "docs/cli/index.html").read_text()

    assert f'href="{WHOSE.repository}/blob/v0.1.0/plugins/phase.yaml"' in page


@pytest.fixture
def small(tools: None, tmp_path: Path) -> Small:
    """Give a repository with few pages."""
    folder = tmp_path / "repository"
    subprocess.run(["git", "init", "--quiet", "--initial-branch=main", folder], check=True)
    found = Small(folder, tmp_path)
    for name, value in (("user.name", "rehearsal"), ("user.email", "rehearsal@release.invalid")):
        found.git("config", name, value)
    return found


def test_a_link_that_leads_nowhere_ends_the_build(small: Small) -> None:
    """And a page that no menu has; all of it is said at once."""
    small.commit("first", {"README.md": "# A\n", "docs/faq.md": "# B\n"})
    made = small.assembled("site", "README.md", "docs/faq.md")
    pages = made.configuration.parent / "pages"
    (pages / "README.md").write_text("# A\n[b](docs/missing.md) [c](docs/faq.md#no-such-heading)\n")
    (pages / "docs/lost.md").write_text("# Lost\n")

    with pytest.raises(ToolError) as failure:
        building.build(made)

    for each in ("docs/missing.md", "no-such-heading", "docs/lost.md"):
        assert each in str(failure.value)


def test_each_version_keeps_its_own_copy(small: Small) -> None:
    """On a branch of a repository of its own, as the workflow does it in the project's; one page is enough."""
    for version in ("0.1", "0.2"):
        small.commit(version, {"README.md": f"# phase-operator\n\nThis is {version}.\n"})
        building.deploy(small.assembled(version, "README.md"), small.folder, version, ["latest"], push=False)

    def shown(path: str) -> str:
        return small.git("show", f"gh-pages:{path}")

    versions = {each["version"]: each["aliases"] for each in json.loads(shown("versions.json"))}
    assert versions == {"0.2": ["latest"], "0.1": []}
    assert "latest" in shown("index.html")
    assert "This is 0.1." in shown("0.1/index.html")
    assert "This is 0.2." in shown("0.2/index.html")
