"""Show files of the repository on pages, as they are: a page has a marker with the path, and the text follows.

Rule: a reader copies from a page what a test has applied from the file.
"""

import re
from collections.abc import Callable
from pathlib import Path

PAGES = (
    "docs/cookbook/workloads.md",
    "docs/cookbook/secrets-for-other-tools.md",
    "docs/cookbook/platform.md",
    "docs/cookbook/leases-and-push.md",
)

_MARKER = re.compile(r"<!-- generated: (\S+/\S+\.(\w+)) -->")


def parts(page: str, root: Path) -> dict[str, Callable[[], str]]:
    """Return what belongs between the markers of a page's text, by the part's name, which is the file's path."""
    return {path: _block(root / path, language) for path, language in _MARKER.findall(page)}


def _block(file: Path, language: str) -> Callable[[], str]:
    return lambda: f"```{language}\n{file.read_text()}```"
