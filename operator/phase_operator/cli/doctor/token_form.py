"""Whether a Secret holds something that has the form of a token of Phase."""

from collections.abc import Mapping
from typing import Any

from phase_operator.api import names
from phase_operator.cli.common.token_secret import decoded
from phase_operator.core.errors import ExpectedError
from phase_operator.core.json_access import mapping, text
from phase_operator.core.values import SecretValue
from phase_operator.phase.credentials import parse


def token_problem(secret: Mapping[str, Any] | None) -> str:
    """Return what is wrong with a token's Secret, without a part of what it holds; "" if nothing is."""
    if secret is None:
        return "does not exist"
    encoded = text(mapping(secret.get("data")).get(names.TOKEN_KEY))
    if not encoded:
        return f"has no key `{names.TOKEN_KEY}`"
    token = decoded(encoded)
    if token is None:
        return "holds something else than text"
    try:
        # The key only makes a name for the account, which nobody sees.
        parse(SecretValue(token), b"")
    except ExpectedError as error:
        # What follows are the forms, which look like tokens.
        return f"is not usable: {error.message.partition(':')[0]}"
    return ""
