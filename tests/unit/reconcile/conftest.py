from collections.abc import AsyncIterator

import pytest

from support.fakes import Loop


@pytest.fixture
async def loop() -> AsyncIterator[Loop]:
    """Give the loop at work."""
    async with Loop() as started:
        yield started
