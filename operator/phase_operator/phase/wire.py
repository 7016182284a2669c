"""Models of Phase's JSON.

Rule: unknown fields are ignored and missing ones get defaults, because servers of three years answer here. A message
about an invalid field gives its place, never its text.
"""

import re
import sys
from typing import Any, TypeVar

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from phase_operator.api.reasons import Reason
from phase_operator.core.errors import Transient, Waiting
from phase_operator.core.json_access import mapping, mappings, text

_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:")
# The most bytes of a list of apps or environments.
MAX_LIST = 4 * 1024 * 1024
# The separators of a list's parts; each part takes many times its bytes in memory while it is read. Phase sends ten
# fields for an app, and as many for each of its environments.
_SIGNS = b",:[{"
MAX_SIGNS = 500_000
MAX_LISTED = 10_000
# The most characters of a key, folder, tag, type or id, and the most tags in an answer. Phase itself has no such
# bounds; a key in Kubernetes has at most 253 characters.
MAX_WORD = 2048
MAX_TAGS = 10_000
Answer = TypeVar("Answer")


class Part(BaseModel):
    """A part of an answer: unknown fields are ignored."""

    model_config = ConfigDict(extra="ignore", frozen=True)


class Secret(Part):
    """One element of GET /v1/secrets/. Dynamic secrets have no key and value; servers before v2.64 send no type."""

    id: str
    type: str | None = None
    key: str | None = None
    value: str | None = Field(None, repr=False)
    path: str | None = None
    tags: tuple[str, ...] | None = None
    # Sent only to users, each of whom sees their own. Its value is never read.
    override: Any = Field(None, repr=False)
    # Only dynamic secrets have these; bad ones are never a reason to refuse an answer.
    name: Any = None
    key_map: Any = Field(None, alias="keyMap")

    @property
    def kind(self) -> str:
        """Return the type of an entry."""
        return self.type or "secret"

    @property
    def is_overridden(self) -> bool:
        """Whether the user of the token has a personal override of this value."""
        return mapping(self.override).get("isActive") is True

    @property
    def key_names(self) -> list[str]:
        """Return the keys that a dynamic secret has while it is leased; its own name if it lists none."""
        return key_names(self.key_map, text(self.name) or self.id)


class SealedSecret(Secret):
    """One element of GET /secrets/: its key, its value and its comment are sealed, and names are in snake case."""

    @property
    def kind(self) -> str:
        """Return the type of an entry; servers before v2.64 call all of them static."""
        return "secret" if self.type == "static" else self.type or "secret"

    @property
    def is_overridden(self) -> bool:
        """Whether the user of the token has a personal override of this value."""
        # Nearly every entry has none.
        return self.override is not None and mapping(self.override).get("is_active") is True


class App(Part):
    """One element of GET /v1/apps/."""

    id: str
    name: str
    sse_enabled: Any = Field(None, alias="sseEnabled")

    @property
    def is_encrypted(self) -> bool | None:
        """Return whether the app is end-to-end encrypted; None if the list does not tell."""
        return not self.sse_enabled if isinstance(self.sse_enabled, bool) else None


class Environment(Part):
    """One element of GET /v1/environments/. `updatedAt` is only compared for equality, whatever it holds."""

    id: str
    name: str
    updated_at: Any = Field(None, alias="updatedAt")

    @property
    def revision(self) -> str | None:
        """Return the time of the last write, or None if there is none."""
        return revision(self.updated_at)


class Refusal(Part):
    """An error in the form of the API itself."""

    error: str


SECRET: TypeAdapter[Secret] = TypeAdapter(Secret)
SEALED_SECRET: TypeAdapter[SealedSecret] = TypeAdapter(SealedSecret)
APP: TypeAdapter[App] = TypeAdapter(App)
ENVIRONMENT: TypeAdapter[Environment] = TypeAdapter(Environment)
REFUSAL: TypeAdapter[Refusal] = TypeAdapter(Refusal)


def key_names(key_map: object, otherwise: str) -> list[str]:
    """Return the keys that a dynamic secret lists; if it lists none, one that stands for it."""
    listed = filter(None, (text(each.get("keyName")) for each in mappings(key_map)))
    return [each[:MAX_WORD] for each in listed] or [otherwise[:MAX_WORD]]


def revision(moved: object) -> str | None:
    """Return a time of a last write as Phase sends it, or None if it is no time."""
    return moved if isinstance(moved, str) and _DATE.match(moved) else None


def weight(name: str) -> int:
    """Return the bytes of a name that is kept twice: as it is, and case-folded, which may be three times as long."""
    return sys.getsizeof(name) + sys.getsizeof(name.casefold())


def too_many(host: str, of: str = "apps or environments") -> Waiting:
    """Return the error for a list that is longer than any real one; `of` names its elements."""
    return Waiting(Reason.ANSWER_TOO_LARGE, f"{host} answers more than {MAX_LISTED:,} {of}")


def separators(part: bytes) -> int:
    """Return how many separators of a list's parts are in a part of a body."""
    return len(part) - len(part.translate(None, _SIGNS))


def read_element(element: object, adapter: TypeAdapter[Answer], host: str, within: tuple[str, ...] = ("[]",)) -> Answer:
    """Parse the part of an answer that is found `within`.

    Raises Transient(UNEXPECTED_ANSWER) that names the place of an error, never the text there.
    """
    try:
        # The adapter's own method handles options first, which takes a fourth of the time.
        found: Answer = adapter.validator.validate_python(element)
        return found
    except ValidationError as error:
        first = _first(error)
    # Raised outside the block: the cause would hold the element.
    raise not_phase(host, _told(first, within))


def not_phase(host: str, what: str) -> Transient:
    """Return the error for an answer that is not Phase's; it names the place."""
    return Transient(Reason.UNEXPECTED_ANSWER, f"{host} answers JSON that is not Phase's ({what})")


def _first(error: ValidationError) -> Any:
    return error.errors(include_input=False, include_url=False, include_context=False)[0]


def _told(first: Any, within: tuple[str, ...]) -> str:
    # The index in a list is left out: Phase's order varies, and a message has to stay the same while its cause does.
    return at_place(first["type"], (*within, *("[]" if isinstance(part, int) else str(part) for part in first["loc"])))


def at_place(what: str, path: tuple[str, ...]) -> str:
    """Say what is wrong at a place of a document."""
    return f"{what} at {'.'.join(path)}" if path else f"{what} as a whole"
