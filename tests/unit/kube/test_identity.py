"""How often the library is asked who we are."""

from collections.abc import Mapping

import pytest

from phase_operator.kube.identity import Identity


async def test_the_library_is_asked_once_a_second() -> None:
    asked: list[int] = []

    async def ask() -> Mapping[str, str]:
        asked.append(len(asked))
        return {"authorization": f"Bearer {len(asked)}"}

    identity = Identity(ask)

    found = [await identity.headers(now) for now in (-7.0, -6.9, -6.01, -6.0, -5.5, 60.0)]

    assert [each["authorization"][-1] for each in found] == ["1", "1", "1", "2", "2", "3"]


async def test_a_failure_is_not_kept_and_nothing_old_is_used() -> None:
    answers = iter(["a", None, "b"])

    async def ask() -> Mapping[str, str]:
        if (answer := next(answers)) is None:
            raise OSError("no token")
        return {"authorization": answer}

    identity = Identity(ask)

    assert await identity.headers(0.0) == {"authorization": "a"}
    with pytest.raises(OSError, match="no token"):
        await identity.headers(1.0)
    assert await identity.headers(1.0) == {"authorization": "b"}
