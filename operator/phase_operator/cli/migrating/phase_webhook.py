"""What a SecretStore of External Secrets with the provider `webhook` reads from Phase, by its URL.

Rule: the URL is a template, of which only what stands for a whole parameter is understood; anything else is None.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote_plus

from phase_operator.api import names
from phase_operator.core.json_access import at, text

_URL = re.compile(r"(?P<base>https?://[^?#\s{}]{1,1000})/v1/secrets/?\?(?P<query>.{0,4000})", re.DOTALL)
_CONTROL = re.compile(r"\{\{-?\s*(?:if\b[^{}]*|else|end)\s*-?\}\}")
_PLACEHOLDER = re.compile(r"\{\{-?\s*\.remoteRef\.(key|version|property)\s*(?:\|\s*urlquery\s*)?-?\}\}")


@dataclass(frozen=True, slots=True)
class Part:
    """A parameter of the URL: a text, or the field of `remoteRef` that it is taken from."""

    literal: str = ""
    field: str = ""

    def of(self, remote: Mapping[str, str]) -> str:
        """Return the parameter for one `remoteRef`."""
        return remote.get(self.field, "") if self.field else self.literal


@dataclass(frozen=True, slots=True)
class PhaseWebhook:
    """What a store asks Phase for."""

    # The value of spec.phaseHost; "" for Phase's cloud.
    host: str
    parts: Mapping[str, Part]

    def part(self, name: str, remote: Mapping[str, str]) -> str:
        """Return a parameter of the question for one `remoteRef`, "" if it is not asked for."""
        return self.parts.get(name, Part()).of(remote)

    @property
    def fields(self) -> frozenset[str]:
        """The fields of `remoteRef` that the URL takes."""
        return frozenset(each.field for each in self.parts.values() if each.field)


def provider_of(store: Mapping[str, Any]) -> str:
    """Return the name of a store's provider, "" if there is none."""
    return next((str(each) for each in at(store, ("spec", "provider"))), "")


def phase_webhook(store: Mapping[str, Any]) -> PhaseWebhook | None:
    """Return what a store asks Phase for; None if it is no webhook of Phase's REST API."""
    found = _URL.fullmatch(text(at(store, ("spec", "provider", "webhook")).get("url")).strip())
    if found is None:
        return None
    parts = {}
    for parameter in _CONTROL.sub("", found["query"]).split("&"):
        name, _, value = parameter.partition("=")
        placeholder = _PLACEHOLDER.fullmatch(value.strip())
        if placeholder is not None:
            parts[name] = Part(field=placeholder[1])
        elif "{" not in value:
            parts[name] = Part(unquote_plus(value))
    base = found["base"]
    return PhaseWebhook("" if base == names.CLOUD_API else base, parts)
