from typing import Any

import kopf
import pytest

from phase_operator.handlers.storage import NoDiffBase, NoMemories, NoProgress
from support.builders import phase_secret

KEY: Any = "handler"
RECORD: Any = {"started": "2030-01-01T00:00:00Z"}


@pytest.fixture
def body() -> Any:
    return kopf.Body(phase_secret())  # type: ignore[arg-type]  # kopf's RawBody is a TypedDict


def test_nothing_that_was_handled_is_kept_on_the_object(body: Any) -> None:
    storage, patch = NoDiffBase(), kopf.Patch()

    storage.store(body=body, patch=patch, essence=storage.build(body=body))

    assert dict(patch) == {}
    assert storage.fetch(body=body) is None


def test_every_object_looks_the_same_so_that_none_is_compared(body: Any) -> None:
    storage = NoDiffBase()

    assert storage.build(body=body, extra_fields=["spec"]) == storage.build(body=kopf.Body({}))


def test_no_progress_is_kept_on_the_object(body: Any) -> None:
    storage, patch = NoProgress(), kopf.Patch()

    storage.store(key=KEY, record=RECORD, body=body, patch=patch)
    storage.touch(body=body, patch=patch, value="now")
    storage.purge(key=KEY, body=body, patch=patch)
    storage.flush()

    assert dict(patch) == {}
    assert storage.fetch(key=KEY, body=body) is None


def test_nothing_is_cleared_since_nothing_was_stored(body: Any) -> None:
    essence: Any = {"metadata": {"annotations": {"theirs": "x"}}}

    assert NoProgress().clear(essence=essence) == essence


async def test_nothing_is_remembered_of_an_object_from_one_event_to_the_next(body: Any) -> None:
    memories = NoMemories()
    shown: Any = dict(body)

    first, second = [await memories.recall(shown, noticed_by_listing=True) for _ in range(2)]
    await memories.forget(shown)

    assert first is not second
    assert list(memories.iter_all_memories()) == []
    assert list(memories.iter_all_daemon_memories()) == []
