"""Where a token may go: this scheme, this name, this port, and nothing that only looks like it."""

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from phase_operator.api import names
from phase_operator.core.access.hosts import CLOUD, leads_to, parse_host, parse_hosts
from phase_operator.core.errors import Invalid
from phase_operator.core.source.query import asked_url, base_url
from support.builders import parsed


def goes(host: str, allowed: str) -> bool:
    """Say whether a PhaseSecret with this phaseHost has its token sent to an allowed host."""
    return leads_to(base_url(host), [parse_host(allowed)])


@pytest.mark.parametrize(
    ("host", "allowed"),
    [
        pytest.param("https://phase.example", "https://phase.example", id="the same"),
        pytest.param("https://Phase.Example/", "https://PHASE.example/", id="case and slash"),
        pytest.param("https://phase.example:443", "https://phase.example", id="the port that is meant anyway"),
        pytest.param("https://phase.example", "https://phase.example:443", id="and spelled out on the other side"),
        pytest.param("http://phase.example:8080", "http://phase.example:8080", id="http and a port"),
        pytest.param("https://phase.example/below/a/path", "https://phase.example", id="a path"),
        pytest.param("https://a.phase.example", "https://*.phase.example", id="a label more"),
        pytest.param("http://[::1]:80", "http://[::1]", id="IPv6"),
        pytest.param("http://127.0.0.1:9", "http://127.0.0.1:9", id="IPv4"),
    ],
)
def test_an_allowed_host_in_another_spelling_is_allowed(host: str, allowed: str) -> None:
    assert goes(host, allowed)


@pytest.mark.parametrize(
    ("host", "allowed"),
    [
        pytest.param("https://evil.example", "https://phase.example", id="another"),
        pytest.param("http://phase.example", "https://phase.example", id="without TLS"),
        pytest.param("https://phase.example", "http://phase.example", id="with TLS where it is not expected"),
        pytest.param("https://phase.example:8443", "https://phase.example", id="another port"),
        pytest.param("http://phase.example:443", "https://phase.example", id="the port of the other scheme"),
        pytest.param("https://phase.example.evil.example", "https://phase.example", id="a name that begins so"),
        pytest.param("https://evilphase.example", "https://phase.example", id="a name that ends so"),
        pytest.param("https://evilphase.example", "https://*.phase.example", id="a name that ends so, with a star"),
        pytest.param("https://phase.example", "https://*.phase.example", id="no label more"),
        pytest.param("https://.phase.example", "https://*.phase.example", id="an empty label"),
        pytest.param("https://a.b.phase.example", "https://*.phase.example", id="two labels more"),
        pytest.param("https://*.phase.example", "https://*.phase.example", id="the star itself"),
        pytest.param("https://phase.example.", "https://phase.example", id="a dot at the end"),
        pytest.param("https://phase.example\\@evil.example", "https://phase.example", id="a backslash"),
        pytest.param("https://phase.example\\.evil.example", "https://phase.example", id="a backslash and a dot"),
        pytest.param("https://phase.example%2eevil.example", "https://phase.example", id="a percent sign"),
        pytest.param("https://phase.example:443@evil.example", "https://phase.example", id="a password"),
        pytest.param("https://user@phase.example", "https://phase.example", id="a user"),
        pytest.param("https://phase.example:443443", "https://phase.example", id="no port"),
        pytest.param("https://phase.example。evil.example", "https://phase.example", id="a dot of another script"),
        pytest.param("https://ph\u0430se.example", "https://phase.example", id="a Cyrillic a"),
        pytest.param("https://phase.example;evil.example", "https://phase.example", id="a semicolon"),
    ],
)
def test_a_host_that_only_looks_like_an_allowed_one_is_not_allowed(host: str, allowed: str) -> None:
    assert not goes(host, allowed)


@given(st.text(alphabet="ap.-:/@\\%[]*;0\u0660\u212a\u3002\t", max_size=12))
def test_a_url_that_is_allowed_is_sent_to_the_allowed_host(tail: str) -> None:
    """The client that sends the token is the judge, for every phaseHost that the API server takes."""
    try:
        url = asked_url(parsed(phaseHost=f"https://phase.example{tail}"))
        sent = httpx.URL(url)
    except (ValidationError, Invalid, httpx.InvalidURL):
        return

    if leads_to(url, [parse_host("https://phase.example")]):
        assert (sent.scheme, sent.host, sent.port, sent.userinfo) == ("https", "phase.example", None, b"")


@pytest.mark.parametrize("host", [names.DEFAULT_HOST, names.CLOUD_API, *names.CLOUD_BASES])
def test_phases_cloud_is_known_in_all_its_spellings(host: str) -> None:
    assert leads_to(base_url(host), CLOUD)


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("", id="nothing"),
        pytest.param("phase.example", id="no scheme"),
        pytest.param("ftp://phase.example", id="another scheme"),
        pytest.param("https://phase.example/path", id="a path"),
        pytest.param("https://phase.example?x", id="a query"),
        pytest.param("https://user@phase.example", id="a user"),
        pytest.param("https://*", id="a star alone"),
        pytest.param("*", id="nothing but a star"),
        pytest.param("https://a.*.example", id="a star inside"),
        pytest.param("https://*phase.example", id="a star without a dot"),
        pytest.param("https://phase.example:x", id="no port"),
        pytest.param("https://phäse.example", id="letters beyond ASCII"),
    ],
)
def test_a_text_that_is_no_host_is_refused_in_one_line(text: str) -> None:
    with pytest.raises(ValueError, match=r"is no host") as caught:
        parse_host(text)

    assert len(str(caught.value).splitlines()) == 1


def test_hosts_are_separated_by_commas() -> None:
    found = parse_hosts(" https://a.example, http://b.example:8080 ,")

    assert [str(host) for host in found] == ["https://a.example", "http://b.example:8080"]


@pytest.mark.parametrize("text", ["", " , ", "https://a.example b.example"])
def test_a_list_that_says_nothing_is_none(text: str) -> None:
    with pytest.raises(ValueError):
        parse_hosts(text)
