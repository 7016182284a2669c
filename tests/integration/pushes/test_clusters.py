"""Operators that know nothing of each other: two clusters that want one entry, and one that does not push any more."""

import dataclasses
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from support.cluster_fixture import new_namespace
from support.operator_process import running_operator
from support.push_stage import NAME, PushStage


@pytest.fixture
def other(stage: PushStage) -> Iterator[PushStage]:
    """Give the namespace of another cluster, where nothing is but a token."""
    name = f"{stage.namespace}-west"
    with new_namespace(stage.plane, name):
        found = dataclasses.replace(stage, namespace=name)
        found.token()
        yield found


def test_two_clusters_that_want_one_entry_are_told_who_has_it_and_the_second_gets_it_when_the_first_lets_go(
    stage: PushStage, other: PushStage, tmp_path: Path
) -> None:
    place = {"phaseAppEnvPath": stage.root}
    stage.source("db", {"password": "password-of-east"})
    other.source("db", {"password": "password-of-west"})
    with (
        stage.running(tmp_path, "--namespace", stage.namespace, "--cluster-name", "east"),
        other.running(tmp_path, "--namespace", other.namespace, "--cluster-name", "west") as west,
    ):
        stage.push_secret(**place)
        east = stage.until_in_step(1)["status"]["conditions"][0]["message"]
        # Also whoever may take over what is nobody's.
        other.push_secret(**place, updatePolicy="Replace")

        told = other.until_said("EntryConflict")["message"]
        assert told == f'"{stage.root}/PASSWORD": it is kept by east/{stage.namespace}/{NAME}'
        assert stage.values() == {"PASSWORD": "password-of-east"}
        sys.stdout.write(f"east: {east}\nwest: {told}\n")

        stage.remove()
        stage.until_gone()
        other.later(5, west)
        other.until_in_step(1)
        assert stage.values() == {"PASSWORD": "password-of-west"}
        assert stage.entry("PASSWORD").comment == f"managed by phase-operator: west/{other.namespace}/{NAME}"

        stage.push_secret(**place)
        assert f"it is kept by west/{other.namespace}/{NAME}" in stage.until_said("EntryConflict")["message"]
        for each in (stage, other):
            each.none_left()
    assert stage.values() == {}


def test_an_operator_without_push_says_so_calls_nothing_and_holds_up_no_deletion(
    stage: PushStage, tmp_path: Path
) -> None:
    stage.source("db", {"password": "first-password"})
    with stage.running(tmp_path):
        stage.push_secret()
        stage.until_in_step(1)
    stage.phase.reset_calls()

    with running_operator(stage.plane, tmp_path, "--push", "false") as operator:
        stage.canary.watch(operator.log_file)
        assert "--push" in stage.until_said("NotEnabled")["message"]
        stage.source("db", {"password": "second-password"})
        stage.push_secret("another")
        stage.until_said("NotEnabled", "another")

        stage.none_left()
        stage.until_event("EntriesAbandoned", "/PASSWORD")
    assert stage.phase.calls() == 0
    assert stage.values() == {"PASSWORD": "first-password"}
