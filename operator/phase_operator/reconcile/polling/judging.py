"""Judge answers that changed, if that is much: what left them on purpose, and whether a guard doubts them.

Rule: there may be as many guards as PhaseSecrets, each with patterns of its own. Long work is done beside the event
loop, and among many short pieces the loop has its turn.
"""

import asyncio
from collections.abc import Collection, Iterable
from functools import partial

from phase_operator.core.errors import Transient
from phase_operator.core.source.shrink_guard import Guard, Moved, kept, moved
from phase_operator.core.values import Snapshot
from phase_operator.reconcile.background import BackgroundThread
from phase_operator.reconcile.polling.query_state import MOST_MOVED, QueryState
from phase_operator.reconcile.polling.shared_answer import Judgement, SharedAnswer

# What guards may take between two turns of the loop, in microseconds.
_AT_ONCE = 3_000


async def judge(
    changed: Iterable[tuple[QueryState, Snapshot, Snapshot]],
    shared_answer: SharedAnswer,
    background: BackgroundThread,
    namespace: str,
) -> None:
    """Note in the shared answer what is found of each query, with its last answer and the new one."""
    for query_state, before, answer in changed:
        entries = len(before.entries) + len(answer.entries)
        left = await background.run(partial(moved, before, shared_answer.by_id), entries, namespace)
        doubt = await _doubt(query_state.guards, before, answer, left, background, namespace)
        completed = []
        for base in query_state.to_complete(answer, is_doubted=doubt is not None):
            done = await background.run(
                partial(kept, base, answer, query_state.noted(left, shared_answer.by_id)), 5 * entries, namespace
            )
            completed.append((base, done))
        shared_answer.judgements[query_state.query] = Judgement(before, left[-MOST_MOVED:], doubt, completed)
        await asyncio.sleep(0)


async def _doubt(
    guards: Iterable[Guard],
    before: Snapshot,
    answer: Snapshot,
    left: Collection[Moved],
    background: BackgroundThread,
    namespace: str,
) -> Transient | None:
    """Return what the first guard says that doubts an answer; None if none does."""
    entries = len(before.entries) + len(answer.entries)
    done = 0
    for guard in guards:
        work = guard.work(entries)
        doubt = await background.run(partial(guard.doubt, before, answer, left), work, namespace)
        if doubt is not None:
            return doubt
        done += work
        if done > _AT_ONCE:
            await asyncio.sleep(0)
            done = 0
    return None
