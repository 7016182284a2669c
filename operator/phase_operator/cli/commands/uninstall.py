"""`uninstall --keep-secrets`: take resources away, and on demand the operator, so that every target stays."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import click

from phase_operator.cli.acting.key_changes import KeyState
from phase_operator.cli.common.cluster import connected, waited_for
from phase_operator.cli.common.failures import Failure
from phase_operator.cli.common.options import HELP, ClusterOptions, cluster_options, example, timeout_option
from phase_operator.cli.common.terminal import Tone, confirmed, print_table, say, toned
from phase_operator.cli.uninstalling.departure import Departure
from phase_operator.cli.uninstalling.installation import Installation, installation, remove
from phase_operator.cli.uninstalling.leavers import HEAD, Leaver, obstacles
from phase_operator.core.refs import TargetRef
from phase_operator.kube.user_resources import CRDS, Request

_NEEDED = (
    "give --keep-secrets: every resource is deleted, and every Secret and ConfigMap that they wrote stays, whatever "
    "its deletionPolicy says. To have targets deleted as well, delete the resources with kubectl"
)
# Of each sort of line that is no table.
_MOST = 100


@dataclass(frozen=True, slots=True)
class Wish:
    """What the person asked for."""

    crds: bool
    dry_run: bool
    yes: bool
    operator_gone: bool
    timeout: float


@click.command(context_settings=HELP, epilog=example("kubectl phase uninstall --keep-secrets --dry-run"))
@click.option("--keep-secrets", is_flag=True, help="Needed: all targets stay, also those with deletionPolicy Delete.")
@click.option("--crds", is_flag=True, help="Delete the CRDs and the operator's own objects as well.")
@click.option("--operator-gone", is_flag=True, help="The operator is gone for good: take its finalizers off.")
@click.option("--dry-run", is_flag=True, help="Show what would be done, and do nothing.")
@click.option("-y", "--yes", is_flag=True, help="Do not ask.")
@timeout_option(600)
@cluster_options()
def uninstall(
    at: ClusterOptions,
    keep_secrets: bool,
    crds: bool,
    operator_gone: bool,
    dry_run: bool,
    yes: bool,
    timeout: float,
) -> None:
    """Delete all resources of this operator, of all namespaces or of -n, so that what they wrote stays.

    Run it while the operator runs: it gives leases back, and lets entries in Phase go as each deletionPolicy says.
    """
    if not keep_secrets:
        raise click.UsageError(_NEEDED)
    if crds and at.namespace:
        raise click.UsageError("the CRDs are those of all namespaces: leave -n or --crds out")
    waited_for(_uninstall(at, Wish(crds, dry_run, yes, operator_gone, timeout)))


async def _uninstall(at: ClusterOptions, wish: Wish) -> None:
    async with connected(at) as cluster:
        departure = Departure(cluster, at.namespace or "", wish.timeout, wish.operator_gone)
        await departure.check_rights(departure.requests())
        if wish.crds:
            await departure.check_rights([Request("delete", CRDS, "")])
        leavers = await departure.resources()
        kept = await departure.kept(leavers)
        own = await installation(cluster) if wish.crds else None
        _show(leavers, kept, own, operator_gone=wish.operator_gone)
        if found := obstacles(leavers):
            raise Failure(f"nothing was done: {'; '.join(found[:_MOST])}")
        if wish.dry_run or not (leavers or own):
            return
        confirmed(f"Delete {_count(leavers, own)}, and keep {len(kept)} Secrets and ConfigMaps?", yes=wish.yes)
        await departure.leave(leavers, kept)
        if own is not None:
            await remove(cluster, own.objects)
            await departure.check_kept(kept)
        click.echo(f"{len(kept)} Secrets and ConfigMaps are there, with all keys that they had")


def _count(leavers: Sequence[Leaver], own: Installation | None) -> str:
    objects = f" and {len(own.objects)} objects of the operator" if own is not None else ""
    return f"{len(leavers)} resources{objects}"


def _show(
    leavers: Sequence[Leaver], kept: Mapping[TargetRef, KeyState], own: Installation | None, *, operator_gone: bool
) -> None:
    """Print all that is there, and what is dangerous about it."""
    if leavers:
        print_table(HEAD, [each.row() for each in leavers])
    click.echo(f"{len(leavers)} resources go; {len(kept)} Secrets and ConfigMaps stay")
    if own is not None:
        _show_own(own)
    warnings = _warnings(leavers, operator_gone=operator_gone)
    for warning in warnings[:_MOST]:
        say(toned(warning, Tone.NOTE))
    if len(warnings) > _MOST:
        say(f"and {len(warnings) - _MOST} more warnings")


def _show_own(own: Installation) -> None:
    click.echo(f"the operator's own objects go: {len(own.objects)}")
    for thing in own.objects[:_MOST]:
        click.echo(f"  {thing}")
    for release in own.releases:
        say(toned(f"Helm keeps other objects: remove them with `helm uninstall`, release {release}", Tone.NOTE))


def _warnings(leavers: Sequence[Leaver], *, operator_gone: bool) -> list[str]:
    found = [f"{each}: {warning}" for each in leavers for warning in each.warnings]
    if operator_gone and any(each.finalizers for each in leavers):
        found.append("leases live to their ends and entries stay in Phase, since no operator lets them go")
    return found
