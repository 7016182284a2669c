"""What the failure of a person's command means for that person.

Rule: a message of the API server is shown only where it cannot quote a value.
"""

from collections.abc import Sequence
from enum import Enum, auto
from types import MappingProxyType

from phase_operator.api import names
from phase_operator.core.text import clean
from phase_operator.kube.errors import ApiError, translate
from phase_operator.kube.user_resources import Request

# The API server, or a proxy before it, is there and cannot serve.
_OVERLOADED = frozenset({429, 502, 503, 504})
# What an exception of the HTTP library means.
_WHY = MappingProxyType(
    {
        "TimeoutError": "nothing came in 30 s",
        "ServerTimeoutError": "nothing came in time",
        "SocketTimeoutError": "nothing came in time",
        "ConnectionTimeoutError": "nobody took the connection in time",
        "ClientConnectorError": "the connection is refused",
        "ClientConnectorDNSError": "its name is not known",
        "ClientConnectorCertificateError": "its certificate is not trusted",
        "ClientConnectorSSLError": "TLS fails",
        "ClientProxyConnectionError": "the proxy is not reached",
        "ClientHttpProxyError": "the proxy refuses",
        "ClientOSError": "the connection breaks",
        "ServerDisconnectedError": "the connection is closed",
        "ClientResponseError": "the answer is no HTTP",
        "ClientPayloadError": "the answer breaks off",
    }
)


class Trouble(Enum):
    """What a failure means for the person who gave the command."""

    UNREACHABLE = auto()
    NO_RIGHT = auto()
    NOT_FOUND = auto()
    # Somebody changed the object meanwhile.
    CONFLICT = auto()
    # What was seen is too old to go on from: it has to be read anew.
    TOO_OLD = auto()
    REFUSED = auto()


class UserError(Exception):
    """A request that failed; `message` is a sentence without its end, safe to show."""

    def __init__(
        self, trouble: Trouble, message: str, request: Request | None = None, more: Sequence[Request] = ()
    ) -> None:
        super().__init__(message)
        self.trouble = trouble
        self.message = message
        self.request = request
        # What would have been requested as well.
        self.more = more


class Suppressed:
    """Ends a block quietly at a failure that means one of these; any other is raised."""

    # A class, since a type checker takes a generator's block for one that raises whatever fails.

    def __init__(self, *troubles: Trouble) -> None:
        self._troubles = troubles

    def __enter__(self) -> None:
        """Begin the block."""

    def __exit__(self, _: object, error: BaseException | None, __: object) -> bool:
        """Return whether the block ends quietly."""
        return isinstance(error, UserError) and error.trouble in self._troubles


def meaning(error: ApiError, request: Request, url: str) -> UserError:
    """Return what an answer of the API server at this address means, or that none came."""
    if error.status == 0:
        why = _WHY.get(error.reason, error.reason)
        said = f"the API server at {url} does not answer: {why}; does `kubectl version` reach it?"
        return UserError(Trouble.UNREACHABLE, said, request)
    # Of a pod, it says that this pod is not reached.
    if error.status in _OVERLOADED and not request.subresource:
        said = f"the API server at {url} answers {error.status}: it cannot serve now, so try again"
        return UserError(Trouble.UNREACHABLE, said, request)
    if error.status == 401:
        return UserError(Trouble.UNREACHABLE, f"the API server at {url} does not know you: sign in again", request)
    if error.gone:
        return UserError(Trouble.TOO_OLD, f"the API server has forgotten where to go on to {request}", request)
    if error.denied_by or error.status != 403:
        if error.not_found:
            return UserError(Trouble.NOT_FOUND, _missing(request, error), request)
        if error.conflict:
            return UserError(Trouble.CONFLICT, f"cannot {request}: somebody changed it meanwhile", request)
        return UserError(Trouble.REFUSED, f"cannot {request}: {translate(error).message}", request)
    return UserError(Trouble.NO_RIGHT, f"you have no right to {request}", request)


def _missing(request: Request, error: ApiError) -> str:
    # Of a kind that it does not have, the API server answers no Status with that reason.
    if not request.name or error.reason != "NotFound":
        cure = "kubectl phase crds | kubectl apply --server-side -f -"
        is_ours = request.resource.group == names.GROUP
        return f"the cluster has no {request.resource}{f': install the CRDs with `{cure}`' if is_ours else ''}"
    where = f" in namespace {clean(request.namespace)}" if request.namespace else ""
    return f'there is no {request.resource.kind} "{clean(request.name)}"{where}'
