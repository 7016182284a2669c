"""Harm to a program: what it does to the cluster, and that the cluster gets over it."""

import asyncio

import psutil
import pytest

from integration.cluster.waiting import eventually
from phase_dev.cluster import Cluster, CommandFailed, StartFailed

pytestmark = pytest.mark.controlplane


async def test_two_clusters_share_nothing_and_leave_nothing() -> None:
    async with Cluster.start() as one, Cluster.start() as other:
        await one.kubectl("create", "namespace", "only-here")

        assert "only-here" not in (await other.kubectl("get", "ns")).stdout
        assert one.url != other.url
        folders = [each.plane.layout.folder for each in (one, other)]
        pids = [each.program(name).pid for each in (one, other) for name in ("etcd", "kube-apiserver")]

    assert not any(folder.exists() for folder in folders)
    assert len(set(pids)) == 4
    assert one.program("etcd").pid is None


async def test_the_data_survives_what_happens_to_the_programs() -> None:
    async with Cluster.start() as cluster:
        await cluster.kubectl("create", "configmap", "kept", "--from-literal=a=1")
        server, etcd = cluster.program("kube-apiserver"), cluster.program("etcd")

        await server.kill()
        with pytest.raises(CommandFailed):
            await cluster.kubectl("get", "configmap", "kept")
        await server.restart()
        await cluster.ready()
        await cluster.kubectl("get", "configmap", "kept")

        await server.pause()
        with pytest.raises(CommandFailed):
            await cluster.kubectl("get", "configmap", "kept", "--request-timeout=300ms")
        with pytest.raises(StartFailed, match="in vain"):
            await cluster.ready(timeout=0.1)
        await server.resume()
        await cluster.ready()
        await cluster.kubectl("get", "configmap", "kept")

        await etcd.stop(grace=0.5)
        await etcd.start()
        await cluster.ready()
        assert (await cluster.kubectl("get", "configmap", "kept", "-o", "jsonpath={.data.a}")).stdout == "1"


async def test_a_start_that_is_cancelled_leaves_nothing() -> None:
    async def start() -> None:
        async with Cluster.start():
            pytest.fail("the start was not cancelled")

    before = set(psutil.Process().children(recursive=True))
    starting = asyncio.create_task(start())
    await asyncio.to_thread(eventually, lambda: set(psutil.Process().children(recursive=True)) != before)
    starting.cancel()

    with pytest.raises(asyncio.CancelledError):
        await starting

    assert set(psutil.Process().children(recursive=True)) == before
