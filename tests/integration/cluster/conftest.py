"""The session's control plane, for the tests of the control plane itself."""

from support.cluster_fixture import control_plane, kubectl, namespace

__all__ = ["control_plane", "kubectl", "namespace"]
