"""The route of tokens, which is unlike all others: its refusals are 403s, and it asks for no role and no address.

Rule: calls are counted by the address of the caller before the token is looked at, wrong tokens too.
"""

from dataclasses import dataclass

from starlette.responses import Response

from phase_dev.server.auth import Call, authenticate, token_of
from phase_dev.server.encrypted_views import get_token
from phase_dev.server.negotiation import as_page, shown_as
from phase_dev.server.quota import Quota
from phase_dev.server.responses import ApiError, compact, error_response, json_response, server_error
from phase_dev.server.steps import Steps

VARY = {"Vary": "Accept, origin, Cookie"}
_OPTIONS = {
    "name": "Secrets Tokens",
    "description": "",
    "renders": ["application/json", "text/html"],
    "parses": ["application/json", "application/x-www-form-urlencoded", "multipart/form-data"],
}


@dataclass(frozen=True, slots=True)
class TokenEndpoint:
    """`/secrets/tokens/`."""

    route: str = "/secrets/tokens/"
    allow: str = "GET, OPTIONS"
    context: str = "token"

    def answer(self, call: Call, quota: Quota, limit: int | None) -> Steps[Response]:
        """Return the answer to one request; nothing here takes time."""
        yield from ()
        try:
            response = self._checked(call, quota, limit)
        except ApiError as error:
            response = error_response(error, self.allow)
        response.headers.update(VARY)
        return response

    def _checked(self, call: Call, quota: Quota, limit: int | None) -> Response:
        kind = shown_as(call.headers.get("accept"), call.query.get("format"), browsable=True)
        first = next(iter(call.state.organisations.values()))
        quota.take(f"address {_address(call)}", limit if limit is not None else first.quota, call.now)
        if call.method not in ("GET", "OPTIONS"):
            raise ApiError(405, f'Method "{call.method}" not allowed.')
        content = _OPTIONS if call.method == "OPTIONS" else self._content(call)
        response = json_response(compact(content), allow=self.allow)
        return as_page(response) if kind == "api" else response

    def _content(self, call: Call) -> dict[str, object]:
        header = call.headers.get("authorization")
        if header is None:
            raise server_error()
        try:
            call.maybe_account = authenticate(header, call.state, call.now)
        except ApiError:
            raise ApiError(403, "Token expired or deleted", spaced=True) from None
        token = token_of(header, call.state)
        assert token
        return get_token(call, token)


def _address(call: Call) -> str:
    """Return what the server takes for the caller's address: the whole list of proxies, or else the peer."""
    return "".join(call.headers.get("x-forwarded-for", "").split()) or call.peer
