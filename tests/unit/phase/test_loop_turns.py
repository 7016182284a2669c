"""However many answers come at once, one turn of the loop handles a part of one of them."""

import asyncio
import selectors

import httpx

from phase_operator.core.values import SecretValue
from phase_operator.phase.readers import Reader
from phase_operator.phase.session import SECRETS, Session
from unit.phase.builders import JSON, URL, session

PARTS, HOSTS = 10, 12
BODY = b" " * (PARTS * 64 * 1024)


class Turns(selectors.DefaultSelector):
    """Counts the parts of bodies that one turn of the loop handles, and keeps the most."""

    def __init__(self) -> None:
        super().__init__()
        self.most = self.now = 0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        """Look at the sockets: here one turn ends, and another begins."""
        self.most, self.now = max(self.most, self.now), 0
        return super().select(timeout)


class Counts(Reader[int]):
    """Counts the parts of a body."""

    def __init__(self, turns: Turns) -> None:
        self._turns = turns
        self._parts = 0

    def feed(self, part: bytes) -> bool:
        """Count a part."""
        assert part
        self._turns.now += 1
        self._parts += 1
        return True

    def end(self) -> int:
        """Return how many parts there were."""
        return self._parts


def asked(turns: Turns, patience: float | None = None) -> list[int | BaseException]:
    """Ask all hosts at once, and return how many parts each answer had."""

    async def ask(edge: Session) -> int:
        async with asyncio.timeout(patience):
            return await edge.ask(URL, SecretValue("x"), SECRETS, reader=Counts(turns), namespace="team")

    async def ask_all() -> list[int | BaseException]:
        edge = session(httpx.MockTransport(lambda _: httpx.Response(200, headers=JSON, content=BODY)))
        return await asyncio.gather(*(ask(edge) for _ in range(HOSTS)), return_exceptions=True)

    with asyncio.Runner(loop_factory=lambda: asyncio.SelectorEventLoop(turns)) as runner:
        return runner.run(ask_all())


def test_answers_of_many_hosts_share_the_turns_of_the_loop() -> None:
    turns = Turns()

    assert asked(turns) == [PARTS] * HOSTS
    assert turns.most == 1


def test_answers_that_are_given_up_hold_up_no_others() -> None:
    """They are cancelled while they wait for a turn."""
    assert all(isinstance(each, TimeoutError) for each in asked(Turns(), patience=0))
    assert asked(Turns()) == [PARTS] * HOSTS
