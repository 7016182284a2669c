"""Secrets and ConfigMaps that are pushed, and which of them never are."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from phase_operator.api import names
from phase_operator.api.v1alpha1.phasesecret import EntryType, KeySelection
from phase_operator.core.refs import Kind

# Secrets that other systems live on: a token of the API server, of a node's first contact, a release of Helm.
SYSTEM_TYPES = frozenset(
    {"kubernetes.io/service-account-token", "bootstrap.kubernetes.io/token", "helm.sh/release.v1", names.LEASE_TYPE}
)


class SourceState(NamedTuple):
    """A source at one moment: `Secret/postgres-app`, and its resourceVersion."""

    name: str
    version: str


@dataclass(frozen=True, slots=True)
class Rule:
    """What the spec makes of the keys of a source."""

    # The folder, as the server stores it.
    path: str
    keys: KeySelection = field(default_factory=KeySelection)
    prefix: str = ""
    # By key of the source: the key in Phase, and the keys whose bytes are pushed as base64.
    as_names: Mapping[str, str] = field(default_factory=dict)
    base64_keys: frozenset[str] = frozenset()
    type: EntryType = EntryType.SECRET


@dataclass(frozen=True, slots=True)
class Source:
    """A Secret or ConfigMap that a spec names."""

    kind: Kind
    name: str
    # The resourceVersion: another one may be another content.
    version: str
    rule: Rule
    # None if it was not read, since nothing shows that it changed.
    data: Mapping[str, bytes] | None = field(default=None, repr=False)

    @property
    def state(self) -> SourceState:
        """What a row of the ledger remembers of it."""
        return SourceState(f"{self.kind}/{self.name}", self.version)


def source_problem(
    kind: Kind, entry_type: EntryType, *, secret_type: str = "", is_token: bool = False, is_ours: bool = False
) -> str:
    """Return why an object is never pushed, by its metadata; "" if it may be.

    `is_token`: a resource reads its token of Phase there, or it is the operator's digest key. `is_ours`: this operator
    writes it, so what is pushed would come back.
    """
    if is_token:
        return "it holds a token of Phase, or the operator's own key"
    if is_ours:
        return "this operator writes it: what is pushed would come back from Phase"
    if secret_type in SYSTEM_TYPES:
        return f"Secrets of type {secret_type} belong to the system"
    if kind is Kind.SECRET and entry_type is EntryType.CONFIG:
        return "a Secret is not pushed as config, which everybody with access to the environment sees"
    return ""
