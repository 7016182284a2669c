"""Give entries their target keys.

Rule: two entries never share a key, and a key that Kubernetes refuses is an error that names it. No entry is silently
preferred, dropped or renamed.
"""

import re
from collections.abc import Callable, Iterable, Mapping
from typing import TypeVar

from phase_operator.api.reasons import Reason
from phase_operator.api.v1alpha1.phasesecret import NameTransformer, Processor
from phase_operator.core.errors import Waiting
from phase_operator.core.text import listing
from phase_operator.core.values import Entry

# Kubernetes: keys of Secrets and ConfigMaps (IsConfigMapKey in apimachinery).
_LEGAL = re.compile(r"(?!\.\.|\.\Z)[-._a-zA-Z0-9]{1,253}")
AnyEntry = TypeVar("AnyEntry", bound=Entry)


def assign_keys(
    entries: Iterable[AnyEntry],
    style: NameTransformer | None,
    processors: Mapping[str, Processor],
    prefix: str = "",
) -> dict[str, AnyEntry]:
    """Return the entries by target key; raise if two would share a key, or if one is not legal.

    A processor for a key that no entry has is no error, as with the official operator: entries come and go.
    """
    assigned: dict[str, AnyEntry] = {}
    for entry in entries:
        key = target_key(entry.key, style, processors.get(entry.key), prefix)
        if key in assigned:
            raise _collision(key, entry.source, assigned[key].source)
        assigned[key] = entry
    _check_legal(assigned)
    return assigned


def _collision(key: str, *sources: str) -> Waiting:
    first, second = sorted(sources)
    both = f'"{first}" exists twice in Phase' if first == second else f'"{first}" and "{second}"'
    message = f'key "{key}" has two sources: {both}; narrow the selection or rename one'
    return Waiting(Reason.KEY_COLLISION, message)


def _check_legal(assigned: Mapping[str, Entry]) -> None:
    illegal = sorted(key for key in assigned if not legal(key))
    if illegal:
        # The message names the sources too: a prefix or style may make the Phase key hard to recognise.
        sources = listing(assigned[key].source for key in illegal)
        raise Waiting(
            Reason.KEY_INVALID,
            "Kubernetes allows letters, digits, '-', '_' and '.' in keys, at most 253, but no '.' alone and no '..' in "
            "front; "
            f"refused: {listing(illegal)}, made of {sources}",
        )


def target_key(key: str, style: NameTransformer | None, processor: Processor | None, prefix: str = "") -> str:
    """Return a target key: the processor's asName, else the prefix and the key in the processor's or target's style."""
    if processor is not None:
        if processor.as_name is not None:
            return processor.as_name
        style = processor.name_transformer or style
    return prefix + transform(key, style or NameTransformer.UPPER_SNAKE)


def transform(key: str, style: NameTransformer) -> str:
    """Return an UPPER_SNAKE key in another style, as the official operator documents it."""
    return _SPELLINGS[style](key)


def _camel(key: str) -> str:
    first, _, rest = key.partition("_")
    return first.lower() + _upper_camel(rest)


def _upper_camel(key: str) -> str:
    return "".join(map(str.capitalize, key.split("_")))


# A table and no `match`: for ten thousand keys, the comparisons took longer than the conversion.
_SPELLINGS: dict[NameTransformer, Callable[[str], str]] = {
    NameTransformer.UPPER_SNAKE: str,
    NameTransformer.CAMEL: _camel,
    NameTransformer.UPPER_CAMEL: _upper_camel,
    NameTransformer.LOWER_SNAKE: str.lower,
    NameTransformer.TF_VAR: lambda key: f"TF_VAR_{key.lower()}",
    NameTransformer.LOWER_KEBAB: lambda key: key.lower().replace("_", "-"),
}


def legal(key: str) -> bool:
    """Return whether Kubernetes accepts the key."""
    return _LEGAL.fullmatch(key) is not None
