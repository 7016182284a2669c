"""Until when Phase's certificates hold is known of hosts that were asked lately."""

import math

import httpx
import pytest

from phase_operator.phase.certificates import Certificates
from support.clock import HandClock

HOUR = 3600.0


class Connection:
    """What httpx gives of the stream below an answer, and the TLS connection in it."""

    def __init__(self, certificate: dict[str, str] | None) -> None:
        self.certificate = certificate

    def get_extra_info(self, name: str) -> "Connection | None":
        return self if name == "ssl_object" and self.certificate is not None else None

    def getpeercert(self) -> dict[str, str] | None:
        return self.certificate


def answer(certificate: dict[str, str] | None) -> httpx.Response:
    return httpx.Response(200, extensions={"network_stream": Connection(certificate)})


@pytest.fixture
def clock() -> HandClock:
    return HandClock()


@pytest.fixture
def certificates(clock: HandClock) -> Certificates:
    return Certificates(clock.monotonic)


def test_the_first_to_run_out_counts(certificates: Certificates) -> None:
    certificates.look("https://a", answer({"notAfter": "Jan  2 00:00:00 1970 GMT"}))
    certificates.look("https://b", answer({"notAfter": "Jan  1 12:00:00 1970 GMT"}))

    assert certificates.soonest() == 12 * HOUR


def test_a_renewed_one_counts_instead(certificates: Certificates, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    for ends in (100.0, 100.0, 200.0):
        certificates.note("https://a", ends)

    assert certificates.soonest() == 200.0
    assert [record.getMessage() for record in caplog.records] == ["certificate of Phase"] * 2


def test_a_host_that_nobody_asks_is_forgotten(certificates: Certificates, clock: HandClock) -> None:
    certificates.note("https://a", 100.0)
    clock.turn(2 * HOUR)
    certificates.note("https://b", 200.0)
    assert certificates.soonest() == 100.0
    clock.turn(2 * HOUR)

    assert certificates.soonest() == 200.0


@pytest.mark.parametrize(
    "response",
    [
        pytest.param(httpx.Response(200), id="no stream"),
        pytest.param(answer(None), id="in the clear"),
        pytest.param(answer({}), id="without an end"),
    ],
)
def test_without_a_certificate_there_is_no_end(response: httpx.Response, certificates: Certificates) -> None:
    certificates.look("http://a", response)

    assert math.isnan(certificates.soonest())
