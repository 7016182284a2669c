"""Models of Phase's JSON about dynamic secrets and their leases."""

import re
from typing import Any

from pydantic import Field, TypeAdapter

from phase_operator.core.json_access import at, text
from phase_operator.phase.wire import Part

# Django's form of a duration: days only if there are any, fractions only after a renewal.
_DURATION = re.compile(r"(?:(\d{1,6}) )?(\d\d):(\d\d):(\d\d)(?:\.\d{1,6})?")
_UNITS = (86_400, 3_600, 60, 1)


class Lease(Part):
    """A lease, in a list of leases or as the answer to a call for one."""

    id: str
    ttl: str
    # A time, or null. What matters is whether there is one.
    revoked_at: Any = Field(None, alias="revokedAt")
    owner: Any = None

    @property
    def seconds(self) -> int:
        """Return its life in whole seconds; 0 if it is not said in a form that we know."""
        return seconds(self.ttl)

    @property
    def owner_id(self) -> str:
        """Return the id of the account that holds it; "" if that is not said."""
        return text(at(self.owner, ("data",)).get("id"))


class Credential(Part):
    """A key and value that a lease gives."""

    key: str
    value: str = Field(repr=False)


class IssuedLease(Lease):
    """A lease in the one answer that shows its credentials."""

    credentials: tuple[Credential, ...]


class DynamicSecret(Part):
    """One element of GET /v1/secrets/dynamic/."""

    id: str
    name: str
    path: str = "/"
    default_ttl: str = Field(alias="defaultTtl")
    max_ttl: str = Field(alias="maxTtl")
    # Shown in messages alone, so that nothing depends on its form.
    provider: Any = ""
    lease: IssuedLease | None = None


LEASE: TypeAdapter[Lease] = TypeAdapter(Lease)
DYNAMIC_SECRET: TypeAdapter[DynamicSecret] = TypeAdapter(DynamicSecret)


def seconds(duration: str) -> int:
    """Return a duration in whole seconds; 0 if it has no form that Phase sends."""
    found = _DURATION.fullmatch(duration)
    return sum(int(part or 0) * unit for part, unit in zip(found.groups(), _UNITS, strict=True)) if found else 0
