"""Writes that the embedded server once answered otherwise than the real one: the real answers, and what they left.

Where the comparison says nothing, the answer is what the console's published source does; such rows say so.
"""

import json
from collections.abc import Callable
from dataclasses import dataclass, field

import httpx

from contract.phase_server.compared import SECRETS, WORLD, ask
from phase_dev.server.dynamic_seed import DynamicSeed
from phase_dev.server.model import SecretType
from unit.phase_dev.server.builders import Installation

BUG = "Internal server error."
TWICE = "Duplicate secret found"
SEALED = "Sealed secrets cannot be unsealed. Delete and recreate the secret instead."
TYPES = "Must be one of ['config', 'sealed', 'secret']."
NO_OBJECT = "Each entry in 'secrets' must be an object."
NO_OVERRIDE = "'override' must be a JSON object."
# What JSON holds where a text, an object or an id belongs.
ENTRIES: list[object] = [1, None, "x", []]
PATHS: list[object] = [1, [], {}, None, True]
IDS: list[tuple[object, str]] = [
    (None, "None"),
    ("", ""),
    ([], "[]"),
    ({}, "{}"),
    # These three by the source.
    (True, "True"),
    ("\0", "\0"),
    ("\ud800", "\ud800"),
]
TAGS: list[object] = [1, True, 1.5, ["ok", "\0"], ["\ud800"]]
OVERRIDES: list[object] = [None, [], 1, "x"]
DELETED: list[object] = [1, None, {}, "\0", "\ud800"]
LONG, HALF = "t" * 65, "\ud800"
A = {"A": "/"}
AB = {"A": "/", "B": "/"}


@dataclass(frozen=True)
class Case:
    """A write, its answer and what is there afterwards: `folder key=value version`, of all rows.

    The secrets that are held before have the name of their key as their value; `<A>` in a body is the id of A.
    """

    name: str
    method: str
    secrets: object
    status: int
    left: list[str]
    error: str = ""
    held: dict[str, str] = field(default_factory=lambda: A)
    moves: bool = False
    account: str = "operator"


def new(key: str, value: str = "x", **fields: object) -> dict[str, object]:
    return {"key": key, "value": value, **fields}


def change(name: str, **fields: object) -> dict[str, object]:
    return {"id": f"<{name}>", **fields}


def _failing(method: str, *fields: tuple[str, object], left: str = "/ A=A 1") -> list[Case]:
    """Return cases in which one field makes the server fail, and nothing is written."""
    entries = [new("N") | {name: value} if method == "POST" else change("A") | {name: value} for name, value in fields]
    return [
        Case(f"{method} of {name} {value!a:.20}", method, [entry], 500, [left], BUG)
        for entry, (name, value) in zip(entries, fields, strict=True)
    ]


DUPLICATES = [
    Case(
        "a key is looked for in the root, not in the secret's folder",
        "PUT",
        [change("B", key="A")],
        409,
        ["/ A=A 1", "/net B=B 1"],
        TWICE,
        {"A": "/", "B": "/net"},
    ),
    Case(
        "so that twins may come about in a folder",
        "PUT",
        [change("B", key="A")],
        200,
        ["/net A=A 1", "/net A=B 2"],
        held={"A": "/net", "B": "/net"},
        moves=True,
    ),
    Case(
        "unless the folder is named",
        "PUT",
        [change("B", key="A", path="/net")],
        409,
        ["/net A=A 1", "/net B=B 1"],
        TWICE,
        {"A": "/net", "B": "/net"},
    ),
    Case("a taken key comes before an unknown id", "PUT", [change("x", key="A")], 409, ["/ A=A 1"], TWICE),
    Case("its own key is not taken", "PUT", [change("A", key="a")], 200, ["/ A=A 2"], moves=True),
    Case(
        "two equal keys of one body",
        "POST",
        [new("T", "1"), new("t", "2")],
        200,
        ["/ T=1 1", "/ T=2 1"],
        held={},
        moves=True,
    ),
    Case("a taken key in the same folder", "POST", [new("N"), new("a")], 409, ["/ A=A 1"], TWICE),
    Case("the key of a dynamic secret", "POST", [new("LEASED_ID", path="/aws")], 409, ["/ A=A 1"], TWICE),
    Case(
        "the key of a dynamic secret, by a change",
        "PUT",
        [change("A", key="leased_id", path="/aws")],
        409,
        ["/ A=A 1"],
        TWICE,
    ),
    Case(
        "the key of a dynamic secret elsewhere",
        "POST",
        [new("LEASED_ID")],
        200,
        ["/ LEASED_ID=x 1"],
        held={},
        moves=True,
    ),
]
PARTS = [
    Case(
        "an unknown id after a good one",
        "PUT",
        [change("A", value="x"), change("unknown")],
        404,
        ["/ A=x 2"],
        "Secret not found: <unknown>",
        moves=True,
    ),
    Case(
        "a sealed one of another type after a good one",
        "PUT",
        [change("A", value="x"), change("SEALED", type="config")],
        400,
        ["/ A=x 2", "/ SEALED=SEALED 1"],
        SEALED,
        {"A": "/", "SEALED": "/"},
        moves=True,
    ),
    # By the source.
    Case(
        "a rotating one after a good one",
        "PUT",
        [change("A", value="x"), change("ROTATING", value="y")],
        400,
        ["/ A=x 2", "/ ROTATING=ROTATING 1"],
        "Rotating secrets are managed by the Phase rotation engine and cannot be updated via this endpoint.",
        {"A": "/", "ROTATING": "/"},
        moves=True,
    ),
    Case(
        "too long a tag after a good one",
        "PUT",
        [change("A", value="x"), change("B", value="y", tags=[LONG])],
        400,
        ["/ A=x 2", "/ B=B 1"],
        f"Tag name exceeds 64 characters: '{'t' * 32}'…",
        AB,
        moves=True,
    ),
    # By the source.
    Case(
        "what cannot be sealed after a good one",
        "PUT",
        [change("A", value="x"), change("B", value=HALF)],
        500,
        ["/ A=x 2", "/ B=B 1"],
        BUG,
        AB,
        moves=True,
    ),
    Case(
        "too long a tag in the second of two new ones",
        "POST",
        [new("A"), new("B", tags=[LONG])],
        400,
        ["/ A=x 1", "/ B=x 1"],
        f"Tag name exceeds 64 characters: '{'t' * 32}'…",
        {},
        moves=True,
    ),
    # By the source.
    Case(
        "a folder that cannot be made in the second of two new ones",
        "POST",
        [new("A"), new("B", path=f"/{LONG}")],
        500,
        ["/ A=x 1"],
        BUG,
        {},
        moves=True,
    ),
    # By the source.
    Case(
        "too long a tag of a single new one",
        "POST",
        [new("B", tags=[LONG])],
        400,
        ["/ B=x 1"],
        f"Tag name exceeds 64 characters: '{'t' * 32}'…",
        {},
    ),
    Case(
        "one id twice is changed twice",
        "PUT",
        [change("A", value="x"), change("A", comment="d")],
        200,
        ["/ A=x 3"],
        moves=True,
    ),
    Case(
        "a sealed one keeps its value",
        "PUT",
        [change("SEALED", value="y")],
        200,
        ["/ SEALED=SEALED 2"],
        held={"SEALED": "/"},
        moves=True,
    ),
]
FORMS = [
    *(Case(f"a new entry that is {entry!r}", "POST", [entry], 400, ["/ A=A 1"], NO_OBJECT) for entry in ENTRIES),
    *(
        Case(f"a changed entry that is {entry!r}", "PUT", [entry], 400, ["/ A=A 1"], "Secret ID not provided")
        for entry in [*ENTRIES, {}]
    ),
    *(
        Case(f"the id {shown!r}", "PUT", [{"id": sent}], 404, ["/ A=A 1"], f"Secret not found: {shown}")
        for sent, shown in IDS
    ),
    *_failing("PUT", ("key", None), ("key", 1), ("key", True), ("key", []), ("key", {})),
    Case("an empty key", "PUT", [change("A", key="")], 200, ["/ =A 2"], moves=True),
    # The comparison calls this one empty, too; by the source nothing is stripped.
    Case("a blank key", "PUT", [change("A", key="  ")], 200, ["/   =A 2"], moves=True),
    *_failing("POST", ("type", None), ("type", []), ("type", {})),
    *_failing("PUT", ("type", None), ("type", []), ("type", {})),
    Case("a type that is a number", "POST", [new("N", type=1)], 400, ["/ A=A 1"], f"Invalid 'type': 1. {TYPES}"),
    *(
        Case(f"a new one with the path {path!r}", "POST", [new("N", path=path)], 200, ["/ N=x 1"], held={}, moves=True)
        for path in [*PATHS, ""]
    ),
    *(
        Case(
            f"a changed one with the path {path!r}",
            "PUT",
            [change("B", path=path)],
            200,
            ["/net B=B 2"],
            held={"B": "/net"},
            moves=True,
        )
        for path in PATHS
    ),
    Case("an empty path is the root", "PUT", [change("B", path="")], 200, ["/ B=B 2"], held={"B": "/net"}, moves=True),
    *_failing("POST", ("path", f"/{LONG}"), ("path", f"/a/{LONG}"), ("path", "/\0"), ("path", f"/{HALF}")),
    *(
        Case(
            f"a changed one with the folder {path!a:.12}",
            "PUT",
            [change("A", value="x", path=path)],
            200,
            ["/ A=x 2"],
            moves=True,
        )
        for path in (f"/{LONG}", f"/a/{LONG}", "/\0", f"/{HALF}")
    ),
    Case(
        "a folder of 64 characters",
        "POST",
        [new("N", path=f"/{LONG[1:]}")],
        200,
        [f"/{LONG[1:]} N=x 1"],
        held={},
        moves=True,
    ),
    # By the source.
    *_failing(
        "PUT",
        ("value", None),
        ("value", 1),
        ("comment", None),
        ("comment", 1),
        ("tags", 1),
        ("tags", True),
        ("tags", ["\0"]),
    ),
    *_failing("POST", ("comment", None), ("comment", 1), ("comment", [])),
    *_failing(
        "POST", ("key", HALF), ("value", HALF), ("comment", HALF), ("override", {"value": HALF, "isActive": True})
    ),
    *_failing(
        "PUT", ("key", HALF), ("value", HALF), ("comment", HALF), ("override", {"value": HALF, "isActive": True})
    ),
    *(
        Case(f"a new one with the tags {tags!a}", "POST", [new("N", tags=tags)], 500, ["/ N=x 1"], BUG, {})
        for tags in TAGS
    ),
    *(
        Case(
            f"{method} of the override {override!r}",
            method,
            [entry | {"override": override}],
            400,
            ["/ A=A 1"],
            NO_OVERRIDE,
        )
        for override in OVERRIDES
        for method, entry in (("POST", new("N")), ("PUT", change("A")))
    ),
    Case(
        "an override without a value",
        "POST",
        [new("N", override={})],
        400,
        ["/ A=A 1"],
        "'override.value' must be a string.",
    ),
    Case(
        "an override that may be active",
        "PUT",
        [change("A", override={"value": "o", "isActive": 1})],
        400,
        ["/ A=A 1"],
        "'override.isActive' must be a boolean.",
    ),
    *(Case(f"the deleted id {sent!a}", "DELETE", [change("A")["id"], sent], 500, ["/ A=A 1"], BUG) for sent in DELETED),
    Case("one id deleted twice", "DELETE", ["<A>", "<A>"], 200, [], moves=True),
    Case(
        "an unknown id among those to delete",
        "DELETE",
        ["<A>", "<x>"],
        404,
        ["/ A=A 1"],
        "Secret(s) not found in this environment: <x>",
    ),
    # By the source.
    Case(
        "a path that cannot be looked for beside a key",
        "PUT",
        [change("A", key="N", path="/\0")],
        500,
        ["/ A=A 1"],
        BUG,
    ),
]
WRITES = (*DUPLICATES, *PARTS, *FORMS)


def before_writes() -> Installation:
    """Make an installation whose `/aws` has the key of a dynamic secret."""
    made = Installation(WORLD)
    seed = DynamicSeed(name="bucket", path="/aws", key_map={"access_key_id": "LEASED_ID"})
    made.phase.add_dynamic("backend", "development", seed)
    return made


async def send(installation: Installation, case: Case, before: Callable[[], object] = lambda: None) -> httpx.Response:
    """Make what is held before, let `before` look at it, and send the write ten seconds later."""
    body = json.dumps({"secrets": case.secrets})
    for key, path in case.held.items():
        kind: SecretType = "sealed" if key == "SEALED" else "secret"
        cycle = "rotating" if key == "ROTATING" else None
        made = installation.phase.set_secret("backend", "development", key, key, path=path, type=kind, lifecycle=cycle)
        body = body.replace(f"<{key}>", made.id)
    installation.clock.advance(10)
    before()
    return await ask(installation, SECRETS, case.account, case.method, body=body.encode())
