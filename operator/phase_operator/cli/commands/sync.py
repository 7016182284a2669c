"""`sync`: have resources read from Phase now, and tell which keys of their targets changed."""

import asyncio
import secrets
from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any

import click

from phase_operator.api import names
from phase_operator.cli.acting.awaited import Ending, Verdict, synced
from phase_operator.cli.acting.key_changes import KeyState, key_changes, key_state
from phase_operator.cli.acting.waiting import Awaited, Machine, end_by, verdicts
from phase_operator.cli.common.cluster import all_of, connected, namespace_of, waited_for
from phase_operator.cli.common.failures import Failure
from phase_operator.cli.common.options import HELP, ClusterOptions, cluster_options, example, timeout_option
from phase_operator.cli.common.resources import (
    OF_TARGETS,
    check_several,
    chosen,
    place_of,
    resource_of,
    several_options,
    uid_of,
)
from phase_operator.cli.common.standing import is_suspended, sync_answered
from phase_operator.cli.common.terminal import Tone, say, shown, toned
from phase_operator.core.json_access import mapping, text
from phase_operator.core.refs import TargetRef
from phase_operator.core.status.recorded import newest_version, newest_versions, recorded_refs
from phase_operator.kube.user_cluster import UserCluster
from phase_operator.kube.user_errors import Suppressed, Trouble

_TONES = {Ending.DONE: Tone.GOOD, Ending.NOT_DONE: Tone.BAD, Ending.TIMED_OUT: Tone.BAD}
_LATE = "did not answer in time; they still will, if an operator runs that serves them: see `kubectl phase doctor`"
# The keys of a target, by the target; None: the person may not read it.
Keys = dict[TargetRef, KeyState | None]


@click.command(context_settings=HELP, epilog=example("kubectl phase sync shop", "kubectl phase sync -A --no-wait"))
@several_options
@click.option("--wait/--no-wait", default=True, show_default=True, help="Wait until it is done.")
@timeout_option(60)
@cluster_options(all_namespaces=True)
def sync(
    at: ClusterOptions, named: tuple[str, ...], selector: str, everything: bool, wait: bool, timeout: float
) -> None:
    """Read resources from Phase now, or push them to it, and show the names of the keys that changed.

    Exit code 1 if a resource is not ready or is suspended; 5 if one took too long, in which case the sync goes on.
    """
    check_several(named, selector, everything=everything or at.all_namespaces, all_namespaces=at.all_namespaces)
    waited_for(_sync(at, named, selector, longest=timeout if wait else None))


async def _sync(at: ClusterOptions, named: Sequence[str], selector: str, *, longest: float | None) -> None:
    async with connected(at) as cluster:
        found = await chosen(cluster, namespace_of(at, cluster), named, labels=selector)
        if not found:
            raise Failure("no resource matches")
        active = [each for each in found if not is_suspended(each)]
        for each in found:
            if is_suspended(each):
                _print(each, Ending.NOT_DONE if named else Ending.DONE, "suspended, so it is not read: see `resume`")
        endings = [Ending.NOT_DONE] if named and len(active) < len(found) else []
        endings += [ending async for ending in _ended(cluster, active, longest)]
    end_by(endings, _LATE)


async def _ended(
    cluster: UserCluster, resources: Sequence[Mapping[str, Any]], longest: float | None
) -> AsyncIterator[Ending]:
    """Ask for a read of each resource, and yield how each ended; without a longest wait nothing is waited for."""
    value = f"kubectl-phase {secrets.token_hex(8)}"
    before = [] if longest is None else await all_of(resources, lambda each: _keys(cluster, each))
    asked = await all_of(resources, lambda each: ask(cluster, each, value))
    if longest is None:
        for each in resources:
            _print(each, Ending.DONE, "asked for a read")
        return
    keys = {id(wanted): old for wanted, old in zip(asked, before, strict=True)}
    async for wanted, found, verdict in verdicts(cluster, asked, longest, Machine(), say):
        new = {} if found is None else await _keys(cluster, found)
        _told(found or {"kind": wanted.resource.kind, "metadata": _place(wanted)}, verdict, keys[id(wanted)], new)
        yield verdict.ending


async def ask(cluster: UserCluster, resource: Mapping[str, Any], value: str) -> Awaited:
    """Write the sync annotation of a resource, and return what to wait for."""
    kind, (namespace, name, _) = resource_of(resource), place_of(resource)
    await cluster.patch(kind, namespace, name, {"metadata": {"annotations": {names.ANNOTATION_SYNC: value}}})
    return Awaited(kind, namespace, name, synced(uid_of(resource), value, sync_answered(resource)))


def _place(wanted: Awaited) -> dict[str, str]:
    return {"namespace": wanted.namespace, "name": wanted.name}


async def _keys(cluster: UserCluster, resource: Mapping[str, Any]) -> Keys:
    """Return the keys of each target; what is versioned has those of its newest version."""
    status = mapping(resource.get("status"))
    versions = newest_versions(status)
    targets = list(recorded_refs(status))
    read = await asyncio.gather(*(_read(cluster, newest_version(each, versions)) for each in targets))
    return dict(zip(targets, read, strict=True))


async def _read(cluster: UserCluster, target: TargetRef) -> KeyState | None:
    with Suppressed(Trouble.NO_RIGHT):
        return key_state(await cluster.metadata(OF_TARGETS[target.kind], target.key.namespace, target.key.name))
    return None


def _told(resource: Mapping[str, Any], verdict: Verdict, before: Keys, after: Keys) -> None:
    """Print how a resource ended, and which keys of its targets changed."""
    said = [f"{target}: {change}" for target, change in sorted(_changes(before, after).items()) if change]
    nothing = verdict.ending is Ending.DONE and not said
    _print(resource, verdict.ending, f"{verdict.says}{'; no key changed' if nothing else ''}")
    for each in said:
        click.echo(f"  {each}")


def _changes(before: Keys, after: Keys) -> dict[TargetRef, str]:
    found: dict[TargetRef, str] = {}
    for target in before | after:
        old, new = before.get(target, KeyState()), after.get(target, KeyState())
        if old is None or new is None:
            found[target] = f"which keys changed needs the right to get {OF_TARGETS[target.kind].plural}"
        else:
            found[target] = str(key_changes(old, new))
    return found


def _print(resource: Mapping[str, Any], ending: Ending, says: str) -> None:
    metadata = mapping(resource.get("metadata"))
    name = f"{text(resource.get('kind'))} {shown(metadata.get('namespace'))}/{shown(metadata.get('name'))}"
    click.echo(f"{name}: {toned(says, _TONES[ending])}")
