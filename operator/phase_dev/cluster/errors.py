"""What can go wrong with a cluster, said in one sentence."""


class ClusterError(Exception):
    """Something is missing or did not work; the text is one sentence for the person at the terminal."""


class BuildFailed(ClusterError):
    """A program could not be built."""


class StartFailed(ClusterError):
    """A program ended, or did not become ready in time; the text carries the end of its log."""


class CommandFailed(ClusterError):
    """A command that was run against the cluster returned an error; `reason` is the API server's word for it."""

    def __init__(self, text: str, *, reason: str = "") -> None:
        super().__init__(text)
        self.reason = reason
