"""Compare an answer with a recorded one; ids and times are bound and masked, everything else must be equal.

Rule: an id or digest of the recording stands for one of ours from its first appearance on, and for no other.
"""

import json
import re
from dataclasses import dataclass, field
from typing import Any

import httpx

from contract.phase_server.recording import complete

ID_FIELDS = {"id", "folder", "environment", "secret", "secretId", "keyDigest"}
TIME = re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d\.\d{6}(Z|\+00:00)")
# Made with keys of their own; who reads them tests whether they open.
SEALED_FIELDS = {"wrapped_key_share", "wrapped_seed", "wrapped_salt", "identity_key"}
# How a connection was kept or a body was framed is the web server's business.
FRAMING = {"transfer-encoding", "content-length"}


@dataclass
class Names:
    """What stands for what: ids of the recording and ours."""

    ours: dict[str, str] = field(default_factory=dict)

    def bind(self, recorded: str, ours: str) -> bool:
        """Return whether the two mean the same; an id seen for the first time is bound."""
        if recorded not in self.ours and ours in self.ours.values():
            return False
        return self.ours.setdefault(recorded, ours) == ours

    def translate(self, text: str) -> str:
        """Return the text with the recording's ids replaced by ours."""
        for recorded, ours in self.ours.items():
            text = text.replace(recorded, ours)
        return text


@dataclass
class Comparison:
    """Collects the differences of one answer."""

    names: Names
    differences: list[str] = field(default_factory=list)

    def answer(self, recorded: dict[str, Any], got: httpx.Response, *, same_length: bool = True) -> None:
        """Compare status, headers, length and body."""
        self.equal("status", recorded["status"], got.status_code)
        for name, value in recorded["headers"].items():
            if name.lower() not in FRAMING:
                self.equal(name, value, got.headers.get(name))
        if same_length and "Content-Length" in recorded["headers"]:
            self.equal("Content-Length", recorded["headers"]["Content-Length"], got.headers.get("Content-Length"))
        if "json" in recorded:
            self.json("body", recorded["json"], json.loads(got.content or b"null"))
        elif "body_start" in recorded:
            self.json("body", complete(recorded["body_start"]), got.json(), whole=False)
        else:
            self.equal("body", recorded["text"].strip(), got.text.strip())

    def equal(self, where: str, recorded: object, got: object) -> None:
        """Note a difference."""
        if recorded != got:
            self.differences.append(f"{where}: recorded {recorded!r}, got {got!r}")

    def json(self, where: str, recorded: Any, got: Any, *, whole: bool = True) -> None:
        """Compare two JSON values; of a body that was cut only what it says."""
        name = where.rsplit(".", 1)[-1]
        if isinstance(recorded, dict) and isinstance(got, dict):
            if whole:
                self.equal(f"{where} fields", list(recorded), list(got))
            for key in recorded.keys() & got.keys():
                self.json(f"{where}.{key}", recorded[key], got[key], whole=whole)
            if not whole:
                self.equal(f"{where} missing", set(), recorded.keys() - got.keys())
        elif isinstance(recorded, list) and isinstance(got, list):
            self._lists(where, recorded, got, whole=whole)
        elif name in ID_FIELDS and isinstance(recorded, str) and isinstance(got, str):
            if not self.names.bind(recorded, got):
                self.differences.append(f"{where}: {got} is not what {recorded} stands for")
        elif name in SEALED_FIELDS and isinstance(recorded, str) and isinstance(got, str):
            self.equal(f"{where} form", _form(recorded), _form(got))
        elif isinstance(recorded, str) and isinstance(got, str):
            self.equal(where, TIME.sub("<time>", self.names.translate(recorded)), TIME.sub("<time>", got))
        else:
            self.equal(where, recorded, got)

    def _lists(self, where: str, recorded: list[Any], got: list[Any], *, whole: bool) -> None:
        if where.endswith(".tags"):
            self.equal(where, sorted(recorded), sorted(got))
            return
        if where.endswith(".credentials"):
            self.equal(where, [c["key"] for c in recorded], [c["key"] for c in got if c["value"]])
            return
        if whole:
            self.equal(f"{where} length", len(recorded), len(got))
        for index, (ours, theirs) in enumerate(self._pairs(where, recorded, got)):
            self.json(f"{where}[{index}]", theirs, ours, whole=whole)

    def _pairs(self, where: str, recorded: list[Any], got: list[Any]) -> list[tuple[Any, Any]]:
        """Pair the rows: secrets have no order on the server, so they are paired by what they are."""
        if where == "body" and got and all(isinstance(row, dict) and {"key", "path"} <= row.keys() for row in got):
            left = list(got)
            return [(self._take(left, row), row) for row in recorded if left]
        if where.endswith((".apps", ".environment_keys")):
            ours = {_called(row): row for row in got}
            return [(ours.get(_called(row), {}), row) for row in recorded]
        return list(zip(got, recorded, strict=False))

    def _take(self, left: list[Any], row: dict[str, Any]) -> Any:
        def alike(candidate: dict[str, Any]) -> tuple[bool, int]:
            same_id = self.names.ours.get(row.get("id", "")) == candidate["id"]
            return same_id, sum(row.get(f) == candidate[f] for f in ("path", "key", "value", "type"))

        best = max(left, key=alike)
        left.remove(best)
        return best


def _called(row: dict[str, Any]) -> Any:
    """Return the name of an app, or that of the environment of a key: neither list has an order."""
    return row["name"] if "name" in row else row["environment"].get("name")


def _form(text: str) -> str:
    """Return a sealed text with its digits and its base64 masked: its version, its parts and their lengths."""
    return re.sub(r"[A-Za-z0-9+/=]{16,}", lambda match: f"<{len(match[0])}>", text)
