"""What the operator costs, beside the limits that it is held to: `make bench`.

Starts a control plane, an embedded Phase and the operator under its own RBAC. Counts are those of the embedded Phase
and of the operator's metrics; times are of this run on this machine, the ratio is to a bare program in the same run.
"""

import argparse
import asyncio
import json
import signal
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from bench import core, fleet, hands, small_quota
from bench.bare_cost import BareCost, bare_cost
from bench.processes import cpu_of_tree, first_call, memory_of_tree, started
from bench.table import Progress, Table, repeated
from phase_dev.cluster import ControlPlane, start_control_plane
from phase_dev.server import EmbeddedPhase
from support.operator_process import OperatorProcess, eventually, install, running_operator
from support.world import phase_secret

READS, PROBES, LISTS = "/v1/secrets/", "/v1/environments/", "/v1/apps/"
EDITED, NEW, FOREIGN_KB = 100, 50, 100
OUTPUT = Path(__file__).parents[2] / "bench-output.md"
_PATIENCE = 1800.0


@dataclass
class Bench:
    """A cluster, a Phase, a size and the table."""

    plane: ControlPlane
    phase: EmbeddedPhase
    folder: Path
    size: int
    foreign: int
    # The interpreter that has the product's packages and no others; None begins with a copy of a process that has
    # imported the operator, for who does not measure its memory or its start.
    python: Path | None = Path(sys.executable)
    # Seconds between looks, and how long to watch that nothing happens.
    interval: int = 60
    minute: float = 60.0
    # Workloads that follow one Secret.
    followers: int = 1000
    # Seconds between changes that these look at, in which the operator comes to rest.
    rest: float = 5.0
    # How often the operator is started to see how long that takes.
    starts: int = 5
    # Whether the bare program runs with an administrator's rights as well.
    bare_as_admin: bool = False
    quota: small_quota.Load = field(default_factory=small_quota.Load)
    table: Table = field(default_factory=Table)

    def run(self) -> None:
        """Measure everything, in the order in which one state leads to the next."""
        fleet.prepare(self.plane, self.phase)
        self.start()
        before = self.bare_program()
        asyncio.run(fleet.make(self.plane, self.phase.url, self.interval, range(self.size)))
        began = time.monotonic()
        with first_call(self.phase) as first, self.operator() as operator:
            self.until_ready(operator, self.size)
            seconds, cpu = time.monotonic() - began, seconds_of_cpu(operator)
            assert first.at is not None
            looked = first.at - started(operator.process.pid)
            self.cold_start(operator)
            self.further(operator)
            self.idle(operator)
            # Edits first: an environment that moves has all others read again within minutes, for their references.
            self.hand_edits()
            self.one_change()
            self.new_among_many()
            self.foreign_secrets(operator)
        self.compare(seconds, [before, self.bare_program()])
        self.table.add(
            f"CPU of the operator for each of {self.size} in it", "2.0 ms", f"{cpu / self.size * 1000:.2f} ms"
        )
        self.table.add(f"its first call at Phase, with {self.size} to list", "-", f"{looked:.2f} s")
        self.restart()
        self.failover()
        self.large_quota()
        self.small_quota()
        self.workloads()

    def start(self) -> None:
        """Start the operator beside one new PhaseSecret, and see when Phase is called for it."""
        took = sorted(self.one_start() for _ in range(self.starts))
        self.table.add(
            "from the start of the process to the first call at Phase for a PhaseSecret",
            "1.5 s",
            f"{statistics.median(took):.2f} s (median of {self.starts}, {took[0]:.2f} to {took[-1]:.2f})",
        )

    def one_start(self) -> float:
        """Return the seconds from the start of a process to its first call."""
        asyncio.run(fleet.make(self.plane, self.phase.url, self.interval, range(1)))
        with first_call(self.phase) as first, self.operator() as operator:
            eventually(lambda: first.at is not None, within=_PATIENCE, what="Phase is called")
            self.until_ready(operator, 1)
            took = (first.at or 0.0) - started(operator.process.pid)
            self.remove(operator, range(1), 0)
        return took

    def cold_start(self, operator: OperatorProcess) -> None:
        """Say what it took until all were ready: calls and memory."""
        calls = " + ".join(f"{self.phase.calls(route=route)} {name}" for route, name in KINDS)
        asked = "phase_operator_source_calls_total"
        scrape = operator.scrape()
        if failed := scrape.sum(asked) - scrape.sum(asked, result="ok"):
            calls += f", of which {failed:.0f} failed"
        self.table.add(
            f"cold start, {self.size} resources over 60 environments", "60 reads + 20 probes + 1 list", calls
        )
        self.table.add(
            f"memory at {self.size} resources, {fleet.KEYS} keys each", "128 MiB at 10,000", f"{rss(operator):.1f} MiB"
        )

    def further(self, operator: OperatorProcess) -> None:
        """Make a fifth more resources, see what they weigh, and take them away."""
        before, more = rss(operator), range(self.size, self.size + max(self.size // 5, 1))
        asyncio.run(fleet.make(self.plane, self.phase.url, self.interval, more))
        self.until_ready(operator, self.size + len(more))
        each = (rss(operator) - before) * 1024 / len(more)
        self.table.add(f"memory of {len(more)} further resources", "3 KiB each", f"{each:.1f} KiB each")
        self.remove(operator, more, self.size)
        self.phase.reset_calls()

    def remove(self, operator: OperatorProcess, numbers: range, left: int) -> None:
        """Take resources away, and wait until the operator knows of so many."""
        asyncio.run(fleet.unmake(self.plane, numbers))
        eventually(
            lambda: operator.metric("phase_operator_resources", ready="true") <= left,
            within=_PATIENCE,
            what="they are gone",
        )

    def idle(self, operator: OperatorProcess) -> None:
        """Let a minute pass in which nothing changes, after every app has come to the time of its own."""
        time.sleep(2.0 * self.interval)
        self.phase.reset_calls()
        writes, cpu = written(operator), seconds_of_cpu(operator)
        time.sleep(self.minute)
        self.table.add(
            f"nothing changes for {self.minute:.0f} s, {self.size} resources at {self.interval} s",
            "20 calls, 0 reads, 0 writes",
            f"{self.phase.calls()} calls, {self.phase.calls(route=READS)} reads, "
            f"{written(operator) - writes:.0f} writes",
        )
        self.table.add(
            f"CPU in that time, {self.size} resources",
            "1 % of a core",
            f"{(seconds_of_cpu(operator) - cpu) / self.minute:.2%}",
        )

    def hand_edits(self) -> None:
        """Edit targets by hand, all at once."""
        numbers = range(min(EDITED, self.size))
        self.phase.reset_calls()
        took = asyncio.run(self.edit(numbers))
        assert len(took) == len(numbers), "some targets were not repaired"
        self.table.add(
            f"{len(numbers)} targets edited by hand",
            "1 s (p99), 0 reads",
            f"{fleet.high(took):.2f} s (p99), {self.phase.calls(route=READS)} reads",
        )

    async def edit(self, numbers: range) -> list[float]:
        """Edit, and return the seconds until each is repaired."""
        async with fleet.hands(self.plane) as admin:
            return await hands.edited(admin, map(fleet.target_path, numbers), 60.0)

    def one_change(self) -> None:
        """Change a value of one environment, and wait for all who use it."""
        app, environment = fleet.source(0)
        users = [number for number in range(self.size) if fleet.source(number) == (app, environment)]
        self.phase.reset_calls()
        took = asyncio.run(
            self.seconds_until(users, "KEY_0", "changed", lambda: self.phase.set(app, environment, "KEY_0", "changed"))
        )
        reads = self.phase.calls(route=READS, app=app, env=environment)
        self.table.add(
            f"a value changes, {len(users)} resources use it",
            f"1 read; {self.interval + 1} s (p99)",
            f"{reads} read; {fleet.high(took):.1f} s (p99)",
        )

    def new_among_many(self) -> None:
        """Change every environment, and make new resources while all others are brought in step."""
        took = asyncio.run(self.make_new())
        self.table.add(
            f"a new resource while {self.size} are refreshed", "1 s (p99)", f"{fleet.high(took):.2f} s (p99 of {NEW})"
        )

    async def make_new(self) -> list[float]:
        """Return the seconds from the creation of each new resource to its Secret."""
        text = "changed for all"
        wanted = {fleet.target_path(number): hands.holds("KEY_2", text) for number in range(self.size)}
        new = [
            hands.New(
                fleet.resource_path(number),
                fleet.resource(number, self.phase.url, self.interval),
                fleet.target_path(number),
            )
            for number in range(self.size, self.size + NEW)
        ]

        def change() -> None:
            fleet.change_everywhere(self.phase, "KEY_2", text)

        tell = Progress("hold KEY_2", len(wanted)).tell
        async with fleet.hands(self.plane) as admin:
            return await hands.made_among(admin, wanted, change, new, _PATIENCE, tell)

    def foreign_secrets(self, operator: OperatorProcess) -> None:
        """Make large Secrets that are nobody's business."""
        before = rss(operator)
        asyncio.run(self.make_foreign())
        time.sleep(2.0)
        self.table.add(
            f"{self.foreign} foreign Secrets of {FOREIGN_KB} KB",
            "2 MiB for 20,000",
            f"{rss(operator) - before:.1f} MiB more",
        )

    async def make_foreign(self) -> None:
        """Make them."""
        blob = hands.encoded("x" * (FOREIGN_KB * 1000))
        async with fleet.hands(self.plane) as admin:

            async def one(number: int) -> None:
                body = {"metadata": {"name": f"foreign-{number}"}, "data": {"blob": blob}}
                await admin.create(f"/api/v1/namespaces/{fleet.namespace(number)}/secrets", body)

            await hands.every(range(self.foreign), one)

    def bare_program(self) -> BareCost:
        """Let the bare program make the same objects, on the same API server, with the operator's rights."""
        cost = bare_cost(self.plane, self.phase.url, self.interval, self.size)
        if self.bare_as_admin:
            admin = bare_cost(self.plane, self.phase.url, self.interval, self.size, as_admin=True)
            self.table.add(
                f"the bare program as an administrator, {self.size} resources",
                "-",
                f"{admin.seconds:.1f} s, {admin.server:.1f} s of the API server's CPU; "
                f"with the operator's rights {cost.seconds:.1f} s, {cost.server:.1f} s",
            )
        return cost

    def compare(self, seconds: float, costs: list[BareCost]) -> None:
        """Say how much longer than the bare program the operator took: before it, and after it, since both differ."""
        mean = statistics.mean(each.seconds for each in costs)
        each = " and ".join(f"{cost.seconds:.1f}" for cost in costs)
        self.table.add(
            f"cold start until {self.size} targets are there and Ready",
            "1.3 x a bare program with the operator's rights",
            f"{seconds / mean:.2f} x ({seconds:.1f} s from the start of the process; bare {each} s)",
        )

    def restart(self) -> None:
        """Start anew with everything in step."""
        self.phase.reset_calls()
        with self.operator() as operator:
            self.until_confirmed(operator)
            self.table.add(
                f"restart with {self.size + NEW} synced resources",
                "0 reads, 0 writes",
                f"{self.phase.calls(route=READS)} reads, {written(operator):.0f} writes; {rss(operator):.1f} MiB RSS",
            )

    def failover(self) -> None:
        """Tell one leader to stop and kill the next one, with a standby each time."""
        with self.operator() as first, self.operator() as second:
            self.until_confirmed(first)
            self.hand_over(first, second, signal.SIGTERM, "the leader is asked to stop", "leads in 1 s")
            with self.operator() as third:
                self.hand_over(second, third, signal.SIGKILL, "the leader is killed", "leads in 15 s")

    def hand_over(self, old: OperatorProcess, new: OperatorProcess, number: int, what: str, limit: str) -> None:
        """End a leader while a target is edited, and say when the next one leads, works, and what it costs.

        The next one has no values: it reads the one source, and writes the target and its status.
        """
        self.phase.reset_calls()
        leads, works = asyncio.run(self.taken_over(old, new, number))
        self.until_confirmed(new)
        reads, writes = self.phase.calls(route=READS), written(new)
        self.table.add(
            f"{what}, {self.size} resources",
            f"{limit}; 1 read and 2 writes, all for the edit",
            f"leads after {leads:.1f} s, has repaired the edit after {works:.1f} s; {reads} read, {writes:.0f} writes",
        )

    async def taken_over(self, old: OperatorProcess, new: OperatorProcess, number: int) -> tuple[float, float]:
        """Return the seconds from the signal until the next one leads, and until it has repaired an edit."""
        path = fleet.target_path(0)
        async with fleet.hands(self.plane) as admin:
            good = await admin.data(path)
            old.process.send_signal(number)
            began = time.monotonic()

            async def ended() -> bool:
                return old.process.poll() is not None

            async def leads() -> bool:
                return new.metric("phase_operator_leader") == 1.0

            async def mended() -> bool:
                return await admin.data(path) == good

            await hands.until(ended, 60.0)
            # The one that ends must not repair it.
            await admin.merge(path, {"data": {"KEY_1": hands.encoded("edited")}})
            await hands.until(leads, 60.0)
            led = time.monotonic() - began
            await hands.until(mended, _PATIENCE)
            return led, time.monotonic() - began

    def large_quota(self) -> None:
        """Change every environment in one second under a quota."""
        self.phase.set_quota(120)
        with self.operator("--phase-quota=120") as operator:
            self.until_confirmed(operator)
            self.phase.reset_calls()
            began = time.monotonic()
            changed = "changed at once"
            took = asyncio.run(
                self.seconds_until(
                    range(0, self.size, 7),
                    "KEY_3",
                    changed,
                    lambda: fleet.change_everywhere(self.phase, "KEY_3", changed),
                )
            )
            refused, calls = self.phase.calls(status=429), self.phase.calls()
            rate = calls / max((time.monotonic() - began) / 60.0, 1.0)
            self.table.add(
                "every environment changes in one second, quota 120 a minute",
                "no 429 after the first",
                f"{refused} x 429; all in step after {max(took):.0f} s, {rate:.0f} calls a minute",
            )
        # What is measured next would wait for the quota.
        self.phase.set_quota(None)

    def small_quota(self) -> None:
        """Ask for about as much as a quota allows that the operator does not know of."""
        with small_quota.stage(self.plane, self.quota) as stage, self.operator():
            refused = [stage.refused_in_a_window() for _ in range(self.quota.windows)]
        self.table.add(self.quota.name, "1 refused a window", f"{', '.join(map(str, refused))} refused")

    def workloads(self) -> None:
        """Let a value change that no workload reads, in a namespace full of workloads that follow its Secret."""
        with self.operator("--restart-settle-seconds=1") as operator:
            body = phase_secret(fleet.FOLLOWED, self.phase.url, phaseApp=fleet.FOLLOWED, pollingInterval=5)
            self.plane.kubectl("-n", fleet.FOLLOWED, "apply", "-f", "-", stdin=json.dumps(body))
            self.look_after(operator, "first")
            before = rss(operator)
            asyncio.run(self.make_followers())
            self.look_after(operator, "to be noted")
            cpu = seconds_of_cpu(operator)
            self.look_after(operator, "to be judged")
            each = (seconds_of_cpu(operator) - cpu) / 2 * 1000
            self.table.add(
                f"a change in a namespace with {self.followers} Deployments that follow",
                "1 MiB more RSS afterwards",
                f"{rss(operator) - before:.1f} MiB; {each:.0f} ms of CPU for each of two looks, with their requests",
            )

    def look_after(self, operator: OperatorProcess, text: str) -> None:
        """Change a value and wait until the workloads were looked at before the write and after it."""
        before = looks(operator)
        self.phase.set(fleet.FOLLOWED, "Production", "B", text)
        eventually(lambda: looks(operator) >= before + 2, within=_PATIENCE, what="workloads are looked at")
        time.sleep(self.rest)

    async def make_followers(self) -> None:
        """Make workloads whose roll-outs are over."""
        over = {"status": {"observedGeneration": 100}}
        async with fleet.hands(self.plane) as admin:

            async def one(number: int) -> None:
                body = fleet.follower(number)
                await admin.create(fleet.DEPLOYMENTS, body)
                await admin.merge(f"{fleet.DEPLOYMENTS}/{body['metadata']['name']}/status", over)

            await hands.every(range(self.followers), one)

    async def seconds_until(
        self, numbers: Sequence[int], key: str, text: str, change: Callable[[], object]
    ) -> list[float]:
        """Make a change in Phase, and return the seconds until each Secret holds the value."""
        wanted = {fleet.target_path(number): hands.holds(key, text) for number in numbers}
        async with fleet.hands(self.plane) as admin:
            took = await hands.changed(admin, wanted, change, _PATIENCE, Progress(f"hold {key}", len(wanted)).tell)
        assert len(took) == len(wanted), "some targets do not hold the value"
        return took

    @contextmanager
    def operator(self, *flags: str) -> Iterator[OperatorProcess]:
        """Run the operator under its own RBAC, one of several that elect a leader."""
        with running_operator(
            self.plane, self.folder, *flags, python=self.python, patience=_PATIENCE, elects=True
        ) as operator:
            yield operator

    def until_ready(self, operator: OperatorProcess, count: int) -> None:
        """Wait until so many resources are ready."""
        until_counted(lambda: operator.metric("phase_operator_resources", ready="true"), count, "are ready")

    def until_confirmed(self, operator: OperatorProcess) -> None:
        """Wait until every resource was found in step: by its seal, or by a shared read where that is too old."""

        def judged() -> float:
            runs = [operator.metric("phase_operator_reconcile_total", outcome=each) for each in ("Confirmed", "Synced")]
            return sum(runs)

        until_counted(judged, self.size + NEW, "are confirmed")


def until_counted(look: Callable[[], float], count: int, what: str) -> None:
    """Wait until so many are counted, and say how far it is."""
    progress = Progress(what, count)

    def enough() -> bool:
        counted = look()
        progress.tell(counted)
        return counted >= count

    eventually(enough, within=_PATIENCE, what=f"{count} {what}")


KINDS = ((READS, "reads"), (PROBES, "probes"), (LISTS, "lists"))


def rss(operator: OperatorProcess) -> float:
    """Return the operator's resident memory in MiB."""
    return memory_of_tree(operator.process.pid)


def seconds_of_cpu(operator: OperatorProcess) -> float:
    """Return the CPU time that the operator has used."""
    return cpu_of_tree(operator.process.pid)


def looks(operator: OperatorProcess) -> float:
    """Return how many times the operator has looked at the workloads of a namespace."""
    return operator.metric("phase_operator_kubernetes_requests_total", verb="GET", resource="cronjobs", code="200")


def written(operator: OperatorProcess) -> float:
    """Return how many targets and statuses the operator has written."""
    scrape = operator.scrape()
    return scrape.sum("phase_operator_targets_written_total") + scrape.sum("phase_operator_status_writes_total")


def measure(size: int, options: argparse.Namespace) -> Table:
    """Measure one size on a control plane of its own."""
    with (
        start_control_plane() as plane,
        EmbeddedPhase(fleet.seed()) as phase,
        tempfile.TemporaryDirectory() as folder,
    ):
        install(plane)
        python = options.python.absolute()
        bench = Bench(plane, phase, Path(folder), size, options.foreign, python, bare_as_admin=options.bare_as_admin)
        bench.run()
        return bench.table


def arguments() -> argparse.Namespace:
    """Return what is asked on the command line."""
    parser = argparse.ArgumentParser(prog="make bench", description=__doc__)
    parser.add_argument("--sizes", type=int, nargs="+", default=[1000], help="numbers of PhaseSecrets")
    parser.add_argument(
        "--repeat", type=int, default=1, help="runs of each size; the table has the median of each number and its range"
    )
    parser.add_argument("--foreign", type=int, default=1000, help="number of large foreign Secrets")
    parser.add_argument("--bare-as-admin", action="store_true", help="run the bare program as an administrator, too")
    parser.add_argument("--python", type=Path, default=Path(sys.executable), help="interpreter that runs the operator")
    parser.add_argument("--output", type=Path, default=OUTPUT, help="file for the tables")
    parser.add_argument("--core", action="store_true", help="measure the core alone, without a cluster, and no more")
    return parser.parse_args()


def main() -> None:
    """Run the sizes one after another and write the tables to a file, after each run what there is."""
    options = arguments()
    if options.core:
        table = Table()
        for row in core.measure():
            table.add(*row)
        return
    repeated(options.sizes, options.repeat, options.output, lambda size: measure(size, options))


if __name__ == "__main__":
    main()
