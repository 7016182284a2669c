"""An operator that Roles let into a list of namespaces: kopf has one watch for all, and each has its own part in it."""

from contextlib import ExitStack
from pathlib import Path

from support.attacks import ATTACKS
from support.bad_connections import BadConnections
from support.bad_phase import BadPhase
from support.cluster_fixture import new_namespace
from support.neighbours import Watching, hostile_in
from support.operator_process import running_operator
from support.resolving import PROGRAM
from support.roles import roles_in
from support.world import World

SIDE_BY_SIDE = ("phase_secrets_flipped_50_times_a_second", "objects_of_a_megabyte_and_of_any_depth")


def test_a_neighbour_in_the_same_list_is_served_during_storms(
    stage: World, bad: BadPhase, bad_connections: BadConnections, tmp_path: Path
) -> None:
    roles = roles_in(stage.plane, "phase-roles")
    with ExitStack() as stack:
        attacked = [stack.enter_context(new_namespace(stage.plane)) for _ in SIDE_BY_SIDE]
        watched = [stage.namespace, *attacked]
        roles.let_into(watched)
        flags = [part for name in watched for part in ("--namespace", name)]
        flags += ["--phase-ca-file", str(bad_connections.authority)]
        stage.operator = stack.enter_context(
            running_operator(stage.plane, tmp_path, *flags, home=roles.home, elects=True, program=PROGRAM)
        )
        stage.phase_secret()
        stage.until_ready()
        watching = stack.enter_context(Watching(stage, stage.operator))
        for attack, own in zip(SIDE_BY_SIDE, attacked, strict=True):
            hostile = stack.enter_context(hostile_in(stage.plane, own, bad, bad_connections))
            stack.enter_context(ATTACKS[attack](hostile, stage))
        watching.round(0)

    assert watching.figures.broken() == []
