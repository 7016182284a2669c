"""The soak on the session's cluster."""

from support.cluster_fixture import control_plane

__all__ = ["control_plane"]
