"""kubectl phase init: write a PhaseSecret for what a token may read."""

import asyncio
import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import click

from phase_operator.api import names
from phase_operator.api.v1alpha1 import PhaseSecretSpec
from phase_operator.cli.common.failures import ExitCode, Failure, ended_by_ctrl_c
from phase_operator.cli.common.options import HELP, NAMESPACE, OBJECT_NAME, example
from phase_operator.cli.common.phase import (
    PhaseReader,
    TokenOptions,
    asked_token,
    host_option,
    of_phase,
    phase,
    token_options,
)
from phase_operator.cli.common.terminal import say, shown
from phase_operator.cli.setting_up.scaffold import Choice, folders_of, manifest, object_name
from phase_operator.core.source.apps import App
from phase_operator.core.source.query import base_url
from phase_operator.core.text import clean_listing
from phase_operator.core.values import ConfigEntry, Entry, SecretValue
from phase_operator.reconcile.context import parse_spec
from phase_operator.reconcile.ports import Credential

# More are not shown: who has more names one.
_MOST_SHOWN = 100


@dataclass(frozen=True, slots=True)
class _Asked:
    """What the command line says; None where a person has to choose."""

    app: str | None
    environment: str | None
    path: str | None
    target: str | None


@click.command(
    context_settings=HELP,
    epilog=example("kubectl phase init --token-file token.txt --app shop --env Production --output shop.yaml"),
)
@click.option("--app", metavar="NAME", help="App, by name or id.")
@click.option("--env", "environment", metavar="NAME", help="Environment.")
@click.option("--path", metavar="FOLDER", help="Folder. Default: / if there is no other.")
@click.option("--recursive", is_flag=True, help="Read the folders below it too.")
@click.option("--target", type=OBJECT_NAME, metavar="NAME", help="Name of the Secret to keep. Default: like the app.")
@click.option("-n", "--namespace", type=NAMESPACE, metavar="NAMESPACE", help="Namespace to write into the file.")
@click.option(
    "--token-secret",
    type=OBJECT_NAME,
    metavar="NAME",
    default=names.DEFAULT_TOKEN_SECRET,
    show_default=True,
    help="Secret with the token.",
)
@click.option("--output", type=click.Path(path_type=Path, dir_okay=False), help="New file. Default: standard output.")
@token_options
@host_option("Host of Phase to ask.")
def init(
    app: str | None,
    environment: str | None,
    path: str | None,
    recursive: bool,
    target: str | None,
    namespace: str | None,
    token_secret: str,
    output: Path | None,
    token_file: Path | None,
    token_stdin: bool,
    ca_file: Path | None,
    host: str | None,
) -> None:
    """Write a PhaseSecret, with comments, for an app and environment that a token of Phase may read.

    On a terminal it asks what the options do not say.
    """
    if output is not None and output.exists():
        raise Failure(f"{output} exists, and is not written over", ExitCode.USAGE)
    token = TokenOptions(token_file, token_stdin).read() or asked_token()
    asked = _Asked(app, environment, path, target)

    async def work() -> Choice:
        async with phase(ca_file) as reader:
            return await _chosen(reader, asked, token, host, is_recursive=recursive)

    with of_phase():
        choice = asyncio.run(work())
    made = manifest(_with(choice, namespace, token_secret))
    if output is None:
        click.echo(made, nl=False)
        return
    _write(output, made)
    say(f"{output} written; next: `kubectl phase diff -f {output}`")


def _with(choice: Choice, namespace: str | None, token_secret: str) -> Choice:

    return replace(choice, namespace=namespace, token_secret=token_secret)


def _write(path: Path, text: str) -> None:
    try:
        with path.open("x") as file:
            file.write(text)
    except OSError as error:
        raise Failure(f"{path}: {error.strerror or error}", ExitCode.USAGE) from error


async def _chosen(
    reader: PhaseReader, asked: _Asked, token: SecretValue, host: str | None, *, is_recursive: bool
) -> Choice:
    """Return what to read and to write; raise ExpectedError, UsageError."""
    url, credential = base_url(host or names.DEFAULT_HOST), reader.credential(token)
    apps = await reader.apps(url, credential)
    app = _app(apps, asked.app)
    environment = _one("--env", await _environments(reader, url, credential, app), asked.environment)
    entries = await _entries(reader, app, environment, host, token)
    folders = folders_of(entry.path for entry in entries)
    path = _one("--path", folders, asked.path)
    taken = [each for each in entries if _is_in(each.path, path, is_recursive=is_recursive)]
    if not taken:
        say(f"note: folder {shown(path)} has no entry")
    is_double = sum(each.name == app.name for each in apps) > 1
    return Choice(
        app.name,
        app.id if is_double else None,
        environment,
        path,
        is_recursive,
        any(isinstance(each, ConfigEntry) for each in taken),
        asked.target or _target(object_name(app.name)),
        host,
    )


def _is_in(path: str, folder: str, *, is_recursive: bool) -> bool:
    return path == folder or (is_recursive and path.startswith(f"{folder.rstrip('/')}/"))


def _target(usual: str) -> str:
    if not sys.stdin.isatty():
        return usual
    with ended_by_ctrl_c():
        return str(click.prompt("Name of the Secret", default=usual, err=True))


def _app(apps: Sequence[App], asked: str | None) -> App:
    by_id = {each.id.lower(): each for each in apps}
    if asked is not None and asked.lower() in by_id:
        return by_id[asked.lower()]
    name = _one("--app", sorted({each.name for each in apps}, key=str.casefold), asked)
    alike = [each for each in apps if each.name == name]
    if len(alike) > 1:
        listed = clean_listing(each.id for each in alike)
        raise click.UsageError(f"--app: several apps are called {shown(name)}; give one of the ids {listed}")
    return alike[0]


async def _environments(reader: PhaseReader, url: str, credential: Credential, app: App) -> Sequence[str]:
    """Return the environments of an app that the account may read."""
    if not app.is_encrypted:
        found = await reader.environments(url, credential, app.id)
        return sorted(each.name for each in found)
    keyed = (await reader.keyring(url, credential)).app(app.id)
    return sorted(each.name for each in keyed.environments)


async def _entries(
    reader: PhaseReader, app: App, environment: str, host: str | None, token: SecretValue
) -> Sequence[Entry]:
    spec: PhaseSecretSpec = parse_spec(
        {
            "phaseHost": host,
            "phaseAppId": app.id,
            "phaseAppEnv": environment,
            "recursive": True,
            "managedSecretReferences": [{"secretName": "any"}],
        }
    )
    return (await reader.read(spec, "default", token)).entries


def _one(option: str, choices: Sequence[str], asked: str | None) -> str:
    """Return the choice of the command line, the only one, or the one that a person makes."""
    if asked is not None:
        return _named(option, choices, asked)
    if len(choices) == 1:
        return choices[0]
    if not choices or not sys.stdin.isatty():
        raise click.UsageError(f"{option} is missing; {_listed(choices)}")
    return _picked(option, choices)


def _named(option: str, choices: Sequence[str], asked: str) -> str:
    """Return the choice of this name, else the only one that differs in upper and lower case alone."""
    if asked in choices:
        return asked
    alike = [each for each in choices if each.casefold() == asked.casefold()]
    if len(alike) == 1:
        return alike[0]
    raise click.UsageError(f"{option}: there is no {shown(asked)}; {_listed(choices)}")


def _picked(option: str, choices: Sequence[str]) -> str:
    """Return the choice that a person makes on a terminal."""
    for number, each in enumerate(choices[:_MOST_SHOWN], 1):
        say(f"  {number}. {shown(each)}")
    with ended_by_ctrl_c():
        picked = click.prompt(f"{option.lstrip('-')}: number", type=click.IntRange(1, len(choices)), err=True)
    return choices[int(picked) - 1]


def _listed(choices: Sequence[str]) -> str:
    if not choices:
        return "the token may read none"
    shown_ones = ", ".join(map(shown, choices[:_MOST_SHOWN]))
    return f"choose one of: {shown_ones}{' and more' if len(choices) > _MOST_SHOWN else ''}"
