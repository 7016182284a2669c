"""Which worker takes which module: while most wait for an operator, one computes."""

from xdist.scheduler.loadscope import LoadScopeScheduling
from xdist.workermanage import WorkerController

from support.distribution import computes, group, only_computes


class Mixed(LoadScopeScheduling):  # type: ignore[misc]  # xdist has no types
    """Keep the modules of a group on one worker; of many, let the last one take what only computes, and then end.

    A worker that waits leaves its core idle, and workers that all compute have to share cores: both cost time, and the
    second harms tests that measure it. The others help to compute when nothing is left that waits.
    """

    def _split_scope(self, nodeid: str) -> str:
        return group(nodeid)

    def _assign_work_unit(self, node: WorkerController) -> None:
        if only_computes(node.gateway.id, self.numnodes):
            scope = next(filter(computes, self.workqueue), None)
            if scope is None:
                # It is nicer than the others for as long as it lasts, and so would be an operator that it starts.
                node.shutdown()
                return
            self.workqueue.move_to_end(scope, last=False)
        super()._assign_work_unit(node)
