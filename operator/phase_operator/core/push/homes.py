"""The Secret that keeps generated values, and what is missing in it.

Rule: a value is in that Secret before Phase has it, and the Secret outlives the resource. So neither a restart, another
leader, a resource that is made anew nor another key in the spec makes a second value.
"""

import base64
import json
from collections.abc import Container, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from phase_operator.api import names
from phase_operator.api.reasons import Reason
from phase_operator.core.push.facts import Facts
from phase_operator.core.push.generated import Origin, origin
from phase_operator.core.push.ledger import Ledger, is_adding
from phase_operator.core.push.looks import Look
from phase_operator.core.push.machine import FRESH
from phase_operator.core.push.marks import Mark
from phase_operator.core.push.places import EntryPlace, entry_key
from phase_operator.core.push.problems import Problem
from phase_operator.core.push.spec import Generated, PushSpec
from phase_operator.core.text import listing
from phase_operator.core.values import ObjectKey, SecretValue

# The label of such a Secret.
GENERATED = {names.LABEL_TARGET: names.LABEL_GENERATED_VALUE}


@dataclass(frozen=True, slots=True)
class Home:
    """The Secret as it was read."""

    # The resource that it belongs to, as its mark says; "" if it is no Secret of generated values.
    owner: str
    uid: str
    version: str
    values: Mapping[str, bytes] = field(default_factory=dict, repr=False)
    # What the spec said about rotation when each value was made, also if it said nothing.
    rotations: Mapping[str, str] = field(default_factory=dict)
    # Kubernetes takes no change of its data, ever.
    is_immutable: bool = False


# What stands for the Secret before it is made.
_NO_HOME = Home("", "", "")


@dataclass(frozen=True, slots=True)
class HomePlan:
    """What becomes of the generated values of a resource."""

    # Those to be made now.
    made: tuple[Generated, ...] = ()
    # Those whose values came from a person, with no word of what they were made for: the spec's is the first.
    adopted: tuple[Generated, ...] = ()
    # Those of which only Phase has the value.
    lost: tuple[Generated, ...] = ()
    # Those that would be made now if the Secret took a value.
    barred: tuple[Generated, ...] = ()
    # Entries that stay as they are: Phase has the only value, or nobody knows yet whether it has one.
    held: frozenset[EntryPlace] = frozenset()
    # Whether only a new look at Phase can tell.
    needs_look: bool = False


def home_plan(spec: PushSpec, home: Home | None, ledger: Ledger, facts: Facts, now: float) -> HomePlan:
    """Return what to make and what to leave alone. `facts` tell the mark, the environment, and the last look."""
    home = home or _NO_HOME
    look = facts.look_there
    is_old = look is None or now - look.at > FRESH
    by_origin: dict[Origin, list[Generated]] = {each: [] for each in Origin}
    for each in spec.generated:
        is_in_phase = _has(look, ledger, facts.mark, places_of(each, spec.root))
        by_origin[_origin(each, home, is_in_phase, is_old=is_old)].append(each)
    made, lost, unknown = by_origin[Origin.MADE], by_origin[Origin.PHASE], by_origin[Origin.UNKNOWN]
    made, barred = ([], made) if home.is_immutable else (made, [])
    return HomePlan(
        tuple(made),
        tuple(_adopted(spec, home.values, home.rotations)),
        tuple(lost),
        tuple(barred),
        frozenset(place for each in (*barred, *lost, *unknown) for place in places_of(each, spec.root)),
        needs_look=is_old and bool(unknown),
    )


def _origin(generated: Generated, home: Home, is_in_phase: bool | None, *, is_old: bool) -> Origin:
    """Return where a value comes from; `is_old` says that Phase was looked at a while ago, or never."""
    remembered = home.rotations.get(generated.key)
    return origin(
        is_in_cluster=generated.key in home.values,
        # A value that is in use must not be made anew because of what was true a while ago.
        is_in_phase=None if is_in_phase is False and is_old else is_in_phase,
        is_rotated=remembered is not None and generated.is_rotated(remembered),
    )


def home_problems(plan: HomePlan, home: str) -> Iterator[Problem]:
    """Yield what a person has to know about the Secret of this name. Values never travel back to it from Phase."""
    if plan.lost:
        advice = "bring them back, or delete them in Phase to have others made"
        text = f"Secret/{home} lacks values that Phase has: {_keys(plan.lost)}; {advice}"
        yield Problem(Reason.SOURCE_NOT_FOUND, text)
    if plan.barred:
        advice = "make it anew without that, with its data, labels and annotations"
        text = f"Secret/{home} is immutable, so it takes no new value of {_keys(plan.barred)}; {advice}"
        yield Problem(Reason.INVALID_SPEC, text)


def _keys(several: Iterable[Generated]) -> str:
    return listing(sorted(each.key for each in several))


def places_of(generated: Generated, root: str) -> frozenset[EntryPlace]:
    """Return where a generated value is in Phase; a key pair has two entries."""
    return frozenset(EntryPlace(root, entry_key(each)) for each in generated.keys)


def kept_values(spec: PushSpec, home: Home | None) -> dict[str, bytes]:
    """Return the values in a Secret that the spec asks for, with the public halves of its key pairs."""
    wanted = {key for each in spec.generated for key in each.keys}
    return {key: each for key, each in (home or _NO_HOME).values.items() if key in wanted}


def manifest(
    key: ObjectKey,
    owner: ObjectKey,
    before: Home | None,
    values: Mapping[str, SecretValue],
    rotations: Mapping[str, str],
) -> dict[str, Any]:
    """Return a Secret with these values, or what changes of the one that is there, which has to be as in `before`."""
    said = {**(before or _NO_HOME).rotations, **rotations}
    annotations = {
        names.ANNOTATION_GENERATED_FOR: str(owner),
        names.ANNOTATION_ROTATIONS: json.dumps(said),
    }
    read = {} if before is None else {"uid": before.uid, "resourceVersion": before.version}
    labels = {names.LABEL_MANAGED_BY: names.OPERATOR_NAME} | GENERATED
    place = {"name": key.name, "namespace": key.namespace}
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": place | read | {"labels": labels, "annotations": annotations},
        "data": {name: base64.b64encode(each.reveal().encode()).decode() for name, each in values.items()},
    }


def _adopted(spec: PushSpec, values: Container[str], rotations: Container[str]) -> Iterator[Generated]:
    return (each for each in spec.generated if each.key in values and each.key not in rotations)


def _has(look: Look | None, ledger: Ledger, mark: Mark, places: frozenset[EntryPlace]) -> bool | None:
    """Return whether Phase has any of these entries of ours; None if nobody has looked, or a lost call may make one."""
    if look is None:
        return None
    listed = (each for place in places for each in look.entries.get(place, ()))
    if any(each.is_kept_by(mark) for each in listed):
        return True
    return None if any(is_adding(ledger.rows.get(place)) for place in places) else False
