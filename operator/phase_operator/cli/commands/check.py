"""`phase-operator check`: whether an installation can serve; `helm test` runs it in the cluster.

Rule: the fewest rights. The API server tries a resource of each kind and stores none, and the Lease is read by its
name. `doctor` looks at everything, with the rights of a person.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import click

from phase_operator.api import names
from phase_operator.cli.acting.waiting import Machine
from phase_operator.cli.common.cluster import connected, namespace_of, waited_for
from phase_operator.cli.common.failures import ExitCode
from phase_operator.cli.common.leader import pod_of
from phase_operator.cli.common.options import (
    HELP,
    OBJECT_NAME,
    ClusterOptions,
    cluster_options,
    example,
    timeout_option,
)
from phase_operator.cli.common.terminal import Tone, toned
from phase_operator.cli.doctor.others import lease_of
from phase_operator.core.text import clean
from phase_operator.kube.user_cluster import UserCluster
from phase_operator.kube.user_errors import Trouble, UserError
from phase_operator.kube.user_resources import LEASES, OURS, Resource

_PAUSE = 1.0
_PLACE = MappingProxyType({"phaseApp": "check", "phaseAppEnv": "production"})
_TARGETS = MappingProxyType({"managedSecretReferences": [{"secretName": "check"}]})
_SPECS: Mapping[str, Mapping[str, Any]] = {
    names.KIND_PHASE_SECRET: {**_PLACE, **_TARGETS},
    names.KIND_PHASE_DYNAMIC_SECRET: {**_PLACE, **_TARGETS, "dynamicSecret": "check", "leaseTTL": 3600},
    names.KIND_PHASE_PUSH_SECRET: {**_PLACE, "sources": [{"secretName": "check"}]},
}


@dataclass(frozen=True, slots=True)
class Checked:
    """What was looked at, and why it is not right; "" if it is."""

    what: str
    why: str = ""


@click.command(context_settings=HELP, epilog=example("phase-operator check -n phase-system"))
@click.option(
    "--operator-lease",
    "lease",
    type=OBJECT_NAME,
    metavar="NAME",
    default=names.OPERATOR_NAME,
    show_default=True,
    help="Name of the operator's Lease.",
)
@click.option("--no-leader", is_flag=True, help="Look at no Lease, for an operator without leader election.")
@timeout_option(60)
@cluster_options()
def check(at: ClusterOptions, *, lease: str, no_leader: bool, timeout: float) -> int:
    """Check in the operator's namespace that the API server serves its kinds, and that a replica leads.

    It needs few rights, so that `helm test` can run it in the cluster: to create our kinds in that namespace, of which
    nothing is stored, and to get the Lease. Exit code 5 if something is still not right after the time.
    """
    found = waited_for(_checked(at, "" if no_leader else lease, timeout))
    for each in found:
        mark = toned("no ", Tone.BAD) if each.why else toned("ok ", Tone.GOOD)
        click.echo(f"{mark} {each.what}{f': {each.why}' if each.why else ''}")
    return ExitCode.TIMED_OUT if any(each.why for each in found) else ExitCode.OK


async def _checked(at: ClusterOptions, lease: str, longest: float) -> Sequence[Checked]:
    async with connected(at) as cluster:
        return await awaited(cluster, namespace_of(at, cluster), lease, longest, Machine())


async def awaited(
    cluster: UserCluster, namespace: str, lease: str, longest: float, clock: Machine
) -> Sequence[Checked]:
    """Return what was found once all of it is right, or when time is up; no Lease is looked at for "". Raise UserError.

    An installation may still be starting.
    """
    began = clock.now()
    while True:
        found = [await _tried(cluster, namespace, each) for each in OURS]
        found += [await _led(cluster, namespace, lease)] if lease else []
        if not any(each.why for each in found) or clock.now() - began >= longest:
            return found
        await clock.sleep(_PAUSE)


async def _tried(cluster: UserCluster, namespace: str, kind: Resource) -> Checked:
    """Return whether the API server takes a resource of a kind."""
    body = {
        "apiVersion": kind.api_version,
        "kind": kind.kind,
        "metadata": {"generateName": "check-", "namespace": namespace},
        "spec": _SPECS[kind.kind],
    }
    what = f"the API server takes a {kind.kind}"
    try:
        await cluster.create(kind, namespace, body, dry_run=True)
    except UserError as error:
        return Checked(what, _why(error))
    return Checked(what)


async def _led(cluster: UserCluster, namespace: str, name: str) -> Checked:
    """Return whether a replica holds the Lease and renews it."""
    what = f"a replica leads, by the Lease {clean(namespace)}/{clean(name)}"
    try:
        lease = lease_of(await cluster.get(LEASES, namespace, name))
    except UserError as error:
        return Checked(what, _why(error))
    now = cluster.now()
    if now is None or not lease.is_held(now):
        return Checked(what, f"{clean(lease.holder)} does not renew it" if lease.holder else "nobody holds it")
    return Checked(f"{what}: {clean(pod_of(lease.holder)) or clean(lease.holder)}")


def _why(error: UserError) -> str:
    if error.trouble is Trouble.UNREACHABLE:
        raise error
    return error.message
