"""Which resources may use another namespace than their own: the operator's settings grant it.

Rule: the decision depends only on the settings and on the names and labels of namespaces, so a refusal comes before
anything is read. A grant allows only what it names explicitly.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

ANY = "*"
# A writer in these namespaces could change the cluster itself, so a grant has to name them.
_SYSTEM = frozenset({"kube-system", "kube-public", "kube-node-lease"})

_NAMESPACE = re.compile(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?", re.ASCII)
_LABEL_PART = r"[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?"
_LABEL_KEY = re.compile(rf"([a-z0-9]([-a-z0-9.]{{0,251}}[a-z0-9])?/)?{_LABEL_PART}", re.ASCII)
_LABEL_VALUE = re.compile(rf"({_LABEL_PART})?", re.ASCII)
_EXAMPLE = "write from=team-a,to=shared,what=token"


class Use(StrEnum):
    """How a resource uses another namespace. Each use is a right of its own: none of them implies another."""

    # Read Phase, and lease, with a token there.
    TOKEN = "token"
    # Write targets there.
    TARGET = "target"
    # In addition to target: take over or merge into objects of others, by `adopt: true` or `Merge`.
    ADOPT = "adopt"
    # Push with a token there.
    PUSH = "push"
    # In addition to push: take over entries that nobody's mark is on, by `updatePolicy: Replace`.
    REPLACE = "replace"

    @property
    def granted(self) -> str:
        """What a grant of this use says after `what=`."""
        needed = _IN_ADDITION_TO.get(self)
        return str(self) if needed is None else f"{needed}+{self}"


_IN_ADDITION_TO = {Use.ADOPT: Use.TARGET, Use.REPLACE: Use.PUSH}


@dataclass(frozen=True, slots=True)
class Labelled:
    """The namespaces that carry all of these labels."""

    labels: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Grant:
    """The resources of some namespaces may use another one: `from` and `to` are a name or `*`."""

    source: str | Labelled
    to: str
    what: frozenset[Use]

    def covers(self, namespace: str, labels: Mapping[str, str]) -> bool:
        """Return whether the grant is for resources of this namespace."""
        match self.source:
            case Labelled(labels=wanted):
                return all(labels.get(key) == value for key, value in wanted)
            case name:
                return name in {ANY, namespace}

    def reaches(self, namespace: str, home: str) -> bool:
        """Return whether this namespace may be used; `*` excludes the system's namespaces and the operator's own."""
        if self.to == ANY:
            return namespace not in _SYSTEM and namespace != home
        return self.to == namespace


def allowed(
    grants: Iterable[Grant],
    what: Use,
    from_namespace: str,
    from_labels: Mapping[str, str],
    to_namespace: str,
    *,
    home: str = "",
) -> bool:
    """Return whether resources of one namespace may use another one in this way."""
    return from_namespace == to_namespace or any(
        what in grant.what and grant.covers(from_namespace, from_labels) and grant.reaches(to_namespace, home)
        for grant in grants
    )


def parse_grant(text: str) -> Grant:
    """Parse `from=team-a,to=shared,what=token`; raise ValueError with a sentence for the author of the setting.

    `from` may be replaced by `fromLabel=KEY=VALUE`, more than once. `what` may name several uses: `token+target`.
    `adopt` without `target` and `replace` without `push` mean nothing and are refused.
    """
    said: dict[str, list[str]] = {"from": [], "fromLabel": [], "to": [], "what": []}
    for part in filter(None, (part.strip() for part in text.split(","))):
        name, _, value = part.partition("=")
        if name not in said:
            raise ValueError(f'"{part}" in the grant "{text}" is not known; {_EXAMPLE}')
        said[name].append(value)
    return _grant(text, said)


def _grant(text: str, said: Mapping[str, list[str]]) -> Grant:
    return Grant(_source(text, said["from"], said["fromLabel"]), _target(text, said["to"]), _uses(text, said["what"]))


def _source(text: str, namespaces: Sequence[str], labels: Sequence[str]) -> str | Labelled:
    if len(namespaces) + bool(labels) != 1:
        raise ValueError(f'the grant "{text}" needs one "from" or else "fromLabel"; {_EXAMPLE}')
    return _namespace(text, namespaces[0]) if namespaces else Labelled(_labels(text, labels))


def _target(text: str, namespaces: Sequence[str]) -> str:
    if len(namespaces) != 1:
        raise ValueError(f'the grant "{text}" needs one "to"; {_EXAMPLE}')
    return _namespace(text, namespaces[0])


def _namespace(text: str, name: str) -> str:
    if name != ANY and not _NAMESPACE.fullmatch(name):
        raise ValueError(f'"{name}" in the grant "{text}" is no namespace; {_EXAMPLE}')
    return name


def _uses(text: str, values: Iterable[str]) -> frozenset[Use]:
    words = "+".join(values).split("+")
    if not set(words) <= set(Use):
        raise ValueError(f'the grant "{text}" needs "what": token, target, target+adopt, push, push+replace or several')
    uses = frozenset(map(Use, words))
    for more, needed in _IN_ADDITION_TO.items():
        if more in uses and needed not in uses:
            raise ValueError(
                f'the grant "{text}" says {more}, which goes with {needed} only; write what={more.granted}'
            )
    return uses


def _labels(text: str, labels: Sequence[str]) -> tuple[tuple[str, str], ...]:
    wanted = dict(_label(text, label) for label in labels)
    if len(wanted) != len(labels):
        raise ValueError(f'the grant "{text}" names a label twice')
    return tuple(sorted(wanted.items()))


def _label(text: str, label: str) -> tuple[str, str]:
    key, given, value = label.partition("=")
    if not given or not _LABEL_KEY.fullmatch(key) or not _LABEL_VALUE.fullmatch(value):
        raise ValueError(f'"{label}" in the grant "{text}" is no label; write fromLabel=team=a')
    return key, value
