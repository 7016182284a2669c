"""How sources of a push are found and read: by metadata, and never the values of what the system lives on."""

import asyncio
import base64
from collections import Counter
from typing import Any

import pytest

from phase_operator.api import names
from phase_operator.core.errors import ExpectedError, Transient
from phase_operator.core.label_selector import parse_selector
from phase_operator.core.push.sources import SYSTEM_TYPES
from phase_operator.core.refs import Kind
from phase_operator.core.source.answer_memory import AnswerMemory, AnswerMemoryFull
from phase_operator.core.values import ObjectKey, SecretValue
from phase_operator.kube.errors import from_answer
from phase_operator.kube.push_sources import KubePushSources
from support.canary import Canary

# Bytes of any text that are not its letters, at most.
_BARE = 80
TOKEN = ObjectKey("shop", "phase-token")


class Server:
    """An API server with Secrets and ConfigMaps; it selects by labels and fields as the real one does."""

    def __init__(self) -> None:
        self.objects: dict[tuple[str, str], dict[str, Any]] = {}
        # What was transferred whole.
        self.whole: list[str] = []
        self.requests = 0

    def put(self, name: str, kind: str = "secrets", *, type_: str = "Opaque", **fields: Any) -> None:
        labels, annotations = fields.pop("labels", {}), fields.pop("annotations", {})
        number = str(len(self.objects) + 1)
        metadata = {"name": name, "namespace": "shop", "uid": f"uid-{number}", "resourceVersion": number}
        metadata |= {"labels": labels, "annotations": annotations}
        self.objects[kind, name] = {"metadata": metadata, "type": type_, **fields}

    async def request(
        self, verb: str, path: str, *, query: Any = (), accept: str = "application/json", **_: Any
    ) -> dict[str, Any]:
        assert verb == "GET"
        self.requests += 1
        kind, *rest = path.removeprefix("/api/v1/namespaces/shop/").split("/")
        if rest:
            found = self.objects.get((kind, rest[0]))
            if found is None:
                raise from_answer(404, {"reason": "NotFound", "message": "", "details": {"name": rest[0]}}, None)
            if "PartialObjectMetadata" in accept:
                return {"metadata": found["metadata"]}
            self.whole.append(rest[0])
            return found
        assert "PartialObjectMetadata" in accept
        listed = [each for (of, _), each in self.objects.items() if of == kind and self._matches(each, dict(query))]
        return {"metadata": {"resourceVersion": "9"}, "items": [{"metadata": each["metadata"]} for each in listed]}

    def _matches(self, body: dict[str, Any], query: dict[str, str]) -> bool:
        if not parse_selector(query.get("labelSelector") or "metadata").matches(body["metadata"]["labels"]):
            return "labelSelector" not in query and self._has_fields(body, query)
        return self._has_fields(body, query)

    def _has_fields(self, body: dict[str, Any], query: dict[str, str]) -> bool:
        fields = {"metadata.name": body["metadata"]["name"], "type": body["type"]}
        for each in filter(None, query.get("fieldSelector", "").split(",")):
            name, _, value = each.partition("=")
            if (fields[name.removesuffix("!")] == value) is name.endswith("!"):
                return False
        return True


def sources(server: Server) -> KubePushSources:
    return KubePushSources(server, lambda key: key == TOKEN)  # type: ignore[arg-type]


def encoded(**data: bytes) -> dict[str, str]:
    return {key: base64.b64encode(each).decode() for key, each in data.items()}


async def test_a_source_is_found_by_its_metadata() -> None:
    server = Server()
    server.put("db", labels={"app": "db"}, data=encoded(a=b"a"))

    found = await sources(server).look(Kind.SECRET, ObjectKey("shop", "db"), [parse_selector("app")])

    assert found is not None
    assert (found.uid, found.version, found.labels, found.data) == ("uid-1", "1", {"app": "db"}, None)
    assert (found.is_token, found.is_ours, found.type) == (False, False, "")
    assert server.whole == []
    assert await sources(server).look(Kind.SECRET, ObjectKey("shop", "none"), []) is None


@pytest.mark.parametrize("system", sorted(SYSTEM_TYPES))
async def test_the_type_of_the_systems_secrets_is_known_without_their_values(system: str) -> None:
    server = Server()
    server.put("theirs", type_=system, labels={"app": "x"}, data=encoded(token=b"t"))
    server.put("ours", labels={"app": "x"})

    found = await sources(server).look(Kind.SECRET, ObjectKey("shop", "theirs"), [])
    selected = await sources(server).select("shop", [parse_selector("app=x")], 10)

    assert found is not None
    assert found.type == system
    assert {each.name: each.type for each in selected} == {"theirs": system, "ours": ""}
    assert server.whole == []


async def test_tokens_and_what_the_operator_writes_are_told_apart() -> None:
    server = Server()
    server.put(TOKEN.name)
    server.put(names.DIGEST_KEY_SECRET)
    server.put("target", labels={names.LABEL_TARGET: "true"})
    server.put("old", annotations={names.ANNOTATION_OWNER: "shop/db"})
    look = sources(server).look

    found = {name: await look(Kind.SECRET, ObjectKey("shop", name), []) for _, name in server.objects}

    said = {name: (each.is_token, each.is_ours) for name, each in found.items() if each is not None}
    assert said == {
        TOKEN.name: (True, False),
        names.DIGEST_KEY_SECRET: (True, False),
        "target": (False, True),
        "old": (False, True),
    }


async def test_secrets_are_selected_by_the_api_server_and_no_more_than_are_wanted() -> None:
    server = Server()
    for number in range(20):
        server.put(f"s{number:02d}", labels={"tier": "api" if number % 2 else "web"})

    selectors = [parse_selector("tier in (api)"), parse_selector("tier,tier!=web")]
    found = await sources(server).select("shop", selectors, 100)

    assert [each.name for each in found] == [f"s{number:02d}" for number in range(1, 20, 2)]
    server.requests = 0
    assert len(await sources(server).select("shop", selectors, 3)) == 4
    assert server.requests == 1


async def test_selectors_together_find_no_more_than_are_wanted() -> None:
    """Each of a spec's selectors may take as many; so would each of all runs under way."""
    server = Server()
    for number in range(40):
        server.put(f"s{number:02d}", labels={"group": f"g{number // 10}"})

    selectors = [parse_selector(f"group=g{number}") for number in range(4)]
    assert len(await sources(server).select("shop", selectors, 15)) == 16
    # Two lists and their types: the first ten, and those of the next ten that are too many.
    assert server.requests == 3


async def test_labels_that_no_selector_asks_for_take_no_memory() -> None:
    """An object may have a megabyte of labels, and a resource a thousand sources."""
    server = Server()
    server.put("db", labels={"tier": "api", "app": "x", **{f"label-{number}": "x" * 60 for number in range(1_000)}})

    [selected] = await sources(server).select("shop", [parse_selector("tier,app!=y"), parse_selector("none")], 10)
    looked = await sources(server).look(Kind.SECRET, ObjectKey("shop", "db"), [parse_selector("tier")])

    assert selected.labels == {"tier": "api", "app": "x"}
    assert looked is not None
    assert looked.labels == {"tier": "api"}


@pytest.mark.parametrize("value", ["x" * 10_000, "x" * 10_000 + "ä", "x" * 10_000 + "😀"], ids=["1", "2", "4"])
async def test_a_value_counts_with_the_text_that_is_made_of_it(value: str) -> None:
    """A letter of text takes up to four bytes, as many as the widest one of all needs."""
    server, memory = Server(), AnswerMemory(1 << 20)
    server.put("db", data=encoded(a=value.encode()))
    place = memory.open("shop")

    await sources(server).read(Kind.SECRET, ObjectKey("shop", "db"), place)

    assert place.size >= len(value.encode()) + SecretValue(value).weight - _BARE


async def test_values_are_read_in_the_share_of_the_namespace() -> None:
    server = Server()
    server.put("db", data=encoded(a=b"\xff\x00", b=b"b"))
    server.put("settings", "configmaps", data={"a": "ä"}, binaryData=encoded(logo=b"\x89PNG"))
    memory = AnswerMemory(1 << 20)
    place = memory.open("shop")

    secret = await sources(server).read(Kind.SECRET, ObjectKey("shop", "db"), place)
    settings = await sources(server).read(Kind.CONFIG_MAP, ObjectKey("shop", "settings"), memory.open("shop"))

    assert secret is not None
    assert secret.data == {"a": b"\xff\x00", "b": b"b"}
    assert settings is not None
    assert settings.data == {"a": "ä".encode(), "logo": b"\x89PNG"}
    assert 2 * 5 <= place.size <= 5 * 5
    server.put("huge", data=encoded(a=b"x" * (1 << 21)))
    with pytest.raises(AnswerMemoryFull):
        await sources(server).read(Kind.SECRET, ObjectKey("shop", "huge"), memory.open("shop"))


async def test_a_namespace_reads_one_list_or_object_at_a_time() -> None:
    """Each takes tens of megabytes while it is parsed, and one namespace may have many runs under way."""
    server, memory = Server(), AnswerMemory(1 << 20)
    under_way: Counter[str] = Counter()
    most: Counter[str] = Counter()
    request = server.request

    async def slow(verb: str, path: str, **options: Any) -> dict[str, Any]:
        of = path.split("/")[4]
        under_way[of] += 1
        most[of] = max(most[of], under_way[of])
        await asyncio.sleep(0)
        under_way[of] -= 1
        return await request(verb, path.replace("/team/", "/shop/"), **options)

    server.request = slow  # type: ignore[method-assign]
    server.put("db", labels={"tier": "api"}, data=encoded(a=b"a"))
    reader = sources(server)
    works = [reader.select(each, [parse_selector("tier")], 9) for each in ("shop", "shop", "team")]
    reads = [reader.read(Kind.SECRET, ObjectKey(each, "db"), memory.open(each)) for each in ("shop", "shop", "team")]
    await asyncio.gather(*works, *reads)

    assert most == {"shop": 1, "team": 1}
    assert not reader._reading


async def test_a_secret_that_comes_between_two_answers_is_not_taken_for_ordinary() -> None:
    server = Server()
    server.put("db", labels={"app": "x"})
    request = server.request

    async def then_it_is_replaced(*args: Any, **fields: Any) -> dict[str, Any]:
        found = await request(*args, **fields)
        server.put("db", type_="a/third", labels={"app": "x"})
        return found

    server.request = then_it_is_replaced  # type: ignore[method-assign]
    with pytest.raises(Transient):
        await sources(server).select("shop", [parse_selector("app=x")], 10)


async def test_no_value_is_in_an_error_or_in_what_was_read(canary: Canary) -> None:
    server = Server()
    server.put("bad", data={"a": canary.value("bad")})
    server.put("fine", data=encoded(a=canary.value("fine").encode()))
    memory = AnswerMemory(1 << 20)

    with pytest.raises(ExpectedError) as raised:
        await sources(server).read(Kind.SECRET, ObjectKey("shop", "bad"), memory.open("shop"))
    canary.see("error", f"{raised.value!r} {raised.value.__cause__!r}")
    canary.see("read", repr(await sources(server).read(Kind.SECRET, ObjectKey("shop", "fine"), memory.open("shop"))))
