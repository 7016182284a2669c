"""A process that is killed between any two steps leaves no twin, no entry without its mark, and nothing undone.

The process is really killed, between two requests that it makes one after another: the second one is held on its way.
Each process first mends what the one before it left. Time that would only be waited for is missed instead
(`tests/support/suspended.py`).
"""

import sys
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import pytest

from support.api_proxy import ApiProxy
from support.kills import Places, kill, killed
from support.operator_process import eventually
from support.push_stage import NAME, PushStage

HOME = "made"
_RESOURCE, _STATUS = f"/phasepushsecrets/{NAME}$", f"/phasepushsecrets/{NAME}/status$"
# Seconds after which a call of a process that is no more can have no effect, and a moment before them.
SURELY, ALMOST = 175.0, 165.0


class Story:
    """What each process finds and leaves: a Secret, a value that is made, and an entry of a person beside them."""

    def __init__(self, stage: PushStage, folder: Path, proxy: ApiProxy) -> None:
        self.stage, self._folder, self._proxy = stage, folder, proxy
        self.kills = 0
        stage.person_sets("THEIRS", "a person's", comment="a note")
        self._theirs = stage.entry("THEIRS")

    def push(self, **data: str) -> None:
        """Have the Secret hold exactly this, besides what is made."""
        self.stage.source("db", data)
        made = [{"key": "SESSION_KEY", "kind": "Password"}]
        self.stage.push_secret(generate=made, generateInto=HOME)

    def dies(self, verb: str, part: str, *, after: Callable[[], bool] = lambda: True) -> None:
        """Let a process work until it makes this request, and kill it."""
        with killed(self.stage, self._folder, self._proxy, Places(verb, part, after=after)):
            pass
        self.kills += 1
        self.look()

    def look(self) -> None:
        """Check what holds at any moment: no twin, nothing of ours without a mark, nothing of others touched."""
        ours = [each for each in self.stage.entries() if each.key != "THEIRS"]
        assert len(self.stage.values()) == len(ours) + 1
        assert all(each.comment.endswith(f"/{self.stage.namespace}/{NAME}") for each in ours)
        assert self.stage.entry("THEIRS") == self._theirs

    def has_called(self, method: str, times: int = 1) -> bool:
        """Return whether Phase has answered so many calls."""
        return self.stage.phase.calls(method=method) >= times


@pytest.fixture
def story(stage: PushStage, tmp_path: Path) -> Iterator[Story]:
    with ApiProxy(stage.plane) as proxy:
        yield Story(stage, tmp_path, proxy)


def test_a_process_that_dies_at_any_step_leaves_what_the_next_one_brings_in_step(
    story: Story, stage: PushStage, tmp_path: Path
) -> None:
    story.push(username="shop", password="first-password")

    story.dies("POST", f"/{stage.namespace}/secrets$")
    assert stage.data(HOME) is None

    story.dies("PATCH", _RESOURCE)
    made = (stage.data(HOME) or {})["SESSION_KEY"]
    stage.canary.token(made)
    assert "finalizers" not in stage.resource()["metadata"]

    story.dies("PATCH", _STATUS)
    assert stage.rows() == []
    assert list(stage.values()) == ["THEIRS"]

    # The call is on its way, and never arrives.
    stage.phase.fail("delay", delay=300, method="POST", times=1)
    with stage.running(tmp_path) as operator:
        rows = eventually(stage.rows, what="it is announced")
        eventually(lambda: not stage.phase.phase.faults.rows(), what="it is sent")
        kill(operator)
        story.kills += 1
    story.look()
    assert {each["state"] for each in rows} == {"Adding"}
    with stage.running(tmp_path) as operator:
        stage.until_said("EntriesUnclear")
        stage.later(ALMOST, operator)
        time.sleep(1)
        assert [each["attempt"] for each in stage.rows()] == [each["attempt"] for each in rows], "it may still come"
        stage.later(SURELY - ALMOST, operator)
        stage.until_in_step(3)
    first = stage.values()
    assert first == {"THEIRS": "a person's", "USERNAME": "shop", "PASSWORD": "first-password", "SESSION_KEY": made}
    stage.phase.reset_calls()

    story.push(username="shop", password="second-password", port="5432")
    story.dies("PATCH", _STATUS, after=partial(story.has_called, "POST"))
    assert stage.values() == first | {"PORT": "5432"}
    story.dies("PATCH", _STATUS, after=partial(story.has_called, "PUT"))
    assert stage.values()["PASSWORD"] == "second-password"
    with stage.running(tmp_path) as operator:
        # Whether the change is still under way, nobody knows.
        stage.until_said("EntriesUnclear")
        stage.later(SURELY, operator)
        stage.until_in_step(4)

    story.push(username="shop", password="second-password")
    story.dies("PATCH", _STATUS, after=partial(story.has_called, "DELETE"))
    assert "PORT" not in stage.values()
    assert stage.values() == first | {"PASSWORD": "second-password"}

    stage.remove()
    story.dies("PATCH", _RESOURCE, after=partial(story.has_called, "DELETE", 2))
    assert list(stage.values()) == ["THEIRS"]
    with stage.running(tmp_path):
        stage.until_gone()
    story.look()
    assert (stage.data(HOME) or {})["SESSION_KEY"] == made
    sys.stdout.write(f"{story.kills} kills, {stage.phase.calls()} calls since the first push\n")
