"""Reading an environment as a whole and selecting here answers what the server would have selected.

Invariant: for any entries, folder and tags, `answering(whole, query)` is the server's answer to the query, entry for
entry, once both are brought into their one form.
"""

import time
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from phase_dev.server import EmbeddedPhase
from phase_operator.core.source.answer_memory import MIB, AnswerMemory
from phase_operator.core.source.query import AppRef
from phase_operator.core.values import SecretValue
from phase_operator.phase.client import PhaseClient
from phase_operator.phase.session import Session
from phase_operator.reconcile.polling.shared_answer import SharedAnswer
from support.builders import query
from support.examples import examples

PATHS = ["/", "/a", "/a/b", "/A"]
TAGS = ["db", "DB", "aws", "a b"]
secrets = st.lists(
    st.fixed_dictionaries(
        {
            "key": st.sampled_from(["HOST", "PORT", "USER", "PASSWORD"]),
            "value": st.text(max_size=5),
            "path": st.sampled_from(PATHS),
            "tags": st.lists(st.sampled_from(TAGS), unique=True, max_size=3),
            "type": st.sampled_from(["secret", "config", "sealed"]),
        }
    ),
    max_size=12,
    unique_by=lambda each: (each["path"], each["key"]),
)


@pytest.fixture(scope="module")
def server() -> Iterator[EmbeddedPhase]:
    accounts = [{"name": "operator", "access": {"shop": ["*"]}}]
    apps = [{"name": "shop", "environments": [{"name": "Production"}]}]
    with EmbeddedPhase({"apps": apps, "accounts": accounts}) as phase:
        yield phase


@settings(max_examples=examples(60), suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    held=secrets,
    path=st.sampled_from([*PATHS, None, "/none"]),
    tags=st.lists(st.sampled_from([*TAGS, "none"]), unique=True, max_size=3),
)
async def test_a_wide_read_filtered_here_is_the_servers_answer(
    server: EmbeddedPhase, held: list[dict[str, Any]], path: str | None, tags: list[str]
) -> None:
    for each in held:
        server.set("shop", "Production", each["key"], each["value"], path=each["path"], tags=each["tags"])
    session = Session(ca_file=None, user_agent="test", on_call=lambda *_: None, timer=time.monotonic)
    edge = PhaseClient(session, b"k" * 32)
    credential = edge.credential(SecretValue(server.token("operator", form="hex")))
    app_id, base_url = server.app_id("shop"), f"{server.url}/service/public"
    asked = query(base_url=base_url, path=path, tags=tuple(sorted(tags)))
    assert asked.app == AppRef(name="shop")
    where = {"app_id": app_id, "environment": "production"}
    place = AnswerMemory(MIB).open("team")

    try:
        narrow = await edge.entries(base_url, credential, **where, path=asked.path, tags=asked.tags, place=place)
        wide = await edge.entries(base_url, credential, **where, path=None, tags=(), place=place)
    finally:
        await session.close()
        for each in held:
            server.delete("shop", "Production", each["key"], path=each["path"])

    everything = query(base_url=base_url, path=None)
    assert SharedAnswer(app_id, wide).answer(asked) == SharedAnswer(app_id, narrow).answer(asked)
    assert len(SharedAnswer(app_id, wide).answer(everything).entries) == len(held)
