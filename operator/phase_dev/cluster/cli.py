"""`phase-dev cluster`: a Kubernetes control plane on this machine, from the command line."""

import os
import sys
import time
from contextlib import ExitStack
from pathlib import Path

import click

from phase_dev.cluster import catalog
from phase_dev.cluster.kubeconfig import refuse_foreign, refuse_unwritable, remove_if_ours
from phase_dev.cluster.plane import ControlPlane, start_control_plane
from phase_dev.cluster.programs import locate, obtain
from phase_dev.shell.folders import write_private
from phase_dev.shell.terminal import Ended, Progress, one_sentence


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
def cluster() -> None:
    """Run a real Kubernetes control plane on loopback: no container, no root, nothing left behind."""


@cluster.command()
@click.option(
    "--controllers", is_flag=True, help="Also controller manager and scheduler: workloads and garbage collection."
)
@click.option("--nodes", type=click.IntRange(0, 1000), default=0, help="Simulated nodes; implies --controllers.")
@click.option(
    "--kubeconfig",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Also write the admin's kubeconfig here, once the cluster is ready.",
)
def run(controllers: bool, nodes: int, kubeconfig: Path | None) -> None:
    """Start a cluster, build first what is missing, and keep it until Ctrl-C."""
    with one_sentence(), ExitStack() as closing:
        if kubeconfig is not None:
            refuse_foreign(kubeconfig)
            refuse_unwritable(kubeconfig)
        progress = Progress(sys.stderr)
        plane = closing.enter_context(start_control_plane(controllers=controllers, nodes=nodes, progress=progress))
        if kubeconfig is not None:
            closing.callback(remove_if_ours, kubeconfig)
            write_private(kubeconfig, plane.kubeconfig.read_text())
        try:
            click.echo(how_to_use(plane, kubeconfig or plane.kubeconfig))
            sys.stdout.flush()
            while True:
                time.sleep(1.0)
                for process in plane.processes.values():
                    process.raise_if_ended()
        except Ended:
            click.echo("the cluster ended", err=True)


@cluster.command()
@click.option("--all", "everything", is_flag=True, help="Also scheduler, simulated nodes, the tools and a registry.")
@click.option("--nodes", is_flag=True, help="Also scheduler and simulated nodes.")
@click.option(
    "--tools", is_flag=True, help="Only what needs no cluster: kubectl, helms, promtool, kstatus, actionlint."
)
def build(everything: bool, nodes: bool, tools: bool) -> None:
    """Find the programs, or build what is missing: etcd, kube-apiserver, kubectl and kube-controller-manager."""
    wanted = [catalog.KUBECTL] if tools else [*catalog.PLAIN, catalog.CONTROLLER_MANAGER]
    wanted += [catalog.SCHEDULER, catalog.KWOK] if nodes or everything else []
    wanted += [*catalog.HELMS, catalog.PROMTOOL, catalog.KSTATUS, catalog.ACTIONLINT] if tools or everything else []
    wanted += [catalog.REGISTRY, catalog.ARGODIFF, catalog.KREW] if everything else []
    with one_sentence():
        for found in obtain(wanted, os.environ, Progress(sys.stderr)).values():
            click.echo(f"{found.name:<24} {found.version or '-':<10} {found.path} ({found.origin})")


def how_to_use(plane: ControlPlane, kubeconfig: Path) -> str:
    """Return the lines that tell a person what there is and what to do next."""
    return "\n".join(
        [
            f"the cluster is at {plane.url}",
            f"  export KUBECONFIG={kubeconfig}",
            f"  {locate('kubectl', os.environ)} get namespaces",
            *(f"  log of {process.name}: {process.log}" for process in plane.processes.values()),
            "Ctrl-C ends it.",
        ]
    )
