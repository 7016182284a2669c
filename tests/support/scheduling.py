"""Which worker takes which module: while most wait for an operator, one computes."""

from xdist.scheduler.loadscope import LoadScopeScheduling
from xdist.workermanage import WorkerController

from support.distribution import computes, group

# With fewer workers than these, all of them take the longest first.
_MANY = 3


class Mixed(LoadScopeScheduling):  # type: ignore[misc]  # xdist has no types
    """Keep the modules of a group on one worker; let the last worker take what only computes, as long as there is any.

    A worker that waits leaves its core idle, and workers that all compute have to share cores: both cost time, and the
    second harms tests that measure it.
    """

    def _split_scope(self, nodeid: str) -> str:
        return group(nodeid)

    def _assign_work_unit(self, node: WorkerController) -> None:
        if len(self.nodes) >= _MANY and node is self.nodes[-1]:
            scope = next(filter(computes, self.workqueue), None)
            if scope is not None:
                self.workqueue.move_to_end(scope, last=False)
        super()._assign_work_unit(node)
