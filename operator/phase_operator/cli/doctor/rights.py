"""Rights: what the person's commands need, what the operator's ServiceAccount needs, and what an installation needs."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from phase_operator.api import names
from phase_operator.cli.doctor.definitions import CRD_NAMES
from phase_operator.cli.doctor.deployed import Operator
from phase_operator.cli.doctor.findings import Finding, Unread, Verdict, known, shown
from phase_operator.core.text import clean, counted
from phase_operator.kube import operator_rights
from phase_operator.kube.operator_rights import Rule, requests_of
from phase_operator.kube.user_resources import (
    BUDGETS,
    CONFIG_MAPS,
    CRDS,
    DEPLOYMENTS,
    EVENTS,
    LEASES,
    NAMESPACES,
    NETWORK_POLICIES,
    OURS,
    PODS,
    REVIEWS,
    SECRETS,
    Request,
    Resource,
)

YOURS, OPERATORS, INSTALLING = "your rights", "operator's rights", "rights to install"
# Of so many watched namespaces the operator's rights are asked for, each with 45 questions at most.
MOST_NAMESPACES = 10
_RBAC = "rbac.authorization.k8s.io"
_ROLES = Resource(_RBAC, "v1", "clusterroles", "ClusterRole", is_namespaced=False)
_BINDINGS = Resource(_RBAC, "v1", "clusterrolebindings", "ClusterRoleBinding", is_namespaced=False)
_ACCOUNTS = Resource("", "v1", "serviceaccounts", "ServiceAccount")
_NEEDS = (
    ("get, tree, trace, explain", "list", OURS, ""),
    ("sync, suspend, resume", "patch", OURS, ""),
    ("uninstall", "delete", OURS, ""),
    ("diff, trace", "get", (SECRETS, CONFIG_MAPS), ""),
    ("tree", "list", (DEPLOYMENTS,), ""),
    ("events", "list", (EVENTS,), ""),
    ("auth create", "create", (SECRETS,), ""),
    ("auth create, migrate adopt", "patch", (SECRETS,), ""),
)
# The same, in the operator's namespace.
_NEEDS_THERE = (
    ("logs", "list", (PODS,), ""),
    ("logs", "get", (PODS,), "log"),
    ("get, logs", "get", (LEASES,), ""),
    ("get, doctor", "get", (PODS,), "proxy"),
)


@dataclass(frozen=True, slots=True)
class AccountRights:
    """Which rights the operator's ServiceAccount has, of those that it needs; some namespaces may be left out."""

    allowed: Mapping[Request, bool] | Unread
    left_out: int = 0


def needs_of_person(namespace: str, home: str) -> dict[Request, str]:
    """Return the rights that commands need in a namespace ("" for all) and in the operator's, and which commands."""
    needed: dict[Request, list[str]] = {}
    for where, table in ((namespace, _NEEDS), (home, _NEEDS_THERE)):
        for commands, verb, resources, subresource in table:
            for resource in resources:
                needed.setdefault(Request(verb, resource, where, subresource=subresource), []).append(commands)
    return {request: ", ".join(commands) for request, commands in needed.items()}


def needs_of_doctor(namespace: str, home: str, operator: Operator | None) -> list[Request]:
    """Return the rights that the whole examination takes: of a namespace ("" for all), and of the operator's."""
    lease = Request("get", LEASES, home, operator.lease if operator else names.OPERATOR_NAME)
    of_home = [Request("list", each, home) for each in (PODS, NETWORK_POLICIES, BUDGETS)]
    return [
        *(Request("get", CRDS, "", name) for name in CRD_NAMES),
        *(Request("list", each, "") for each in (DEPLOYMENTS, LEASES)),
        *(Request("list", each, namespace) for each in OURS),
        Request("get", SECRETS, namespace),
        *of_home,
        lease,
        Request("get", PODS, home, subresource="proxy"),
        Request("create", REVIEWS, ""),
    ]


def needs_of_operator(operator: Operator) -> tuple[list[Request], int]:
    """Return the rights that an operator needs by its settings, and how many watched namespaces were left out."""
    rules: tuple[Rule, ...] = operator_rights.WATCHED
    if operator.restarts:
        rules += operator_rights.RESTARTS
    watched = operator.namespaces[:MOST_NAMESPACES] or ("",)
    needed = [request for namespace in watched for request in requests_of(rules, namespace)]
    needed += requests_of(operator_rights.DIGEST_KEY, operator.namespace)
    if operator.elects:
        needed += requests_of(operator_rights.leader_rules(operator.lease), operator.namespace)
    if operator.asks_for_labels:
        needed += requests_of(operator_rights.NAMESPACE_LABELS, "")
    return needed, max(0, len(operator.namespaces) - MOST_NAMESPACES)


def needs_of_installer(home: str) -> list[Request]:
    """Return rights that an installation for the whole cluster needs; what RBAC asks of who grants is not all of it."""
    cluster_wide = [Request("create", each, "") for each in (CRDS, NAMESPACES, _ROLES, _BINDINGS)]
    granting = [Request(verb, _ROLES, "") for verb in ("escalate", "bind")]
    return [*cluster_wide, *granting, *(Request("create", each, home) for each in (_ACCOUNTS, DEPLOYMENTS))]


def check_person(allowed: Mapping[Request, bool] | Unread, needs: Mapping[Request, str]) -> Finding:
    """Return which commands the person has no right to use; that is nothing wrong with the installation."""
    if isinstance(allowed, Unread):
        return allowed.finding(YOURS)
    missing = lacking(allowed)
    if not missing:
        return Finding(YOURS, Verdict.OK, "you may do what every command needs")
    by_commands: dict[str, list[Request]] = {}
    for request in missing:
        by_commands.setdefault(needs[request], []).append(request)
    cures = [f"{commands}: it takes the right to {shown(each)}" for commands, each in by_commands.items()]
    return Finding(YOURS, Verdict.NOTE, f"you cannot use {'; '.join(by_commands)}", "\n".join(cures))


def check_account(operator: Operator, found: AccountRights) -> Finding:
    """Return whether the operator's ServiceAccount has every right that it needs."""
    if isinstance(found.allowed, Unread):
        return found.allowed.finding(OPERATORS)
    missing = lacking(found.allowed)
    account = f"ServiceAccount {clean(operator.namespace)}/{clean(operator.account)}"
    rest = f"; {counted(found.left_out, 'namespace')} more not looked at" if found.left_out else ""
    if operator.unclear:
        rest += f"; settings are not seen that come from {shown(operator.unclear)}"
    if missing:
        return Finding(OPERATORS, Verdict.BAD, f"{account} may not {shown(missing)}{rest}", _grant(operator, missing))
    asked = counted(len(found.allowed), "right")
    return Finding(OPERATORS, Verdict.OK, f"{account} has the {asked} that it needs{rest}")


def check_installer(allowed: Mapping[Request, bool] | Unread) -> Finding:
    """Return whether the person may install the operator for the whole cluster."""
    if isinstance(allowed, Unread):
        return allowed.finding(INSTALLING)
    missing = lacking(allowed)
    if not missing:
        return Finding(INSTALLING, Verdict.OK, "you may install it for the whole cluster")
    cure = (
        "Ask an administrator of the cluster, or install it for some namespaces with Roles (docs/operating/install.md)."
    )
    return Finding(INSTALLING, Verdict.BAD, f"you may not {shown(missing)}", cure)


def lacking(allowed: Mapping[Request, bool] | Unread) -> list[Request]:
    """Return the rights that somebody was found not to have."""
    return [request for request, may in known(allowed, {}).items() if not may]


def _grant(operator: Operator, missing: Sequence[Request]) -> str:
    """Return what gives the rights, by where they lack."""
    return "\n".join(dict.fromkeys(_manifest(operator, each) for each in missing))


def _manifest(operator: Operator, request: Request) -> str:
    if request.namespace == operator.namespace and request.namespace not in operator.namespaces:
        which = "base/lease.yaml" if request.resource.plural == "leases" else "overlays/namespaced/own-namespace.yaml"
        return f"Apply deploy/{which}, or the chart, again."
    if not request.namespace:
        which = "namespace-labels" if request.resource.plural == "namespaces" else "overlays/cluster-wide/rbac.yaml"
        return f"Apply deploy/{which}, or the chart, again."
    namespace = clean(request.namespace)
    return f"Give namespace {namespace} its Role: deploy/watched-namespace, or watchNamespaces in the chart."


def lacked(facts: Iterable[object]) -> list[Request]:
    """Return the rights for lack of which facts could not be read."""
    return [each.lacks for each in facts if isinstance(each, Unread) and each.lacks is not None]
