"""What any operator costs that brings values of Phase into Secrets: `python -m bench.compare`, from the folder tests.

Starts a control plane, an embedded Phase and a program, with resources made from a template. Nothing is asked of the
program itself: calls are counted by Phase, writes by the API server, CPU and memory are those of its processes.
"""

import argparse
import asyncio
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from bench import candidate, fleet
from bench.bare_cost import bare_cost
from bench.candidate import Candidate
from bench.stage import Program, Stage
from bench.table import Table, repeated
from phase_dev.cluster import start_control_plane
from phase_dev.server import EmbeddedPhase
from support.operator_process import install

OUTPUT = Path(__file__).parents[2] / "compare-output.md"


class Comparison:
    """A program on its stage, and the table of what it costs."""

    def __init__(
        self, stage: Stage, *, minute: float = 60.0, edits: int = 100, new: int = 50, beside_bare: bool = True
    ) -> None:
        """Prepare; `minute` is how long to watch that nothing happens, in seconds."""
        self.stage = stage
        self._minute, self._edits, self._new, self._beside_bare = minute, min(edits, stage.size), new, beside_bare
        self.table = Table(("work", stage.candidate.name))

    def run(self, measures: Sequence[str]) -> None:
        """Measure the cold start, and what else is asked for, in the order in which one state leads to the next."""
        stage = self.stage
        bare = [self._bare()]
        asyncio.run(stage.make())
        with stage.program() as program:
            seconds = asyncio.run(stage.until_ready(program))
            self._cold_start(program, seconds)
            for name, measure in _MEASURES.items():
                if name in measures:
                    measure(self, program)
        if "restart" in measures:
            with stage.program() as program:
                self._restart(program)
        if self._beside_bare:
            bare.append(self._bare())
            each = " and ".join(f"{one:.1f}" for one in bare)
            ratio = seconds / statistics.mean(bare)
            self.table.add("the same beside a bare program", f"{ratio:.2f} x (bare {each} s)")

    def _bare(self) -> float:
        if not self._beside_bare:
            return 0.0
        return bare_cost(self.stage.plane, self.stage.phase.url, self.stage.interval, self.stage.size).seconds

    def _cold_start(self, program: Program, seconds: float) -> None:
        stage = self.stage
        self.table.add(
            f"cold start until {stage.size} targets are there", f"{seconds:.1f} s from the start of the process"
        )
        self.table.add("calls to Phase in it", f"{stage.phase.calls()}")
        self.table.add("CPU in it, for each resource", f"{program.cpu() / stage.size * 1000:.2f} ms")
        self.table.add("CPU of the API server and etcd in it", f"{program.server_cpu() / stage.size * 1000:.2f} ms")
        self.table.add("memory then", f"{program.memory():.1f} MiB")

    def idle(self, program: Program) -> None:
        """Let a minute pass in which nothing changes, after two intervals."""
        time.sleep(2.0 * self.stage.interval)
        self.table.add(f"nothing changes for {self._minute:.0f} s, at {self.stage.interval} s", self._passed(program))

    def _passed(self, program: Program) -> str:
        stage = self.stage
        stage.phase.reset_calls()
        writes, cpu = asyncio.run(stage.writes()), program.cpu()
        time.sleep(self._minute)
        return (
            f"{stage.phase.calls()} calls, {asyncio.run(stage.writes()) - writes} writes, "
            f"{(program.cpu() - cpu) / self._minute:.2%} of a core"
        )

    def edits(self, program: Program) -> None:
        """Edit targets by hand, all at once."""
        program.raise_if_ended()
        self.stage.phase.reset_calls()
        took = asyncio.run(self.stage.edited(range(self._edits)))
        within = f"the last after {max(took):.2f} s" if took else "none"
        self.table.add(
            f"{self._edits} targets edited by hand",
            f"{len(took)} repaired, {within}; {self.stage.phase.calls()} calls",
        )

    def change(self, program: Program) -> None:
        """Change a value of one environment, and wait for all who use it."""
        app, environment = fleet.source(0)
        users = [number for number in range(self.stage.size) if fleet.source(number) == (app, environment)]
        program.raise_if_ended()
        took = asyncio.run(self.stage.changed(users, "KEY_0", "changed"))
        self.table.add(f"a value changes, {len(users)} resources use it", f"{fleet.high(took):.1f} s (p99)")

    def new(self, program: Program) -> None:
        """Change every environment, and make new resources while all others are brought in step."""
        program.raise_if_ended()
        took = asyncio.run(self.stage.made_among_others(self._new, "KEY_2", "changed for all"))
        self.table.add(
            f"a new resource while {self.stage.size} are refreshed",
            f"{fleet.high(took):.2f} s (p99 of {self._new})",
        )

    def _restart(self, program: Program) -> None:
        passed = self._passed(program)
        self.table.add(
            f"the first {self._minute:.0f} s of a restart, all in step", f"{passed}; {program.memory():.1f} MiB then"
        )


# In this order. Edits first: an environment that moves has others read again within minutes, for their references.
_MEASURES: dict[str, Callable[[Comparison, Program], None]] = {
    "idle": Comparison.idle,
    "edits": Comparison.edits,
    "change": Comparison.change,
    "new": Comparison.new,
}
MEASURES = (*_MEASURES, "restart")


def _placeholders() -> str:
    groups: Any = {
        "everywhere": candidate.EVERYWHERE,
        "in --each-namespace, --template and --target": candidate.IN_A_NAMESPACE,
        "in --template and --target": candidate.IN_A_RESOURCE,
        "in --command": candidate.IN_A_COMMAND,
    }
    lines = ["placeholders:"]
    for where, names in groups.items():
        lines += [f"  {where}:", *(f"    ${{{name}}}  {text}" for name, text in names.items())]
    return "\n".join(lines)


def arguments() -> argparse.ArgumentParser:
    """Return what may be asked on the command line."""
    parser = argparse.ArgumentParser(
        prog="bench.compare",
        description=__doc__,
        epilog=_placeholders(),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--name", required=True, help="what the table calls it")
    parser.add_argument("--apply", type=Path, nargs="*", default=[], help="files, or folders with a kustomization")
    parser.add_argument("--each-namespace", type=Path, help="file with what each of ten namespaces has")
    parser.add_argument("--template", type=Path, required=True, help="file with the resource that makes a Secret")
    parser.add_argument("--target", default="${name}", help="name of that Secret")
    parser.add_argument("--ready", metavar="CONDITION", help="condition of the resource that has to be true as well")
    parser.add_argument("--command", required=True, help="starts the program, which stays in the foreground")
    parser.add_argument(
        "--service-account",
        metavar="NAMESPACE/NAME",
        help="whose rights the program has; without it an administrator's",
    )
    parser.add_argument("--sizes", type=int, nargs="+", default=[1000], help="numbers of resources")
    parser.add_argument("--repeat", type=int, default=1, help="runs of each size: the table has medians and ranges")
    parser.add_argument(
        "--interval", type=int, default=60, help="seconds that the resources say between looks at Phase"
    )
    parser.add_argument("--measures", nargs="*", choices=MEASURES, default=MEASURES, help="beside the cold start")
    parser.add_argument("--minute", type=float, default=60.0, help="seconds to watch that nothing happens")
    parser.add_argument("--edits", type=int, default=100, help="targets that are edited by hand")
    parser.add_argument("--new", type=int, default=50, help="resources that are made while all others are refreshed")
    parser.add_argument("--no-bare", action="store_true", help="run no bare program beside it")
    parser.add_argument("--output", type=Path, default=OUTPUT, help="file for the tables")
    return parser


def candidate_of(options: argparse.Namespace) -> Candidate:
    """Return what the command line describes."""
    home, _, account = (options.service_account or "").partition("/")
    return Candidate(
        options.name,
        options.command,
        options.template.read_text(),
        tuple(path.resolve() for path in options.apply),
        options.each_namespace.read_text() if options.each_namespace else "",
        (home, account) if account else None,
        options.target,
        options.ready,
    )


def measure(options: argparse.Namespace, size: int) -> Table:
    """Measure one size on a control plane of its own."""
    with (
        start_control_plane() as plane,
        EmbeddedPhase(fleet.seed()) as phase,
        tempfile.TemporaryDirectory() as folder,
    ):
        # The bare program writes PhaseSecrets as the operator's account.
        install(plane)
        stage = Stage(plane, phase, Path(folder), candidate_of(options), size, options.interval)
        stage.prepare()
        comparison = Comparison(
            stage, minute=options.minute, edits=options.edits, new=options.new, beside_bare=not options.no_bare
        )
        comparison.run(options.measures)
        return comparison.table


def main() -> None:
    """Run the sizes one after another and write the tables to a file."""
    options = arguments().parse_args()
    try:
        repeated(options.sizes, options.repeat, options.output, lambda size: measure(options, size))
    except (candidate.Unusable, candidate.Failed) as e:
        sys.exit(f"bench.compare: {e}")


if __name__ == "__main__":
    main()
