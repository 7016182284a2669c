"""When pods are restarted, when what they run with is noted, and when neither."""

import copy
from typing import Any

import pytest

from phase_operator.api import names
from phase_operator.api.v1alpha1.phasesecret import Followers
from phase_operator.core.label_selector import parse_selector
from phase_operator.core.refs import TargetRef
from phase_operator.core.rollout.decision import (
    Cause,
    Decision,
    LeaveAlone,
    Postpone,
    Restart,
    SaveBaseline,
    baseline_before_write,
    decide,
    patch,
)
from phase_operator.core.rollout.followers import FollowedTarget, Gap, Policy
from phase_operator.core.rollout.progress import WorkloadKind
from phase_operator.core.rollout.stall import Patience
from phase_operator.core.targets.fingerprint import KeyDigests
from support.builders import DIGEST_KEY
from support.workloads import EARLY, LATE, Server, content, followed_target, reads_all, reads_key, secret

DB, CACHE = secret("db"), secret("cache")
OLD = content(DB, USER="app", PASSWORD="one")
NEW = content(DB, USER="app", PASSWORD="two")
NEWEST = content(DB, USER="app", PASSWORD="three")
KINDS = [pytest.param(kind, id=str(kind)) for kind in WorkloadKind]
ON_DELETE = {"type": "OnDelete"}


def followed_targets(held: KeyDigests | Gap = NEW, **fields: Any) -> dict[TargetRef, FollowedTarget]:
    return {DB: FollowedTarget((Policy(),), held, **{"written_at": EARLY, **fields})}


def look(server: Server, known: dict[TargetRef, FollowedTarget], **options: Any) -> Decision:
    """Decide, and carry it out."""
    workload = server.read()
    decision = decide(workload, known, DIGEST_KEY, **options)
    assert server.apply_target(workload, decision)
    return decision


def ready(server: Server, known: dict[TargetRef, FollowedTarget], coming: KeyDigests = NEWEST) -> Decision:
    """Prepare for a write, and carry it out."""
    workload = server.read()
    decision = baseline_before_write(workload, known, {DB: coming}, DIGEST_KEY)
    assert server.apply_target(workload, decision)
    return decision


def noted(kind: WorkloadKind = WorkloadKind.DEPLOYMENT, *containers: dict[str, Any], held: Any = OLD) -> Server:
    """Return a workload whose pods run with `held`, which is noted."""
    server = Server(kind, *containers)
    assert isinstance(look(server, followed_targets(held)), SaveBaseline)
    return server


@pytest.mark.parametrize("kind", KINDS)
def test_the_first_sight_is_noted_and_restarts_nothing(kind: WorkloadKind) -> None:
    server = Server(kind)
    generation = server.found["metadata"]["generation"]

    assert isinstance(look(server, followed_targets(OLD)), SaveBaseline)
    assert look(server, followed_targets(OLD)) == LeaveAlone()
    assert server.found["metadata"]["generation"] == generation
    assert server.marks == {}


@pytest.mark.parametrize("kind", KINDS)
def test_a_change_restarts_once(kind: WorkloadKind) -> None:
    server = noted(kind)

    assert isinstance(look(server, followed_targets(NEW)), Restart)
    assert look(server, followed_targets(NEW)) == LeaveAlone()
    assert (server.roll_outs, list(server.marks)) == (1, [names.ANNOTATION_CONTENT])


def test_each_change_restarts_also_back_and_forth() -> None:
    server = noted()
    for held in (NEW, OLD, NEW, NEWEST):
        look(server, followed_targets(held))

    assert server.roll_outs == 4


def test_changes_that_come_together_are_one_restart() -> None:
    server = Server(WorkloadKind.DEPLOYMENT, reads_all("db"), reads_all("cache"))
    before = {DB: followed_target(OLD), CACHE: followed_target(content(CACHE, A="1"))}
    after = {DB: followed_target(NEW), CACHE: followed_target(content(CACHE, A="2"))}
    look(server, before)

    assert isinstance(look(server, after), Restart)
    assert look(server, after) == LeaveAlone()


def test_content_that_the_pods_already_run_with_restarts_nothing() -> None:
    """A write of metadata, a repaired edit, a restart of the operator, a failover: the content is what it was."""
    server = noted()
    written = followed_targets(OLD, written_at=LATE)

    assert ready(server, written) == LeaveAlone()
    assert look(server, written) == LeaveAlone()


@pytest.mark.parametrize(
    ("container", "restarted"),
    [
        pytest.param(reads_key("USER"), False, id="another key changed"),
        pytest.param(reads_key("PASSWORD"), True, id="its key changed"),
        pytest.param(reads_all(), True, id="it reads all of them"),
        pytest.param(reads_all("cache"), False, id="it reads another Secret"),
    ],
)
def test_only_workloads_that_read_the_change_are_restarted(container: dict[str, Any], restarted: bool) -> None:
    server = Server(WorkloadKind.DEPLOYMENT, container)
    look(server, followed_targets(OLD))

    assert isinstance(look(server, followed_targets(NEW)), Restart) is restarted


ANNOTATED, ALL, NONE = Followers.ANNOTATED, Followers.ALL, Followers.NONE


@pytest.mark.parametrize(
    ("annotated", "followers", "selectors", "followed"),
    [
        pytest.param(True, ANNOTATED, [], True, id="annotated"),
        pytest.param(False, ANNOTATED, [], False, id="not annotated"),
        pytest.param(False, ALL, [], True, id="all"),
        pytest.param(True, NONE, [], False, id="none"),
        pytest.param(True, ANNOTATED, ["app=web"], True, id="annotated and selected"),
        pytest.param(True, ANNOTATED, ["app=db"], False, id="annotated, not selected"),
        pytest.param(False, ANNOTATED, ["app=web"], False, id="selected, not annotated"),
        pytest.param(False, ALL, ["app=web", "app!=db"], True, id="all that both select"),
        pytest.param(False, ALL, ["app=web", "tier"], False, id="all, but one does not select it"),
    ],
)
def test_followers_are_chosen_by_annotation_setting_and_selectors(
    annotated: bool, followers: Followers, selectors: list[str], followed: bool
) -> None:
    server = Server()
    if not annotated:
        server.found["metadata"]["annotations"] = {}
    policy = Policy(followers, tuple(parse_selector(each) for each in selectors))
    known = {DB: followed_target(OLD, policy=policy)}

    assert known[DB].admits(server.read()) is followed
    assert isinstance(look(server, known), SaveBaseline if followed else LeaveAlone)


def test_a_workload_that_follows_nothing_is_not_touched() -> None:
    server = Server(WorkloadKind.DEPLOYMENT, reads_all("somebody-elses"))

    assert ready(server, followed_targets(OLD)) == LeaveAlone()
    assert look(server, followed_targets(NEW)) == LeaveAlone()
    assert server.running is None


def test_a_workload_that_stops_to_follow_and_begins_again_is_seen_for_the_first_time() -> None:
    server = noted()
    not_followed = {DB: followed_target(NEW, policy=Policy(NONE))}

    assert isinstance(look(server, not_followed), SaveBaseline)
    server.edit(reads_all(), image="app:2")
    assert look(server, not_followed) == LeaveAlone()
    assert isinstance(look(server, followed_targets(NEW)), SaveBaseline)
    assert server.roll_outs == 1


@pytest.mark.parametrize(
    "lose",
    [
        pytest.param(lambda server: server.found["metadata"].update(labels={"app": "web"}), id="gone"),
        pytest.param(lambda server: server.found["metadata"].update(managedFields=[]), id="not ours any more"),
        pytest.param(lambda server: server.found["metadata"].update(uid="another"), id="of another object"),
    ],
)
def test_a_note_that_cannot_be_believed_is_a_first_sight(lose: Any) -> None:
    server = noted()
    lose(server)

    assert isinstance(decide(server.read(), followed_targets(NEW), DIGEST_KEY), SaveBaseline)


def test_a_lost_digest_key_restarts_nothing() -> None:
    server = noted()

    assert isinstance(decide(server.read(), followed_targets(NEW), b"x" * 32), SaveBaseline)


# The user's own roll-outs.


def test_an_edit_of_the_workload_is_noted_and_restarts_nothing_more() -> None:
    server = noted()
    server.edit(reads_key("PASSWORD"), reads_all("cache"))
    known = followed_targets(OLD) | {CACHE: followed_target(content(CACHE, A="1"))}

    assert isinstance(look(server, known), SaveBaseline)
    assert look(server, known) == LeaveAlone()
    assert server.roll_outs == 1


def test_an_edit_after_the_change_has_done_the_restart() -> None:
    server = noted()
    server.edit(reads_all(), image="app:2", at=LATE)

    assert isinstance(look(server, followed_targets(NEW, written_at=EARLY)), SaveBaseline)
    assert server.roll_outs == 1


@pytest.mark.parametrize(
    "written_at",
    [
        pytest.param(LATE, id="before the change"),
        pytest.param("2030-01-01T00:00:05Z", id="in the same second"),
        pytest.param("", id="nobody knows when the change was"),
    ],
)
def test_an_edit_that_was_not_surely_after_the_change_does_not_count(written_at: str) -> None:
    server = noted()
    server.edit(reads_all(), image="app:2", at="2030-01-01T00:00:05Z")

    assert isinstance(look(server, followed_targets(NEW, written_at=written_at)), Restart)


def test_an_edit_after_the_change_counts_only_when_its_roll_out_has_ended() -> None:
    server = noted()
    server.hold = True
    server.edit(reads_all(), image="app:broken", at=LATE)

    assert look(server, followed_targets(NEW)) == Postpone(
        Cause.ROLLING_OUT, "its last roll-out is not over: it is restarted after that", (DB,)
    )
    server.edit(reads_all(), image="app:1", at=LATE)
    server.hold = False
    server.set_status(observedGeneration=9)

    # The pods of the template that was brought back were never replaced.
    assert isinstance(look(server, followed_targets(NEW)), Restart)


def test_content_that_comes_during_a_roll_out_and_goes_again_costs_a_restart() -> None:
    server = noted()
    server.hold = True
    server.edit(reads_all(), image="app:2", at=EARLY)

    # Pods of that roll-out begin with either.
    assert isinstance(ready(server, followed_targets(OLD)), SaveBaseline)
    assert isinstance(look(server, followed_targets(NEW)), Postpone)
    ready(server, followed_targets(NEW), OLD)
    server.hold = False
    server.set_status(observedGeneration=9)

    assert isinstance(look(server, followed_targets(OLD)), Restart)


def test_pods_that_wait_for_their_secret_are_not_restarted_when_it_comes() -> None:
    server = Server()
    server.hold = True
    server.set_status(observedGeneration=0)
    absent = {DB: FollowedTarget((Policy(),), Gap.ABSENT)}

    ready(server, absent)
    server.hold = False
    server.settle()

    assert not isinstance(look(server, followed_targets(NEW)), Restart)


def test_an_edit_that_got_stuck_does_not_count() -> None:
    server = noted()
    server.edit(reads_all(), image="app:broken", at=LATE)
    server.set_status(conditions=[{"type": "Progressing", "reason": "ProgressDeadlineExceeded"}])

    assert isinstance(look(server, followed_targets(NEW)), Restart)


def test_a_write_of_others_that_is_no_edit_does_not_count() -> None:
    """A tool that applies the template as it is, or labels, moves its own time and restarts nothing."""
    server = noted()
    server.edit(reads_all(), at=LATE)

    assert isinstance(look(server, followed_targets(NEW)), Restart)


def test_a_rollback_is_respected() -> None:
    server = noted()
    first = copy.deepcopy(server.found)
    look(server, followed_targets(NEW))
    server.undo(first)

    # The pods that it made have read what is there.
    assert look(server, followed_targets(NEW)) == LeaveAlone()
    assert server.roll_outs == 2
    assert isinstance(look(server, followed_targets(NEWEST)), Restart)
    assert server.roll_outs == 3


def test_a_replace_that_drops_what_we_wrote_costs_no_restart_of_ours() -> None:
    server = noted()
    look(server, followed_targets(NEW))
    server.replace(reads_all())

    assert isinstance(look(server, followed_targets(NEW)), SaveBaseline)
    assert look(server, followed_targets(NEW)) == LeaveAlone()
    assert (server.roll_outs, server.marks) == (2, {})


@pytest.mark.parametrize("kind", KINDS)
def test_a_note_leaves_the_mark_where_it_is(kind: WorkloadKind) -> None:
    server = noted(kind)
    look(server, followed_targets(NEW))
    marks = server.marks
    server.edit(reads_all(), image="app:2")

    assert isinstance(look(server, followed_targets(NEW)), SaveBaseline)
    assert server.marks == marks
    assert server.roll_outs == 2


def test_a_mark_that_somebody_else_wrote_is_not_claimed_by_a_note() -> None:
    server = Server()
    server.template["metadata"] = {"annotations": {names.ANNOTATION_CONTENT: "from-git"}}
    workload = server.read()
    decision = decide(workload, followed_targets(OLD), DIGEST_KEY)

    assert isinstance(decision, SaveBaseline)
    assert "spec" not in patch(workload, decision)


def test_a_mark_that_stands_already_is_not_written_again() -> None:
    """The template would stay equal, and nothing would restart."""
    server, twin = noted(), noted()
    look(twin, followed_targets(NEW))
    server.template["metadata"] = {"annotations": dict(twin.marks)}

    before = server.roll_outs
    look(server, followed_targets(NEW))

    assert server.roll_outs == before + 1
    assert server.marks != twin.marks


# Between two writes, and two of us.


def test_a_new_workload_gets_a_baseline_before_the_write_and_a_restart_after_it() -> None:
    server = Server()

    assert isinstance(ready(server, followed_targets(OLD)), SaveBaseline)
    assert isinstance(look(server, followed_targets(NEW)), Restart)


def test_a_restart_that_is_owed_is_not_forgotten_before_the_next_write() -> None:
    server = noted()

    # NEW was written, and we were killed before the restart. Now NEWEST is written, or OLD comes back.
    assert ready(server, followed_targets(NEW)) == LeaveAlone()
    assert look(server, followed_targets(OLD)) == LeaveAlone()
    assert isinstance(look(server, followed_targets(NEWEST)), Restart)


def test_an_edit_before_the_write_is_known_as_such_whatever_the_clock_says() -> None:
    server = noted()
    server.edit(reads_all(), image="app:2", at=LATE)

    assert isinstance(ready(server, followed_targets(OLD)), SaveBaseline)
    assert isinstance(look(server, followed_targets(NEW, written_at=EARLY)), Restart)


def test_a_workload_that_an_edit_has_restarted_gets_a_baseline_before_the_next_write() -> None:
    server = noted()
    server.edit(reads_all(), image="app:2", at=LATE)

    ready(server, followed_targets(NEW, written_at=EARLY))

    # Back to what the pods ran with before the edit, which they do not any more.
    assert isinstance(look(server, followed_targets(OLD)), Restart)


def test_pods_of_which_some_saw_the_change_are_restarted_whatever_comes_next() -> None:
    server = noted()
    server.hold = True
    server.edit(reads_all(), image="app:2", at=LATE)
    ready(server, followed_targets(NEW, written_at=EARLY))
    server.set_status(observedGeneration=9)

    assert isinstance(decide(server.read(), followed_targets(OLD), DIGEST_KEY), Restart)
    assert isinstance(decide(server.read(), followed_targets(NEW), DIGEST_KEY), Restart)


@pytest.mark.parametrize(
    ("container", "concerned"),
    [
        pytest.param(reads_key("PASSWORD"), True, id="its key will change"),
        pytest.param(reads_key("USER"), False, id="another key will change"),
        pytest.param(reads_all("cache"), False, id="another Secret will change"),
    ],
)
def test_only_workloads_that_a_write_concerns_are_prepared(container: dict[str, Any], concerned: bool) -> None:
    server = Server(WorkloadKind.DEPLOYMENT, container)

    assert isinstance(ready(server, followed_targets(OLD)), SaveBaseline) is concerned
    assert (server.running is not None) is concerned


def test_of_two_leaders_one_restarts() -> None:
    server = noted()
    one, other = server.read(), server.read()

    assert server.apply_target(one, decide(one, followed_targets(NEW), DIGEST_KEY))
    assert not server.apply_target(other, decide(other, followed_targets(NEW), DIGEST_KEY))
    assert look(server, followed_targets(NEW)) == LeaveAlone()
    assert server.roll_outs == 1


# What is not there.


def test_a_restart_waits_for_a_key_that_pods_need_in_order_to_start() -> None:
    server = noted(WorkloadKind.DEPLOYMENT, reads_key("PASSWORD"))
    without = content(DB, USER="app")

    for held, lacks in ((without, '"PASSWORD" in Secret "db"'), (Gap.ABSENT, 'Secret "db"')):
        found = look(server, followed_targets(held))
        assert isinstance(found, Postpone)
        assert (found.cause, lacks in found.why) == (Cause.MISSING, True)
    assert look(server, followed_targets(OLD)) == LeaveAlone()
    assert isinstance(look(server, followed_targets(NEW)), Restart)


@pytest.mark.parametrize("held", [Gap.ABSENT, content(DB, USER="app")], ids=["no Secret", "without the key"])
def test_pods_that_could_not_start_begin_with_what_comes(held: KeyDigests | Gap) -> None:
    server = noted(WorkloadKind.DEPLOYMENT, reads_key("PASSWORD"), held=held)

    assert ready(server, followed_targets(held)) == LeaveAlone()
    assert isinstance(look(server, followed_targets(OLD)), SaveBaseline)
    assert isinstance(look(server, followed_targets(NEW)), Restart)
    assert server.roll_outs == 1


@pytest.mark.parametrize("held", [Gap.ABSENT, content(DB, USER="app")], ids=["no Secret", "without the key"])
@pytest.mark.parametrize(
    "container", [reads_key("PASSWORD", optional=True), reads_all(optional=True)], ids=["one key", "all keys"]
)
def test_pods_that_went_without_are_restarted_when_it_comes(held: KeyDigests | Gap, container: dict[str, Any]) -> None:
    server = noted(WorkloadKind.DEPLOYMENT, container, held=held)

    assert isinstance(look(server, followed_targets(OLD)), Restart)


def test_a_restart_goes_on_without_an_optional_object() -> None:
    server = noted(WorkloadKind.DEPLOYMENT, reads_all(optional=True))

    assert isinstance(look(server, followed_targets(Gap.ABSENT)), Restart)


def test_a_target_that_says_nothing_yet_restarts_nothing() -> None:
    """As those do that the version before wrote, or the official operator."""
    server = Server()

    assert ready(server, followed_targets(Gap.UNKNOWN)) == LeaveAlone()
    assert look(server, followed_targets(Gap.UNKNOWN)) == LeaveAlone()
    assert isinstance(look(server, followed_targets(OLD)), SaveBaseline)
    assert isinstance(look(server, followed_targets(NEW)), Restart)


# What a workload's owner decides.


@pytest.mark.parametrize("says", ["false", "False", " FALSE "])
@pytest.mark.parametrize("followers", [Followers.ANNOTATED, Followers.ALL])
def test_a_workload_that_says_no_follows_nothing(says: str, followers: Followers) -> None:
    server = Server()
    server.found["metadata"]["annotations"][names.ANNOTATION_REDEPLOY] = says

    assert not Policy(followers).admits(server.read())


@pytest.mark.parametrize("says", ["true", "", "yes", "0", "no"])
def test_every_other_word_is_a_yes_as_for_the_official_operator(says: str) -> None:
    server = Server()
    server.found["metadata"]["annotations"][names.ANNOTATION_REDEPLOY] = says

    assert Policy().admits(server.read())


@pytest.mark.parametrize("kind", [WorkloadKind.DEPLOYMENT, WorkloadKind.ROLLOUT])
def test_a_pause_is_respected_and_told(kind: WorkloadKind) -> None:
    server = noted(kind)
    server.found["spec"]["paused"] = True

    assert look(server, followed_targets(NEW), waits=Patience.OVER) == Postpone(
        Cause.PAUSED, "it is paused: it is restarted when it is resumed", (DB,)
    )
    server.found["spec"]["paused"] = False
    assert isinstance(look(server, followed_targets(NEW)), Restart)


@pytest.mark.parametrize("kind", [WorkloadKind.STATEFUL_SET, WorkloadKind.DAEMON_SET])
def test_a_workload_with_on_delete_is_marked_and_reported_as_long_as_old_pods_run(kind: WorkloadKind) -> None:
    server = noted(kind)
    server.found["spec"]["updateStrategy"] = ON_DELETE

    found = look(server, followed_targets(NEW))
    assert isinstance(found, Restart)
    assert found.holds
    server.set_status(updatedReplicas=0, updatedNumberScheduled=0)
    assert look(server, followed_targets(NEW)) == LeaveAlone(found.holds)
    server.set_status(updatedReplicas=1, updatedNumberScheduled=1)
    assert look(server, followed_targets(NEW)) == LeaveAlone()


@pytest.mark.parametrize("kind", [kind for kind in WorkloadKind if kind is not WorkloadKind.CRON_JOB])
def test_a_roll_out_under_way_is_waited_for_as_long_as_there_is_patience(kind: WorkloadKind) -> None:
    server = noted(kind)
    server.found["metadata"]["generation"] += 1

    found = look(server, followed_targets(NEW))
    assert isinstance(found, Postpone)
    assert found.cause is Cause.ROLLING_OUT
    assert isinstance(look(server, followed_targets(NEW), waits=Patience.OVER), Restart)


@pytest.mark.parametrize("kind", [kind for kind in WorkloadKind if kind is not WorkloadKind.CRON_JOB])
def test_a_roll_out_that_stands_still_is_rolled_over(kind: WorkloadKind) -> None:
    server = noted(kind)
    server.set_status(observedGeneration=0)

    assert isinstance(look(server, followed_targets(NEW), waits=Patience.WHILE_IT_GETS_ON), Restart)


def test_a_users_own_roll_out_that_begins_with_what_is_new_is_not_rolled_over() -> None:
    server = noted()
    server.hold = True
    server.edit(reads_all(), image="app:2", at=LATE)
    server.set_status(observedGeneration=0)

    assert isinstance(look(server, followed_targets(NEW), waits=Patience.WHILE_IT_GETS_ON), Postpone)
    assert isinstance(look(server, followed_targets(NEW), waits=Patience.OVER), Restart)


def test_nothing_waits_that_has_nothing_to_do() -> None:
    server = noted()
    server.found["spec"]["paused"] = True
    server.set_status(observedGeneration=0)

    assert look(server, followed_targets(OLD)) == LeaveAlone()


# What is written.


@pytest.mark.parametrize(
    ("kind", "version", "path"),
    [
        pytest.param(WorkloadKind.DEPLOYMENT, "apps/v1", ["spec", "template"], id="Deployment"),
        pytest.param(WorkloadKind.STATEFUL_SET, "apps/v1", ["spec", "template"], id="StatefulSet"),
        pytest.param(WorkloadKind.DAEMON_SET, "apps/v1", ["spec", "template"], id="DaemonSet"),
        pytest.param(WorkloadKind.ROLLOUT, "argoproj.io/v1alpha1", ["spec", "template"], id="Rollout"),
        pytest.param(
            WorkloadKind.CRON_JOB, "batch/v1", ["spec", "jobTemplate", "spec", "template"], id="CronJob, deeper"
        ),
    ],
)
def test_a_patch_holds_our_annotations_and_nothing_else(kind: WorkloadKind, version: str, path: list[str]) -> None:
    workload = Server(kind).read()
    template: Any = {"metadata": {"annotations": {names.ANNOTATION_CONTENT: "mark"}}}
    for part in reversed(path):
        template = {part: template}
    head = {
        "apiVersion": version,
        "kind": str(kind),
        "metadata": {
            "name": "web",
            "namespace": "team",
            "uid": "uid",
            "resourceVersion": "1",
            "labels": {f"{names.LABEL_RUNNING_PREFIX}0": "xnotex"},
        },
    }

    assert patch(workload, SaveBaseline("note")) == head
    assert patch(workload, Restart("note", "mark")) == head | template
