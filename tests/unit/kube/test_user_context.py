"""A person's context is found as kubectl finds it, and what is wrong with a kubeconfig is a sentence."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from phase_operator.core.access.proxies import Proxies
from phase_operator.kube.client import KubeconfigError
from phase_operator.kube.user_context import UserContext, user_context

NO_POD = Path("/does/not/exist")
HAS_KUBECONFIG = Path("~/.kube/config").expanduser().exists()


def kubeconfig(*names: str, current: str | None = "", server: str = "https://%s.example:6443", **context: str) -> str:
    """Return a kubeconfig with a context of each name."""
    found: dict[str, Any] = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": name, "cluster": {"server": server.replace("%s", name)}} for name in names],
        "users": [{"name": name, "user": {"token": f"token-of-{name}"}} for name in names],
        "contexts": [{"name": name, "context": {"cluster": name, "user": name, **context}} for name in names],
        "current-context": names[0] if current == "" else current,
    }
    return yaml.safe_dump(found)


def written(folder: Path, name: str, text: str) -> Path:
    file = folder / name
    file.write_text(text)
    return file


async def found(file: Path | None, context: str | None = None, account: Path = NO_POD) -> UserContext:
    return await user_context(file, context, Proxies(), "shop", account=account)


async def test_the_current_context_is_taken(tmp_path: Path) -> None:
    file = written(tmp_path, "config", kubeconfig("one", "two", current="two"))

    context = await found(file)

    assert (context.name, context.namespace) == ("two", "default")
    assert context.configuration.host == "https://two.example:6443"


async def test_a_named_context_wins_over_the_current_one(tmp_path: Path) -> None:
    file = written(tmp_path, "config", kubeconfig("one", "two", namespace="shop"))

    context = await found(file, "two")

    assert (context.name, context.namespace) == ("two", "shop")


async def test_several_files_are_one_kubeconfig(tmp_path: Path) -> None:
    first, second = written(tmp_path, "a", kubeconfig("one")), written(tmp_path, "b", kubeconfig("two"))

    context = await found(Path(f"{first}:{second}"), "two")

    assert context.configuration.host == "https://two.example:6443"


async def test_a_token_of_the_kubeconfig_is_not_written_back(tmp_path: Path) -> None:
    file = written(tmp_path, "config", kubeconfig("one"))
    before = file.read_bytes()

    await found(file)

    assert file.read_bytes() == before


@pytest.mark.parametrize(
    ("text", "context", "told"),
    [
        pytest.param(kubeconfig("one"), "two", "two", id="no such context"),
        pytest.param(kubeconfig("one", current=None), None, "current-context", id="no current context"),
        pytest.param("", None, "kubeconfig", id="an empty file"),
        pytest.param("- a\n- b\n", None, "kubeconfig", id="a list"),
        pytest.param("a: [", None, "kubeconfig", id="no YAML"),
        pytest.param("\x00\x01", None, "kubeconfig", id="no text"),
    ],
)
async def test_a_kubeconfig_that_cannot_be_used_is_one_sentence(
    text: str, context: str | None, told: str, tmp_path: Path
) -> None:
    file = written(tmp_path, "config", text)

    with pytest.raises(KubeconfigError) as raised:
        await found(file, context)

    assert told in str(raised.value)
    assert len(str(raised.value).splitlines()) == 1


async def test_a_kubeconfig_that_is_not_there_is_named(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(KubeconfigError, match=r"there is no file .*/none"):
        await found(tmp_path / "none")

    assert capfd.readouterr() == ("", "")


def pod(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Make what a pod has of its ServiceAccount."""
    for name, text in {
        "token": "t0ken",
        "ca.crt": "a certificate",
    }.items():
        written(folder, name, text)
    monkeypatch.setenv("KUBERNETES_SERVICE_HOST", "10.0.0.1")
    monkeypatch.setenv("KUBERNETES_SERVICE_PORT", "443")
    return folder


@pytest.mark.skipif(HAS_KUBECONFIG, reason="this machine has a kubeconfig of its own")
async def test_a_pod_without_a_kubeconfig_uses_its_service_account(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    context = await found(None, account=pod(tmp_path, monkeypatch))

    assert (context.name, context.namespace) == ("", "shop")
    assert context.configuration.host == "https://10.0.0.1:443"


async def test_a_pod_with_a_kubeconfig_does_not_fall_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = pod(tmp_path, monkeypatch)

    with pytest.raises(KubeconfigError):
        await found(tmp_path / "none", account=folder)
    with pytest.raises(KubeconfigError):
        await found(None, "one", account=folder)


async def test_the_environments_proxy_is_used_unless_the_kubeconfig_names_one(tmp_path: Path) -> None:
    file = written(tmp_path, "config", kubeconfig("one"))

    context = await user_context(file, None, Proxies(https="http://proxy.example:3128"), account=NO_POD)

    assert context.configuration.proxy == "http://proxy.example:3128"
