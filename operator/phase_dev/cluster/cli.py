"""`phase-dev cluster`: a Kubernetes control plane on this machine, from the command line.

Rule: what goes wrong is one sentence and a non-zero exit, never a trace.
"""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import click

from phase_dev.cluster import catalog
from phase_dev.cluster.client import is_ready
from phase_dev.cluster.errors import ClusterError
from phase_dev.cluster.folders import Folders
from phase_dev.cluster.kubeconfig import refuse_foreign
from phase_dev.cluster.programs import obtain
from phase_dev.cluster.progress import Progress
from phase_dev.cluster.records import Record, Registry
from phase_dev.cluster.signals import Ended, ended_by_signals
from phase_dev.cluster.stopping import stop
from phase_dev.cluster.supervisor import Wish, already_running, detach, supervise

_name = click.option("--name", default="default", show_default=True, help="Which cluster, when there are several.")


@contextmanager
def one_sentence() -> Iterator[None]:
    """Turn what goes wrong into one sentence, and a signal into the exit code of its number."""
    try:
        with ended_by_signals():
            yield
    except ClusterError as e:
        raise click.ClickException(str(e)) from e
    except OSError as e:
        raise click.ClickException(f"{e.strerror or e}: {e.filename}" if e.filename else str(e)) from e
    except Ended as e:
        click.echo("stopped", err=True)
        sys.exit(e.exit_code)


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
def cluster() -> None:
    """Run a real Kubernetes control plane on loopback: no container, no root, nothing left behind."""


@cluster.command()
@_name
@click.option(
    "--controllers", is_flag=True, help="Also controller manager and scheduler: workloads and garbage collection."
)
@click.option("--nodes", type=click.IntRange(0, 1000), default=0, help="Simulated nodes; implies --controllers.")
@click.option(
    "--kubeconfig", type=click.Path(path_type=Path, dir_okay=False), help="Write the admin's kubeconfig here."
)
@click.option("--foreground", is_flag=True, help="Stay in front until Ctrl-C instead of going to the background.")
def up(name: str, controllers: bool, nodes: int, kubeconfig: Path | None, foreground: bool) -> None:
    """Start a cluster, and build first what is missing."""
    wish = Wish(name, controllers or nodes > 0, nodes, kubeconfig.absolute() if kubeconfig else None)
    running = False

    def announce(record: Record) -> None:
        nonlocal running
        running = True
        click.echo(how_to_use(record))
        sys.stdout.flush()

    with one_sentence():
        progress = Progress(sys.stderr)
        if wish.kubeconfig is not None:
            refuse_foreign(wish.kubeconfig)
        if Registry(Folders.of(os.environ)).is_running(name):
            raise already_running(name)
        if not foreground:
            obtain(catalog.needed(controllers=wish.controllers, nodes=nodes), os.environ, progress)
            click.echo(how_to_use(detach(wish, os.environ)))
            return
        try:
            supervise(wish, os.environ, progress, announce)
        except Ended:
            if not running:
                raise
            click.echo(f'cluster "{name}" ended', err=True)


@cluster.command()
@_name
def down(name: str) -> None:
    """End a cluster and remove all that it wrote."""
    with one_sentence():
        ended = stop(Registry(Folders.of(os.environ)), name)
        click.echo(f'cluster "{name}" ended' if ended else f'no cluster "{name}" is running')


@cluster.command()
@_name
def status(name: str) -> None:
    """Show a cluster's programs; exit 1 when it does not run."""
    with one_sentence():
        registry = Registry(Folders.of(os.environ))
        record = registry.read(name)
        if record is None or not registry.is_running(name):
            others = [other for other in registry.names() if registry.is_running(other)]
            raise ClusterError(
                f'no cluster "{name}" is running' + (f"; there is {', '.join(others)}" if others else "")
            )
        answers = "ready" if is_ready(record.url, Path(record.ca_file), record.admin_token) else "not ready"
        click.echo(f'cluster "{name}": {answers}, at {record.url}, supervisor {record.supervisor}')
        click.echo(f"kubeconfig: {record.kubeconfig}")
        for program in record.programs:
            click.echo(
                f"{program.name:<24} {program.state:<8} {program.pid or '-':<8} {program.version:<10} {program.log}"
            )


@cluster.command()
@click.option(
    "--all", "everything", is_flag=True, help="Also scheduler, simulated nodes, both helms, promtool and kstatus."
)
@click.option("--helm", is_flag=True, help="Also helm 4 and helm 3.")
@click.option("--nodes", is_flag=True, help="Also scheduler and simulated nodes.")
@click.option("--promtool", is_flag=True, help="Also promtool.")
@click.option("--tools", is_flag=True, help="Only what needs no cluster: kubectl, both helms, promtool and kstatus.")
def build(everything: bool, helm: bool, nodes: bool, promtool: bool, tools: bool) -> None:
    """Find the programs, or build what is missing: etcd, kube-apiserver, kubectl and kube-controller-manager."""
    wanted = [catalog.KUBECTL] if tools else [*catalog.PLAIN, catalog.CONTROLLER_MANAGER]
    wanted += [catalog.SCHEDULER, catalog.KWOK] if nodes or everything else []
    wanted += catalog.HELMS if helm or tools or everything else []
    wanted += [catalog.PROMTOOL] if promtool or tools or everything else []
    wanted += [catalog.KSTATUS] if tools or everything else []
    with one_sentence():
        for found in obtain(wanted, os.environ, Progress(sys.stderr)).values():
            click.echo(f"{found.name:<24} {found.version or '-':<10} {found.path} ({found.origin})")


def how_to_use(record: Record) -> str:
    """Return the lines that tell a person what to do next."""
    return "\n".join(
        [
            f'cluster "{record.name}" is at {record.url}',
            f"  export KUBECONFIG={record.kubeconfig}",
            f"  {record.kubectl} get namespaces",
            f"  phase-dev cluster down{'' if record.name == 'default' else f' --name {record.name}'}",
        ]
    )
