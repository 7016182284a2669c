"""A tenant who means harm, beside one who does not: the cluster, the operator and the stage of the operator's tests."""

from integration.operator.conftest import cluster, control_plane, installed, kubectl, namespace, operator, stage, world

__all__ = ["cluster", "control_plane", "installed", "kubectl", "namespace", "operator", "stage", "world"]
