"""Values that are made once: one of each, whatever happens to processes, leaders, resources and specs."""

import sys
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from support.operator_process import OperatorProcess
from support.push_stage import PushStage

HOME = "made"
LEADERS = 2
# The entries of what is made at first: a password, and a key with its public half.
_FIRST = ("SESSION_KEY", "DEPLOY_KEY", "DEPLOY_KEY_PUB")


class Making:
    """A PhasePushSecret that asks for one more value each time, so that it is seen that a process has worked."""

    def __init__(self, stage: PushStage) -> None:
        self._stage = stage
        self.asked: list[dict[str, Any]] = [
            {"key": "SESSION_KEY", "kind": "Password", "length": 48},
            {"key": "DEPLOY_KEY", "kind": "SSHKey"},
        ]
        # What Phase had of the first two, each time.
        self.seen: list[dict[str, str]] = []

    def spec(self, **fields: Any) -> dict[str, Any]:
        """Return the fields of its spec; nothing but what is made is pushed."""
        return {"sources": None, "generate": self.asked, "generateInto": HOME} | fields

    def one_more(self, *operators: OperatorProcess, **fields: Any) -> None:
        """Ask for one more value, wait until all are in step, and look at the first ones.

        After some edits, operators take the next one 5 seconds later: those that are given miss them.
        """
        self.asked = [*self.asked, {"key": f"extra-{len(self.asked)}", "kind": "UUID"}]
        self._stage.push_secret(**self.spec(**fields))
        if operators:
            self._stage.later(5, *operators)
        self._stage.until_in_step(len(self.asked) + 1)
        self.look()

    def look(self) -> None:
        """Note what Phase has of the first ones; the cluster has the same."""
        found = self._stage.values()
        kept = self._stage.data(HOME) or {}
        assert {key.upper().replace("-", "_"): each for key, each in kept.items()} == found
        for value in kept.values():
            self._stage.canary.token(value)
        self.seen.append({key: found[key] for key in _FIRST})


def test_a_generated_value_is_one_over_leaders_restarts_and_a_resource_that_is_made_anew(
    stage: PushStage, tmp_path: Path
) -> None:
    making = Making(stage)
    with ExitStack() as leaders:
        # The first of them leads, and the next one when it ends.
        for each in [leaders.enter_context(stage.running(tmp_path, elects=True)) for _ in range(LEADERS)]:
            making.one_more()
            each.stop()

    with stage.running(tmp_path) as operator:
        making.one_more(deletionPolicy="Retain")
        stage.remove()
        stage.until_gone()
        assert {each.comment for each in stage.entries()} == {""}
        making.look()
        stage.push_secret(**making.spec())
        assert "updatePolicy: Replace takes it over" in stage.until_said("EntryConflict")["message"]
        making.one_more(operator, updatePolicy="Replace")

        [value] = {tuple(each.values()) for each in making.seen}
        assert len(value[0]) == 48
        assert value[2].startswith("ssh-ed25519 ")
        sys.stdout.write(f"{LEADERS} leaders, a restart, a resource made anew: one value\n")

        # A word makes one new value, once, and of one key alone.
        making.asked[0]["rotate"] = "2026-12"
        making.seen.clear()
        making.one_more(operator)
        making.one_more(operator)
        [rotated] = {tuple(each.values()) for each in making.seen}
        assert rotated[0] != value[0]
        assert rotated[1:] == value[1:]

        # What only Phase has is told, and not made anew.
        stage.phase.reset_calls()
        stage.api.delete("secret", HOME, stage.namespace)
        stage.source("db", {"password": "first-password"})
        stage.push_secret(**making.spec(sources=[{"secretName": "db"}]))
        stage.later(5, operator)
        stage.until_pushed(stage.values() | {"PASSWORD": "first-password"})
        stage.later(60, operator)
        assert '"SESSION_KEY"' in stage.until_said("SourceNotFound")["message"]
        assert {key: stage.values()[key] for key in _FIRST} == dict(zip(_FIRST, rotated, strict=True))
        assert stage.data(HOME) is None
        assert stage.phase.calls(method="PUT") == 0
        stage.none_left()
