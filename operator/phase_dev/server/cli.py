"""`phase-dev server`: the embedded server as a process.

Rule: what it prints is what someone needs to call it; everything else is a log line.
"""

import sqlite3
import sys
from pathlib import Path

import click

from phase_dev.server.app import application
from phase_dev.server.embedded import spell_token
from phase_dev.server.installation import Phase
from phase_dev.server.seed import apply_seed, load_seed
from phase_dev.server.seed_parts import SeedError
from phase_dev.server.serving import listen, server_for, url_of
from phase_dev.server.sqlite import SqliteJournal
from phase_dev.server.state import State


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--seed", type=click.Path(path_type=Path), help="YAML file with what the server holds at first.")
@click.option("--state", type=click.Path(path_type=Path), help="SQLite file to keep everything in across restarts.")
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option("--port", default=8000, show_default=True, help="Port to listen on; 0 takes a free one.")
@click.option("--quota", type=click.IntRange(min=0), help="Requests per minute and account; none without it.")
@click.option(
    "--log-level",
    type=click.Choice(["debug", "info", "warning", "error"]),
    default="warning",
    show_default=True,
    help="info logs every request.",
)
def server(seed: Path | None, state: Path | None, host: str, port: int, quota: int | None, log_level: str) -> None:
    """Run an embedded Phase server, a stand-in for Phase's REST API."""
    try:
        records = State(SqliteJournal(state) if state else None)
        phase = Phase(records, quota_limit=quota)
        kept = not records.empty
        if not kept:
            apply_seed(load_seed(seed), records, phase.clock())
        sock = listen(host, port)
    except SeedError as e:
        _refuse(str(e))
    except sqlite3.Error as e:
        _refuse(f"cannot keep the state in {state}: {e}")
    except OSError as e:
        _refuse(f"cannot listen on {host}:{port}: {e.strerror or e}")
    click.echo(f"Phase is at {url_of(sock)}")
    if kept:
        click.echo(f"Everything comes from {state}" + ("; the seed was not read again" if seed else ""))
    for line in summary(phase):
        click.echo(line)
    sys.stdout.flush()
    try:
        server_for(application(phase), log_level).run(sockets=[sock])
    except KeyboardInterrupt:
        click.echo()
    finally:
        sock.close()
        records.close()


def summary(phase: Phase) -> list[str]:
    """Return the apps with their environments, and the tokens to use."""
    lines = []
    for app in phase.state.apps.values():
        names = ", ".join(environment.name for environment in phase.state.environments_of(app.id))
        lines.append(f"App {app.name} {app.id}{'' if app.sse else ' (end-to-end encrypted)'}: {names}")
    for token in phase.state.tokens.values():
        account = phase.state.accounts[token.account]
        lines.append(f"Token of {account.name}: {spell_token(token, account, 'pss')}")
        lines.append(f"  for the REST API alone: {spell_token(token, account, 'bearer')}")
    return lines


def _refuse(sentence: str) -> None:
    click.echo(sentence, err=True)
    sys.exit(2)
