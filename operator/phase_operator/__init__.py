"""phase_operator: reconciles secrets from Phase into Kubernetes Secrets and ConfigMaps."""

__version__ = "0.1.0"
