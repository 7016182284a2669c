"""Where an entry is in Phase, and what the server makes of keys and folders.

Rule: the server stores keys in upper case, so keys that differ in case alone are one entry. What it would not store as
it is written is a problem that names the key or the folder; nothing is renamed in silence.
"""

from typing import NamedTuple

from phase_operator.core.text import clean

# Phase: the longest name of a folder. A longer one is a server error.
LONGEST_FOLDER = 64
# Characters. No limit of Phase: longer keys come from no Secret or ConfigMap, and a status names each of them.
LONGEST_KEY = 512
_AS_UNDERSCORE = str.maketrans("-.", "__")


class EntryPlace(NamedTuple):
    """Folder and key of an entry, as the server stores them."""

    path: str
    key: str

    def __str__(self) -> str:
        return f"{self.path.rstrip('/')}/{self.key}"


def server_key(key: str) -> str:
    """Return a key as the server stores it."""
    return key.upper()


def entry_key(key: str, prefix: str = "", as_name: str = "") -> str:
    """Return the key in Phase for a key of a Secret or ConfigMap; `as_name` is taken as it is, without the prefix."""
    return server_key(as_name or prefix + key.translate(_AS_UNDERSCORE))


def place_problem(place: EntryPlace) -> str:
    """Return why the server would not store an entry at a place; "" if it would."""
    if not place.key.strip() or not place.key.isprintable():
        return "its key in Phase would be empty, or have characters that do not print"
    if len(place.key) > LONGEST_KEY:
        return f"its key in Phase would be longer than {LONGEST_KEY} characters"
    names = [each for each in place.path.split("/") if each]
    if not place.path.isprintable():
        return "its folder has characters that do not print"
    longest = max(names, key=len, default="")
    if len(longest) > LONGEST_FOLDER:
        return f'folder "{clean(longest)}" is longer than the {LONGEST_FOLDER} characters that Phase allows'
    return ""
