"""`suspend` and `resume`: have resources left as they are, and served again."""

import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import click

from phase_operator.api import names
from phase_operator.cli.acting.awaited import Ending, Judge, suspended, synced
from phase_operator.cli.acting.waiting import Awaited, Machine, end_by, verdicts
from phase_operator.cli.common.appliers import undoing
from phase_operator.cli.common.cluster import all_of, connected, namespace_of, waited_for
from phase_operator.cli.common.failures import Failure
from phase_operator.cli.common.options import HELP, ClusterOptions, cluster_options, example, timeout_option
from phase_operator.cli.common.resources import check_several, chosen, place_of, resource_of, several_options, uid_of
from phase_operator.cli.common.standing import is_suspended, lease_end, sync_answered
from phase_operator.cli.common.terminal import Tone, say, shown, toned
from phase_operator.core.json_access import mapping, texts
from phase_operator.kube.user_cluster import UserCluster

_LONGEST_REASON = 256


@dataclass(frozen=True, slots=True)
class Change:
    """What is written to each resource, and how long its end is waited for; None: not at all."""

    is_suspension: bool
    because: str
    timeout: float | None

    @property
    def done(self) -> str:
        """What a resource is afterwards, in a word."""
        return "suspended" if self.is_suspension else "resumed"

    def body(self, value: str) -> dict[str, Any]:
        """Return the merge patch. A field that is taken out leaves no owner behind that a GitOps tool would meet."""
        because = self.because or None
        if self.is_suspension:
            annotations: dict[str, Any] = {} if because is None else {names.ANNOTATION_SUSPENDED_BECAUSE: because}
            return {"metadata": {"annotations": annotations}, "spec": {"suspend": True}}
        # The value of the sync annotation makes a read come at once.
        annotations = {names.ANNOTATION_SUSPENDED_BECAUSE: None, names.ANNOTATION_SYNC: value}
        return {"metadata": {"annotations": annotations}, "spec": {"suspend": None}}

    def is_needless(self, resource: Mapping[str, Any]) -> bool:
        """Return whether a resource is as it would become."""
        if not self.is_suspension:
            return not is_suspended(resource)
        annotations = texts(mapping(resource.get("metadata")).get("annotations"))
        return is_suspended(resource) and self.because in ("", annotations.get(names.ANNOTATION_SUSPENDED_BECAUSE))

    def judge(self, resource: Mapping[str, Any], value: str) -> Judge:
        """Return what judges whether the operator has taken it in."""
        uid = uid_of(resource)
        return suspended(uid) if self.is_suspension else synced(uid, value, sync_answered(resource))


def _reason(context: click.Context, parameter: click.Parameter, given: str) -> str:
    if len(given) > _LONGEST_REASON:
        raise click.BadParameter(f"at most {_LONGEST_REASON} characters", context, parameter)
    return given


@click.command(context_settings=HELP, epilog=example('kubectl phase suspend shop --reason "the database moves"'))
@several_options
@click.option(
    "--reason",
    default="",
    callback=_reason,
    metavar="TEXT",
    help="Why. It is kept in an annotation, and `tree` shows it.",
)
@click.option("--wait/--no-wait", default=False, show_default=True, help="Wait until the operator has taken it in.")
@timeout_option(60)
@cluster_options(all_namespaces=True)
def suspend(
    at: ClusterOptions,
    named: tuple[str, ...],
    selector: str,
    everything: bool,
    reason: str,
    wait: bool,
    timeout: float,
) -> None:
    """Leave resources alone: nothing is read from Phase or pushed to it for them; their targets stay as they are."""
    check_several(named, selector, everything=everything, all_namespaces=at.all_namespaces)
    waited_for(_change(at, named, selector, Change(True, reason, timeout if wait else None)))


@click.command(context_settings=HELP, epilog=example("kubectl phase resume shop --wait"))
@several_options
@click.option("--wait/--no-wait", default=False, show_default=True, help="Wait until they are in step again.")
@timeout_option(60)
@cluster_options(all_namespaces=True)
def resume(
    at: ClusterOptions, named: tuple[str, ...], selector: str, everything: bool, wait: bool, timeout: float
) -> None:
    """Serve suspended resources again, at once."""
    check_several(named, selector, everything=everything, all_namespaces=at.all_namespaces)
    waited_for(_change(at, named, selector, Change(False, "", timeout if wait else None)))


async def _change(at: ClusterOptions, named: Sequence[str], selector: str, change: Change) -> None:
    value = f"kubectl-phase {secrets.token_hex(8)}"
    async with connected(at) as cluster:
        found = await chosen(cluster, namespace_of(at, cluster), named, labels=selector)
        if not found:
            raise Failure("no resource matches")
        awaited = await all_of(found, lambda each: changed(cluster, each, change, value))
        if change.timeout is not None:
            await _wait(cluster, [each for each in awaited if each is not None], change.timeout)


async def changed(cluster: UserCluster, resource: Mapping[str, Any], change: Change, value: str) -> Awaited | None:
    """Change one resource and tell of it; return what to wait for, or None if it is as it would become."""
    kind, (namespace, name, _) = resource_of(resource), place_of(resource)
    awaited = Awaited(kind, namespace, name, change.judge(resource, value))
    if change.is_needless(resource):
        click.echo(f"{awaited}: {'already suspended' if change.is_suspension else 'not suspended'}")
        return awaited if change.is_suspension else None
    found = await cluster.patch(kind, namespace, name, change.body(value))
    if is_suspended(found) is not change.is_suspension:
        # The API server drops a field that the CRD does not have, and says nothing of it.
        raise Failure(
            f"{awaited} is not {change.done}: the cluster's CRD has no "
            "spec.suspend, or a webhook undoes it; see `kubectl phase doctor`"
        )
    click.echo(f"{awaited}: {change.done}")
    for note in filter(None, (undoing(resource), _lease(resource) if change.is_suspension else "")):
        say(f"{awaited}: {toned(note, Tone.NOTE)}")
    return awaited


def _lease(resource: Mapping[str, Any]) -> str:
    """Return what a suspension means for a lease; "" if there is none."""
    end = lease_end(resource)
    return f"its lease ends at {shown(end)} and gets no successor until it is resumed" if end else ""


async def _wait(cluster: UserCluster, awaited: Sequence[Awaited], longest: float) -> None:
    endings: list[Ending] = []
    async for each, _, verdict in verdicts(cluster, awaited, longest, Machine(), say):
        click.echo(f"{each}: {toned(verdict.says, Tone.GOOD if verdict.ending is Ending.DONE else Tone.BAD)}")
        endings.append(verdict.ending)
    end_by(endings, "did not get there in time")
