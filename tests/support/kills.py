"""Kill an operator between two requests that it makes one after another: the second one is held on its way."""

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from support.api_proxy import ApiProxy, Asked
from support.operator_process import OperatorProcess, eventually
from support.own_operators import OwnOperators


class Places:
    """Which requests of the operator are held, and whether one has come; `part` is a pattern in their paths."""

    def __init__(self, verb: str, part: str, *, after: Callable[[], bool] = lambda: True) -> None:
        self._verb, self._part, self._after = verb, re.compile(part), after
        self.has_come = False

    def __call__(self, asked: Asked) -> bool:
        is_there = asked.verb == self._verb and self._part.search(asked.path) is not None
        is_it = is_there and (self.has_come or self._after())
        self.has_come |= is_it
        return is_it


@contextmanager
def killed(stage: OwnOperators, folder: Path, proxy: ApiProxy, place: Places) -> Iterator[OperatorProcess]:
    """Run an operator until it makes a request of this place, which never arrives; then kill it."""
    proxy.hold(place)
    with stage.running(folder, url=proxy.url, waits=False) as operator:
        yield operator
        eventually(lambda: place.has_come, within=60, what="it comes to the place")
        kill(operator)
    # What was held is lost with the process: its connection is gone.
    proxy.mend()


def kill(operator: OperatorProcess) -> None:
    """Kill a process as the kernel does when memory is short."""
    operator.process.kill()
    operator.process.wait(10)
