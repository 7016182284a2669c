"""How many files the settings need open: a connection that cannot be opened is a watch that never starts."""

import resource
import sys

from phase_operator.core.flow.concurrency import calls_at_once
from phase_operator.kube.client import CONNECTIONS as KUBE_CONNECTIONS
from phase_operator.phase.session import KEPT_CONNECTIONS
from phase_operator.settings import Settings
from phase_operator.telemetry.http import CONNECTIONS

# Lookups of names for each call to Phase that there may be: one for itself, and one that outlived the call before it.
LOOKUPS_EACH = 2
# A lookup has a socket for the name server, and for a moment a file that says where that is.
_FILES_OF_LOOKUP = 2
# Sessions that share the API server with the watches: requests, the Lease, and the lists of the watch of PhaseSecrets.
_SESSIONS = 3
# Ways to Phase, each with connections that are kept: directly, or by the proxies for http and https.
_WAYS = 3
# A watch of PhaseSecrets, one of Secrets, one of ConfigMaps.
_WATCHES_EACH = 3
# Those who probe and scrape, and what Python and the system have open.
_OTHER_FILES = 2 * CONNECTIONS + 100


class StartError(Exception):
    """The operator cannot start; the message is one sentence for the person who started it."""


def most_calls(settings: Settings) -> int:
    """Return how many calls to Phase there may be: those under way, and the next one."""
    return calls_at_once(settings.phase_workers) + 1


def open_files(settings: Settings) -> None:
    """Let as many files be open as there are connections; raise StartError if the system does not allow it."""
    limit = files_to_allow(settings, resource.getrlimit(resource.RLIMIT_NOFILE))
    if limit is not None:
        resource.setrlimit(resource.RLIMIT_NOFILE, limit)


def files_to_allow(settings: Settings, limits: tuple[int, int]) -> tuple[int, int] | None:
    """Return the limits of open files that the settings need, or None if they have them; raise StartError."""
    namespaces, calls = max(1, len(settings.namespace)), most_calls(settings)
    watches = _WATCHES_EACH * namespaces + 1
    needed = watches + _SESSIONS * KUBE_CONNECTIONS + calls + _WAYS * KEPT_CONNECTIONS
    needed += _FILES_OF_LOOKUP * LOOKUPS_EACH * calls + _OTHER_FILES
    soft, hard = (sys.maxsize if limit == resource.RLIM_INFINITY else limit for limit in limits)
    if needed <= soft:
        return None
    if needed > hard:
        raise StartError(
            f"--namespace, --phase-workers: the watches of {namespaces} namespaces and {calls} calls to Phase need "
            f"{needed} open files, and this process may have {hard} (ulimit -Hn); raise that, or lower these"
        )
    return needed, limits[1]
