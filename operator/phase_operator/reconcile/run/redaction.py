"""What was declared secret leaves its ConfigMap, whatever keeps that ConfigMap from being written.

Rule: only keys go that Phase has as another type now, by an answer that is believed. All others stay as they are.
"""

from dataclasses import replace

from phase_operator.api.reasons import Reason
from phase_operator.core.errors import ExpectedError
from phase_operator.core.outcome import TargetResult
from phase_operator.core.refs import Kind
from phase_operator.core.targets.rendering import Rendering
from phase_operator.reconcile.attempts import attempts
from phase_operator.reconcile.ports import Cluster
from phase_operator.reconcile.run.loss_guard import LossGuard


async def take_out(cluster: Cluster, loss_guard: LossGuard, result: TargetResult) -> TargetResult:
    """Take what was declared secret out of a ConfigMap that is not in step, and return its result.

    A version cannot be changed, and where keys are files or texts only a new rendering can leave something out.
    """
    rendering = loss_guard.rendering
    if not _can_change(rendering) or result.ready or result.reason is Reason.ANSWER_DOUBTED:
        return result

    async def attempt(_: int) -> TargetResult | None:
        observed = await cluster.observe(rendering.ref, live=False)
        keys = loss_guard.declared_secret(observed)
        if observed is None or not keys:
            return result
        if (doubt := loss_guard.doubt_keys(observed)) is not None:
            return TargetResult.failed(rendering.ref, doubt)
        if not await cluster.take_out(rendering.ref, observed, keys):
            return None
        return replace(result, keys=loss_guard.held(observed) - len(keys), written=True)

    again = replace(result, transient=True)
    try:
        return await attempts(attempt) or again
    except ExpectedError:
        # It is tried again, and reported by the error that keeps the target from being written.
        return again


def _can_change(rendering: Rendering) -> bool:
    """Return whether a target is a ConfigMap that is changed in place."""
    return rendering.ref.kind is Kind.CONFIG_MAP and rendering.keep is None
