"""What can go wrong with the demo."""

from phase_dev.cluster.errors import ClusterError


class DemoError(ClusterError):
    """The demo cannot go on; the text is one sentence for the person at the terminal."""
