"""The question that a PhaseSecret asks of Phase.

Rule: equal questions are equal values. Whatever changes the answer is a field here; what only changes what we do with
the answer (keys, names, targets) is not, so that many PhaseSecrets share one read.
"""

from dataclasses import dataclass
from urllib.parse import quote, urlsplit

from phase_operator.api import names
from phase_operator.api.reasons import Reason
from phase_operator.api.v1alpha1 import PhaseSecretSpec
from phase_operator.core.errors import Invalid
from phase_operator.core.source.folders import taken_folders
from phase_operator.core.values import ObjectKey

_PUBLIC = "/service/public"
# Phase's server takes a request line of 4,094 bytes; method, version and the id of the app are in it.
_LONGEST = 3_900


@dataclass(frozen=True, slots=True)
class AppRef:
    """An app by its id, or by its name when the id is not known."""

    id: str | None = None
    name: str | None = None

    def __str__(self) -> str:
        return f'id "{self.id}"' if self.id is not None else f'"{self.name}"'


@dataclass(frozen=True, slots=True)
class Account:
    """Who asks, and where: quotas, permissions and lists of apps are per account."""

    base_url: str
    # Stands for the account without holding its token: a keyed hash that the process makes.
    name: str


@dataclass(frozen=True, slots=True)
class SourceQuery:
    """One question to Phase: as whom, where, what."""

    account: Account
    app: AppRef
    environment: str
    # None asks for every folder of the environment.
    path: str | None
    tags: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Revision:
    """The state of an environment that a probe saw: which app it is of, and when it was last written to."""

    app_id: str
    moved_at: str


def source_name(app: str, environment: str, path: str | None) -> str:
    """Return app, environment and folder as messages and logs name them; the root, and all folders, are left out."""
    return f"{app}/{environment}{'' if path in ('/', None) else path}"


@dataclass(frozen=True, slots=True)
class Ask:
    """What a resource of any kind asks of Phase: where, with which token, and for what."""

    # Root of the REST API.
    base_url: str
    # The Secret that holds the token, and whether it lies in another namespace than the resource.
    token_key: ObjectKey
    foreign: bool
    app: AppRef
    environment: str
    # None asks for every folder of the environment.
    path: str | None
    tags: tuple[str, ...]


def ask_of(spec: PhaseSecretSpec, namespace: str) -> Ask:
    """Say what a PhaseSecret in this namespace asks; raise Invalid if it names no URL, or no Secret for a token."""
    reference = spec.authentication.service_token.service_token_secret_reference
    token = token_place(reference.secret_namespace or namespace, reference.secret_name)
    taken = taken_folders(spec)
    tags = spec.phase_app_env_tags or ([spec.phase_app_env_tag] if spec.phase_app_env_tag is not None else [])
    return Ask(
        base_url=asked_url(spec),
        token_key=token,
        foreign=token.namespace != namespace,
        app=AppRef(id=spec.phase_app_id) if spec.phase_app_id is not None else AppRef(name=spec.phase_app),
        environment=(spec.phase_app_env or "production").casefold(),
        path=taken.roots[0] if len(taken.roots) == 1 and not taken.recursive else None,
        tags=tuple(sorted(set(tags))),
    )


def token_place(namespace: str, name: str) -> ObjectKey:
    """Return where a token lies; raise Invalid if that is the operator's own Secret."""
    if name == names.DIGEST_KEY_SECRET:
        raise Invalid(Reason.INVALID_SPEC, f"Secret {name} is the operator's own and holds no token")
    return ObjectKey(namespace, name)


def source_query(ask: Ask, account: str) -> SourceQuery:
    """Return the question, in the one spelling that equal questions share; raise Invalid if it is too long."""
    query = SourceQuery(Account(ask.base_url, account), ask.app, ask.environment, ask.path, ask.tags)
    check_length(query)
    return query


def check_length(query: SourceQuery) -> None:
    """Raise Invalid, naming the field that takes most, if a question is longer than a server reads."""
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
    """Return the root of the REST API that a spec has its token sent to; raise Invalid if it can be none."""
    try:
        return base_url(spec.phase_host or names.DEFAULT_HOST)
    except ValueError:
        raise Invalid(Reason.INVALID_SPEC, "spec.phaseHost: this is no URL") from None


def origin(url: str) -> str:
    """Return scheme, name and port of a REST API's root: the server that answers, whatever its paths."""
    scheme, _, rest = url.partition("://")
    return f"{scheme}://{rest.partition('/')[0].rpartition('@')[2]}"


def base_url(host: str) -> str:
    """Return the root of the REST API: the cloud's API host as it is, any other with /service/public; raise Invalid.

    Source: the server mounts its API there behind its reverse proxies (docs/development/phase-api.md).
    """
    url = host.strip().rstrip("/")
    try:
        parts = urlsplit(url)
    except ValueError as e:
        # Brackets around what is no IPv6 address, and letters that stand for signs of a URL: no pattern knows them.
        raise Invalid(Reason.INVALID_SPEC, "spec.phaseHost: the host is neither a name nor an address") from e
    url = f"{parts.scheme.lower()}://{parts.netloc.lower()}{parts.path}".rstrip("/")
    if url == names.CLOUD_API or url.endswith(_PUBLIC):
        return url
    return url + _PUBLIC
