"""Labels and annotations that no template may set: deployment tools and we track objects by them."""

from collections.abc import Mapping

from phase_operator.api import names

# By these, deployment tools know what they made: on a target, they would take it for theirs, and prune it.
_TRACKED_BY = frozenset(
    {
        names.LABEL_MANAGED_BY,
        "app.kubernetes.io/instance",
        "argocd.argoproj.io/instance",
        "argocd.argoproj.io/tracking-id",
        "helm.toolkit.fluxcd.io/name",
        "helm.toolkit.fluxcd.io/namespace",
        "kustomize.toolkit.fluxcd.io/name",
        "kustomize.toolkit.fluxcd.io/namespace",
        "meta.helm.sh/release-name",
        "meta.helm.sh/release-namespace",
        "kubectl.kubernetes.io/last-applied-configuration",
    }
)


def is_reserved(key: str) -> bool:
    """Say whether a label or annotation is one by which deployment tools, or we, know what is whose."""
    prefix, _, _ = key.partition("/")
    return key in _TRACKED_BY or prefix == names.GROUP or prefix.endswith(f".{names.GROUP}")


def without_reserved(wanted: Mapping[str, str]) -> dict[str, str]:
    """Leave out what tools or we track objects by; whoever asks for it is told (core/targets/available.py)."""
    return {key: value for key, value in wanted.items() if not is_reserved(key)}
