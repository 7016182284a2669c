"""What a tenant only names gives him no say, no sight and no work of the operator in another namespace."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from phase_dev.server import EmbeddedPhase
from phase_operator.api import names
from support.api_proxy import ApiProxy
from support.cluster_fixture import new_namespace
from support.followers import SETTLE, generation, noted, until_restarted, workload
from support.mallory import Mallory, mallory_in
from support.operator_process import eventually, running_operator
from support.world import World, phase_secret, secret


@pytest.fixture
def mallory(stage: World) -> Iterator[Mallory]:
    """Give a tenant with PhaseSecrets in a namespace of his own, beside the stage's."""
    with new_namespace(stage.plane) as own, mallory_in(stage.plane, own) as found:
        yield found


@pytest.fixture
def his(stage: World, mallory: Mallory) -> World:
    """Give his namespace with a token of his own, for tests that ask what stands there."""
    found = World(stage.plane, mallory.namespace, stage.phase, stage.canary)
    found.token()
    return found


def spying(stage: World, name: str = "spy", **fields: Any) -> dict[str, Any]:
    """Name the good tenant's target, and have every workload follow it."""
    target = {"secretName": "shop", "secretNamespace": stage.namespace, "restart": {"workloads": "All"}}
    return phase_secret(name, stage.phase.url, managedSecretReferences=[target | fields])


def quiet_web(stage: World) -> None:
    """Make a Deployment that reads the target and does not ask to follow it."""
    web = workload()
    del web["metadata"]["annotations"]
    stage.apply(web)


def tells_of_web(his: World) -> bool:
    """Say whether a PhaseSecret of his, or an Event on it, names the Deployment."""
    return "Deployment web" in str(his.api.items("phasesecrets", his.namespace)) + str(his.events())


@pytest.mark.parametrize(
    ("grants", "reason"),
    [
        pytest.param((), "CrossNamespaceRefused", id="no grant"),
        pytest.param(("what=target",), "TargetConflict", id="a grant, and the object is another's"),
    ],
)
def test_a_spy_who_names_a_target_imposes_no_followers_and_learns_of_none(
    stage: World, mallory: Mallory, his: World, tmp_path: Path, grants: tuple[str, ...], reason: str
) -> None:
    flags = [*SETTLE, *(f"--grant=from={mallory.namespace},to={stage.namespace},{what}" for what in grants)]
    with running_operator(stage.plane, tmp_path, *flags) as stage.operator:
        quiet_web(stage)
        # A workload that follows shows when what follows has been done.
        stage.apply(workload(name="follower"))
        stage.phase_secret()
        stage.until_ready()
        for name, suspend in (("at-work", False), ("suspended", True)):
            spy = spying(stage, name)
            spy["spec"]["suspend"] = suspend
            mallory.create(spy)
            his.until_reason("Suspended" if suspend and grants else reason, name)

        stage.phase.set("shop", "Production", "LOG_LEVEL", "changed")
        until_restarted(stage, "follower", since=1)
        stage.phase.set("shop", "Production", "LOG_LEVEL", "again")
        until_restarted(stage, "follower", since=2)

        assert (noted(stage), generation(stage)) == (None, 1)
        assert not tells_of_web(his)


def listing_of_workloads(asked: Mapping[str, int], namespace: str) -> int:
    """Count the lists of workloads of a namespace."""
    return sum(count for path, count in asked.items() if f"/namespaces/{namespace}/deployments" in path)


def judged(his: World) -> bool:
    """Say whether the status is about the spec as it stands."""
    found = his.get("phasesecret", "spy") or {}
    return bool((found.get("status") or {}).get("observedGeneration") == found["metadata"]["generation"])


def test_a_refusal_costs_no_list_of_workloads(stage: World, mallory: Mallory, his: World, tmp_path: Path) -> None:
    with (
        ApiProxy(stage.plane) as proxy,
        running_operator(stage.plane, tmp_path, *SETTLE, url=proxy.url) as stage.operator,
    ):
        # Every edit is a run of its own, as every retry is; together they take longer than it has to be quiet, since
        # after five edits there is one run in 5 s.
        for interval in range(5, 13):
            spy = spying(stage)
            spy["spec"]["pollingInterval"] = interval
            mallory.create(spy)
            eventually(lambda: judged(his), what="the edit is judged")
            his.until_reason("CrossNamespaceRefused", "spy")

        assert listing_of_workloads(proxy.asked(), stage.namespace) == 0
        stage.phase_secret()
        stage.until_ready()
        eventually(lambda: listing_of_workloads(proxy.asked(), stage.namespace), what="the good tenant's are looked at")
        assert listing_of_workloads(proxy.asked(), his.namespace) == 0


@pytest.mark.parametrize("fields", [{"adopt": True}, {"creationPolicy": "Merge"}], ids=["adopt", "Merge"])
def test_a_grant_of_targets_leaves_others_objects_alone(
    stage: World, mallory: Mallory, his: World, tmp_path: Path, fields: dict[str, Any]
) -> None:
    grant = f"from={mallory.namespace},to={stage.namespace},what=target"
    stage.apply(secret("shop", {"A": stage.canary.value("theirs")}))
    before = stage.get("secret", "shop")
    with running_operator(stage.plane, tmp_path, "--grant", grant) as stage.operator:
        mallory.create(spying(stage, **fields))

        assert f"{grant}+adopt" in his.until_reason("TargetConflict", "spy")["message"]
        assert stage.get("secret", "shop") == before


def test_a_grant_that_says_adopt_opens_them(stage: World, mallory: Mallory, his: World, tmp_path: Path) -> None:
    grant = f"from={mallory.namespace},to={stage.namespace},what=target+adopt"
    stage.apply(secret("shop", {"A": stage.canary.value("theirs")}))
    with running_operator(stage.plane, tmp_path, "--grant", grant) as stage.operator:
        mallory.create(spying(stage, adopt=True))
        his.until_ready("spy")

        owner = (stage.get("secret", "shop") or {})["metadata"]["annotations"][names.ANNOTATION_OWNER]
        assert owner == f"{mallory.namespace}/spy"


def test_a_token_that_is_only_named_stops_no_target_at_home(
    stage: World, mallory: Mallory, his: World, tmp_path: Path
) -> None:
    grant = f"from={mallory.namespace},to={stage.namespace},what=token"
    flags = ("--grant", grant, "--allow-phase-host", stage.phase.url)
    reference = {"secretName": "shop", "secretNamespace": stage.namespace}
    with running_operator(stage.plane, tmp_path, *flags) as stage.operator:
        token = {"serviceToken": {"serviceTokenSecretReference": reference}}
        mallory.create(phase_secret("spy", stage.phase.url, authentication=token))
        his.until_reason("TokenSecretNotFound", "spy")

        stage.phase_secret()
        stage.until_ready()


def test_a_token_that_was_deleted_is_not_used_any_more(stage: World, tmp_path: Path) -> None:
    with EmbeddedPhase() as clock, running_operator(stage.plane, tmp_path) as stage.operator:
        stage.phase_secret()
        stage.until_ready()
        stage.plane.kubectl("-n", stage.namespace, "delete", "secret", names.DEFAULT_TOKEN_SECRET)
        stage.until_reason("TokenSecretNotFound")
        before = stage.phase.calls()
        # A Phase of its own shows when two intervals have passed.
        text = stage.canary.token(clock.token("operator", form="hex"))
        stage.apply(secret("other-token", {"token": text}))
        other = {"serviceToken": {"serviceTokenSecretReference": {"secretName": "other-token"}}}
        stage.phase_secret("other", authentication=other, phaseHost=clock.url)
        stage.until_ready("other")
        ready = clock.calls()
        eventually(lambda: clock.calls() >= ready + 2, within=30, what="the other one is probed twice")

        assert stage.phase.calls() == before
        assert stage.data() is not None
