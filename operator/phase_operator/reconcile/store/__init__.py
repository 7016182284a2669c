"""Our resources as the watch last showed them: a store for each kind, and all of them as one."""

from phase_operator.reconcile.store.of_all import Resources, Stores
from phase_operator.reconcile.store.of_kind import (
    Lifecycle,
    PhaseSecretStore,
    ReadySummary,
    Resource,
    Version,
    has_finalizer,
    lifecycle_of,
    version_of,
)

__all__ = [
    "Lifecycle",
    "PhaseSecretStore",
    "ReadySummary",
    "Resource",
    "Resources",
    "Stores",
    "Version",
    "has_finalizer",
    "lifecycle_of",
    "version_of",
]
