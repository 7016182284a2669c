"""The session's control plane, for the tests of the control plane itself."""

from support.cluster_fixture import cluster, control_plane, kubectl, namespace

__all__ = ["cluster", "control_plane", "kubectl", "namespace"]
