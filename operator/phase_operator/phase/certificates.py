"""When the certificates of Phase's hosts expire, as every answer shows."""

import logging
import math
import ssl
from collections.abc import Callable

import httpx

from phase_operator.core.timestamps import timestamp

log = logging.getLogger(__name__)

# A host is forgotten after this time in seconds: a host in use is usually read at least once an hour.
_FORGOTTEN = 3 * 3600.0


class Certificates:
    """The hosts that were called lately, and when their certificates expire."""

    def __init__(self, timer: Callable[[], float]) -> None:
        self._timer = timer
        self._seen: dict[str, tuple[float, float]] = {}

    def look(self, host: str, response: httpx.Response) -> None:
        """Record the certificate of an answer's connection; plain HTTP has none. A new one is logged once."""
        stream = response.extensions.get("network_stream")
        connection = None if stream is None else stream.get_extra_info("ssl_object")
        ends = (connection.getpeercert() or {}).get("notAfter") if connection is not None else None
        if isinstance(ends, str):
            self.note(host, float(ssl.cert_time_to_seconds(ends)))

    def note(self, host: str, ends: float) -> None:
        """Record when a host's certificate expires, in seconds since 1970."""
        known = self._seen.get(host)
        now = self._timer()
        if known is None or known[0] != ends:
            log.info("certificate of Phase", extra={"host": host, "ends": timestamp(ends)})
            self._seen = {each: kept for each, kept in self._seen.items() if now - kept[1] <= _FORGOTTEN}
        self._seen[host] = (ends, now)

    def soonest(self) -> float:
        """Return when the first of them expires, in seconds since 1970; NaN if none was seen lately."""
        now = self._timer()
        return min((ends for ends, at in self._seen.values() if now - at <= _FORGOTTEN), default=math.nan)
