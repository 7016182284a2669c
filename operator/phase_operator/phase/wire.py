"""The JSON as Phase sends it, and what becomes of it.

Rule: unknown fields are ignored and missing ones defaulted, since servers of three years answer here; and what a model
refuses is told by its place alone, never by its text.
"""

from typing import Annotated, TypeVar

from pydantic import BaseModel, BeforeValidator, ConfigDict, TypeAdapter, ValidationError

from phase_operator.api.reasons import Reason
from phase_operator.core.errors import Transient
from phase_operator.core.values import ConfigEntry, Entry, SecretValue

Answer = TypeVar("Answer")

Tags = Annotated[tuple[str, ...], BeforeValidator(lambda value: value or ())]
Path = Annotated[str, BeforeValidator(lambda value: value or "/")]


class Secret(BaseModel):
    """One element of GET /v1/secrets/. Dynamic secrets come without key and value."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    id: str
    type: str = "secret"
    key: str = ""
    value: str = ""
    path: Path = "/"
    tags: Tags = ()


class App(BaseModel):
    """One element of GET /v1/apps/."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    id: str
    name: str


class Environment(BaseModel):
    """One element of GET /v1/environments/."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    id: str
    name: str


class Apps(BaseModel):
    """GET /v1/apps/."""

    data: list[App]


class Environments(BaseModel):
    """GET /v1/environments/."""

    data: list[Environment]


SECRETS: TypeAdapter[list[Secret]] = TypeAdapter(list[Secret])
APPS: TypeAdapter[Apps] = TypeAdapter(Apps)
ENVIRONMENTS: TypeAdapter[Environments] = TypeAdapter(Environments)


def read(body: bytes, adapter: TypeAdapter[Answer], host: str) -> Answer:
    """Parse an answer; raise Transient(UNEXPECTED_ANSWER) that says where it is wrong, never what stood there."""
    try:
        return adapter.validate_json(body)
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False, include_context=False)[0]
    # Outside the block: the cause holds the text of the answer.
    named = ".".join("[]" if isinstance(part, int) else str(part) for part in first["loc"])
    where = f"at {named}" if named else "as a whole"
    raise Transient(Reason.UNEXPECTED_ANSWER, f"{host} answers JSON that is not Phase's ({first['type']} {where})")


def entries(secrets: list[Secret]) -> list[Entry]:
    """Turn an answer into entries; dynamic secrets, which hold no value, are left out."""
    return [_entry(secret) for secret in secrets if secret.type != "dynamic"]


def _entry(secret: Secret) -> Entry:
    kind = ConfigEntry if secret.type == "config" else Entry
    return kind(
        id=secret.id,
        key=secret.key,
        value=SecretValue(secret.value),
        path=secret.path,
        tags=frozenset(secret.tags),
        type=secret.type,
    )
