"""How generated values are kept: written only as they were read, and nobody else's Secret is touched."""

import base64
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from phase_operator.api import names
from phase_operator.core.push.homes import Home
from phase_operator.core.values import ObjectKey, SecretValue
from phase_operator.kube.errors import from_answer
from phase_operator.kube.push_homes import KubePushHomes
from support.canary import Canary

KEY = ObjectKey("shop", "made")
OWNER = ObjectKey("shop", "to-phase", "PhasePushSecret")


class Server:
    """An API server with one Secret at most, which compares uid and resourceVersion as the real one does."""

    def __init__(self) -> None:
        self.secret: dict[str, Any] | None = None
        self.version = 0
        self.whole = 0

    async def request(
        self, verb: str, path: str, *, body: Any = None, accept: str = "application/json", **_: Any
    ) -> dict[str, Any]:
        assert path == "/api/v1/namespaces/shop/secrets" + ("" if verb == "POST" else "/made")
        if verb == "GET":
            if self.secret is None:
                raise from_answer(404, {"reason": "NotFound", "message": "", "details": {"name": "made"}}, None)
            self.whole += "PartialObjectMetadata" not in accept
            return self.secret if "PartialObjectMetadata" not in accept else {"metadata": self.secret["metadata"]}
        self.version += 1
        metadata = dict(body["metadata"])
        if verb == "POST":
            if self.secret is not None:
                raise from_answer(409, {"reason": "AlreadyExists", "message": ""}, None)
            self.secret = body | {"metadata": metadata | {"uid": f"uid-{self.version}"}}
        else:
            assert self.secret is not None
            there = self.secret["metadata"]
            if (metadata["uid"], metadata["resourceVersion"]) != (there["uid"], there["resourceVersion"]):
                raise from_answer(409, {"reason": "Conflict", "message": ""}, None)
            self.secret = self.secret | {"metadata": there | metadata, "data": self.secret["data"] | body["data"]}
        self.secret["metadata"]["resourceVersion"] = str(self.version)
        return {"metadata": self.secret["metadata"]}


def homes(server: Server) -> KubePushHomes:
    return KubePushHomes(server)  # type: ignore[arg-type]


async def test_values_are_kept_beside_those_that_are_there() -> None:
    server = Server()
    assert await homes(server).home(KEY) is None
    assert await homes(server).keep(KEY, OWNER, None, {"A": SecretValue("a")}, {"A": "2026-11"})
    first = await homes(server).home(KEY)
    assert first == Home(str(OWNER), "uid-1", "1", {"A": b"a"}, {"A": "2026-11"})

    assert await homes(server).keep(KEY, OWNER, first, {"B": SecretValue("b")}, {"B": ""})

    words = {"A": "2026-11", "B": ""}
    assert await homes(server).home(KEY) == Home(str(OWNER), "uid-1", "2", {"A": b"a", "B": b"b"}, words)
    assert server.secret is not None
    assert server.secret["metadata"]["labels"][names.LABEL_TARGET] == "generated"
    assert "ownerReferences" not in server.secret["metadata"]


async def test_a_home_that_takes_no_more_is_known_as_such() -> None:
    server = Server()
    await homes(server).keep(KEY, OWNER, None, {"A": SecretValue("a")}, {})
    assert server.secret is not None
    server.secret |= {"immutable": True}

    found = await homes(server).home(KEY)

    assert found is not None
    assert found.is_immutable


async def test_of_two_processes_one_makes_a_value() -> None:
    server = Server()
    assert await homes(server).keep(KEY, OWNER, None, {"A": SecretValue("first")}, {})
    assert not await homes(server).keep(KEY, OWNER, None, {"A": SecretValue("second")}, {})
    before = await homes(server).home(KEY)
    assert await homes(server).keep(KEY, OWNER, before, {"A": SecretValue("third")}, {})
    assert not await homes(server).keep(KEY, OWNER, before, {"A": SecretValue("fourth")}, {})

    found = await homes(server).home(KEY)
    assert found is not None
    assert found.values == {"A": b"third"}


async def test_a_secret_that_is_gone_again_is_read_anew() -> None:
    server = Server()
    await homes(server).keep(KEY, OWNER, None, {"A": SecretValue("a")}, {})
    before = await homes(server).home(KEY)
    server.secret = None

    class Gone(Server):
        async def request(self, *_: Any, **__: Any) -> dict[str, Any]:
            raise from_answer(404, {"reason": "NotFound", "message": "", "details": {"name": "made"}}, None)

    assert not await homes(Gone()).keep(KEY, OWNER, before, {"A": SecretValue("b")}, {})


async def test_a_secret_of_somebody_else_is_not_transferred() -> None:
    server = Server()
    data = {"A": base64.b64encode(b"theirs").decode()}
    for labels in ({}, {names.LABEL_TARGET: "true"}):
        metadata = {"name": "made", "uid": "uid", "resourceVersion": "1", "labels": labels}
        server.secret = {"metadata": metadata | {"annotations": {names.ANNOTATION_GENERATED_FOR: str(OWNER)}}}
        server.secret["data"] = data

        assert await homes(server).home(KEY) == Home("", "uid", "1", {})
    assert server.whole == 0


async def test_no_value_is_in_what_was_read(canary: Canary) -> None:
    server = Server()
    await homes(server).keep(KEY, OWNER, None, {"A": SecretValue(canary.value("made"))}, {})
    canary.see("home", repr(await homes(server).home(KEY)))


async def test_a_write_of_a_home_is_told_to_the_watch_with_the_metadata_of_its_answer() -> None:
    server, told = Server(), list[Any]()

    @contextmanager
    def writing(key: ObjectKey, owner: ObjectKey) -> Iterator[Callable[[Mapping[str, Any]], None]]:
        told.append((key, owner))
        yield told.append
        told.append("ended")

    watched = KubePushHomes(server, writing)  # type: ignore[arg-type]
    assert await watched.keep(KEY, OWNER, None, {"A": SecretValue("a")}, {})
    assert server.secret is not None
    assert told == [(KEY, OWNER), server.secret["metadata"], "ended"]

    told.clear()
    assert not await watched.keep(KEY, OWNER, None, {"A": SecretValue("b")}, {})
    assert told == [(KEY, OWNER), "ended"]
