"""What a PhaseDynamicSecret asks for, and the PhaseSecret that its targets would have.

Rule: rendering, policies and restarts know only PhaseSecrets. So the part of a spec that is about targets is read as
that of a PhaseSecret, and they never learn of leases.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from phase_operator.core.json_access import canonical, number, text, without
from phase_operator.core.leases.facts import Wanted
from phase_operator.core.leases.record import Credentials
from phase_operator.core.source.folders import normal_path
from phase_operator.core.source.query import Ask
from phase_operator.core.values import Entry

# The fields that a PhaseSecret does not have, or that mean something else there.
_OWN = ("dynamicSecret", "leaseTTL", "rolloverPercent", "overlap", "revoke", "pollingInterval")
# The fields that make no difference to what a target holds.
_TIMING = ("suspend",)
_DIGITS = 8
# Increase it when this version makes another object from the same spec and lease than the version before.
_RENDERING = 1


def lowered(spec: Mapping[str, Any]) -> dict[str, Any]:
    """Return the part of a spec that is about targets, as the spec of a PhaseSecret."""
    return without(spec, *_OWN)


def folder(spec: Mapping[str, Any]) -> str:
    """Return the folder that the dynamic secret is in."""
    return normal_path(text(spec.get("phaseAppEnvPath")) or None)


def wanted(spec: Mapping[str, Any], ask: Ask) -> Wanted:
    """Return what a valid spec asks for."""
    found = Wanted(asked_by(spec, ask), ask.base_url, number(spec.get("leaseTTL")))
    return replace(
        found,
        rollover_percent=number(spec.get("rolloverPercent")) or found.rollover_percent,
        overlap=number(spec["overlap"]) if "overlap" in spec else found.overlap,
        revoke=spec.get("revoke") is not False,
        interval=number(spec.get("pollingInterval")) or found.interval,
    )


def asked_by(spec: Mapping[str, Any], ask: Ask) -> str:
    """Return a digest of the fields that lead to a dynamic secret, in their normal form."""
    app = ["id", ask.app.id.lower()] if ask.app.id is not None else ["name", ask.app.name]
    said = [ask.base_url, app, ask.environment, folder(spec), text(spec.get("dynamicSecret"))]
    return hashlib.blake2b(canonical(said).encode(), digest_size=_DIGITS).hexdigest()


def entries(credentials: Credentials, path: str) -> tuple[Entry, ...]:
    """Return the credentials of a lease as entries of its folder."""
    return tuple(Entry(key, key, value, path) for key, value in credentials)


def inputs_digest(spec: Mapping[str, Any], lease_id: str) -> bytes:
    """Return a digest of what targets are made from: the part of the spec that is about them, and the lease."""
    parts = [_RENDERING, without(lowered(spec), *_TIMING), lease_id]
    return hashlib.blake2b(canonical(parts).encode(), digest_size=16).digest()
