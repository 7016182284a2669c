"""YAML with comments: each above the field that it is about."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import yaml
from yaml.nodes import MappingNode, Node, SequenceNode

from phase_operator.api.crd import as_yaml

Path = tuple[str | int, ...]
# Comes before each item of a list.
_DASH = "- "


def commented(body: Mapping[str, Any], comments: Mapping[Path, Sequence[str]], head: Sequence[str] = ()) -> str:
    """Return an object as YAML; a comment about a field that is not there stands above the nearest one around it.

    A comment is one line without a character that ends it: the caller has made it safe.
    """
    written = as_yaml(body)
    node = yaml.compose(written, Loader=yaml.SafeLoader)
    places: dict[Path, int] = {} if node is None else dict(_places(node, ()))
    above: dict[int, list[str]] = {}
    for path, lines in comments.items():
        above.setdefault(_place(path, places), []).extend(lines)
    for offset in sorted(above, reverse=True):
        start = written.rfind("\n", 0, offset) + 1
        indent = " " * (offset - start)
        block = "".join(f"{indent}# {line}\n" for line in above[offset])
        written = written[:start] + block + written[start:]
    return "".join(f"# {line}\n" for line in head) + written


def _place(path: Path, places: Mapping[Path, int]) -> int:
    return next(places[path[:length]] for length in range(len(path), -1, -1) if path[:length] in places)


def _places(node: Node, path: Path) -> Iterator[tuple[Path, int]]:
    """Yield the offset at which each field, and each item of a list, begins."""
    if not path:
        yield path, 0
    if isinstance(node, MappingNode):
        for key, value in node.value:
            name = (*path, str(key.value))
            yield name, key.start_mark.index
            yield from _places(value, name)
    elif isinstance(node, SequenceNode):
        for number, item in enumerate(node.value):
            yield (*path, number), item.start_mark.index - len(_DASH)
            yield from _places(item, (*path, number))
