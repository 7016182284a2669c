"""How many open files the settings need: without one for each connection, some watches would never start."""

import resource
import sys

from phase_operator.api.crd import DEFINITIONS
from phase_operator.kube.client import CONNECTIONS as KUBE_CONNECTIONS
from phase_operator.phase.session import KEPT_CONNECTIONS
from phase_operator.reconcile.polling.limits.concurrency import calls_at_once
from phase_operator.settings import Settings
from phase_operator.telemetry.http import CONNECTIONS

# DNS lookups for each call to Phase: its own, and one that outlived the call before it.
LOOKUPS_EACH = 2
# A lookup opens a socket to the name server, and for a moment the file with the name server's address.
_FILES_OF_LOOKUP = 2
# Sessions to the API server beside the watches: requests, the Lease, and the lists of kopf's watch.
_SESSIONS = 3
# Connection pools to Phase, each with idle connections: direct, and by the proxies for http and https.
_WAYS = 3
# For each namespace: a watch of each kind of ours, one of Secrets, one of ConfigMaps.
_WATCHES_EACH = len(DEFINITIONS) + 2
# Connections of probes and scrapes, and what Python and the system have open.
_OTHER_FILES = 2 * CONNECTIONS + 100


class StartError(Exception):
    """The operator cannot start; the message is one sentence for the person who started it."""


def most_calls(places: int) -> int:
    """Return the greatest number of calls to Phase at once with so many places: those in flight, and the next one."""
    return calls_at_once(places) + 1


def open_files(settings: Settings) -> None:
    """Raise the limit of open files to what the settings need; raise StartError if the system does not allow it."""
    limit = files_to_allow(settings, resource.getrlimit(resource.RLIMIT_NOFILE))
    if limit is not None:
        resource.setrlimit(resource.RLIMIT_NOFILE, limit)


def files_to_allow(settings: Settings, limits: tuple[int, int]) -> tuple[int, int] | None:
    """Return the soft and hard limit that the settings need, or None if `limits` suffice; raise StartError."""
    namespaces = max(1, len(settings.namespace))
    calls = most_calls(settings.phase_workers)
    watches = _WATCHES_EACH * namespaces + 1
    needed = watches + _SESSIONS * KUBE_CONNECTIONS + calls + _WAYS * KEPT_CONNECTIONS
    needed += _FILES_OF_LOOKUP * LOOKUPS_EACH * calls + calls_at_once(settings.errand_workers) + _OTHER_FILES
    soft, hard = (sys.maxsize if limit == resource.RLIM_INFINITY else limit for limit in limits)
    if needed <= soft:
        return None
    if needed > hard:
        raise StartError(
            f"--namespace, --phase-workers: the watches of {namespaces} namespaces and {calls} calls to Phase need "
            f"{needed} open files, and this process may have {hard} (ulimit -Hn); raise that, or lower these"
        )
    return needed, limits[1]
