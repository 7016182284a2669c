"""The operator's leader, as a person's command finds it: its Lease names the pod."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import wraps
from typing import Any

import click

from phase_operator.api import names
from phase_operator.cli.common.options import NAMESPACE, OBJECT_NAME, combined
from phase_operator.core.json_access import mapping, text
from phase_operator.core.text import clean
from phase_operator.kube.user_cluster import UserCluster
from phase_operator.kube.user_resources import LEASES

# As in every manifest that we ship, and in the chart for a release of that name.
USUAL_HOME = "phase-system"
_LEASE, _PORT = names.OPERATOR_NAME, 8081


@dataclass(frozen=True, slots=True)
class OperatorOptions:
    """Where the command line says that the operator is."""

    namespace: str = USUAL_HOME
    lease: str = _LEASE
    port: int = _PORT


class NoLeaderError(Exception):
    """No replica leads, as far as the Lease tells; the message says what to do."""


def operator_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command a parameter `operator`, of OperatorOptions."""

    @wraps(command)
    def run(*args: Any, operator_namespace: str, operator_lease: str, operator_port: int, **given: Any) -> Any:
        return command(*args, operator=OperatorOptions(operator_namespace, operator_lease, operator_port), **given)

    return combined(  # type: ignore[no-any-return]  # click does not say what it returns
        click.option(
            "--operator-namespace",
            type=NAMESPACE,
            metavar="NAMESPACE",
            default=USUAL_HOME,
            show_default=True,
            help="Namespace of the operator.",
        ),
        click.option(
            "--operator-lease",
            type=OBJECT_NAME,
            metavar="NAME",
            default=_LEASE,
            show_default=True,
            help="Name of the operator's Lease.",
        ),
        click.option(
            "--operator-port",
            type=click.IntRange(1, 65535),
            default=_PORT,
            show_default=True,
            metavar="PORT",
            help="Port of the operator's /healthz.",
        ),
    )(run)


async def leader(cluster: UserCluster, at: OperatorOptions) -> str:
    """Return the name of the pod that leads; raise NoLeaderError, and UserError if the Lease cannot be read."""
    lease = await cluster.get(LEASES, at.namespace, at.lease)
    pod = pod_of(text(mapping(lease.get("spec")).get("holderIdentity")))
    if not pod:
        raise NoLeaderError(f"no operator holds the Lease {clean(at.namespace)}/{clean(at.lease)}: none is running")
    return pod


def pod_of(holder: str) -> str:
    """Return the pod that the holder of a Lease runs in: its identity is the pod's name and digits; "" for none."""
    return holder.rpartition("_")[0]
