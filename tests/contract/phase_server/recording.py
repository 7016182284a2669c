"""The recorded exchanges as data, and the fragments of answers that were cut while recording."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent


@dataclass(frozen=True)
class Exchange:
    """One recorded request and its answer."""

    number: int
    section: int
    name: str
    request: dict[str, Any] | None
    response: dict[str, Any]
    references: list[dict[str, str]]


def load_exchanges() -> list[Exchange]:
    """Return all exchanges in the order in which they were recorded."""
    content = json.loads((HERE / "exchanges.json").read_text("utf-8"))
    return [
        Exchange(e["number"], e["section"], e["name"], e.get("request"), e.get("response", {}), e.get("references", []))
        for e in content["exchanges"]
    ]


def load_left_out() -> dict[int, str]:
    """Return the numbers that are not replayed, with the reason."""
    content: dict[str, str] = json.loads((HERE / "left_out.json").read_text("utf-8"))
    return {int(number): reason for number, reason in content.items()}


def complete(fragment: str) -> Any:
    """Return what a pretty-printed document that was cut says for certain; its last line is dropped."""
    lines = fragment.split("\n")[:-1]
    closing: list[str] = []
    for line in lines:
        stripped = line.strip().rstrip(",")
        if stripped.endswith(("{", "[")):
            closing.append("}" if stripped.endswith("{") else "]")
        elif stripped in ("}", "]"):
            closing.pop()
    while lines and lines[-1].rstrip().endswith(":"):
        lines.pop()
    text = "\n".join(lines).rstrip().rstrip(",")
    return json.loads(text + "".join(reversed(closing)))
