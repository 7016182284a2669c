"""What the operator costs, beside the limits that it is held to: `make bench`.

Starts a control plane, an embedded Phase and the operator under its own RBAC. Counts are those of the embedded Phase
and of the operator's metrics; times are of this run on this machine, the ratio is to a bare program in the same run.
"""

import argparse
import asyncio
import json
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import psutil

from bench import bare, core, fleet
from phase_dev.cluster import ControlPlane, start_control_plane
from phase_dev.server import EmbeddedPhase
from support.operator_process import OperatorProcess, eventually, install, running_operator
from support.world import phase_secret

READS, PROBES, LISTS = "/v1/secrets/", "/v1/environments/", "/v1/apps/"
SECRETS = "/api/v1/secrets"
EDITED, NEW, FOREIGN_KB = 100, 50, 100
OUTPUT = Path(__file__).parents[2] / "bench-output.md"
_PATIENCE = 1800.0


@dataclass
class Table:
    """Rows of work, limit and what was measured."""

    rows: list[tuple[str, str, str]] = field(default_factory=list)

    def add(self, work: str, limit: str, ours: str) -> None:
        """Add a row and show it at once."""
        self.rows.append((work, limit, ours))
        print(f"{work}: {ours}  (limit: {limit})", flush=True)

    def text(self) -> str:
        """Return the table as Markdown."""
        lines = ["| work | limit | ours |", "|---|---|---|", *(f"| {' | '.join(row)} |" for row in self.rows)]
        return "\n".join(lines)


@dataclass
class Bench:
    """A cluster, a Phase, a size and the table."""

    plane: ControlPlane
    phase: EmbeddedPhase
    folder: Path
    size: int
    foreign: int
    # The interpreter that has the product's packages and no others.
    python: Path = Path(sys.executable)
    # Seconds between looks, and how long to watch that nothing happens.
    interval: int = 60
    minute: float = 60.0
    # Workloads that follow one Secret.
    followers: int = 1000
    table: Table = field(default_factory=Table)

    def run(self) -> None:
        """Measure everything, in the order in which one state leads to the next."""
        fleet.prepare(self.plane, self.phase)
        self.plane.kubectl("create", "namespace", bare.NAMESPACE)
        bare_seconds = [self.bare()]
        asyncio.run(fleet.make(self.plane, self.phase.url, self.interval, range(self.size)))
        began = time.monotonic()
        with self.operator() as operator:
            self.until_ready(operator, self.size)
            seconds = time.monotonic() - began
            self.cold_start(operator)
            self.further(operator)
            self.idle(operator)
            self.one_change()
            self.hand_edits()
            self.new_among_many()
            self.foreign_secrets(operator)
        bare_seconds.append(self.bare())
        self.compare(seconds, bare_seconds)
        self.restart()
        self.failover()
        self.quota()
        self.workloads()

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
        asyncio.run(fleet.unmake(self.plane, more))
        eventually(
            lambda: operator.metric("phase_operator_resources", ready="true") <= self.size,
            within=_PATIENCE,
            what="the further ones are gone",
        )
        self.phase.reset_calls()

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

    def one_change(self) -> None:
        """Change a value of one environment, and wait for all who use it."""
        app, environment = fleet.source(0)
        users = [number for number in range(self.size) if fleet.source(number) == (app, environment)]
        self.phase.reset_calls()
        self.phase.set(app, environment, "KEY_0", "changed")
        took = asyncio.run(self.seconds_until(users, "KEY_0", "changed"))
        reads = self.phase.calls(route=READS, app=app, env=environment)
        self.table.add(
            f"a value changes, {len(users)} resources use it",
            f"1 read; {self.interval + 1} s (p99)",
            f"{reads} read; {fleet.high(took):.1f} s (p99)",
        )

    def hand_edits(self) -> None:
        """Edit targets by hand, all at once."""
        numbers = list(range(min(EDITED, self.size)))
        took, reads = asyncio.run(self.edit(numbers))
        self.table.add(
            f"{len(numbers)} targets edited by hand",
            "1 s (p99), 0 reads",
            f"{fleet.high(took):.2f} s (p99), {reads} reads",
        )

    async def edit(self, numbers: list[int]) -> tuple[list[float], int]:
        """Edit, and return the seconds until each is repaired, and the reads of Phase meanwhile.

        A watch tells when it is: a hundred that ask again and again would take the CPU from who mends.
        """
        self.phase.reset_calls()
        edited: dict[str, float] = {}
        mended: dict[str, float] = {}
        async with fleet.hands(self.plane) as admin:
            good = {path: await admin.data(path) for path in map(fleet.target_path, numbers)}
            changes = admin.changes(SECRETS, await admin.version(SECRETS))

            async def look() -> None:
                bad = set()
                async for found in changes:
                    metadata = found["metadata"]
                    path = f"/api/v1/namespaces/{metadata['namespace']}/secrets/{metadata['name']}"
                    if path in good and found["data"] != good[path]:
                        bad.add(path)
                    elif path in bad:
                        mended.setdefault(path, time.monotonic())
                    if mended.keys() == good.keys():
                        return

            async def edit(path: str) -> None:
                await admin.merge(path, {"data": {"KEY_1": fleet.encoded("edited")}})
                edited[path] = time.monotonic()

            await asyncio.wait_for(asyncio.gather(look(), *map(edit, good)), 60.0)
        return [max(0.0, at - edited[path]) for path, at in mended.items()], self.phase.calls(route=READS)

    def new_among_many(self) -> None:
        """Change every environment, and make new resources while all others are brought in step."""
        took = asyncio.run(self.make_new())
        asyncio.run(self.seconds_until(range(self.size + NEW), "KEY_2", "changed for all"))
        self.table.add(
            f"a new resource while {self.size} are refreshed", "1 s (p99)", f"{fleet.high(took):.2f} s (p99 of {NEW})"
        )

    async def make_new(self) -> list[float]:
        """Return the seconds from the creation of each new resource to its Secret."""
        fleet.change_everywhere(self.phase, "KEY_2", "changed for all")
        took = []
        async with fleet.hands(self.plane) as admin:

            async def refreshing() -> bool:
                found = [await admin.data(fleet.target_path(number)) or {} for number in range(0, self.size, 97)]
                return any(each.get("KEY_2") == fleet.encoded("changed for all") for each in found)

            await fleet.until(refreshing, 120.0)
            for number in range(self.size, self.size + NEW):
                await admin.create(fleet.resource_path(number), fleet.resource(number, self.phase.url, self.interval))

                async def there(number: int = number) -> bool:
                    return await admin.data(fleet.target_path(number)) is not None

                took.append(await fleet.until(there, 60.0))
        return took

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
        blob = fleet.encoded("x" * (FOREIGN_KB * 1000))
        async with fleet.hands(self.plane) as admin:

            async def one(number: int) -> None:
                body = {"metadata": {"name": f"foreign-{number}"}, "data": {"blob": blob}}
                await admin.create(f"/api/v1/namespaces/{fleet.namespace(number)}/secrets", body)

            await fleet.every(range(self.foreign), one)

    def bare(self) -> float:
        """Let the bare program make the same objects, on the same API server; return the seconds that it took."""
        asyncio.run(self.make_for_bare())
        command = [sys.executable, "-m", "bench.bare", self.plane.url, str(self.plane.ca_file), self.plane.admin_token]
        root = Path(__file__).parents[1]
        done = subprocess.run([*command, str(self.size)], capture_output=True, text=True, check=True, cwd=root)
        asyncio.run(self.clear_bare())
        return float(done.stdout)

    def compare(self, seconds: float, bare_seconds: list[float]) -> None:
        """Say how much longer than the bare program the operator took: before it, and after it, since both differ."""
        mean = sum(bare_seconds) / len(bare_seconds)
        told = " and ".join(f"{each:.1f}" for each in bare_seconds)
        self.table.add(
            f"cold start until {self.size} targets are there and Ready",
            "1.3 x a bare program",
            f"{seconds / mean:.2f} x ({seconds:.1f} s from the start of the process; bare {told} s)",
        )

    async def make_for_bare(self) -> None:
        """Make the PhaseSecrets whose statuses the bare program writes."""
        async with fleet.hands(self.plane) as admin:
            await fleet.every(
                range(self.size),
                lambda number: admin.create(bare.RESOURCES, fleet.resource(number, self.phase.url, self.interval)),
            )

    async def clear_bare(self) -> None:
        """Take everything away, so that no operator sees it."""
        async with fleet.hands(self.plane) as admin:
            await admin.clear(bare.RESOURCES)
            await admin.clear(bare.SECRETS)

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
            f"leads after {leads:.1f} s, has mended the edit after {works:.1f} s; {reads} read, {writes:.0f} writes",
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

            await fleet.until(ended, 60.0)
            # The one that ends must not repair it.
            await admin.merge(path, {"data": {"KEY_1": fleet.encoded("edited")}})
            await fleet.until(leads, 60.0)
            led = time.monotonic() - began
            await fleet.until(mended, _PATIENCE)
            return led, time.monotonic() - began

    def quota(self) -> None:
        """Change every environment in one second under a quota."""
        self.phase.set_quota(120)
        with self.operator("--phase-quota=120") as operator:
            self.until_confirmed(operator)
            self.phase.reset_calls()
            began = time.monotonic()
            fleet.change_everywhere(self.phase, "KEY_3", "changed at once")
            took = asyncio.run(self.seconds_until(range(0, self.size, 7), "KEY_3", "changed at once"))
            refused, calls = self.phase.calls(status=429), self.phase.calls()
            rate = calls / max((time.monotonic() - began) / 60.0, 1.0)
            self.table.add(
                "every environment changes in one second, quota 120 a minute",
                "no 429 after the first",
                f"{refused} x 429; all in step after {max(took):.0f} s, {rate:.0f} calls a minute",
            )
        # What is measured next would wait for the quota.
        self.phase.set_quota(None)

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
        time.sleep(5.0)

    async def make_followers(self) -> None:
        """Make workloads whose roll-outs are over."""
        over = {"status": {"observedGeneration": 100}}
        async with fleet.hands(self.plane) as admin:

            async def one(number: int) -> None:
                body = fleet.follower(number)
                await admin.create(fleet.DEPLOYMENTS, body)
                await admin.merge(f"{fleet.DEPLOYMENTS}/{body['metadata']['name']}/status", over)

            await fleet.every(range(self.followers), one)

    async def seconds_until(self, numbers: "range | list[int]", key: str, text: str) -> list[float]:
        """Return the seconds until each Secret holds a value."""
        async with fleet.hands(self.plane) as admin:

            async def one(number: int) -> float:
                async def follows() -> bool:
                    return (await admin.data(fleet.target_path(number)) or {}).get(key) == fleet.encoded(text)

                return await fleet.until(follows, _PATIENCE, pause=0.2)

            return list(await asyncio.gather(*(one(number) for number in numbers)))

    @contextmanager
    def operator(self, *flags: str) -> Iterator[OperatorProcess]:
        """Run the operator under its own RBAC, one of several that elect a leader."""
        with running_operator(
            self.plane, self.folder, *flags, python=self.python, patience=_PATIENCE, elects=True
        ) as operator:
            yield operator

    def until_ready(self, operator: OperatorProcess, count: int) -> None:
        """Wait until so many resources are ready."""
        eventually(
            lambda: operator.metric("phase_operator_resources", ready="true") >= count,
            within=_PATIENCE,
            what=f"{count} are ready",
        )

    def until_confirmed(self, operator: OperatorProcess) -> None:
        """Wait until every resource was found in step: by its seal, or by a shared read where that is too old."""

        def judged() -> bool:
            runs = [operator.metric("phase_operator_reconcile_total", outcome=each) for each in ("Confirmed", "Synced")]
            return sum(runs) >= self.size + NEW

        eventually(judged, within=_PATIENCE, what="all are confirmed")


KINDS = ((READS, "reads"), (PROBES, "probes"), (LISTS, "lists"))


def rss(operator: OperatorProcess) -> float:
    """Return the operator's resident memory in MiB."""
    return float(psutil.Process(operator.process.pid).memory_info().rss) / 2**20


def seconds_of_cpu(operator: OperatorProcess) -> float:
    """Return the CPU time that the operator has used."""
    times = psutil.Process(operator.process.pid).cpu_times()
    return float(times.user + times.system)


def looks(operator: OperatorProcess) -> float:
    """Return how many times the operator has looked at the workloads of a namespace."""
    return operator.metric("phase_operator_kubernetes_requests_total", verb="GET", resource="cronjobs", code="200")


def written(operator: OperatorProcess) -> float:
    """Return how many targets and statuses the operator has written."""
    scrape = operator.scrape()
    return scrape.sum("phase_operator_targets_written_total") + scrape.sum("phase_operator_status_writes_total")


def measure(size: int, foreign: int, python: Path) -> Table:
    """Measure one size on a control plane of its own."""
    with (
        start_control_plane() as plane,
        EmbeddedPhase(fleet.seed()) as phase,
        tempfile.TemporaryDirectory() as folder,
    ):
        install(plane)
        bench = Bench(plane, phase, Path(folder), size, foreign, python)
        bench.run()
        return bench.table


def main() -> None:
    """Run the sizes one after another and write the tables to a file."""
    parser = argparse.ArgumentParser(prog="make bench", description=__doc__)
    parser.add_argument("--sizes", type=int, nargs="+", default=[1000], help="numbers of PhaseSecrets")
    parser.add_argument("--foreign", type=int, default=1000, help="number of large foreign Secrets")
    parser.add_argument("--python", type=Path, default=Path(sys.executable), help="interpreter that runs the operator")
    parser.add_argument("--output", type=Path, default=OUTPUT, help="file for the tables")
    parser.add_argument("--core", action="store_true", help="measure the core alone, without a cluster, and no more")
    arguments = parser.parse_args()
    if arguments.core:
        table = Table()
        for row in core.measure():
            table.add(*row)
        return
    parts = []
    for size in arguments.sizes:
        print(f"\n{size} PhaseSecrets", flush=True)
        table = measure(size, arguments.foreign, arguments.python.absolute())
        parts.append(f"## {size:,} PhaseSecrets\n\n{table.text()}\n")
        arguments.output.write_text("\n".join(parts))
    print("\n" + "\n".join(parts))


if __name__ == "__main__":
    main()
