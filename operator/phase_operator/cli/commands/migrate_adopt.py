"""`kubectl phase migrate adopt`: list the Secrets that PhaseSecrets name and that others made, ask, then mark them."""

import json
from collections.abc import Sequence
from dataclasses import dataclass

import click

from phase_operator.cli.common.cluster import connected, namespace_of, waited_for
from phase_operator.cli.common.failures import ExitCode, Failure
from phase_operator.cli.common.options import (
    HELP,
    ClusterOptions,
    cluster_options,
    example,
    output_option,
    selector_option,
)
from phase_operator.cli.common.terminal import Tone, confirmed, print_table, say, toned
from phase_operator.cli.migrating.adoption import Force, Step, Verdict, secrets_of, steps
from phase_operator.cli.migrating.candidates import candidates
from phase_operator.cli.migrating.converters import Other
from phase_operator.cli.migrating.official import Version
from phase_operator.cli.migrating.reading import metadata_of
from phase_operator.cli.migrating.running import running
from phase_operator.core.object_names import is_namespace, is_object_name
from phase_operator.core.text import clean, clean_listing, counted
from phase_operator.core.values import ObjectKey
from phase_operator.kube.user_cluster import UserCluster
from phase_operator.kube.user_errors import Trouble, UserError
from phase_operator.kube.user_resources import DEPLOYMENTS, PHASE_SECRETS, SECRETS

_HEAD = ("WHAT", "SECRET", "PHASESECRET", "MADE BY", "KEYS", "TAKEN OUT", "WHY")
_TONES = {Verdict.MARK: Tone.NOTE, Verdict.DONE: Tone.GOOD, Verdict.MISSING: Tone.FAINT, Verdict.KEPT: Tone.BAD}
_TAKEN_OUT = (
    "Keys that a PhaseSecret does not select are taken out of its Secret; `migrate check` with a token of Phase "
    "names them."
)


@dataclass(frozen=True, slots=True)
class _Given:
    """What the command line says."""

    source: str
    at: ClusterOptions
    selector: str
    named: tuple[str, ...]
    force: bool
    dry_run: bool
    yes: bool
    output: str


@click.command(
    context_settings=HELP, epilog=example("kubectl phase migrate adopt --from official-v2 -n shop --dry-run")
)
@click.argument("named", metavar="[SECRET]...", nargs=-1)
@click.option(
    "--from",
    "source",
    type=click.Choice([each.value for each in (*Version, *Other)]),
    required=True,
    help="Which operator made the Secrets.",
)
@cluster_options(all_namespaces=True)
@selector_option()
@click.option("--dry-run", is_flag=True, help="Let the API server check each mark, and store none.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.option("--force", is_flag=True, help="Mark the named Secrets although another tool keeps them.")
@output_option("table", "json")
def adopt(
    named: tuple[str, ...],
    source: str,
    at: ClusterOptions,
    selector: str,
    output: str,
    *,
    dry_run: bool,
    yes: bool,
    force: bool,
) -> int:
    """List the Secrets that PhaseSecrets name and that others made, ask, and mark each with its PhaseSecret.

    SECRET narrows it to these, as NAME or NAMESPACE/NAME. What another tool keeps is marked only if it is named and
    --force is given. Exit with 1 if a Secret stays with another owner.
    """
    if force and not named:
        raise click.UsageError("--force is for Secrets that are named: give SECRET as well")
    return waited_for(_adopted(_Given(source, at, selector, named, force, dry_run, yes, output)))


async def _adopted(given: _Given) -> int:
    async with connected(given.at) as cluster:
        namespace = namespace_of(given.at, cluster)
        keys = [_key(each, given.at.namespace or cluster.namespace) for each in given.named]
        every = list(candidates(await cluster.list(PHASE_SECRETS, namespace, labels=given.selector)))
        found = await metadata_of(cluster, secrets_of(every))
        planned = steps(every, found, Force(frozenset(keys), given.force))
        _print(planned, given.output)
        if unnamed := sorted({*keys} - {each.secret for each in planned}):
            raise Failure(f"no PhaseSecret names {clean_listing(map(str, unnamed))}")
        marks = [each for each in planned if each.verdict is Verdict.MARK]
        if marks:
            await _agreed(cluster, given, len(marks))
            await _mark(cluster, marks, dry_run=given.dry_run)
    return ExitCode.NO if any(each.verdict is Verdict.KEPT for each in planned) else ExitCode.OK


def _key(text: str, namespace: str) -> ObjectKey:
    place, slash, name = text.removeprefix("secret/").rpartition("/")
    place = place if slash else namespace
    if not (is_object_name(name) and is_namespace(place)):
        raise click.UsageError(f'"{clean(text)}" names no Secret: write NAME or NAMESPACE/NAME')
    return ObjectKey(place, name)


def _print(planned: Sequence[Step], output: str) -> None:
    if output == "json":
        click.echo(json.dumps({"secrets": [each.as_json() for each in planned]}, indent=2))
        return
    if not planned:
        say("No PhaseSecret names a Secret here.")
        return
    print_table(_HEAD, [[toned(str(each.verdict), _TONES[each.verdict]), *each.row()] for each in planned])
    if any(each.verdict is Verdict.MARK for each in planned):
        say(_TAKEN_OUT)


async def _agreed(cluster: UserCluster, given: _Given, count: int) -> None:
    """Go on if nothing stands against it, and the person agrees."""
    if given.dry_run:
        return
    still = await _still_running(cluster, given.source)
    if still:
        say(f"warning: {still}")
        if not given.yes:
            raise Failure(f"nothing was done: {still}; scale it to 0 first, or give --yes")
    confirmed(f"Mark {counted(count, 'Secret')}?", yes=given.yes)


async def _still_running(cluster: UserCluster, source: str) -> str:
    """Return what there is to warn of, "" if the other operator is certainly at 0 replicas or gone."""
    try:
        found = running(await cluster.list(DEPLOYMENTS), source)
    except UserError as error:
        if error.trouble is not Trouble.NO_RIGHT:
            raise
        return f"nobody can tell whether the operator of {source} still runs, since {error.message}"
    return f"the operator of {source} still runs: Deployment {clean_listing(found)}" if found else ""


async def _mark(cluster: UserCluster, marks: Sequence[Step], *, dry_run: bool) -> None:
    failed = 0
    for each in marks:
        try:
            await cluster.patch(SECRETS, each.secret.namespace, each.secret.name, each.patch, dry_run=dry_run)
        except UserError as error:
            if error.trouble in (Trouble.UNREACHABLE, Trouble.NO_RIGHT):
                raise
            failed += 1
            say(f"error: Secret {clean(str(each.secret))}: {error.message}")
        else:
            say(f"Secret {clean(str(each.secret))} {'would be marked' if dry_run else 'is marked'}")
    if failed:
        raise Failure(f"{failed} of {len(marks)} could not be marked; the same command goes on from there")
