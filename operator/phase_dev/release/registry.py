"""A real registry on loopback, for rehearsals: CNCF Distribution, with its files in a folder that goes away with it."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import yaml

from phase_dev.cluster.catalog import REGISTRY
from phase_dev.cluster.programs import obtain
from phase_dev.shell.folders import Folders
from phase_dev.shell.guard import Guard
from phase_dev.shell.ports import Ports
from phase_dev.shell.processes import Patience, Process, answers, sane_environment, wait_until
from phase_dev.shell.terminal import Progress


@contextmanager
def loopback(folder: Path) -> Iterator[str]:
    """Run a registry until the block ends, and give its host and port."""
    program = obtain([REGISTRY], os.environ, Progress(sys.stderr))[REGISTRY.name].path
    folder.mkdir(parents=True, exist_ok=True)
    with Ports(1, Folders.of(os.environ).ports) as ports, Guard() as guard:
        host = f"127.0.0.1:{ports.numbers[0]}"
        file = folder / "registry.yaml"
        file.write_text(yaml.safe_dump(configuration(host, folder / "registry")))
        # It would send traces to a collector on this machine.
        environment = {**sane_environment(os.environ, folder), "OTEL_TRACES_EXPORTER": "none"}
        command: list[str | Path] = [program, "serve", file]
        process = Process("registry", command, log=folder / "registry.log", group=guard.group, env=environment)
        process.start()
        try:
            wait_until(lambda: answers(f"http://{host}/v2/"), "the registry answers", [process], Patience())
            yield host
        finally:
            process.stop()


def configuration(host: str, files: Path) -> dict[str, object]:
    """Return the registry's configuration."""
    return {
        "version": 0.1,
        "log": {"level": "warn"},
        "storage": {"filesystem": {"rootdirectory": str(files)}},
        "http": {"addr": host},
    }
