"""`phase-dev demo` as a person runs it."""

import os
import re
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import httpx
import pytest

from phase_dev.cluster.access import run_client
from phase_dev.cluster.catalog import needed
from phase_dev.cluster.programs import Found, obtain
from phase_dev.shell.terminal import Progress
from support.bare_plane import bare_plane
from support.canary import Canary

SECRETS = ("a-long-production-password", "another-long-password", "only-for-development", "lic-0001")
ENCRYPTED = ("a-long-live-key", "a-mail-password")


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    """Give an environment in which the demo of a developer on this machine is not seen."""
    return {**os.environ, "XDG_STATE_HOME": str(tmp_path / "state"), "TMPDIR": str(tmp_path)}


@pytest.fixture(scope="module", autouse=True)
def programs() -> Mapping[str, Found]:
    """Give what a cluster consists of; a build takes minutes, and must not fall into the time of a demo."""
    return obtain(needed(controllers=True, nodes=0), os.environ, Progress(sys.stderr))


@pytest.fixture(autouse=True)
def _no_value_is_shown(canary: Canary) -> None:
    for text in (*SECRETS, *ENCRYPTED):
        canary.token(text)


def demo(
    canary: Canary, environment: dict[str, str], *arguments: str, check: bool = True
) -> subprocess.CompletedProcess[str]:
    done = subprocess.run(
        [sys.executable, "-m", "phase_dev", "demo", *arguments],
        env=environment,
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
    canary.watch(done.stdout + done.stderr)
    assert done.returncode == 0 or not check, done.stdout + done.stderr
    return done


def test_the_demo_shows_the_main_job_and_leaves_nothing(
    environment: dict[str, str], canary: Canary, tmp_path: Path
) -> None:
    drawn = tmp_path / "demo.svg"
    shown = demo(canary, environment, "--picture", str(drawn)).stdout

    assert "Three&#160;PhaseSecrets" in drawn.read_text()
    canary.watch(drawn.read_text())
    assert re.search(r"^ +shop +shop +production +True +Synced +3 ", shown, re.MULTILINE)
    assert re.search(r"^ +DATABASE_PASSWORD=\*+$", shown, re.MULTILINE)
    assert re.search(r"^ +LOG_LEVEL=warning$", shown, re.MULTILINE)
    assert re.search(r"^ +billing +billing +production +True +Synced +3 ", shown, re.MULTILINE)
    assert re.search(r"billing is end-to-end encrypted: .*: yes$", shown, re.MULTILINE)
    assert re.search(r"the first lease was given back \d+\.\d\d s later; its key is valid: no$", shown, re.MULTILINE)
    assert re.search(r"^ +uploads +shop +production +uploads +True +Synced +20\S+Z ", shown, re.MULTILINE)
    assert re.search(r"^ +shop +shop/production:/ +True +Synced +2/2 +3 ", shown, re.MULTILINE)
    assert re.search(r"^ +├─ Secret shop: in step, 1 key$", shown, re.MULTILINE)
    assert re.search(r"^ +Secret phase-demo/shop would change$\s+~ DATABASE_PASSWORD$", shown, re.MULTILINE)
    assert len(re.findall(r"\d\.\d\d s\b", shown)) == 8
    # Both probes, that of apps with server-side encryption and that of the others, may fall into this moment.
    assert re.search(r"calls of Phase's API meanwhile: [012]$", shown, re.MULTILINE)
    assert list(tmp_path.glob("phase-dev*")) == []


def test_keep_leaves_it_running_until_it_is_stopped(
    environment: dict[str, str], canary: Canary, tmp_path: Path, programs: Mapping[str, Found]
) -> None:
    shown = demo(canary, environment, "--keep").stdout
    url = re.search(r"Phase: (http://\S+)", shown)
    kubeconfig = re.search(r"export KUBECONFIG=(\S+)", shown)
    assert url
    assert kubeconfig

    try:
        second = demo(canary, environment, "--keep", check=False)

        assert second.returncode == 1
        assert "running already" in second.stderr
        assert httpx.get(f"{url[1]}/health/", trust_env=False).status_code == 200
        asked = ("-n", "phase-demo", "get", "phasesecret", "shop", "-o", "name")
        seen = run_client(programs["kubectl"].path, *asked, env={"KUBECONFIG": kubeconfig[1], "HOME": str(tmp_path)})
        assert seen.stdout.strip() == "phasesecret.secrets.phase.dev/shop"
    finally:
        ended = demo(canary, environment, "--stop")

    assert ended.stdout == "the demo ended\n"
    assert list(tmp_path.glob("phase-dev*")) == []
    assert demo(canary, environment, "--stop").stdout == "no demo is running\n"


def test_a_cluster_of_the_user_is_left_as_it_was(
    environment: dict[str, str], canary: Canary, pytestconfig: pytest.Config
) -> None:
    with bare_plane(pytestconfig, controllers=True) as theirs:

        def state() -> set[str]:
            return set(theirs.kubectl("get", "ns,crd,clusterroles,clusterrolebindings", "-o", "name").stdout.split())

        before = state()
        demo(canary, environment, "--kubeconfig", str(theirs.kubeconfig))
        after = state()
        theirs.kubectl("create", "namespace", "phase-system")
        refused = demo(canary, environment, "--kubeconfig", str(theirs.kubeconfig), check=False)

    assert after == before
    assert refused.returncode == 1
    assert "namespace/phase-system already" in refused.stderr
