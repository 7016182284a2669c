"""What all parts of a seed share: how a field is spelled, and how a mistake is told."""

from typing import TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError
from pydantic.alias_generators import to_camel

P = TypeVar("P", bound=BaseModel)


class SeedError(Exception):
    """A seed that cannot be used; the text names the field."""


class Part(BaseModel):
    """One mapping of the seed; an unknown field is refused."""

    model_config = ConfigDict(extra="forbid", frozen=True, alias_generator=to_camel, populate_by_name=True)


def checked(kind: type[P], content: object, what: str) -> P:
    """Return the content as this kind of part, or name the first field that is wrong."""
    try:
        return kind.model_validate(content)
    except ValidationError as e:
        first = e.errors()[0]
        where = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in first["loc"]).lstrip(".")
        raise SeedError(f"{what}: {where or 'the file'}: {first['msg'][0].lower()}{first['msg'][1:]}") from e
