"""Read the chart's values with the comments that describe them, and write them as tables for people.

Rule: a value without a description is refused. A mapping whose members are described is a section, any other a value.
"""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import click
import yaml
from yaml.nodes import MappingNode, Node, ScalarNode

from phase_dev import documents

_GROUP = "## "


@dataclass(frozen=True, slots=True)
class Value:
    """A value that a user may set."""

    group: str
    path: str
    default: str
    """As JSON."""
    meaning: str


def values(text: str) -> list[Value]:
    """Return every value of a values.yaml, in its order."""
    lines = text.splitlines()
    root = yaml.compose(text, Loader=yaml.SafeLoader)
    if not isinstance(root, MappingNode):
        raise click.ClickException("values.yaml is no mapping")
    return list(_values(root, lines, ""))


def tables(text: str) -> str:
    """Return a table for every group of values."""
    parts: list[str] = []
    group = None
    for value in values(text):
        if value.group != group:
            group = value.group
            parts.append(f"\n### {group}\n\n| value | default | meaning |\n|---|---|---|")
        parts.append(f"| `{value.path}` | `{value.default}` | {value.meaning.replace('|', chr(92) + '|')} |")
    return "\n".join(parts).lstrip()


def _values(mapping: MappingNode, lines: Sequence[str], prefix: str) -> Iterator[Value]:
    for key, child in mapping.value:
        path, line = f"{prefix}{key.value}", key.start_mark.line
        if _is_section(child, lines):
            yield from _values(child, lines, f"{path}.")
            continue
        meaning = _description(lines, line)
        if not meaning:
            raise click.ClickException(f"values.yaml: {path} has no description above it")
        yield Value(_group(lines, line), path, _default(child), meaning)


def _is_section(node: Node, lines: Sequence[str]) -> bool:
    if not isinstance(node, MappingNode) or not node.value or node.flow_style:
        return False
    first = node.value[0]
    return bool(_description(lines, first[0].start_mark.line)) or _is_section(first[1], lines)


def _description(lines: Sequence[str], line: int) -> str:
    """Return the first paragraph of the comment directly above a line."""
    comment: list[str] = []
    for above in reversed(lines[:line]):
        text = above.strip()
        if not text.startswith("#") or text.startswith(_GROUP):
            break
        comment.insert(0, text.removeprefix("#").strip())
    return " ".join(comment[: comment.index("")] if "" in comment else comment)


def _group(lines: Sequence[str], line: int) -> str:
    for above in reversed(lines[:line]):
        if above.startswith(_GROUP):
            return above.removeprefix(_GROUP)
    raise click.ClickException(f"values.yaml: line {line + 1} belongs to no group")


def _default(node: Node) -> str:
    if isinstance(node, ScalarNode) and node.tag == "tag:yaml.org,2002:str":
        return json.dumps(node.value, ensure_ascii=False) if not node.value else str(node.value)
    return json.dumps(documents.load(yaml.serialize(node)), ensure_ascii=False)
