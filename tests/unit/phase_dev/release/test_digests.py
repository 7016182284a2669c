"""Digests from a registry: names, the login as nobody, and answers that are none."""

import httpx
import pytest

from phase_dev.release.digests import parse, resolve
from phase_dev.shell.errors import ToolError

DIGEST = f"sha256:{'ab' * 32}"


@pytest.mark.parametrize(
    ("image", "url", "pinned"),
    [
        (
            "python:3.13-slim",
            "https://registry-1.docker.io/v2/library/python/manifests/3.13-slim",
            f"docker.io/library/python@{DIGEST}",
        ),
        ("a/b", "https://registry-1.docker.io/v2/a/b/manifests/latest", f"docker.io/a/b@{DIGEST}"),
        ("docker.io/a/b:1", "https://registry-1.docker.io/v2/a/b/manifests/1", f"docker.io/a/b@{DIGEST}"),
        ("ghcr.io/a/b:1", "https://ghcr.io/v2/a/b/manifests/1", f"ghcr.io/a/b@{DIGEST}"),
        ("127.0.0.1:5000/a:1", "http://127.0.0.1:5000/v2/a/manifests/1", f"127.0.0.1:5000/a@{DIGEST}"),
        ("host:5000/a", "https://host:5000/v2/a/manifests/latest", f"host:5000/a@{DIGEST}"),
    ],
)
def test_a_name_is_taken_apart_as_builders_do(image: str, url: str, pinned: str) -> None:
    assert parse(image).url == url
    assert parse(image).pinned(DIGEST) == pinned


def test_a_registry_that_asks_who_is_there_is_answered_as_nobody() -> None:
    def answer(request: httpx.Request) -> httpx.Response:
        if request.url.host == "auth.example.com":
            assert dict(request.url.params) == {"service": "s", "scope": "repository:a:pull"}
            return httpx.Response(200, json={"token": "t"})
        if request.headers.get("Authorization") != "Bearer t":
            challenge = 'Bearer realm="https://auth.example.com/token",service="s",scope="repository:a:pull"'
            return httpx.Response(401, headers={"WWW-Authenticate": challenge})
        assert "image.index" in request.headers["Accept"]
        return httpx.Response(200, headers={"Docker-Content-Digest": DIGEST})

    with httpx.Client(transport=httpx.MockTransport(answer)) as client:
        assert resolve("example.com/a:1", client) == DIGEST


@pytest.mark.parametrize(
    "response",
    [
        pytest.param(httpx.Response(404), id="no such tag"),
        pytest.param(httpx.Response(200), id="no digest"),
        pytest.param(httpx.Response(200, headers={"Docker-Content-Digest": "latest"}), id="another word"),
        pytest.param(httpx.Response(401, headers={"WWW-Authenticate": 'Basic realm="x"'}), id="a password"),
        pytest.param(httpx.Response(401), id="no challenge"),
    ],
)
def test_an_answer_without_a_digest_is_a_sentence(response: httpx.Response) -> None:
    with httpx.Client(transport=httpx.MockTransport(lambda _: response)) as client, pytest.raises(ToolError):
        resolve("example.com/a:1", client)


def test_a_registry_that_cannot_be_reached_is_a_sentence() -> None:
    def fail(request: httpx.Request) -> httpx.Response:
        raise httpx.ConnectError("no route", request=request)

    with (
        httpx.Client(transport=httpx.MockTransport(fail)) as client,
        pytest.raises(ToolError, match=r"example\.com does not say which digest example\.com/a:1 has: no route"),
    ):
        resolve("example.com/a:1", client)
