"""The spec of a PhasePushSecret -> what the rest of this room works with.

Rule: a spec may be older than the rules of its CRD, so nothing is taken for checked. What cannot be done is Invalid,
and names the field; what is only found in the cluster or in Phase is left to those who look there.
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from phase_operator.api.reasons import Reason
from phase_operator.api.v1alpha1.phasepushsecret import PhasePushSecretSpec, UpdatePolicy
from phase_operator.api.v1alpha1.phasesecret import (
    DeletionPolicy,
    EntryType,
    KeySelection,
    OnTypeChange,
    PlaceFields,
    ProcessorType,
)
from phase_operator.api.v1alpha1.push_sources import GeneratedKind, GeneratedValue, PushSource
from phase_operator.core.errors import Invalid
from phase_operator.core.json_access import only
from phase_operator.core.label_selector import Operator, Selector, parse_selector
from phase_operator.core.push.facts import Policies
from phase_operator.core.push.generated import USUAL, keys_of
from phase_operator.core.push.places import EntryPlace, entry_key, place_problem
from phase_operator.core.push.sources import Rule
from phase_operator.core.refs import Kind
from phase_operator.core.source.folders import is_below, normal_path
from phase_operator.core.values import ObjectKey

_USUAL_INTERVAL = 60
# What says from where to where, in the spelling of a PhaseSecret.
_PLACE_FIELDS = (*(each.alias or name for name, each in PlaceFields.model_fields.items()), "authentication")
# Of these, one has to be in a selector: a label that is there. What only excludes selects what has no label at all.
_NAMING = frozenset({Operator.IN, Operator.EXISTS, Operator.GREATER, Operator.LESS})


@dataclass(frozen=True, slots=True)
class Generated:
    """A value that is made once."""

    # The key in the Secret that keeps it.
    key: str
    kind: GeneratedKind
    length: int = USUAL
    has_symbols: bool = False
    rotate: str = ""

    @property
    def keys(self) -> tuple[str, ...]:
        """The keys that hold it: two for a key pair."""
        return keys_of(self.key, self.kind)

    def is_rotated(self, remembered: str) -> bool:
        """Return whether a new value is due; `remembered` is the word for which the present one was made."""
        return bool(self.rotate) and self.rotate != remembered


@dataclass(frozen=True, slots=True)
class SpecSource:
    """One source of a spec: an object by its name, or Secrets by their labels."""

    kind: Kind
    rule: Rule
    name: str = ""
    selector: Selector | None = None

    def rule_of(self, kind: Kind, name: str, labels: Mapping[str, str]) -> Rule | None:
        """Return what becomes of the keys of an object; None if this source does not take it."""
        if kind is not self.kind:
            return None
        if self.selector is None:
            return self.rule if name == self.name else None
        if not self.selector.matches(labels):
            return None
        return replace(self.rule, path=normal_path(f"{self.rule.path}/{name}"))


@dataclass(frozen=True, slots=True)
class PushSpec:
    """What a PhasePushSecret says."""

    # The folder that all entries are in, or below.
    root: str
    sources: tuple[SpecSource, ...] = ()
    generated: tuple[Generated, ...] = ()
    # The Secret that keeps what is made; "" if nothing is.
    generate_into: str = ""
    tags: frozenset[str] = frozenset()
    policies: Policies = field(default_factory=Policies)
    # Seconds between checks for a change in Phase.
    interval: int = _USUAL_INTERVAL
    is_suspended: bool = False

    @property
    def named(self) -> tuple[tuple[Kind, str], ...]:
        """The objects that the spec names, which have to exist: kind and name."""
        return tuple((each.kind, each.name) for each in self.sources if each.selector is None)

    @property
    def selectors(self) -> tuple[Selector, ...]:
        """The selectors of Secrets."""
        return tuple(each.selector for each in self.sources if each.selector is not None)

    def rule_of(self, kind: Kind, name: str, labels: Mapping[str, str]) -> Rule | None:
        """Return what becomes of the keys of an object in the resource's namespace; None if it is not pushed.

        Of several sources that take it, the first one says. Of the Secret that keeps what is made, only that is pushed.
        """
        if self.generate_into and (kind, name) == (Kind.SECRET, self.generate_into):
            made = [key for each in self.generated for key in each.keys]
            return Rule(self.root, KeySelection(include=made))
        rules = (each.rule_of(kind, name, labels) for each in self.sources)
        return next((rule for rule in rules if rule is not None), None)


def push_spec(spec: PhasePushSecretSpec) -> PushSpec:
    """Return what a spec says; raise Invalid with the field that cannot be followed."""
    root = normal_path(spec.phase_app_env_path)
    _check_folder(root, "phaseAppEnvPath")
    _check_something(spec)
    sources = tuple(_source(source, root, f"sources[{number}]") for number, source in enumerate(spec.sources))
    _check_names(sources, spec.generate_into or "")
    policies = _policies(spec)
    return PushSpec(
        root,
        sources,
        tuple(_generated(spec, policies)),
        spec.generate_into or "",
        frozenset(spec.tags),
        policies,
        spec.polling_interval or _USUAL_INTERVAL,
        bool(spec.suspend),
    )


def check_token(spec: PushSpec, namespace: str, token: ObjectKey) -> None:
    """Raise Invalid if a spec in this namespace names the Secret of its own token, to push it or to write to it."""
    if token.namespace != namespace:
        return
    if (Kind.SECRET, token.name) in spec.named:
        raise _invalid("sources", f"Secret {token.name} holds the Phase token, which is never pushed")
    if token.name == spec.generate_into:
        raise _invalid("generateInto", f"Secret {token.name} holds the Phase token: name another one")


def lowered(spec: Mapping[str, Any]) -> dict[str, Any]:
    """Return the part of a spec that says which environment of which host, with which token, as a PhaseSecret's."""
    return only(spec, *_PLACE_FIELDS)


def _invalid(where: str, why: str) -> Invalid:
    return Invalid(Reason.INVALID_SPEC, f"spec.{where}: {why}")


def _check_something(spec: PhasePushSecretSpec) -> None:
    if spec.phase_app is None and spec.phase_app_id is None:
        raise _invalid("phaseApp", "set phaseApp (the app's name) or phaseAppId")
    if not spec.sources and not spec.generate:
        raise _invalid("sources", "name at least one source, or a value to generate")
    if bool(spec.generate) != bool(spec.generate_into):
        raise _invalid("generateInto", "generate and generateInto go together: name the Secret that keeps the values")


def _check_folder(path: str, where: str) -> None:
    if why := place_problem(EntryPlace(path, "KEY")):
        raise _invalid(where, why)


def _policies(spec: PhasePushSecretSpec) -> Policies:
    found = Policies(
        spec.update_policy or UpdatePolicy.OWNED,
        spec.deletion_policy or DeletionPolicy.RETAIN,
        replaces_sealed=spec.on_type_change is OnTypeChange.REPLACE,
    )
    if found.update is UpdatePolicy.IF_NOT_EXISTS and found.replaces_sealed:
        raise _invalid("onTypeChange", "with updatePolicy IfNotExists nothing in Phase changes: it has to be Refuse")
    return found


def _source(source: PushSource, root: str, where: str) -> SpecSource:
    given = [source.secret_name, source.secret_selector, source.config_map_name]
    if sum(each is not None for each in given) != 1:
        raise _invalid(where, "a source has exactly one of secretName, secretSelector and configMapName")
    kind = Kind.SECRET if source.config_map_name is None else Kind.CONFIG_MAP
    rule = _rule(source, root, kind, where)
    if source.secret_selector is None:
        return SpecSource(kind, rule, source.secret_name or source.config_map_name or "")
    return SpecSource(kind, rule, selector=_selector(source.secret_selector, f"{where}.secretSelector"))


def _rule(source: PushSource, root: str, kind: Kind, where: str) -> Rule:
    return Rule(
        _folder(source, root, f"{where}.path"),
        source.keys,
        source.prefix or "",
        {key: each.as_name for key, each in source.processors.items() if each.as_name is not None},
        frozenset(key for key, each in source.processors.items() if each.type is ProcessorType.BASE64),
        _type(source, kind, f"{where}.type"),
    )


def _folder(source: PushSource, root: str, where: str) -> str:
    path = root if source.path is None else normal_path(source.path)
    if path != root and not is_below(path, root):
        raise _invalid(where, f'not inside phaseAppEnvPath, which is "{root}"')
    _check_folder(path, where)
    return path


def _type(source: PushSource, kind: Kind, where: str) -> EntryType:
    if kind is not Kind.SECRET:
        return source.type or EntryType.CONFIG
    if source.type is EntryType.CONFIG:
        raise _invalid(where, "a Secret is not pushed as config, which everybody sees in Phase")
    return source.type or EntryType.SECRET


def _selector(text: str, where: str) -> Selector:
    try:
        found = parse_selector(text)
    except Invalid as e:
        raise _invalid(where, e.message) from None
    if not found.requirements:
        raise _invalid(where, "an empty selector would push every Secret of the namespace")
    if not any(each.operator in _NAMING for each in found.requirements):
        raise _invalid(where, "it only excludes, so it takes every Secret without labels; name a label that is there")
    return found


def _check_names(sources: Sequence[SpecSource], generate_into: str) -> None:
    """Refuse an object that two sources name: which of them says what becomes of it?"""
    found = Counter((each.kind, each.name) for each in sources if each.selector is None)
    for number, each in enumerate(sources):
        if each.selector is not None:
            continue
        if found[each.kind, each.name] > 1:
            raise _invalid(f"sources[{number}]", f"{each.kind} {each.name} is a source twice; name it once")
        if each.kind is Kind.SECRET and each.name == generate_into:
            raise _invalid(f"sources[{number}]", "the Secret of generateInto is pushed anyway: leave it out")


def _generated(spec: PhasePushSecretSpec, policies: Policies) -> Iterator[Generated]:
    taken: dict[str, str] = {}
    for number, each in enumerate(spec.generate):
        where = f"generate[{number}]"
        made = _one_generated(each, where)
        if made.rotate and policies.update is UpdatePolicy.IF_NOT_EXISTS:
            raise _invalid(f"{where}.rotate", "with updatePolicy IfNotExists nothing in Phase changes: leave it out")
        for key in made.keys:
            if (other := taken.get(entry_key(key))) is not None:
                raise _invalid(f"{where}.key", f'"{key}" and what is made for "{other}" are one key in Phase')
            taken[entry_key(key)] = made.key
        yield made


def _one_generated(given: GeneratedValue, where: str) -> Generated:
    if given.kind is not GeneratedKind.PASSWORD and (given.length is not None or given.symbols is not None):
        raise _invalid(where, "only a Password has length and symbols")
    return Generated(given.key, given.kind, given.length or USUAL, bool(given.symbols), given.rotate or "")
