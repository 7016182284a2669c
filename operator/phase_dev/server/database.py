"""What the real server's database takes as text.

Rule: it fails on a NUL and on half a surrogate pair, wherever a text is stored, or looked for, as it is. What is sealed
first may hold a NUL.
"""

import re

from phase_dev.server.responses import server_error

MAX_FOLDER = 64
_SURROGATE = re.compile("[\ud800-\udfff]")


def sealable(text: object) -> bool:
    """Return whether the server can seal this: any text that has bytes."""
    return isinstance(text, str) and not _SURROGATE.search(text)


def storable(text: str) -> bool:
    """Return whether the database takes this text."""
    return "\0" not in text and sealable(text)


def asked(text: str) -> str:
    """Return a text that is looked for; one that the database does not take is one of the server's 500s."""
    if not storable(text):
        raise server_error()
    return text


def folder_fits(path: str) -> bool:
    """Return whether every folder of a path can be made."""
    return storable(path) and all(len(name) <= MAX_FOLDER for name in path.split("/"))
