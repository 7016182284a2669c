"""Which commands to run next about a resource, by the reason that it gives, with its own names filled in.

Rule: names in a resource are anybody's, and a person copies the commands. So each name is quoted for a shell, none says
where a token is sent, and no command shows a value.
"""

import shlex
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from phase_operator.api import names
from phase_operator.api.reasons import Reason
from phase_operator.cli.common.subjects import Subject
from phase_operator.core.json_access import at, mapping, text
from phase_operator.core.text import clean

_TOKEN = ("authentication", "serviceToken", "serviceTokenSecretReference")
# In place of a reason: the operator has not looked at the spec yet.
NOT_YET = ""
# The longest name of an object.
_LONGEST = 253


@dataclass(frozen=True, slots=True)
class Step:
    """A command, and what it is good for."""

    command: str
    why: str


@dataclass(frozen=True, slots=True)
class Names:
    """The names in a resource that commands need, safe for a shell."""

    kind: str
    namespace: str
    name: str
    token_namespace: str
    token: str
    # The targets that are not in step.
    targets: tuple[Subject, ...] = ()

    @property
    def ref(self) -> str:
        """How our commands name the resource."""
        name = quoted(self.name)
        return name if self.kind == names.KIND_PHASE_SECRET else f"{self.kind.lower()}/{name}"

    @property
    def here(self) -> str:
        """The namespace, as an option."""
        return f"-n {quoted(self.namespace)}"


def names_in(body: Mapping[str, Any], targets: Sequence[Subject]) -> Names:
    """Return the names in a resource and in those of its targets that are not in step."""
    metadata = mapping(body.get("metadata"))
    token = at(mapping(body.get("spec")), _TOKEN)
    namespace = text(metadata.get("namespace"))
    return Names(
        kind=text(body.get("kind")),
        namespace=namespace,
        name=text(metadata.get("name")),
        token_namespace=text(token.get("secretNamespace")) or namespace,
        token=text(token.get("secretName")) or names.DEFAULT_TOKEN_SECRET,
        targets=tuple(targets),
    )


def quoted(name: str) -> str:
    """Return a name as one word of a shell."""
    return shlex.quote(clean(name, _LONGEST))


def next_steps(reason: str, found: Names) -> list[Step]:
    """Return what to run next, in this order; for a reason that is not known, what helps always."""
    own = next((make for reasons, make in _STEPS if reason in reasons), _nothing)
    return list(dict.fromkeys([*own(found), *_always(reason, found)]))


def _always(reason: str, found: Names) -> list[Step]:
    if reason == Reason.SYNCED:
        return [Step(f"kubectl phase get {found.ref} {found.here}", "when was that last confirmed?")]
    events = Step(f"kubectl phase events {found.ref} {found.here}", "what happened, and when")
    if reason == Reason.SUSPENDED:
        return [events]
    return [events, Step(f"kubectl phase sync {found.ref} {found.here}", "have it tried again now, and wait for it")]


def _nothing(_: Names) -> list[Step]:
    return []


def _edit(found: Names) -> list[Step]:
    return [Step(f"kubectl edit {found.kind.lower()} {quoted(found.name)} {found.here}", "correct the spec")]


def _no_token(found: Names) -> list[Step]:
    return [Step(f"kubectl phase auth create {_secret(found)}", "make the Secret; the token is asked for")]


def _bad_token(found: Names) -> list[Step]:
    return [
        *_described(found),
        Step(f"kubectl phase auth create {_secret(found)} --replace", "store another token, which is asked for"),
    ]


def _access(found: Names) -> list[Step]:
    # No host is filled in: whoever wrote the resource would choose where the token goes.
    why = "what the token may read; for a Phase of your own, add --host"
    return [Step(f"kubectl phase auth check {_secret(found)}", why)]


def _access_or_spec(found: Names) -> list[Step]:
    return [*_access(found), *_edit(found)]


def _token_or_spec(found: Names) -> list[Step]:
    return [*_described(found), *_edit(found)]


def _described(found: Names) -> list[Step]:
    # `describe` shows the keys of a Secret and how long each value is.
    return [
        Step(f"kubectl describe secret {_secret(found)}", "the Secret with the token: keys and annotations, no value")
    ]


def _secret(found: Names) -> str:
    return f"{quoted(found.token)} -n {quoted(found.token_namespace)}"


def _resume(found: Names) -> list[Step]:
    return [Step(f"kubectl phase resume {found.ref} {found.here}", "have it served again")]


def _doctor(found: Names) -> list[Step]:
    return [Step(f"kubectl phase doctor {found.here}", "what is wrong with the installation, or with the way to Phase")]


def _targets(found: Names) -> list[Step]:
    return [
        Step(
            f"kubectl describe {each.kind.lower()} {quoted(each.name)} -n {quoted(each.namespace)}",
            "the object as it is, without values" if each.kind == "Secret" else "the object as it is",
        )
        for each in found.targets
    ]


def _targets_or_spec(found: Names) -> list[Step]:
    return [*_targets(found), *_edit(found)]


def _namespaces(found: Names) -> list[Step]:
    namespaces = dict.fromkeys(each.namespace for each in found.targets)
    return [
        Step(f"kubectl get namespace {quoted(each)}", "is it there, and is it being deleted?") for each in namespaces
    ]


def _owners(found: Names) -> list[Step]:
    return [
        Step(
            f"kubectl phase trace {each.kind.lower()}/{quoted(each.name)} -n {quoted(each.namespace)}",
            "whose the object is, and what it is made of",
        )
        for each in found.targets
    ]


def _conflict(found: Names) -> list[Step]:
    return [*_owners(found), *_edit(found)]


def _log(found: Names) -> list[Step]:
    return [
        *_doctor(found),
        Step(f"kubectl phase logs {found.ref} {found.here} --since 1h", "what the operator logged, with the trace"),
    ]


def _sources(found: Names) -> list[Step]:
    return [Step(f"kubectl get secrets,configmaps {found.here}", "what there is to push"), *_edit(found)]


_STEPS: Sequence[tuple[frozenset[str], Callable[[Names], list[Step]]]] = (
    (frozenset({Reason.SUSPENDED}), _resume),
    (frozenset({Reason.TOKEN_SECRET_NOT_FOUND}), _no_token),
    (frozenset({Reason.TOKEN_INVALID}), _bad_token),
    (frozenset({Reason.ACCESS_DENIED}), _access),
    (frozenset({Reason.APP_NOT_FOUND, Reason.APP_AMBIGUOUS, Reason.ENVIRONMENT_NOT_FOUND}), _access_or_spec),
    (frozenset({Reason.HOST_REFUSED, Reason.APP_ENCRYPTED, Reason.CROSS_NAMESPACE}), _token_or_spec),
    (frozenset({Reason.TARGET_CONFLICT, Reason.TARGET_IS_TOKEN}), _conflict),
    (frozenset({Reason.TARGET_REFUSED, Reason.REMOVAL_PENDING}), _targets),
    (
        frozenset(
            {
                Reason.TARGET_IMMUTABLE,
                Reason.TYPE_IMMUTABLE,
                Reason.TYPE_MISMATCH,
                Reason.TYPE_NOT_SUPPORTED,
                Reason.TOO_LARGE,
            }
        ),
        _targets_or_spec,
    ),
    (frozenset({Reason.NAMESPACE_NOT_FOUND}), _namespaces),
    (frozenset({Reason.INTERNAL_ERROR, Reason.KUBERNETES_UNAVAILABLE}), _log),
    (
        frozenset(
            {Reason.PHASE_UNAVAILABLE, Reason.UNEXPECTED_ANSWER, Reason.RATE_LIMITED, Reason.NOT_ENABLED, NOT_YET}
        ),
        _doctor,
    ),
    (frozenset({Reason.SOURCE_NOT_FOUND}), _sources),
    (
        frozenset(
            {
                Reason.INVALID_SPEC,
                Reason.REQUEST_REFUSED,
                Reason.NO_ENTRIES,
                Reason.ANSWER_TOO_LARGE,
                Reason.UNRESOLVED_REFERENCES,
                Reason.KEY_COLLISION,
                Reason.KEY_INVALID,
                Reason.VALUE_INVALID,
                Reason.TEMPLATE_INVALID,
                Reason.TEMPLATE_FAILED,
                Reason.DYNAMIC_SECRET_NOT_FOUND,
                Reason.LEASE_REFUSED,
                Reason.ENTRY_CONFLICT,
                Reason.ENTRY_SEALED,
            }
        ),
        _edit,
    ),
)
