"""The grammar of references: what of a text Phase's server takes for a reference, and what that names.

Rule: the server's three forms and no more. Braces do not nest, nothing is trimmed, and nothing escapes. So `${{...}}`
is text, and of `${A_${B}}` only the inner one is a reference. Every text is read in one pass.
"""

import re
from enum import IntEnum
from typing import NamedTuple

WRITTEN = re.compile(r"\$\{([^{}]++)\}")
# Splits a text into what WRITTEN matches and what is between.
SEPARATED = re.compile(r"(\$\{[^{}]++\})")


class Form(IntEnum):
    """What a reference names, in the order in which the server resolves the forms of one value."""

    OTHER_APP = 0
    OTHER_ENVIRONMENT = 1
    LOCAL = 2


class Reference(NamedTuple):
    """A reference as it is written, and what it names; an app or environment that it does not name is ""."""

    written: str
    form: Form
    app: str
    environment: str
    path: str
    key: str


def read(match: re.Match[str]) -> Reference | None:
    """Return the reference that a match of WRITTEN is; None if it is text after all."""
    body = match[1]
    # The server's patterns want a letter at least before and after each sign.
    colons = body.find("::", 1)
    if colons > 0:
        rest = body[colons + 2 :]
        dot = rest.find(".", 1)
        if 0 < dot < len(rest) - 1:
            return Reference(match[0], Form.OTHER_APP, body[:colons], rest[:dot], *split_target(rest[dot + 1 :]))
    dot = body.find(".")
    if dot < 0:
        return Reference(match[0], Form.LOCAL, "", "", *split_target(body))
    if 0 < dot < len(body) - 1 and "::" not in body:
        return Reference(match[0], Form.OTHER_ENVIRONMENT, "", body[:dot], *split_target(body[dot + 1 :]))
    return None


def split_target(target: str) -> tuple[str, str]:
    """Return folder and key of `KEY`, `folder/KEY` or `/folder/KEY`. Without a folder it is the root."""
    folder, _, key = target.rpartition("/")
    return "/" + "/".join(filter(None, folder.split("/"))), key
