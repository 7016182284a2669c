"""When the certificates of Phase's hosts run out, as they are seen with every answer."""

import logging
import math
import ssl
from collections.abc import Callable

import httpx

from phase_operator.core.timestamps import timestamp

log = logging.getLogger(__name__)

# A host that is asked by anybody is read at least once an hour, unless told otherwise.
_FORGOTTEN = 3 * 3600.0


class Certificates:
    """The hosts that were asked lately, and until when their certificates hold."""

    def __init__(self, timer: Callable[[], float]) -> None:
        self._timer = timer
        self._seen: dict[str, tuple[float, float]] = {}

    def look(self, host: str, response: httpx.Response) -> None:
        """Note the certificate by which an answer came; plain HTTP has none. A new one is one line in the log."""
        stream = response.extensions.get("network_stream")
        connection = None if stream is None else stream.get_extra_info("ssl_object")
        ends = (connection.getpeercert() or {}).get("notAfter") if connection is not None else None
        if isinstance(ends, str):
            self.note(host, float(ssl.cert_time_to_seconds(ends)))

    def note(self, host: str, ends: float) -> None:
        """Note until when a host's certificate holds, in seconds since 1970."""
        known = self._seen.get(host)
        now = self._timer()
        if known is None or known[0] != ends:
            log.info("certificate of Phase", extra={"host": host, "ends": timestamp(ends)})
            self._seen = {each: kept for each, kept in self._seen.items() if now - kept[1] <= _FORGOTTEN}
        self._seen[host] = (ends, now)

    def soonest(self) -> float:
        """Return when the first of them runs out, in seconds since 1970; not a number if none was seen lately."""
        now = self._timer()
        return min((ends for ends, at in self._seen.values() if now - at <= _FORGOTTEN), default=math.nan)
