"""The query that a PhaseSecret sends to Phase.

Rule: equal queries are equal values. Everything that changes the answer is a field of the query. What changes only our
use of the answer (keys, names, targets) is no field, so many PhaseSecrets share one read.
"""

from dataclasses import dataclass, field
from functools import lru_cache
from urllib.parse import quote, urlsplit

from phase_operator.api import names
from phase_operator.api.reasons import Reason
from phase_operator.api.v1alpha1 import PhaseSecretSpec
from phase_operator.core.errors import Invalid
from phase_operator.core.source.folders import taken_folders
from phase_operator.core.values import ObjectKey

_PUBLIC = "/service/public"
# Phase's server accepts a request line of 4,094 bytes, which includes the method, HTTP version and app id.
_LONGEST = 3_900
# Quoted, a character takes up to four bytes of three characters each.
_LONGEST_LETTER = 12


@dataclass(frozen=True, slots=True)
class AppRef:
    """An app by its id, or by its name when the id is not known."""

    id: str | None = None
    name: str | None = None

    def __str__(self) -> str:
        return f'id "{self.id}"' if self.id is not None else f'"{self.name}"'


@dataclass(frozen=True, slots=True)
class Account:
    """A host and a token of Phase. Quotas, permissions and lists of apps are per account."""

    base_url: str
    # Identifies the token without containing it: a keyed hash that this process makes.
    name: str


@dataclass(frozen=True, slots=True)
class SourceQuery:
    """One query to Phase: the account, the environment, and which entries of it."""

    account: Account
    app: AppRef
    environment: str
    # None asks for every folder of the environment.
    path: str | None
    tags: tuple[str, ...] = ()
    # The environment as the spec spells it, if that is in another case. It matters if names differ in case alone.
    spelled: str = field(default="", repr=False)

    @property
    def exact(self) -> str:
        """The environment as the spec spells it."""
        return self.spelled or self.environment

    def is_like(self, other: "SourceQuery") -> bool:
        """Return whether both select the same entries of one environment, however they spell it."""
        return (self.path, self.tags) == (other.path, other.tags)


@dataclass(frozen=True, slots=True)
class Revision:
    """The state of an environment as a probe saw it: its app, and its last write."""

    app_id: str
    moved_at: str


def source_name(app: str, environment: str, path: str | None) -> str:
    """Return app, environment and folder for messages and logs; the folder is omitted if it is the root or not set."""
    return f"{app}/{environment}{'' if path in ('/', None) else path}"


@dataclass(frozen=True, slots=True)
class Ask:
    """What a resource of any kind reads from Phase: from which server, with which token, and which entries."""

    # Root of the REST API.
    base_url: str
    # The Secret that holds the token, and whether it is in another namespace than the resource.
    token_key: ObjectKey
    foreign: bool
    app: AppRef
    # In lower case, as Phase compares it, and as it is spelled.
    environment: str
    spelled: str
    # None asks for every folder of the environment.
    path: str | None
    tags: tuple[str, ...]


def ask_of(spec: PhaseSecretSpec, namespace: str) -> Ask:
    """Return what a PhaseSecret in this namespace reads; raise Invalid if its URL or its token Secret is not valid."""
    reference = spec.authentication.service_token.service_token_secret_reference
    token = token_place(reference.secret_namespace or namespace, reference.secret_name)
    taken = taken_folders(spec)
    spelled = spec.phase_app_env or "production"
    return Ask(
        base_url=asked_url(spec),
        token_key=token,
        foreign=token.namespace != namespace,
        app=_app_of(spec),
        environment=spelled.casefold(),
        spelled=spelled,
        path=taken.only,
        tags=tuple(asked_tags(spec)),
    )


def _app_of(spec: PhaseSecretSpec) -> AppRef:
    return AppRef(name=spec.phase_app) if spec.phase_app_id is None else AppRef(id=spec.phase_app_id)


def asked_tags(spec: PhaseSecretSpec) -> list[str]:
    """Return the tags that a spec names, sorted, each once."""
    one = [] if spec.phase_app_env_tag is None else [spec.phase_app_env_tag]
    return sorted(set(spec.phase_app_env_tags or one))


def token_place(namespace: str, name: str) -> ObjectKey:
    """Return the key of a token's Secret; raise Invalid if that is the operator's own Secret."""
    if name == names.DIGEST_KEY_SECRET:
        raise Invalid(Reason.INVALID_SPEC, f"Secret {name} is the operator's own and holds no token")
    return ObjectKey(namespace, name)


def source_query(ask: Ask, account: str) -> SourceQuery:
    """Return the query in its normal form, so that equal queries compare equal; raise Invalid if it is too long."""
    spelled = ask.spelled if ask.spelled != ask.environment else ""
    query = SourceQuery(Account(ask.base_url, account), ask.app, ask.environment, ask.path, ask.tags, spelled)
    check_length(query)
    return query


def check_length(query: SourceQuery) -> None:
    """Raise Invalid if a query is longer than the server accepts; the message names the longest field."""
    letters = len(query.account.base_url) + len(query.environment) + len(query.path or "") + sum(map(len, query.tags))
    if _LONGEST_LETTER * (letters + len(query.tags)) <= _LONGEST:
        return
    parts = {
        "phaseHost": urlsplit(query.account.base_url).path,
        "phaseAppEnv": query.environment,
        "phaseAppEnvPath": query.path or "",
        "phaseAppEnvTags": ",".join(query.tags),
    }
    lengths = {field: len(quote(text, safe="")) for field, text in parts.items()}
    total = sum(lengths.values())
    if total > _LONGEST:
        field = max(lengths, key=lambda each: lengths[each])
        message = f"the question to Phase is a URL of {total} bytes, and Phase reads {_LONGEST} at most; shorten this"
        raise Invalid(Reason.INVALID_SPEC, f"spec.{field}: {message}")


def asked_url(spec: PhaseSecretSpec) -> str:
    """Return the root URL of the REST API that a spec sends its token to; raise Invalid if it is no valid URL."""
    try:
        return base_url(spec.phase_host or names.DEFAULT_HOST)
    except ValueError:
        raise Invalid(Reason.INVALID_SPEC, "spec.phaseHost: this is no URL") from None


def origin(url: str) -> str:
    """Return scheme, name and port of a URL: the server, without the path."""
    scheme, _, rest = url.partition("://")
    return f"{scheme}://{rest.partition('/')[0].rpartition('@')[2]}"


def encrypted_base(base_url: str) -> str:
    """Return the base URL of the two routes of encrypted apps for the base URL of the REST API.

    The cloud's API host does not serve them: there, the console's host does.
    """
    url = f"{names.DEFAULT_HOST}{_PUBLIC}" if base_url == names.CLOUD_API else base_url
    return url.removesuffix("/public")


@lru_cache(maxsize=1024)
def base_url(host: str) -> str:
    """Return the root of the REST API: the cloud's API host as it is, any other with /service/public; raise Invalid.

    Source: the server mounts its API there behind its reverse proxies (docs/development/phase-api.md).
    """
    url = host.strip().rstrip("/")
    try:
        parts = urlsplit(url)
    except ValueError as e:
        # The pattern cannot detect brackets around an invalid IPv6 address, or letters that normalise to URL syntax.
        raise Invalid(Reason.INVALID_SPEC, "spec.phaseHost: the host is neither a name nor an address") from e
    url = f"{parts.scheme.lower()}://{parts.netloc.lower()}{parts.path}".rstrip("/")
    if url == names.CLOUD_API or url.endswith(_PUBLIC):
        return url
    return url + _PUBLIC
