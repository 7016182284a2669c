"""The server on a real socket: faults of the wire, threads, and a process that is killed."""

import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from phase_dev.server import EmbeddedPhase
from support.operator_process import eventually

COMMAND = [sys.executable, "-c", "from phase_dev.cli import main; main()", "server"]


@pytest.fixture
def phase() -> Iterator[EmbeddedPhase]:
    with EmbeddedPhase() as phase:
        yield phase


def read(phase: EmbeddedPhase, *, timeout: float = 5.0) -> httpx.Response:
    params = {"app_id": phase.app_id("shop"), "env": "development"}
    return httpx.get(f"{phase.url}/v1/secrets/", params=params, headers=phase.headers("operator"), timeout=timeout)


def create(phase: EmbeddedPhase, key: str) -> httpx.Response:
    params = {"app_id": phase.app_id("shop"), "env": "development"}
    body = {"secrets": [{"key": key, "value": "v"}]}
    return httpx.post(f"{phase.url}/v1/secrets/", params=params, headers=phase.headers("operator"), json=body)


def lease(phase: EmbeddedPhase, *, timeout: float = 5.0, **query: str) -> httpx.Response:
    params = {"app_id": phase.app_id("shop"), "env": "production", "lease": "true", **query}
    url, headers = f"{phase.url}/v1/secrets/dynamic/", phase.headers("operator")
    return httpx.get(url, params=params, headers=headers, timeout=httpx.Timeout(5.0, read=timeout))


def test_a_reset_connection_is_reset(phase: EmbeddedPhase) -> None:
    phase.fail("reset", times=1)

    with pytest.raises(httpx.ReadError):
        read(phase)

    assert phase.calls(status=0) == 1
    assert read(phase).status_code == 200


def test_a_cut_body_is_shorter_than_its_length_says(phase: EmbeddedPhase) -> None:
    phase.fail("cut", times=1)

    with pytest.raises(httpx.RemoteProtocolError):
        read(phase)

    assert read(phase).status_code == 200


def test_a_lost_answer_was_executed(phase: EmbeddedPhase) -> None:
    phase.fail("lost", lease=True, times=1)

    with pytest.raises(httpx.ReadError):
        lease(phase)

    assert (len(phase.leases.live()), phase.calls(lease=True, status=200)) == (1, 1)
    assert lease(phase).status_code == 200


def test_a_write_whose_answer_is_lost_was_executed(phase: EmbeddedPhase) -> None:
    phase.fail("lost", method="POST", route="/v1/secrets/", times=1)

    with pytest.raises(httpx.ReadError):
        create(phase, "LOST")

    assert [row["key"] for row in read(phase).json()].count("LOST") == 1
    assert create(phase, "LOST").status_code == 409


def test_a_lease_is_made_although_its_caller_has_gone(phase: EmbeddedPhase) -> None:
    phase.leases.fail("delay", delay=0.5)

    with pytest.raises(httpx.ReadTimeout):
        lease(phase, timeout=0.1)
    assert phase.leases.all() == []

    eventually(lambda: len(phase.leases.all()) == 1, what="the lease is made")
    assert len(phase.leases.live()) == 1
    assert phase.leases.leaked() == []


def test_a_slow_lease_holds_nobody_else_up(phase: EmbeddedPhase) -> None:
    phase.leases.fail("delay", delay=20)

    with pytest.raises(httpx.ReadTimeout):
        lease(phase, timeout=0.1)

    assert read(phase).status_code == 200


def test_a_test_makes_changes_and_deletes_a_dynamic_secret(phase: EmbeddedPhase) -> None:
    made = phase.add_dynamic("shop", "production", "queue", path="/jobs", default_ttl=60, max_ttl=120)
    phase.change_dynamic("shop", "production", "queue", old_path="/jobs", name="jobs", max_ttl=600)

    [row] = lease(phase, name="jobs").json()
    assert (row["id"], row["maxTtl"], row["lease"]["ttl"]) == (made, "00:10:00", "00:01:00")

    phase.delete_dynamic("shop", "production", "jobs", path="/jobs")
    phase.advance(2)
    assert lease(phase, name="jobs").status_code == 404
    assert phase.leases.live() == []


def test_a_delayed_answer_comes_late(phase: EmbeddedPhase) -> None:
    phase.fail("delay", delay=30)

    with pytest.raises(httpx.ReadTimeout):
        read(phase, timeout=0.05)


def test_a_value_that_a_test_sets_is_read(phase: EmbeddedPhase) -> None:
    phase.set("shop", "development", "LOG_LEVEL", "error", tags=["x"])

    row = next(row for row in read(phase).json() if row["key"] == "LOG_LEVEL")

    assert (row["value"], row["type"], row["tags"], row["version"]) == ("error", "config", ["x"], 2)


def test_a_stopped_server_starts_again_on_its_port() -> None:
    phase = EmbeddedPhase()
    phase.start()
    url = phase.url
    phase.stop()

    with pytest.raises(httpx.ConnectError):
        httpx.get(url)
    phase.start()

    assert phase.url == url
    assert read(phase).status_code == 200
    phase.stop()


def start(*options: str) -> tuple[subprocess.Popen[str], str]:
    environment = {**os.environ, "PYTHONUNBUFFERED": "1"}
    process = subprocess.Popen([*COMMAND, "--port", "0", *options], stdout=subprocess.PIPE, text=True, env=environment)
    assert process.stdout
    match = re.search(r"http://\S+", process.stdout.readline())
    if match is None:
        end(process, signal.SIGKILL)
        raise AssertionError("the server did not say where it is")
    return process, match[0]


def end(process: subprocess.Popen[str], how: signal.Signals) -> int:
    process.send_signal(how)
    process.communicate(timeout=20)
    return process.returncode


def test_a_killed_server_has_lost_nothing(tmp_path: Path) -> None:
    state = ("--state", str(tmp_path / "state.sqlite"))
    process, url = start(*state)
    order = {"app": "shop", "env": "development", "key": "NEW", "value": "kept"}
    httpx.post(f"{url}/_control/secret", json=order)
    token = httpx.post(f"{url}/_control/tokens", json={"account": "operator", "action": "rotate"}).json()["token"]
    end(process, signal.SIGKILL)

    process, url = start(*state)
    try:
        headers = {"Authorization": f"Bearer ServiceAccount {token}"}
        apps = httpx.get(f"{url}/v1/apps/", headers=headers).json()["data"]
        app_id = next(app["id"] for app in apps if app["name"] == "shop")
        params = {"app_id": app_id, "env": "development", "key": "NEW"}
        rows = httpx.get(f"{url}/v1/secrets/", params=params, headers=headers).json()
    finally:
        code = end(process, signal.SIGINT)

    assert [row["value"] for row in rows] == ["kept"]
    assert code == 0


def test_a_bad_seed_ends_with_2_and_one_sentence(tmp_path: Path) -> None:
    seed = tmp_path / "seed.yaml"
    seed.write_text("apps: [{name: a, sso: true}]")

    done = subprocess.run([*COMMAND, "--seed", str(seed)], capture_output=True, text=True, timeout=60, check=False)

    assert done.returncode == 2
    assert done.stderr.count("\n") == 1
    assert "apps[0].sso" in done.stderr
