"""What can go wrong with the picture of the dashboard."""

from phase_dev.cluster.errors import ClusterError


class PictureError(ClusterError):
    """The picture cannot be drawn; the text is one sentence for the person at the terminal."""
