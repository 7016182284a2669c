"""Desired objects, one module a kind."""

from phase_operator.core.targets.base import Desired, Kind, Observed, Owner, TargetRef
from phase_operator.core.targets.configmap import render_config_map
from phase_operator.core.targets.secret import render_secret

__all__ = ["Desired", "Kind", "Observed", "Owner", "TargetRef", "render_config_map", "render_secret"]
