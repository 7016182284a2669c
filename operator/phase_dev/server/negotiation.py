"""What a caller accepts: JSON, or the page that some routes show to a browser.

Rule: JSON wins where it is named or anything goes; a page has the status and the content of the JSON that it shows.
"""

import html
import json

from starlette.responses import Response

from phase_dev.server.responses import ApiError

_JSON = {"*/*", "application/*", "application/json"}
_PAGE = {"text/*", "text/html"}


def check_accept(header: str | None, *, browsable: bool) -> None:
    """Refuse a caller who takes nothing that the route has."""
    if header and _kinds(header).isdisjoint(_JSON | _PAGE if browsable else _JSON):
        raise ApiError(406, "Could not satisfy the request Accept header.")


def prefers_page(header: str | None) -> bool:
    """Return whether a caller gets the page: one who names HTML and does not name JSON."""
    kinds = _kinds(header or "*/*")
    return not kinds.isdisjoint(_PAGE) and kinds.isdisjoint(_JSON - {"*/*"})


def as_page(response: Response) -> Response:
    """Return the page that shows an answer to a browser."""
    shown = json.dumps(json.loads(bytes(response.body)), indent=4, ensure_ascii=False)
    page = f"<!DOCTYPE html>\n<html><body><pre>{html.escape(shown)}</pre></body></html>\n"
    headers = {k: v for k, v in response.headers.items() if k not in ("content-type", "content-length")}
    return Response(page, response.status_code, headers, media_type="text/html")


def _kinds(header: str) -> set[str]:
    return {part.split(";")[0].strip().lower() for part in header.split(",")}
