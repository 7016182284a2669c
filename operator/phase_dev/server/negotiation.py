"""What a caller accepts: JSON, or the page that some routes show to a browser.

Rule: JSON wins where it is named or anything goes; a page has the status and the content of the JSON that it shows.
"""

import html
import json
import re
from typing import Literal

from starlette.responses import Response

from phase_dev.server.responses import ApiError, in_javascript

LARGEST_INDENT = 8
Shown = Literal["json", "api"]
_TYPES: dict[Shown, set[str]] = {
    "json": {"*/*", "application/*", "application/json", "*/json"},
    "api": {"*/*", "text/*", "text/html", "*/html"},
}


def shown_as(accept: str | None, wanted: str | None, *, browsable: bool) -> Shown:
    """Return how an answer is shown, `api` being the page; refuse a caller who takes nothing that the route has.

    `wanted` is the query's `format`, which leaves one kind; an unknown one is no route at all.
    """
    offered: list[Shown] = ["json", "api"] if browsable else ["json"]
    if wanted:
        offered = [kind for kind in offered if kind == wanted]
        if not offered:
            raise ApiError(404, "Not found.")
    accepted = _kinds("*/*" if accept is None else accept)
    # A kind that is named comes before one that a star lets in.
    for names in (accepted - {"*/*"}, accepted):
        for kind in offered:
            if not names.isdisjoint(_TYPES[kind]):
                return kind
    raise ApiError(406, "Could not satisfy the request Accept header.")


def indented(response: Response, accept: str | None) -> Response:
    """Return an answer in JSON as it is, or indented by what the caller asks for: `application/json; indent=4`."""
    asked = [part for part in (accept or "").split(",") if not _kinds(part).isdisjoint(_TYPES["json"])]
    # Of several, the one that says most.
    most = max(asked, key=lambda part: (";" in part, "*" not in part), default="")
    found = re.search(r";\s*indent=(\d{1,9})\s*(?:;|$)", most)
    indent = min(int(found[1]), LARGEST_INDENT) if found else 0
    if not indent:
        return response
    shown = json.dumps(json.loads(bytes(response.body)), indent=indent, ensure_ascii=False)
    return Response(in_javascript(shown), response.status_code, _headers(response), media_type="application/json")


def as_page(response: Response) -> Response:
    """Return the page that shows an answer to a browser."""
    shown = json.dumps(json.loads(bytes(response.body)), indent=4, ensure_ascii=False)
    page = f"<!DOCTYPE html>\n<html><body><pre>{html.escape(shown)}</pre></body></html>\n"
    return Response(page, response.status_code, _headers(response), media_type="text/html")


def _headers(response: Response) -> dict[str, str]:
    return {k: v for k, v in response.headers.items() if k not in ("content-type", "content-length")}


def _kinds(header: str) -> set[str]:
    return {part.split(";")[0].strip().lower() for part in header.split(",")}
