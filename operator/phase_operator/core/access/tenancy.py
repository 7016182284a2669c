"""Refuse the namespaces, hosts and Secret types that the operator's settings do not allow a resource.

Rule: a refusal comes before anything is read, and its message says who could allow it and how.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from phase_operator.api import names
from phase_operator.api.reasons import Reason
from phase_operator.api.v1alpha1 import PhaseSecretSpec
from phase_operator.core.access.default_host import trusted_hosts, trusted_name
from phase_operator.core.access.grants import Grant, Labelled, Use, allowed
from phase_operator.core.access.hosts import Host, leads_to, parse_hosts
from phase_operator.core.errors import Invalid, Waiting
from phase_operator.core.refs import Kind, TargetRef
from phase_operator.core.source.query import Ask
from phase_operator.core.targets.secret import IMPERSONATION
from phase_operator.core.text import listing
from phase_operator.core.values import ObjectKey


@dataclass(frozen=True, slots=True)
class Tenancy:
    """What the operator's settings allow beyond a resource's own namespace."""

    grants: tuple[Grant, ...] = ()
    # Empty: any host, for a token from the resource's own namespace.
    hosts: tuple[Host, ...] = ()
    # The operator's own namespace.
    operator_namespace: str = ""
    # The namespaces that are watched; empty: all.
    watched: frozenset[str] = frozenset()
    # Whether Secrets are allowed whose types let their holder act as another user.
    impersonation: bool = False
    # Where resources that name no host are asked.
    default_host: str = names.DEFAULT_HOST

    @property
    def asks_for_labels(self) -> bool:
        """Whether a decision depends on labels of namespaces."""
        return any(isinstance(grant.source, Labelled) for grant in self.grants)


def check_targets(targets: Iterable[TargetRef], token: ObjectKey) -> None:
    """Refuse targets that no run may write: the token Secret and the operator's own Secret."""
    for target in targets:
        match target:
            case (Kind.SECRET, key) if key == token:
                raise Invalid(Reason.INVALID_SPEC, f"{target} is the token Secret itself; choose another name")
            case (Kind.SECRET, (_, names.DIGEST_KEY_SECRET, _)):
                raise Invalid(Reason.INVALID_SPEC, f"{target} is the operator's own; choose another name")


def keeps_token(user: ObjectKey, writer: ObjectKey, secret: ObjectKey, *, is_used: bool) -> bool:
    """Return whether `user`, which names `secret` as its token, keeps `writer` from writing a target there.

    `is_used` means that `user` reads a token from the Secret. A user from another namespace that only names the Secret
    does not stop a writer in the Secret's own namespace: it could block targets where it may not write. If both are
    from other namespaces, the writer has to yield: it would choose the other's token.
    """
    at_home = secret.namespace
    return user.namespace == at_home or is_used or writer.namespace != at_home


def check_tenancy(
    tenancy: Tenancy,
    ask: Ask,
    key: ObjectKey,
    labels: Mapping[str, str],
    targets: Iterable[TargetRef],
    *,
    token_for: Use = Use.TOKEN,
) -> None:
    """Refuse namespaces and a host that are not allowed; `labels` are those of the resource's namespace."""
    if why := reach_refusal(tenancy, token_for, key.namespace, labels, ask.token_key.namespace):
        raise Invalid(Reason.CROSS_NAMESPACE, f"token Secret {ask.token_key}: {why}")
    for target in targets:
        if why := reach_refusal(tenancy, Use.TARGET, key.namespace, labels, target.key.namespace):
            raise Invalid(Reason.CROSS_NAMESPACE, f"{target}: {why}")
    if why := host_refusal(tenancy, ask.base_url, foreign=ask.foreign):
        raise Invalid(Reason.HOST_REFUSED, why)


def reach_refusal(tenancy: Tenancy, use: Use, namespace: str, labels: Mapping[str, str], to: str) -> str | None:
    """Return why resources of a namespace may not use another, and what would allow it; None if they may."""
    if to == namespace:
        return None
    if tenancy.watched and to not in tenancy.watched:
        return f'the operator does not watch namespace "{to}" (--namespace)'
    if allowed(tenancy.grants, use, namespace, labels, to, home=tenancy.operator_namespace):
        return None
    # Statuses say it: another wording would have an upgrade write the status of each that is refused.
    whose = "PhasePushSecret" if use in (Use.PUSH, Use.REPLACE) else "PhaseSecret"
    return (
        f'namespace "{to}" is not the {whose}\'s own, and the operator has no grant for it '
        f"(--grant from={namespace},to={to},what={use.granted})"
    )


def host_refusal(tenancy: Tenancy, url: str, *, foreign: bool) -> str | None:
    """Return why a token may not be sent to this URL, or None. `foreign`: the token is from another namespace."""
    if tenancy.hosts:
        if leads_to(url, tenancy.hosts):
            return None
        return f"spec.phaseHost is none of the hosts that the operator may ask: {listing(map(str, tenancy.hosts))}"
    if foreign and not leads_to(url, trusted_hosts(tenancy.default_host)):
        return (
            f"the token lies in another namespace and is therefore sent to {trusted_name(tenancy.default_host)} only, "
            "not to the host in spec.phaseHost (--allow-phase-host)"
        )
    return None


def push_refusal(tenancy: Tenancy, url: str) -> str | None:
    """Return why values of the cluster may not be sent to this URL, or None.

    The operator reads them, for people who may not read them themselves.
    """
    if tenancy.hosts or leads_to(url, trusted_hosts(tenancy.default_host)):
        return host_refusal(tenancy, url, foreign=False)
    return (
        f"what is pushed is sent to {trusted_name(tenancy.default_host)} only, not to the host in spec.phaseHost, "
        "since the operator reads it with its own rights (--allow-phase-host)"
    )


def check_annotation(hosts: str | None, url: str, token: ObjectKey) -> None:
    """Refuse a host that the token Secret's annotation does not list; an invalid annotation allows no host."""
    if hosts is None:
        return
    try:
        if leads_to(url, parse_hosts(hosts)):
            return
    except ValueError:
        pass
    # The annotation is not quoted: it belongs to another namespace.
    raise Waiting(
        Reason.HOST_REFUSED,
        f"the annotation {names.ANNOTATION_ALLOWED_HOSTS} of Secret {token} does not list the host in spec.phaseHost",
    )


def impersonates(spec: PhaseSecretSpec) -> bool:
    """Return whether a spec asks for a Secret that lets its holder act as another user."""
    return any(each.secret_type in IMPERSONATION for each in spec.managed_secret_references)
