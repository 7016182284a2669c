"""May a PhaseSecret do what it asks for: namespaces, hosts and types that whoever runs the operator did not allow.

Rule: what is refused here is refused before anything is read, and the message says who could allow it and how.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from phase_operator.api import names
from phase_operator.api.reasons import Reason
from phase_operator.api.v1alpha1 import PhaseSecretSpec
from phase_operator.core.access.grants import Grant, Labelled, Use, allowed
from phase_operator.core.access.hosts import CLOUD, Host, leads_to, parse_hosts
from phase_operator.core.errors import Invalid, Waiting
from phase_operator.core.refs import Kind, TargetRef
from phase_operator.core.source.query import Ask
from phase_operator.core.targets.secret import IMPERSONATION
from phase_operator.core.text import listing
from phase_operator.core.values import ObjectKey


@dataclass(frozen=True, slots=True)
class Tenancy:
    """What whoever runs the operator allows beyond a PhaseSecret's own namespace."""

    grants: tuple[Grant, ...] = ()
    # Nothing: any host, for a token of the PhaseSecret's own namespace.
    hosts: tuple[Host, ...] = ()
    # The operator's own namespace.
    home: str = ""
    # The namespaces that are watched; nothing: all.
    watched: frozenset[str] = frozenset()
    # Secrets of the types that let their holder act as somebody else.
    impersonation: bool = False

    @property
    def asks_for_labels(self) -> bool:
        """Say whether labels of namespaces matter."""
        return any(isinstance(grant.frm, Labelled) for grant in self.grants)


def check_targets(targets: Iterable[TargetRef], token: ObjectKey) -> None:
    """Refuse targets that no run may write: the token Secret, the operator's own."""
    for target in targets:
        if target.kind is Kind.SECRET and target.key == token:
            raise Invalid(Reason.INVALID_SPEC, f"{target} is the token Secret itself; choose another name")
        if target.kind is Kind.SECRET and target.key.name == names.DIGEST_KEY_SECRET:
            raise Invalid(Reason.INVALID_SPEC, f"{target} is the operator's own; choose another name")


def keeps_token(user: ObjectKey, writer: ObjectKey, secret: ObjectKey, *, is_used: bool) -> bool:
    """Say whether a PhaseSecret that names a Secret as its token keeps another one from writing a target there.

    `is_used`: there is a token in the Secret that the first one asks with. Who comes from another namespace and only
    names it could stop targets where he may not write, so that keeps nobody of the Secret's own namespace from it. Of
    two that are both strangers there, the writer has to yield: he would choose the other one's token.
    """
    at_home = secret.namespace
    return user.namespace == at_home or is_used or writer.namespace != at_home


def check_tenancy(
    tenancy: Tenancy, ask: Ask, key: ObjectKey, labels: Mapping[str, str], targets: Iterable[TargetRef]
) -> None:
    """Refuse namespaces and a host that are not allowed; `labels` are those of the resource's namespace."""
    wanted = [(Use.TOKEN, f"token Secret {ask.token_key}", ask.token_key.namespace)]
    wanted += [(Use.TARGET, str(target), target.key.namespace) for target in targets]
    for use, what, namespace in wanted:
        if why := reach_refusal(tenancy, use, key.namespace, labels, namespace):
            raise Invalid(Reason.CROSS_NAMESPACE, f"{what}: {why}")
    if why := host_refusal(tenancy, ask.base_url, foreign=ask.foreign):
        raise Invalid(Reason.HOST_REFUSED, why)


def reach_refusal(tenancy: Tenancy, use: Use, namespace: str, labels: Mapping[str, str], to: str) -> str | None:
    """Say why PhaseSecrets of a namespace may not use another one, and what would allow it; None if they may."""
    if to == namespace:
        return None
    if tenancy.watched and to not in tenancy.watched:
        return f'the operator does not watch namespace "{to}" (--namespace)'
    if allowed(tenancy.grants, use, namespace, labels, to, home=tenancy.home):
        return None
    return (
        f'namespace "{to}" is not the PhaseSecret\'s own, and the operator has no grant for it '
        f"(--grant from={namespace},to={to},what={use})"
    )


def host_refusal(tenancy: Tenancy, url: str, *, foreign: bool) -> str | None:
    """Say why a token, of another namespace or not, may not be sent to where a URL leads; None if it may."""
    if tenancy.hosts:
        if leads_to(url, tenancy.hosts):
            return None
        return f"spec.phaseHost is none of the hosts that the operator may ask: {listing(map(str, tenancy.hosts))}"
    if foreign and not leads_to(url, CLOUD):
        return (
            "the token lies in another namespace and is therefore sent to Phase's cloud only, not to the host in "
            "spec.phaseHost (--allow-phase-host)"
        )
    return None


def check_annotation(hosts: str | None, url: str, token: ObjectKey) -> None:
    """Refuse a host that a token's own Secret leaves out; an annotation that is nonsense lets it nowhere."""
    if hosts is None:
        return
    try:
        if leads_to(url, parse_hosts(hosts)):
            return
    except ValueError:
        pass
    # The annotation is not quoted: it is another's.
    raise Waiting(
        Reason.HOST_REFUSED,
        f"the annotation {names.ANNOTATION_ALLOWED_HOSTS} of Secret {token} does not list the host in spec.phaseHost",
    )


def impersonates(spec: PhaseSecretSpec) -> bool:
    """Say whether a spec wants a Secret that lets its holder act as somebody else."""
    return any(each.secret_type in IMPERSONATION for each in spec.managed_secret_references)
