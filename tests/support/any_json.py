"""JSON as nobody should write it: any type anywhere, deep, huge, with the names that we look for.

A parser that is fed with it must not raise; what it makes of it is another test's matter.
"""

from collections.abc import Callable, Mapping
from typing import Any

from hypothesis import strategies as st

from phase_operator.api import names
from phase_operator.core.targets.merge import merge_annotation

Values = st.SearchStrategy[Any]
MANAGER = f"{names.MERGE_MANAGER_PREFIX}x"
DEEP = 3_000
# Names that readers look for, so that what is made gets past their first look.
_NAMES = (
    ("annotations", "labels", "managedFields", "ownerReferences", "finalizers", "metadata", "spec", "template"),
    ("manager", "operation", "subresource", "fieldsV1", "time", "f:data", "f:metadata", "f:annotations", "f:labels"),
    ("f:ownerReferences", "name", "namespace", "uid", "resourceVersion", "generation", "deletionTimestamp", "items"),
    ("of", "keys", "digest", "seal", "type", "onRemoval", "content", "kind", "status", "conditions", "reason"),
    ("message", "lastTransitionTime", "observedGeneration", "targets", "ready", "version", "leftOut", "restarted"),
    ("notRestarted", "source", "entries", "lastForcedSync", "lastSyncedTime", "continue", "remainingItemCount", "code"),
)
_OURS = (
    names.ANNOTATION_OWNER,
    names.ANNOTATION_KEYS,
    names.ANNOTATION_DIGEST,
    names.ANNOTATION_SEAL,
    names.ANNOTATION_ON_REMOVAL,
    names.ANNOTATION_SYNC,
    names.LABEL_TARGET,
    merge_annotation(MANAGER),
)
_KEYS = st.one_of(
    st.sampled_from((*(name for line in _NAMES for name in line), *_OURS, 'k:{"uid":"u"}', "k:" + "[" * DEEP)),
    st.text(),
)
# Lone surrogates are text to Python, and to no encoder.
_TEXTS = st.one_of(
    st.text(alphabet=st.characters(exclude_categories=()), max_size=30),
    st.sampled_from(
        (
            "Apply",
            names.FIELD_MANAGER,
            MANAGER,
            "Ready",
            "Secret",
            "ConfigMap",
            "True",
            "[" * DEEP,
            '{"keys":' * DEEP,
            '{"keys":[[],{},1],"of":[1],"digest":{},"seal":[],"type":9}',
            "9" * 5000,
            "0001-01-01T00:00:00",
            "9999-12-31T23:59:59-23:59",
            "\u00b2",
            "x" * 5_000,
        )
    ),
)
_LEAVES = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.sampled_from((10**400, -(10**400), 2**63)),
    st.floats(),
    _TEXTS,
)


def deep(times: int = DEEP) -> list[Any]:
    """Return a list in a list, so many times."""
    found: list[Any] = []
    for _ in range(times):
        found = [found]
    return found


def nested(leaves: Values, inside: Callable[[Values], Values], levels: int) -> Values:
    """Give leaves, and what is made `inside` of leaves and of all lower levels, as `st.recursive` does.

    That counts leaves as well, and throws away what has too many, which takes as long as all else: this is for what is
    made of few.
    """
    found = [leaves]
    for _ in range(levels):
        found.append(inside(st.one_of(found)))
    return st.one_of(found)


def _inside(inner: Values) -> Values:
    return st.one_of(st.lists(inner, max_size=4), st.dictionaries(_KEYS, inner, max_size=6))


# Deeper than any parser would have let through: code that recurses into it fails. Made once, since it takes as long as
# all else; two, so that code which compares two of them goes as deep.
_DEEP = st.sampled_from((deep(), deep())).map(lambda inner: [inner])
anything = nested(st.one_of(_LEAVES, _DEEP), _inside, 5)
# As deep as JSON that was parsed may well be, and no deeper.
shallow = nested(_LEAVES, _inside, 4)
any_object: st.SearchStrategy[dict[str, Any]] = st.dictionaries(_KEYS, anything, max_size=8)
_fields = st.dictionaries(
    st.sampled_from(("f:data", "f:binaryData", "f:metadata", "f:type")),
    st.one_of(any_object, anything),
    max_size=4,
)
_managed = st.one_of(
    anything,
    st.fixed_dictionaries(
        {"manager": st.sampled_from((names.FIELD_MANAGER, MANAGER, "kubectl")), "operation": st.just("Apply")},
        optional={"fieldsV1": st.one_of(_fields, anything), "subresource": anything, "time": anything},
    ),
)


@st.composite
def any_metadata(draw: st.DrawFn) -> Mapping[str, Any]:
    """Metadata that looks enough like an object's of ours to be looked into, and is wrong in it."""
    found: dict[str, Any] = dict(draw(any_object))
    found["managedFields"] = draw(st.one_of(st.lists(_managed, max_size=4), anything))
    found["annotations"] = draw(st.one_of(st.dictionaries(st.sampled_from(_OURS), anything), anything))
    found["labels"] = draw(st.one_of(st.dictionaries(st.sampled_from(_OURS), anything), anything))
    found["finalizers"] = draw(st.one_of(st.lists(st.sampled_from(names.FINALIZERS)), anything))
    return found
