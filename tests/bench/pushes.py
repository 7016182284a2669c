"""What pushes cost: `python -m bench.pushes`, from the folder tests.

The loop's part for pushes runs on the fakes of the unit tests and on a clock that is turned by hand. Counts are those
of the fakes; CPU is of this process, with the fakes' own work. `--foreign 10000` starts a control plane as well, and
measures what the watches of all Secrets and ConfigMaps cost an operator that nobody uses, with and without --push.
"""

import argparse
import asyncio
import gc
import tempfile
import time
import tracemalloc
from functools import partial
from pathlib import Path

import psutil

from bench import fleet, hands
from phase_dev.cluster import ControlPlane, start_control_plane
from phase_operator.core.values import ObjectKey
from support.operator_process import OWN_INTERPRETER, OperatorProcess, eventually, install, running_operator
from support.push_house import KIND, PushHouse, data, named, world

_ENTRIES = (1, 100, 1_000)
_MIB = 1024 * 1024
# Resources that are weighed.
_WEIGHED = 100
_COLLECTIONS = ("secrets", "configmaps")


async def entries(number: int) -> str:
    """Push one Secret of so many keys, change it, and delete it; return calls and CPU of each."""
    _, [cluster] = world()
    house = PushHouse(cluster)
    told = []
    for what in ("made", "changed", "the same"):
        value = "v" if what == "made" else "w"
        cluster.stock.put("db", data(number, value))
        if what == "made":
            cluster.resource(named("db"))
        before, cpu = cluster.server.calls.copy(), time.process_time()
        house.show()
        await house.rest()
        calls = cluster.server.calls - before
        listed = ", ".join(f"{count} {kind}" for kind, count in sorted(calls.items())) or "none"
        told.append(f"{what}: {listed}; {(time.process_time() - cpu) * 1000:.0f} ms")
    return " | ".join(told)


async def idle(number: int, keys: int) -> str:
    """Let so many resources push, and return what an hour costs in which nothing changes."""
    house = await _resting(number, keys)
    cpu, before, runs = time.process_time(), house.server.calls.total(), house.runs_made
    await house.pass_time(3_600, step=60)
    calls = f"{house.server.calls.total() - before} calls, {house.runs_made - runs} runs"
    return f"{calls}, {(time.process_time() - cpu) * 1000:.0f} ms in an hour"


async def weight(number: int, keys: int) -> str:
    """Return what this process keeps of each resource at rest, with the object itself."""
    await _resting(10, keys)
    gc.collect()
    tracemalloc.start()
    house = await _resting(number, keys, weighed=True)
    gc.collect()
    taken, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert len(house.outcomes) == number
    return f"{taken / number / 1024:.1f} KiB each"


async def _resting(number: int, keys: int, *, weighed: bool = False) -> PushHouse:
    _, [cluster] = world()
    names = [ObjectKey("shop", f"push-{each:04}", KIND) for each in range(number)]
    for each in names:
        cluster.stock.put(each.name, {f"{each.name}-{key}": b"v" for key in range(keys)})
        cluster.resource(named(each.name), each)
    if weighed:
        # What the cluster and Phase keep was there before.
        await PushHouse(cluster).rest(most=100_000)
        gc.collect()
        tracemalloc.clear_traces()
    house = PushHouse(cluster)
    await house.rest(most=100_000)
    # All of them look at one environment in the same moment: the memory for that makes some wait for others.
    await house.pass_time(900, step=60)
    return house


def foreign(number: int) -> None:
    """Print memory and start of an operator beside so many Secrets and as many ConfigMaps, with and without --push."""
    with tempfile.TemporaryDirectory() as folder, start_control_plane() as plane:
        install(plane)
        asyncio.run(_make(plane, number))
        for turn, flags in enumerate([(), ("--push", "true"), (), ("--push", "true")]):
            own = Path(folder) / str(turn)
            own.mkdir()
            began = time.monotonic()
            with running_operator(plane, own, *flags, python=OWN_INTERPRETER) as operator:
                eventually(lambda of=operator: _is_ready(of), within=300, what="it is ready")  # type: ignore[misc]
                took = time.monotonic() - began
                process = psutil.Process(operator.process.pid)
                time.sleep(5.0)
                used = process.cpu_times()
                peak = _peak(operator)
                rss = process.memory_info().rss / _MIB
                print(
                    f"| {' '.join(flags) or 'without'} | {took:.1f} s | {used.user + used.system:.1f} s "
                    f"| {rss:.1f} MiB | {peak:.1f} MiB |",
                    flush=True,
                )


def _is_ready(operator: OperatorProcess) -> bool:
    return operator.get("/readyz").status_code == 200


def _peak(operator: OperatorProcess) -> float:
    status = Path(f"/proc/{operator.process.pid}/status").read_text()
    [peak] = [line for line in status.splitlines() if line.startswith("VmHWM:")]
    return int(peak.split()[1]) / 1024


async def _make(plane: ControlPlane, number: int) -> None:
    plane.kubectl("create", "namespace", "foreign")
    labels = {"app.kubernetes.io/name": "foreign", "app.kubernetes.io/managed-by": "Helm"}
    async with fleet.hands(plane) as admin:

        async def one(path: str, each: int) -> None:
            await admin.create(path, {"metadata": {"name": f"foreign-{each}", "labels": labels}})

        for plural in _COLLECTIONS:
            await hands.every(range(number), partial(one, f"/api/v1/namespaces/foreign/{plural}"))


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(prog="bench.pushes", description=__doc__)
    parser.add_argument("--resources", type=int, default=500)
    parser.add_argument("--keys", type=int, default=1)
    parser.add_argument("--foreign", type=int, default=0)
    options = parser.parse_args()
    for number in _ENTRIES:
        print(f"| {number:,} entries | {asyncio.run(entries(number))} |", flush=True)
    rested = asyncio.run(idle(options.resources, options.keys))
    print(f"| {options.resources:,} resources of {options.keys} entries | {rested} |", flush=True)
    weighs = asyncio.run(weight(_WEIGHED, options.keys))
    print(f"| {_WEIGHED} resources of {options.keys} entries | {weighs} |", flush=True)
    if options.foreign:
        foreign(options.foreign)


if __name__ == "__main__":
    main()
