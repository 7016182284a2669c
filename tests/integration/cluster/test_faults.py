"""Harm to a program: what it does to the cluster, and that the cluster gets over it."""

import sys

import psutil
import pytest

from phase_dev.cluster import CommandFailed, start_control_plane
from phase_dev.shell.errors import StartFailed, ToolError
from phase_dev.shell.terminal import Progress
from support.bare_plane import bare_plane

pytestmark = pytest.mark.controlplane


def test_two_clusters_share_nothing_and_one_that_ends_leaves_nothing(pytestconfig: pytest.Config) -> None:
    with bare_plane(pytestconfig) as other:
        with start_control_plane() as one:
            one.kubectl("create", "namespace", "only-here")

            assert "only-here" not in other.kubectl("get", "ns").stdout
            assert one.url != other.url
            assert one.layout.folder != other.layout.folder
            pids = [each.program(name).pid for each in (one, other) for name in ("etcd", "kube-apiserver")]

        assert not one.layout.folder.exists()
        assert len(set(pids)) == 4
        assert one.program("etcd").pid is None
        assert "default" in other.kubectl("get", "ns").stdout


def test_the_data_survives_what_happens_to_the_programs(pytestconfig: pytest.Config) -> None:
    with bare_plane(pytestconfig) as cluster:
        cluster.kubectl("create", "configmap", "kept", "--from-literal=a=1")
        server, etcd = cluster.program("kube-apiserver"), cluster.program("etcd")

        server.kill()
        with pytest.raises(CommandFailed):
            cluster.kubectl("get", "configmap", "kept")
        server.restart()
        cluster.ready()
        cluster.kubectl("get", "configmap", "kept")

        server.pause()
        with pytest.raises(CommandFailed):
            cluster.kubectl("get", "configmap", "kept", "--request-timeout=300ms")
        with pytest.raises(StartFailed, match="in vain"):
            cluster.ready(timeout=0.1)
        server.resume()
        cluster.ready()
        cluster.kubectl("get", "configmap", "kept")

        etcd.stop(grace=0.5)
        etcd.start()
        cluster.ready()
        assert cluster.kubectl("get", "configmap", "kept", "-o", "jsonpath={.data.a}").stdout == "1"


def test_a_start_that_is_given_up_leaves_nothing() -> None:
    before = set(psutil.Process().children(recursive=True))

    def give_up_when_etcd_runs() -> None:
        if any("etcd" in each.name() for each in set(psutil.Process().children(recursive=True)) - before):
            raise ToolError("given up")

    with pytest.raises(ToolError, match="given up"):
        start_control_plane(progress=Progress(sys.stderr, check=give_up_when_etcd_runs))

    assert set(psutil.Process().children(recursive=True)) == before
