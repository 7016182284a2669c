"""Answers in the bytes the server uses.

Rule: two renderers answer on the real server, one compact and one with spaces; each error keeps its spelling.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from starlette.responses import Response

COMMON_HEADERS = {
    "Vary": "origin",
    "X-Frame-Options": "DENY",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
}
NOT_FOUND_PAGE = """
<!doctype html>
<html lang="en">
<head>
  <title>Not Found</title>
</head>
<body>
  <h1>Not Found</h1><p>The requested resource was not found on this server.</p>
</body>
</html>
"""
FORBIDDEN_PAGE = """<!DOCTYPE html>
<html lang="en">
<head>
  <meta http-equiv="content-type" content="text/html; charset=utf-8">
  <title>403 Forbidden</title>
</head>
<body>
  <h1>Forbidden <span>(403)</span></h1>
  <p>CSRF verification failed. Request aborted.</p>
</body>
</html>
"""
KILLED_PAGE = """<html>
  <head>
    <title>Internal Server Error</title>
  </head>
  <body>
    <h1><p>Internal Server Error</p></h1>
{blank}
  </body>
</html>
""".replace("{blank}", " " * 4)


@dataclass(eq=False)
class ApiError(Exception):
    """A refusal with the server's status and text."""

    status: int
    text: str
    spaced: bool = False
    headers: Mapping[str, str] = field(default_factory=dict)


def unauthenticated(text: str) -> ApiError:
    """Return the 401 that names the scheme to use."""
    return ApiError(401, text, headers={"WWW-Authenticate": "Bearer"})


def server_error() -> ApiError:
    """Return the 500 that reports a bug of the server."""
    return ApiError(500, "Internal server error.", spaced=True)


def compact(content: Any) -> bytes:
    """Render as the API framework does: no spaces, text as UTF-8."""
    text = json.dumps(content, ensure_ascii=False, separators=(",", ":"))
    return in_javascript(text).encode("utf-8", "surrogatepass")


def in_javascript(text: str) -> str:
    """Return JSON with the two characters escaped that end a line in JavaScript and not in JSON."""
    return text.replace("\u2028", "\\u2028").replace("\u2029", "\\u2029")


def spaced(content: Any) -> bytes:
    """Render as the web framework does: spaces after separators, text as ASCII."""
    return json.dumps(content).encode()


def json_response(body: bytes, *, allow: str, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    """Return a JSON answer with the headers every answer carries."""
    return Response(body, status, {**COMMON_HEADERS, "Allow": allow, **(headers or {})}, media_type="application/json")


def error_response(error: ApiError, allow: str) -> Response:
    """Return the answer that tells the refusal."""
    render = spaced if error.spaced else compact
    return json_response(render({"error": error.text}), allow=allow, status=error.status, headers=error.headers)


def not_found_page() -> Response:
    """Return the HTML page for a path without a route, which includes every route without its trailing slash."""
    return Response(NOT_FOUND_PAGE, 404, COMMON_HEADERS, media_type="text/html")


def forbidden_page() -> Response:
    """Return the HTML page for a write to a page for browsers; only the beginning of the real one."""
    return Response(FORBIDDEN_PAGE, 403, COMMON_HEADERS, media_type="text/html")


def killed_page() -> Response:
    """Return the HTML page with which the web server stands in for a process that it killed for being late."""
    return Response(KILLED_PAGE, 500, {"Connection": "close", "Content-Type": "text/html"})
