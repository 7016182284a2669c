"""The command line: arguments in, exit code out.

One program with three names: `phase-operator`, `kubectl-phase`, which kubectl runs as `kubectl phase`, and
`python -m phase_operator`.

| room | purpose |
|---|---|
| commands | One module a command: read the arguments, ask the rooms below, print what they say |
| doctor | What `phase-operator doctor` looks at: facts of a cluster and of Phase, what they mean, and what to do about it |
| uninstalling | How resources and the operator leave a cluster, so that every target stays |
| diffing | What the next run of the operator would do for a resource, compared with what is there |
| looking | What `get`, `explain`, `events` and `logs` show of resources |
| tracing | Where things come from and what is made of them: `tree` and `trace` |
| acting | What `sync`, `suspend` and `resume` wait for, and which keys changed |
| rendering | Render the targets of PhaseSecrets in files, from entries in a file or from Phase |
| setting_up | The first token and the first resource: `auth` and `init` |
| migrating | Moving over from another operator: what would differ, what its resources become, and which Secrets change hands |
| linting | Judge resources in files: as the API server would judge them, and then as the operator would |
| common | What commands share: options, failures, the cluster and Phase of the person, what is printed |

A room uses what is below it in pyproject.toml's contract "The rooms of the command line", and no neighbour.
"""

import sys
from pathlib import Path

import click

from phase_operator import __version__
from phase_operator.cli.commands.completion_scripts import VARIABLE
from phase_operator.cli.common.failures import open_streams
from phase_operator.cli.common.lazy import Lazy, LazyGroup

_COMMANDS = "phase_operator.cli.commands"
_LOOK = "Look"
_BEFORE = "Before you apply"
_SET_UP = "Set up and move"
_ACT = "Act"
_OPERATE = "The operator"
COMMANDS = (
    Lazy("get", f"{_COMMANDS}.get", "get", "Show which resources are in step, and since when.", _LOOK),
    Lazy(
        "explain",
        f"{_COMMANDS}.explain",
        "explain",
        "Say what a reason or a resource's state means, and what to do.",
        _LOOK,
    ),
    Lazy("events", f"{_COMMANDS}.events", "events", "Show the Events of a resource and of its targets.", _LOOK),
    Lazy("logs", f"{_COMMANDS}.logs", "logs", "Show what the operator logged about a resource.", _LOOK),
    Lazy("tree", f"{_COMMANDS}.tree", "tree", "Show where a resource reads, and what it writes.", _LOOK),
    Lazy("trace", f"{_COMMANDS}.trace", "command", "Show where a Secret, or one of its keys, comes from.", _LOOK),
    Lazy("sync", f"{_COMMANDS}.sync", "sync", "Read from Phase now, and show which keys changed.", _ACT),
    Lazy("suspend", f"{_COMMANDS}.suspend", "suspend", "Leave resources alone; their targets stay as they are.", _ACT),
    Lazy("resume", f"{_COMMANDS}.suspend", "resume", "Serve suspended resources again.", _ACT),
    Lazy("render", f"{_COMMANDS}.render", "render", "Print the objects that the operator would make.", _BEFORE),
    Lazy("diff", f"{_COMMANDS}.diff", "diff", "Show what the operator would change.", _BEFORE),
    Lazy("lint", f"{_COMMANDS}.lint", "lint", "Check resources in files, offline.", _BEFORE),
    Lazy("init", f"{_COMMANDS}.init", "init", "Write a PhaseSecret for what a token of Phase may read.", _SET_UP),
    Lazy("auth", f"{_COMMANDS}.auth", "auth", "Make the Secret with a token of Phase, and check tokens.", _SET_UP),
    Lazy("doctor", f"{_COMMANDS}.doctor", "doctor", "Check an installation; make a support bundle.", _OPERATE),
    Lazy(
        "check", f"{_COMMANDS}.check", "check", "Check that an installation can serve, as `helm test` does.", _OPERATE
    ),
    Lazy("migrate", f"{_COMMANDS}.migrate", "migrate", "Move over from another operator.", _SET_UP),
    Lazy("run", f"{_COMMANDS}.run", "run", "Run the operator.", _OPERATE),
    Lazy("crds", f"{_COMMANDS}.crds", "crds", "Print the CustomResourceDefinitions of this version.", _OPERATE),
    Lazy("completion", f"{_COMMANDS}.completion", "completion", "Print the script for completion in a shell.", _SET_UP),
    Lazy("version", f"{_COMMANDS}.version", "version", "Print the version.", _OPERATE),
    Lazy("uninstall", f"{_COMMANDS}.uninstall", "uninstall", "Remove everything except the Secrets.", _OPERATE),
)
_PLUGIN = "kubectl-phase"


@click.group(cls=LazyGroup, lazies=COMMANDS, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="phase-operator")
def cli() -> None:
    """Keep Secrets and ConfigMaps in step with Phase."""


def main() -> None:
    """Run the command line under the name by which it was called."""
    open_streams()
    called = Path(sys.argv[0]).name
    name = "kubectl phase" if called.startswith(_PLUGIN) else "phase-operator"
    cli(prog_name=name, complete_var=VARIABLE)
