"""The JSON as Phase sends it, and what becomes of it.

Rule: unknown fields are ignored and missing ones defaulted, since servers of three years answer here; and what a model
refuses is told by its place alone, never by its text.
"""

import re
from typing import Annotated, Any, TypeVar

from pydantic import BaseModel, ConfigDict, FailFast, Field, TypeAdapter, ValidationError

from phase_operator.api.reasons import Reason
from phase_operator.core.errors import Transient
from phase_operator.core.values import ConfigEntry, Entry, SecretValue

_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:")
Answer = TypeVar("Answer")
Element = TypeVar("Element")

# Without it a long list of something else would make one error an element before the first is told.
Many = Annotated[list[Element], FailFast()]


class _Part(BaseModel):
    model_config = ConfigDict(extra="ignore", frozen=True)


class Secret(_Part):
    """One element of GET /v1/secrets/. Dynamic secrets come without key and value; servers before v2.64 say no type."""

    id: str
    type: str | None = None
    key: str | None = None
    value: str | None = Field(None, repr=False)
    path: str | None = None
    tags: tuple[str, ...] | None = None


class App(_Part):
    """One element of GET /v1/apps/."""

    id: str
    name: str


class Environment(_Part):
    """One element of GET /v1/environments/. Whatever `updatedAt` holds is compared, never reckoned with."""

    id: str
    name: str
    updated_at: Any = Field(None, alias="updatedAt")

    @property
    def revision(self) -> str | None:
        """Return when it was last written to, or None if there is no date."""
        return self.updated_at if isinstance(self.updated_at, str) and _DATE.match(self.updated_at) else None


class Apps(_Part):
    """GET /v1/apps/."""

    data: Many[App]


class Environments(_Part):
    """GET /v1/environments/."""

    data: Many[Environment]


class Refusal(_Part):
    """Every error that the API itself answers."""

    error: str


SECRETS: TypeAdapter[list[Secret]] = TypeAdapter(Many[Secret])
APPS: TypeAdapter[Apps] = TypeAdapter(Apps)
ENVIRONMENTS: TypeAdapter[Environments] = TypeAdapter(Environments)
REFUSAL: TypeAdapter[Refusal] = TypeAdapter(Refusal)


def read(body: bytes, adapter: TypeAdapter[Answer], host: str) -> Answer:
    """Parse an answer; raise Transient(UNEXPECTED_ANSWER) that says where it is wrong, never what stood there."""
    try:
        return adapter.validate_json(body)
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False, include_context=False)[0]
    # Outside the block: the cause holds the text of the answer.
    # The position in a list is left out: Phase answers in no order, and a message stays the same while its cause does.
    named = ".".join("[]" if isinstance(part, int) else str(part) for part in first["loc"])
    raise _not_phase(host, f"{first['type']} {f'at {named}' if named else 'as a whole'}")


def entries(secrets: list[Secret], host: str) -> list[Entry]:
    """Turn an answer into entries; dynamic secrets, which hold no value, are left out.

    Any other without key or value is refused with the whole answer: an empty text in its place would be written, and
    leaving it out would drop a key from the target.
    """
    return [_entry(secret, host) for secret in secrets if secret.type != "dynamic"]


def _entry(secret: Secret, host: str) -> Entry:
    if secret.key is None or secret.value is None:
        raise _not_phase(host, f"missing at [].{'key' if secret.key is None else 'value'}")
    make = ConfigEntry if secret.type == "config" else Entry
    return make(
        id=secret.id,
        key=secret.key,
        value=SecretValue(secret.value),
        path=secret.path or "/",
        tags=frozenset(secret.tags or ()),
        type=secret.type or "secret",
    )


def _not_phase(host: str, what: str) -> Transient:
    return Transient(Reason.UNEXPECTED_ANSWER, f"{host} answers JSON that is not Phase's ({what})")
