"""CHANGELOG.md: what waits under Unreleased becomes a version's section.

Rule: the form is that of Keep a Changelog. An entry is written with its change, by hand, for users; a generator would
copy subjects of commits, which are for developers, and fragments would be a second place to look at.
"""

import re

from phase_dev.shell.errors import ToolError

FILE = "CHANGELOG.md"
_HEADING = re.compile(r"^## \[(.+?)\].*$", re.MULTILINE)


def close(text: str, version: str, day: str) -> str:
    """Return the changelog with the version's heading above what was unreleased; `day` is YYYY-MM-DD."""
    if not notes(text, "Unreleased"):
        raise ToolError(f"{FILE} has nothing under Unreleased: a release says what is new")
    if notes(text, version):
        raise ToolError(f"{FILE} has a section {version} already")
    return text.replace("## [Unreleased]\n", f"## [Unreleased]\n\n## [{version}] - {day}\n", 1)


def notes(text: str, version: str) -> str:
    """Return what a version's section says, or "" if there is none or it says nothing."""
    parts = _HEADING.split(text)
    found = dict(zip(parts[1::2], parts[2::2], strict=True))
    return found.get(version, "").strip()
