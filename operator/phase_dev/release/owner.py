"""Who publishes this operator, and where: read from release/owner.toml, the one place that says so.

Rule: nothing is guessed. A field that is empty or misformed is named in a sentence, with what it takes.
"""

import re
import tomllib
from dataclasses import dataclass, fields
from typing import Any

from phase_dev.shell.errors import ToolError

FILE = "release/owner.toml"
NAME = "phase-operator"

_URL = r"https://[^\s/]+(?:/[^\s/]+)*"
# What a field takes: its form, and the sentence for the person who fills it in.
_FORMS = {
    "registry": (
        r"[a-z0-9.-]+(?::\d+)?(?:/[a-z0-9]+(?:[._-]+[a-z0-9]+)*)*",
        'a registry in lower case, without a scheme, such as "ghcr.io/OWNER"',
    ),
    "repository": (_URL, 'the page of the repository, such as "https://github.com/OWNER/phase-operator"'),
    "docs": (_URL, 'where the pages are served, such as "https://OWNER.github.io/phase-operator"'),
    "vendor": (r"\S.*", "the name of the person or organisation that publishes"),
    "security_contact": (rf"{_URL}|mailto:[^\s@]+@[^\s@]+", 'a page to report on, or "mailto:ADDRESS"'),
}


@dataclass(frozen=True, slots=True)
class Maintainer:
    """A person who answers; `github` is the name of the account."""

    name: str
    github: str
    email: str = ""


@dataclass(frozen=True, slots=True)
class Owner:
    """What release/owner.toml says."""

    registry: str
    repository: str
    docs: str
    vendor: str
    security_contact: str
    maintainers: tuple[Maintainer, ...]

    @property
    def image(self) -> str:
        """The image's name, without a tag."""
        return f"{self.registry}/{NAME}"

    @property
    def charts(self) -> str:
        """Where charts are pushed to."""
        return f"oci://{self.registry}/charts"


def read(text: str) -> Owner:
    """Return what the file says, whatever is empty in it; refuse what it cannot say."""
    try:
        found = tomllib.loads(text)
    except tomllib.TOMLDecodeError as e:
        raise ToolError(f"{FILE} is no TOML: {e}") from e
    known = {each.name for each in fields(Owner)}
    for name in sorted(found.keys() ^ known):
        raise ToolError(f"{FILE}: {name} is {'missing' if name in known else 'not a field'}")
    people = found.pop("maintainers")
    if wrong := [name for name, value in found.items() if not isinstance(value, str)]:
        raise ToolError(f"{FILE}: {wrong[0]} is no text")
    if not isinstance(people, list):
        raise ToolError(f"{FILE}: maintainers is no list of tables")
    return Owner(**found, maintainers=tuple(_maintainer(each) for each in people))


def faults(owner: Owner) -> list[str]:
    """Return a sentence for each field that keeps a release from being made."""
    found = []
    for name, (form, takes) in _FORMS.items():
        value = getattr(owner, name)
        if not value:
            found.append(f"{FILE}: {name} is empty; it takes {takes}")
        elif not re.fullmatch(form, value) or "OWNER" in value:
            found.append(f'{FILE}: {name} is "{value}"; it takes {takes}')
    if not owner.maintainers:
        found.append(f"{FILE}: maintainers is empty; it takes a table with name and github for each")
    if any(not (each.name and each.github) for each in owner.maintainers):
        found.append(f"{FILE}: maintainers has one without a name or without a github account")
    return found


def stand_in(registry: str) -> Owner:
    """Return an owner for a rehearsal, whose addresses cannot exist (RFC 2606)."""
    page = f"https://release.invalid/{NAME}"
    somebody = Maintainer("Nobody, as this is a rehearsal", "release-invalid")
    return Owner(registry, page, f"{page}/docs", "A rehearsal", f"{page}/security", (somebody,))


def _maintainer(found: Any) -> Maintainer:
    known = {each.name for each in fields(Maintainer)}
    if not isinstance(found, dict) or found.keys() - known or not all(isinstance(each, str) for each in found.values()):
        raise ToolError(f"{FILE}: a maintainer is a table of texts: {', '.join(sorted(known))}")
    return Maintainer(found.get("name", ""), found.get("github", ""), found.get("email", ""))
