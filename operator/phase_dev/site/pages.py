"""Which files of the repository are pages of the site, and what their links become.

Rule: a page has the same place in the site as in the repository, so its links to other pages stay as they are, and
mkdocs checks them. A link to any other file of the repository becomes one to the repository's own page of it.
"""

import posixpath
import re
from collections.abc import Callable, Collection

# Pages outside of docs/ and of the top.
_MORE = frozenset({"deploy/README.md", "helm/phase-operator/README.md"})
_LINK = re.compile(r"(?P<before>\]\()(?P<path>(?![a-z]+:|#)[^)\s#]+)(?P<anchor>#[^)\s]*)?(?=\))")
# A block of a language with a word of ours for the tests, which GitHub ignores and mkdocs takes for no block.
_NOTED = re.compile(r"^( *```\w+) \w+$", re.MULTILINE)
_CODE = re.compile(r"^(?P<indent> *)```.*?^(?P=indent)```$|`[^`\n]+`", re.DOTALL | re.MULTILINE)


def is_page(path: str) -> bool:
    """Tell whether a file of the repository is a page of the site."""
    return path.endswith(".md") and ("/" not in path or path.startswith("docs/") or path in _MORE)


def is_shown(path: str) -> bool:
    """Tell whether a file of the repository is a picture on a page."""
    return path.startswith("docs/") and path.endswith(".svg")


def of_site(path: str, text: str, pages: Collection[str], elsewhere: Callable[[str], str]) -> str:
    """Return a page for the site: links to what is no page lead to `elsewhere`, blocks of code name a language only."""
    return _linked(path, _NOTED.sub(r"\1", text), pages, elsewhere)


def _linked(path: str, text: str, pages: Collection[str], elsewhere: Callable[[str], str]) -> str:

    def replaced(match: re.Match[str]) -> str:
        target = posixpath.normpath(posixpath.join(posixpath.dirname(path), match["path"]))
        if target in pages:
            return match[0]
        return f"{match['before']}{elsewhere(target)}{match['anchor'] or ''}"

    found, end = [], 0
    for code in _CODE.finditer(text):
        found += [_LINK.sub(replaced, text[end : code.start()]), code[0]]
        end = code.end()
    return "".join([*found, _LINK.sub(replaced, text[end:])])
