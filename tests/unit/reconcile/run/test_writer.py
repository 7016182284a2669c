"""The writer without a run around it: entries that come from anywhere reach their targets, and Phase is not asked."""

from typing import Any

import pytest

from phase_operator.api.reasons import Reason
from phase_operator.core.access.admission import admit
from phase_operator.core.access.tenancy import Tenancy
from phase_operator.core.errors import Waiting
from phase_operator.core.outcome import SourceFacts
from phase_operator.core.values import Entry
from phase_operator.reconcile.admissions import Admissions
from phase_operator.reconcile.background import BackgroundThread
from phase_operator.reconcile.context import RunContext, parse_spec, task_of
from phase_operator.reconcile.polling.tokens import Tokens
from phase_operator.reconcile.restarts.disabled import NoRestarts
from phase_operator.reconcile.run.applier import TargetApplier
from phase_operator.reconcile.run.finalizer import Finalizer
from phase_operator.reconcile.run.loss_guard import ReceivedAnswer
from phase_operator.reconcile.run.pruner import Pruner
from phase_operator.reconcile.run.registration import Registration
from phase_operator.reconcile.run.rivals import OwnerConflicts
from phase_operator.reconcile.run.target_access import TargetAccess
from phase_operator.reconcile.run.version_gc import VersionCollector
from phase_operator.reconcile.run.writer import Inputs, Writer
from phase_operator.reconcile.store import PhaseSecretStore
from support.builders import DIGEST_KEY, KEY, config_entry, entry, phase_secret, query, secret_ref, snapshot
from support.fakes import FakeCluster

MADE_FROM = b"a state of the source"
FACTS = SourceFacts("app-1", "production", "/", 1)
ERROR = Waiting(Reason.UNRESOLVED_REFERENCES, "references are left")


class Desk:
    """A writer, and what it takes to have one."""

    def __init__(self) -> None:
        self.cluster = FakeCluster()
        self.resources = PhaseSecretStore()
        self.admissions = Admissions()
        tenancy, restarts = Tenancy(), NoRestarts()
        access = TargetAccess(self.cluster, tenancy, lambda _: {}, self.admissions.tokens, lambda _: False)
        owner_conflicts = OwnerConflicts(self.cluster, access.refusal)
        applier = TargetApplier(self.cluster, restarts, owner_conflicts)
        removals = Pruner(self.cluster, applier, access.refusal)
        tokens = Tokens(self.cluster, self.admissions.tokens, lambda _: None)
        self.registration = Registration(self.admissions, restarts, applier, tokens)
        self.writer = Writer(
            cluster=self.cluster,
            applier=applier,
            versions=VersionCollector(self.cluster, owner_conflicts),
            removals=removals,
            finalizer=Finalizer(self.cluster, self.resources, removals),
            registration=self.registration,
            access=access,
            background=BackgroundThread(),
            digest_key=lambda: DIGEST_KEY,
        )

    def task(self, **spec: Any) -> RunContext:
        """Return what a run of a PhaseSecret with this spec works with."""
        self.resources.upsert(phase_secret(**spec))
        resource = self.resources.get(KEY)
        assert resource is not None
        parsed = parse_spec(resource.spec)
        admitted = admit(Tenancy(), parsed, KEY, {})
        task = task_of(resource, parsed, admitted.target_policies)
        self.registration.enter(admitted, task)
        return task


def inputs(*entries: Entry) -> Inputs:
    """Return entries with all that is known of them."""
    heard = ReceivedAnswer(query(), snapshot(*entries), None, True, ())
    return Inputs(heard, entries, FACTS, len(entries), MADE_FROM)


async def test_entries_reach_their_target_and_it_says_what_it_was_made_from() -> None:
    desk = Desk()
    task = desk.task()

    found = await desk.writer.bring(task, inputs(entry("A", "text")))

    assert [(each.ref, each.ready, each.written) for each in found.targets] == [(secret_ref(), True, True)]
    assert (found.source, desk.cluster.secret(secret_ref())) == (FACTS, {"A": "text"})
    assert await desk.writer.has_made(task, MADE_FROM)
    assert not await desk.writer.has_made(task, b"another state")


async def test_an_error_of_one_target_keeps_no_other_from_being_written() -> None:
    desk = Desk()
    bad = {"secretName": "bad", "template": {"data": {"text": "{{ NOT_THERE }}"}}}
    task = desk.task(managedSecretReferences=[bad, {"secretName": "shop"}])

    found = await desk.writer.bring(task, inputs(entry("A", "text")))

    assert [each.reason for each in found.targets] == [Reason.TEMPLATE_FAILED, Reason.SYNCED]
    assert desk.cluster.secret(secret_ref()) == {"A": "text"}


@pytest.mark.parametrize("config_maps", [[], [{"configMapName": "shop"}]], ids=["Secrets alone", "a ConfigMap as well"])
async def test_targets_that_are_held_are_not_written_and_the_error_is_everybodys(
    config_maps: list[dict[str, Any]],
) -> None:
    desk = Desk()
    task = desk.task(managedConfigMapReferences=config_maps)

    with pytest.raises(Waiting) as caught:
        await desk.writer.hold(task, inputs(entry("A"), config_entry("C")), ERROR, is_exact=True)

    assert caught.value is ERROR
    assert desk.cluster.writes == []


async def test_a_target_that_the_spec_names_no_more_is_removed() -> None:
    desk = Desk()
    deleted = {"secretName": "old", "deletionPolicy": "Delete"}
    first = desk.task(managedSecretReferences=[deleted, {"secretName": "shop"}])
    await desk.writer.bring(first, inputs(entry("A")))

    second = desk.task(generation=2)
    await desk.writer.bring(second, inputs(entry("A")))

    assert set(desk.cluster.objects) == {secret_ref()}
