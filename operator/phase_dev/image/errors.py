"""What can go wrong with the image."""

from phase_dev.cluster.errors import ClusterError


class ImageError(ClusterError):
    """A step with the image did not work; the text is one sentence for the person at the terminal."""


class Unfit(ImageError):
    """This machine lacks a program, or does not let it do its work; the text says what to do about it."""
