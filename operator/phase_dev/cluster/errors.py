"""What can go wrong with a cluster, beside programs that do not start."""

from phase_dev.shell.errors import ToolError


class BuildFailed(ToolError):
    """A program could not be built."""


class CommandFailed(ToolError):
    """A command that was run against the cluster returned an error; `reason` is the API server's word for it."""

    def __init__(self, text: str, *, reason: str = "") -> None:
        super().__init__(text)
        self.reason = reason
