"""The rights that the operator needs, as rules of RBAC: the ones that deploy/ and the chart give, no more and no less.

Rule: a test compares these with the manifests that we ship, so what `doctor` asks the API server is what is installed.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from phase_operator.api import names
from phase_operator.api.crd import DEFINITIONS
from phase_operator.kube.user_resources import Request, Resource

_KINDS = tuple(each.plural for each in DEFINITIONS)
_WORK = ("get", "list", "patch")


@dataclass(frozen=True, slots=True)
class Rule:
    """A rule of a Role: these verbs on these resources of a group; with `objects`, on the objects of these names."""

    group: str
    resources: tuple[str, ...]
    verbs: tuple[str, ...]
    objects: tuple[str, ...] = ()

    def requests(self, namespace: str) -> Iterator[Request]:
        """Yield every single right of the rule, in a namespace, or in all of them for ""."""
        for resource in self.resources:
            plural, _, subresource = resource.partition("/")
            for verb in self.verbs:
                for name in self.objects or ("",):
                    yield Request(
                        verb,
                        Resource(self.group, "", plural, "", is_namespaced=plural != "namespaces"),
                        namespace,
                        name,
                        subresource,
                    )


# In each namespace that is watched.
WATCHED = (
    Rule(names.GROUP, _KINDS, ("get", "list", "watch", "patch")),
    Rule(names.GROUP, tuple(f"{each}/status" for each in _KINDS), ("patch",)),
    Rule("", ("secrets", "configmaps"), ("get", "list", "watch", "create", "patch", "delete")),
    Rule("", ("events",), ("create",)),
)
# The same, unless restarts are off.
RESTARTS = (
    Rule("apps", ("deployments", "statefulsets", "daemonsets"), _WORK),
    Rule("batch", ("cronjobs",), _WORK),
    Rule("argoproj.io", ("rollouts",), _WORK),
    Rule("apps", ("replicasets",), ("list",)),
    Rule("batch", ("jobs",), ("list",)),
)
# In the whole cluster, if a grant goes by labels of namespaces.
NAMESPACE_LABELS = (Rule("", ("namespaces",), ("list", "watch")),)
# In the operator's own namespace.
DIGEST_KEY = (
    Rule("", ("secrets",), ("get",), (names.DIGEST_KEY_SECRET,)),
    Rule("", ("secrets",), ("create",)),
)


def leader_rules(lease: str) -> tuple[Rule, ...]:
    """Return the rules for the Lease of that name, in the operator's own namespace."""
    group = "coordination.k8s.io"
    return (Rule(group, ("leases",), ("get", "patch"), (lease,)), Rule(group, ("leases",), ("create",)))


def requests_of(rules: Sequence[Rule], namespace: str) -> list[Request]:
    """Return every single right of some rules."""
    return [request for rule in rules for request in rule.requests(namespace)]
