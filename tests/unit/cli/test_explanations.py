"""What is said of a reason, and of a resource."""

import shlex

import click
import pytest

from phase_operator.api.reasons import CATALOGUE, EVENTS, Entry, Reason
from phase_operator.cli import cli
from phase_operator.cli.common.subjects import Subject
from phase_operator.cli.looking.explanations import of_reason, of_resource, reason_of, written
from phase_operator.cli.looking.next_steps import names_in, next_steps
from phase_operator.reconcile.restarts.report import EVENT_DELAYED
from phase_operator.reconcile.workers import EVENT_CONTESTED
from support.shown import HOSTILE, resource, target

EVIL = "$(reboot); `reboot`\nreboot 'x"
OURS = "kubectl phase "


def test_a_reason_is_told_in_the_words_of_the_catalogue() -> None:
    assert (
        written(of_reason("KeyCollision", CATALOGUE[Reason.KEY_COLLISION]))
        == """\
KeyCollision: what it means
  Two entries would have the same key in one target; the message names both.

What to do
  Narrow the path, tags or keys, or rename one of the entries.
  A person has to act. In the meantime the operator tries again slowly."""
    )


@pytest.mark.parametrize(("reason", "entry"), [*CATALOGUE.items(), *EVENTS.items()])
def test_every_reason_is_told_in_full(reason: str, entry: Entry) -> None:
    assert reason_of(reason) == (reason, entry)
    text = " ".join(written(of_reason(reason, entry)).split())

    assert " ".join(entry.meaning.split()) in text
    assert " ".join(entry.cure.split()) in text
    assert ("A person has to act" in text) is entry.stalled


@pytest.mark.parametrize("word", ["KeyCollision", "keycollision", "KEYCOLLISION"])
def test_a_reason_is_found_in_any_case(word: str) -> None:
    assert reason_of(word) == ("KeyCollision", CATALOGUE[Reason.KEY_COLLISION])
    assert reason_of(f"{word}s") is None


def test_the_reasons_of_events_are_those_that_the_operator_posts() -> None:
    assert set(EVENTS) == {EVENT_DELAYED, EVENT_CONTESTED}
    assert set(EVENTS).isdisjoint(CATALOGUE)


def test_a_resource_that_is_not_ready_is_told_with_its_own_names() -> None:
    broken = resource(
        ready="False",
        reason="TargetConflict",
        message="Secret team/env: it belongs to Helm; 1 of 2 targets are in step",
        targets=[
            target("files", notRestarted=["Deployment web: it is paused: it is restarted when it is resumed"]),
            target("env", ready=False, reason="TargetConflict", message="it belongs to Helm"),
        ],
    )

    assert (
        written(of_resource(broken))
        == """\
PhaseSecret team/shop is not ready: TargetConflict
  Secret team/env: it belongs to Helm; 1 of 2 targets are in step

TargetConflict: what it means
  An object with that name, a version of a versioned name, or with Merge a key in it, is not ours;
  the message names its owner. A copy of a target is not ours either, whatever its marks say.

What to do
  Choose another name, delete the object or key if nobody needs it, or set `adopt: true` on the
  target to take it over; in another namespace the grant has to say `adopt`, too. If it belongs to
  another PhaseSecret, remove it from that spec first.
  A person has to act. In the meantime the operator tries again slowly.

Targets that are not in step
  Secret team/env: TargetConflict: it belongs to Helm

Workloads that have not read the new content yet
  Secret team/files: Deployment web: it is paused: it is restarted when it is resumed

Next
  kubectl phase trace secret/env -n team
      whose the object is, and what it is made of
  kubectl edit phasesecret shop -n team
      correct the spec
  kubectl phase events shop -n team
      what happened, and when
  kubectl phase sync shop -n team
      have it tried again now, and wait for it"""
    )


def test_a_resource_in_step_says_so() -> None:
    text = written(of_resource(resource(targets=[target()])))

    assert text.startswith("PhaseSecret team/shop is ready: Synced\n  1 target is in step\n")
    assert "not in step" not in text
    assert "kubectl phase get shop -n team" in text


@pytest.mark.parametrize("waiting", [resource(ready=None), resource(observedGeneration=1)])
def test_a_spec_that_was_not_looked_at_is_not_judged_by_an_older_status(waiting: dict[str, object]) -> None:
    text = written(of_resource(waiting))

    assert text.startswith("PhaseSecret team/shop waits\n")
    assert "Synced" not in text


def test_a_reason_of_a_newer_operator_is_no_error() -> None:
    text = written(of_resource(resource(ready="False", reason="Melted", message="it is too hot")))

    assert "is not ready: Melted\n  it is too hot" in text
    assert "may be newer" in text


def test_each_other_reason_of_a_target_is_explained_once() -> None:
    others = [target(f"t-{number}", ready=False, reason="TooLarge") for number in range(3)]
    text = written(of_resource(resource(ready="False", reason="TargetConflict", targets=others)))

    assert text.count("TooLarge: what it means") == 1


def test_a_hostile_status_is_bounded_and_cannot_reach_the_terminal() -> None:
    evil = [target(f"t-{number}", ready=False, reason=f"{HOSTILE}{number}", message=HOSTILE) for number in range(5000)]
    evil += [target(HOSTILE, kind=HOSTILE, notRestarted=[HOSTILE] * 5000), target(notRestarted=HOSTILE)]
    body = resource(ready="False", reason=HOSTILE, message=HOSTILE, targets=evil)

    text = written(of_resource(body))

    assert all(line.isprintable() for line in text.splitlines())
    assert len(text) < 100_000
    assert "and 4980 more" in text


def names(kind: str = "PhaseSecret", name: str = "shop", **spec: object) -> object:
    targets = [Subject("Secret", "web", EVIL), Subject("ConfigMap", EVIL, "files")]
    return names_in(resource(name, kind=kind, namespace=EVIL, spec=dict(spec)), targets)


@pytest.mark.parametrize("reason", [*map(str, Reason), "Melted", ""])
@pytest.mark.parametrize("kind", ["PhaseSecret", "PhaseDynamicSecret", "PhasePushSecret"])
def test_every_next_step_is_a_command_that_a_shell_takes_as_one(reason: str, kind: str) -> None:
    token = {"serviceToken": {"serviceTokenSecretReference": {"secretName": EVIL, "secretNamespace": EVIL}}}
    steps = next_steps(reason, names(kind, authentication=token))  # type: ignore[arg-type]

    assert steps
    for step in steps:
        words = shlex.split(step.command)
        assert words[0] == "kubectl"
        assert "\n" not in step.command
        # What others have named is a word of its own, or the rest of one.
        assert {"reboot", "$(reboot);", "`reboot`"}.isdisjoint(words)
        assert not any(each in step.command for each in ("-o yaml", "-o json", "--show-values"))


@pytest.mark.parametrize("reason", [*map(str, Reason), "Melted"])
def test_every_next_step_of_ours_is_a_command_that_there_is(reason: str) -> None:
    for step in next_steps(reason, names_in(resource(kind="PhasePushSecret"), [])):
        if step.command.startswith(OURS):
            context, words = click.Context(cli), shlex.split(step.command.removeprefix(OURS))
            name: str | None = ""
            command: click.Command = cli
            while isinstance(command, click.Group):
                name, found, words = command.resolve_command(context, words)
                assert found is not None, step.command
                command = found
            command.make_context(name, words, parent=context)


def test_the_token_is_looked_for_where_the_spec_says() -> None:
    token = {"serviceToken": {"serviceTokenSecretReference": {"secretName": "tok", "secretNamespace": "vault"}}}
    own = next_steps("TokenInvalid", names_in(resource(), []))
    other = next_steps("TokenInvalid", names_in(resource(spec={"authentication": token}), []))

    assert own[0].command == "kubectl describe secret phase-service-token -n team"
    assert other[0].command == "kubectl describe secret tok -n vault"


@pytest.mark.parametrize("reason", [*map(str, Reason), "Melted", ""])
def test_no_next_step_sends_a_token_where_the_resource_says(reason: str) -> None:
    steps = next_steps(reason, names_in(resource(spec={"phaseHost": "https://evil.example"}), []))

    assert not [step for step in steps if "evil" in step.command or "--host " in step.command]
