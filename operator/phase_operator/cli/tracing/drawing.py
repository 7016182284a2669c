"""Trees of things that come from one another, as text with lines and as JSON.

Rule: a node holds text that is safe to show; what comes from objects of others is cleaned before it gets here. A text
shows the first branches of a node and says how many more there are; JSON has all of them.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from phase_operator.cli.common.terminal import Tone, toned

_SHOWN = 40


@dataclass(frozen=True, slots=True)
class Node:
    """A thing, what there is to say of it, and what comes from it."""

    kind: str
    name: str
    # For people, behind the name, separated by commas.
    says: Sequence[str] = ()
    tone: Tone | None = None
    # For programs.
    facts: Mapping[str, Any] = field(default_factory=dict)
    children: Sequence["Node"] = ()
    # What it is made of, drawn above it.
    sources: Sequence["Node"] = ()

    def as_json(self) -> dict[str, Any]:
        """Return the node and all that comes from it."""
        found: dict[str, Any] = {"kind": self.kind, "name": self.name, **self.facts}
        for name, nodes in (("sources", self.sources), ("children", self.children)):
            if nodes:
                found[name] = [each.as_json() for each in nodes]
        return found


def drawn(node: Node) -> Iterator[str]:
    """Yield the lines of a tree."""
    for number, source in enumerate(_first(node.sources)):
        yield f"{'├' if number else '┌'}─ {_line(source)}"
    yield _line(node)
    yield from _below(node, "")


def _below(node: Node, indent: str) -> Iterator[str]:
    shown = list(_first(node.children))
    for number, child in enumerate(shown, 1):
        is_last = number == len(shown)
        yield f"{indent}{'└' if is_last else '├'}─ {_line(child)}"
        yield from _below(child, indent + ("   " if is_last else "│  "))


def _first(nodes: Sequence[Node]) -> Iterator[Node]:
    yield from nodes[:_SHOWN]
    if len(nodes) > _SHOWN:
        yield Node("", f"and {len(nodes) - _SHOWN} more; -o json has all of them")


def _line(node: Node) -> str:
    name = f"{node.kind} {node.name}".strip()
    return ": ".join(filter(None, (name, toned(", ".join(node.says), node.tone))))
