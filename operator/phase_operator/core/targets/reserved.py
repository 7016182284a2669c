"""Labels and annotations that no template may set: deployment tools and this operator track objects by them."""

from collections.abc import Mapping

from phase_operator.api import names

# Deployment tools find their own objects by these. On a target, a tool would take the target for its own and prune it.
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
    """Return whether deployment tools, or this operator, track objects by a label or annotation."""
    prefix, _, _ = key.partition("/")
    return key in _TRACKED_BY or prefix == names.GROUP or prefix.endswith(f".{names.GROUP}")


def without_reserved(wanted: Mapping[str, str]) -> dict[str, str]:
    """Return labels or annotations without the reserved ones, which the status then names (available.py)."""
    return {key: value for key, value in wanted.items() if not is_reserved(key)}
