"""`kubectl phase render`: the objects that the operator would make, from files, without an operator."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click

from phase_operator.cli.common.cluster import waited_for
from phase_operator.cli.common.default_host import default_host_option
from phase_operator.cli.common.desired import Subject
from phase_operator.cli.common.failures import ExitCode, Failure
from phase_operator.cli.common.kustomize import built
from phase_operator.cli.common.manifests import Document, documents, read, usable
from phase_operator.cli.common.options import (
    HELP,
    ClusterOptions,
    cluster_options,
    example,
    files_option,
    output_option,
    show_values_option,
)
from phase_operator.cli.common.phase import TokenOptions, host_option, token_options
from phase_operator.cli.common.terminal import print_yaml, say
from phase_operator.cli.rendering.entry_file import check_stdin, entries_of, entries_options
from phase_operator.cli.rendering.from_phase import PhaseSource, answers
from phase_operator.cli.rendering.objects import masked
from phase_operator.cli.rendering.output import as_env, as_list, write_folder
from phase_operator.cli.rendering.subjects import subjects
from phase_operator.cli.rendering.targets import Made, rendered, selected, without_objects
from phase_operator.core.errors import ExpectedError
from phase_operator.core.values import Snapshot

_FOLDER = click.Path(path_type=Path)
_USUAL_NAMESPACE = "default"
_TOKEN = "--token-file, --token-stdin, $PHASE_TOKEN or --token-from-cluster"


@dataclass(frozen=True, slots=True)
class _Given:
    """What the command line says."""

    token: TokenOptions
    files: tuple[str, ...]
    kustomize: tuple[Path, ...]
    entries_file: str | None
    entries_format: str | None
    token_from_cluster: bool
    host: str | None
    default_host: str | None
    ca_file: Path | None
    at: ClusterOptions
    target: str
    show_values: bool
    output: str
    output_dir: Path | None


@click.command(context_settings=HELP, epilog=example("kubectl phase render -f shop.yaml --entries entries.env"))
@files_option()
@click.option("-k", "--kustomize", type=_FOLDER, multiple=True, metavar="DIR", help="Folder that kustomize builds.")
@entries_options
@token_options
@click.option("--token-from-cluster", is_flag=True, help="Take the token of the Secret that each resource names.")
@host_option("Host of Phase that the token may be sent to, if that is not Phase's cloud.")
@default_host_option()
@cluster_options()
@click.option("--target", default="", metavar="NAME", help="Only the Secret or ConfigMap of this name, or KIND/NAME.")
@show_values_option()
@output_option("yaml", "json", "env", "dir")
@click.option("--output-dir", type=_FOLDER, metavar="DIR", help="New folder for -o dir: a file for each key.")
def render(token_file: Path | None, *, token_stdin: bool, **given: Any) -> int:
    """Print the Secrets and ConfigMaps that the operator would make for PhaseSecrets in files.

    The entries are those of a file, or Phase's. Keys that are left out, collide or are refused are on the error stream.
    Annotations that are made with the operator's key are left out, and names of versions end in -xxxxxxxxxx.
    """
    asked = _Given(TokenOptions(token_file, token_stdin), **given)
    _check(asked)
    there = subjects(_documents(asked), asked.at.namespace or _USUAL_NAMESPACE, asked.default_host, say)
    if not there.has_ours:
        raise Failure(f"the files hold no PhaseSecret, and {there.others} objects of other kinds", ExitCode.USAGE)
    chosen = _chosen(there.found, asked)
    _print([each.manifest for each in chosen if each.manifest is not None], asked)
    is_well = bool(there.found) and not there.refused and all(each.error is None for each in chosen)
    return ExitCode.OK if is_well else ExitCode.NO


def _check(given: _Given) -> None:
    if not (given.files or given.kustomize):
        raise click.UsageError("name files or folders, as in `render -f deploy`")
    if (given.output == "dir") != (given.output_dir is not None):
        raise click.UsageError("-o dir and --output-dir go together")
    check_stdin(given.files, given.entries_file, token_stdin=given.token.stdin)


def _documents(given: _Given) -> Iterator[Document]:
    with usable():
        yield from read(given.files)
        for folder in given.kustomize:
            yield from documents(built(folder), str(folder))


def _chosen(found: Sequence[Subject], given: _Given) -> Sequence[Made]:
    """Return the targets of PhaseSecrets, of which the command line may name some."""
    if not found:
        return []
    answers_of_all = zip(found, _answers(found, given), strict=True)
    made = [each for subject, answer in answers_of_all for each in _rendered(subject, answer)]
    return selected(made, given.target) if made else []


def _answers(found: Sequence[Subject], given: _Given) -> Sequence[Snapshot]:
    """Return what there is for each PhaseSecret: the entries of the file, or Phase's answer."""
    if given.entries_file is not None:
        return [Snapshot.of("", entries_of(given.entries_file, given.entries_format))] * len(found)
    token = None if given.token_from_cluster else given.token.read()
    if token is None and not given.token_from_cluster:
        raise click.UsageError(f"give --entries FILE, or a token of Phase by {_TOKEN}")
    source = PhaseSource(token, (given.host, given.default_host), given.ca_file, given.at)
    return waited_for(answers(found, source))


def _rendered(subject: Subject, answer: Snapshot) -> Sequence[Made]:
    """Return the targets of a PhaseSecret, and tell what there is to know about them."""
    try:
        found = rendered(subject, answer)
    except ExpectedError as error:
        say(f"error: PhaseSecret {subject.key}: {error.reason}: {error.message}")
        return without_objects(subject, error)
    for warning in found.warnings:
        say(f"warning: PhaseSecret {subject.key}: {warning}")
    for each in found.targets:
        for note in each.notes:
            say(f"note: {each.ref}: {note}")
        for warning in each.warnings:
            say(f"warning: {each.ref}: {warning}")
        if each.error is not None:
            say(f"error: {each.ref}: {each.error.reason}: {each.error.message}")
    return found.targets


def _print(manifests: Sequence[Mapping[str, Any]], given: _Given) -> None:
    shown = manifests if given.show_values else [masked(each) for each in manifests]
    match given.output:
        case "yaml":
            print_yaml(shown)
        case "json":
            click.echo(as_list(shown))
        case "env":
            _print_env(manifests, given)
        case "dir" if given.output_dir is not None:
            for each in write_folder(given.output_dir, manifests, show_values=given.show_values):
                click.echo(str(each))


def _print_env(manifests: Sequence[Mapping[str, Any]], given: _Given) -> None:
    for each in manifests:
        if len(manifests) > 1:
            click.echo(f"# {each['kind']} {each['metadata']['namespace']}/{each['metadata']['name']}")
        click.echo(as_env(each, show_values=given.show_values), nl=False)
