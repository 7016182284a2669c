"""Tenants with the rights of `edit` and PhaseSecrets do their worst, and their neighbour is served as without them.

Attacks that do not hide one another go on side by side, each by a tenant of its own. Meanwhile the neighbour changes a
value and makes a new resource, twice, or three times: the change arrives within his interval and 5 s, the new resource
is ready within 5 s, /healthz answers within 1 s, no status of his changes, the operator stays below 256 MiB and keeps
its Lease. Time for which the operator's loop could run while all cores of the machine did other work is not counted.
"""

from contextlib import ExitStack

import pytest

from support.attacks import ATTACKS
from support.bad_connections import BadConnections
from support.bad_phase import BadPhase
from support.cluster_fixture import new_namespace
from support.neighbours import Watching, hostile_in
from support.world import World

# In each second round, the neighbour asks what nobody has asked yet. While the crowd comes, two rounds may pass.
ROUNDS, IN_A_CROWD = 2, 3
SIDE_BY_SIDE = {
    "silence": (
        "hosts_that_do_not_answer",
        "connections_that_are_not_accepted_or_shake_no_hands",
        "names_that_no_server_tells",
    ),
    "floods": ("hosts_that_answer_too_much", "floods_after_the_handshake"),
    "nonsense": (
        "hosts_that_answer_odd_things",
        "hosts_that_refuse",
        "certificates_of_a_megabyte_and_resets_at_each_byte",
        "questions_that_a_proxy_refuses",
    ),
    "keyrings": ("encrypted_apps_that_are_vast_or_none", "objects_of_a_megabyte_and_of_any_depth"),
    "work": (
        "hosts_with_names_that_look_alike",
        "patterns",
        "templates",
        "apps_and_tags_that_are_nearly_there",
    ),
    "edits": (
        "a_storm_of_edits",
        "secrets_edited_50_times_a_second",
        "phase_secrets_flipped_50_times_a_second",
        "a_grant_that_comes_and_goes_50_times_a_second",
    ),
    "forgery": (
        "fights_for_targets",
        "statuses_that_he_writes_himself",
        "workloads_that_never_come_up",
        "objects_that_he_marks_as_others",
        "names_of_his_neighbour_s",
    ),
    "crowd": ("two_thousand_at_once",),
}


def test_every_attack_is_made_once() -> None:
    assert sorted(sum(SIDE_BY_SIDE.values(), ())) == sorted(ATTACKS)


@pytest.mark.parametrize("attacks", SIDE_BY_SIDE.values(), ids=SIDE_BY_SIDE.keys())
def test_a_neighbour_is_served_during(
    attacks: tuple[str, ...], good: World, bad: BadPhase, bad_connections: BadConnections, watching: Watching
) -> None:
    rounds = IN_A_CROWD if attacks == SIDE_BY_SIDE["crowd"] else ROUNDS
    with ExitStack() as stack:
        for name in attacks:
            own = stack.enter_context(new_namespace(good.plane))
            hostile = stack.enter_context(hostile_in(good.plane, own, bad, bad_connections))
            stack.enter_context(ATTACKS[name](hostile, good))
        for number in range(rounds):
            watching.round(number)

    assert watching.figures.broken() == []
