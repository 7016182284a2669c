"""The demo on the session's cluster and on its own."""

from support.cluster_fixture import control_plane, kubectl

__all__ = ["control_plane", "kubectl"]
