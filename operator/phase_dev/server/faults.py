"""Faults that tests order: what goes wrong, for whom, and how often.

Rule: a fault is chosen before the request is looked at, so it hits good and bad requests alike.
"""

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field
from starlette.responses import Response

from phase_dev.server.facts import Facts
from phase_dev.server.quota import throttled
from phase_dev.server.responses import COMMON_HEADERS, compact, json_response

FaultKind = Literal["status", "delay", "html", "cut", "lost", "reset", "redirect", "quota"]
LOGIN_PAGE = "<!doctype html>\n<html><head><title>Phase Console</title></head><body>Log in to Phase</body></html>\n"


class Fault(BaseModel):
    """One fault; a scope that is left out fits everything, `times` that is left out lasts until it is cleared.

    `delay` alone answers late but well; with another kind it comes first. `cut` sends half of the true answer, `lost`
    nothing of it; both have done what was asked.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    kind: FaultKind = "status"
    status: int | None = Field(None, ge=200, le=599)
    text: str = "Internal server error."
    body: str | None = None
    delay: float = Field(0.0, ge=0)
    # None leaves the header out.
    retry_after: int | None = Field(60, ge=0)
    location: str = "/login"
    method: str | None = None
    route: str | None = None
    app: str | None = None
    env: str | None = None
    account: str | None = None
    # Whether the request asks for a lease.
    lease: bool | None = None
    times: int | None = Field(None, ge=1)
    # Of the requests in its scope, by chance.
    share: float = Field(1.0, gt=0, le=1)

    def fits(self, facts: Facts) -> bool:
        """Return whether a request is in this fault's scope."""
        return (
            self.method in (None, facts.method)
            and self.route in (None, facts.route)
            and self.app in (None, facts.app, facts.app_id)
            and (self.env is None or self.env.casefold() == facts.env)
            and self.account in (None, facts.account)
            and self.lease in (None, facts.lease)
        )

    def answer(self) -> Response | None:
        """Return the answer in place of the true one, or None where the true one is sent late, cut or not at all."""
        match self.kind:
            case "status":
                content = self.body.encode() if self.body is not None else compact({"error": self.text})
                return json_response(content, allow="GET", status=self.status or 500)
            case "html":
                return Response(self.body or LOGIN_PAGE, self.status or 200, COMMON_HEADERS, media_type="text/html")
            case "redirect":
                return Response(
                    b"", self.status or 302, {**COMMON_HEADERS, "Location": self.location}, media_type="text/html"
                )
            case "quota":
                error = throttled(60 if self.retry_after is None else self.retry_after)
                headers = {} if self.retry_after is None else error.headers
                return json_response(compact({"error": error.text}), allow="GET", status=429, headers=headers)
            case "delay" | "cut" | "lost" | "reset":
                return None
