"""The command lines of the programs."""

from collections.abc import Callable
from pathlib import Path

import pytest

from phase_dev.cluster import commands
from phase_dev.cluster.commands import Layout

LAYOUT = Layout(Path("/run/c"), etcd_port=20001, etcd_peer_port=20002, api_port=20003)
BUILDERS = [commands.etcd, commands.api_server, commands.controller_manager, commands.scheduler, commands.kwok]


@pytest.mark.parametrize("command", BUILDERS, ids=lambda command: command.__name__)
def test_every_address_is_on_loopback_and_every_file_in_the_folder(
    command: Callable[[Path, Layout], list[str]],
) -> None:
    for argument in command(Path("/bin/program"), LAYOUT)[1:]:
        _, _, value = argument.partition("=")
        assert "://" not in value or "://127.0.0.1:" in value or "issuer" in argument
        assert not value.startswith("/") or value.startswith("/run/c/")


def test_the_api_server_and_the_controllers_agree_on_the_key() -> None:
    key = f"key-file={LAYOUT.key_file}"

    assert any(key in argument for argument in commands.api_server(Path("a"), LAYOUT))
    assert any(key in argument for argument in commands.controller_manager(Path("c"), LAYOUT))


def test_the_api_server_decides_by_rbac_alone() -> None:
    assert "--authorization-mode=RBAC" in commands.api_server(Path("a"), LAYOUT)


def test_the_garbage_collector_runs() -> None:
    joined = " ".join(commands.controller_manager(Path("c"), LAYOUT))

    assert "garbage-collector-controller" in joined
