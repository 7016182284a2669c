"""What an older version wrote and this one writes otherwise: read and written once, and nothing is restarted for it."""

import hashlib
import json
from typing import Any

import pytest

from phase_operator.api import names
from phase_operator.api.reasons import Reason
from phase_operator.core.source.query import ask_of, source_query
from phase_operator.core.targets import provenance
from phase_operator.core.targets.observed import observe
from phase_operator.reconcile.context import parse_spec
from support.builders import DIGEST_KEY, entry, secret_ref
from support.lying import PersistentWorld

SHOP = secret_ref()
SECRET_TYPE = "argocd.argoproj.io/secret-type"
LABELLED = {"secretName": "shop", "template": {"metadata": {"labels": {SECRET_TYPE: "repository"}}}}


def seal_as_before(world: PersistentWorld) -> None:
    """Seal the Secret as the version before did, from the spec as it is now."""
    spec = world.body()["spec"]
    query = source_query(ask_of(parse_spec(spec), "team"), "account")
    moved_at = f"2030-01-01T00:00:{world.phase._revisions['production']:02}Z"
    # Version 2 of the rendering left the label out.
    parts: list[Any] = [2, spec, [query.account.base_url, query.environment, query.path, query.tags]]
    text = json.dumps([*parts, ["app-1", moved_at]], sort_keys=True, separators=(",", ":"))
    inputs = hashlib.blake2b(text.encode(), digest_size=16).digest()
    stored = world.cluster.objects[SHOP]
    found = observe(stored.metadata())
    annotation = ("metadata", "annotations", names.ANNOTATION_SEAL)
    stored.fields[annotation] = provenance._stamp(DIGEST_KEY, found.digest, found.owned_fields, inputs)
    assert provenance.stamp_matches(observe(stored.metadata()), inputs, DIGEST_KEY)


@pytest.mark.parametrize(
    ("reference", "reads", "writes"),
    [
        pytest.param(LABELLED, 1, 1, id="a label that was left out"),
        pytest.param({"secretName": "shop"}, 0, 0, id="nothing of the kind"),
    ],
)
async def test_a_label_that_was_left_out_is_written_once(reference: dict[str, Any], reads: int, writes: int) -> None:
    world = PersistentWorld({"pollingInterval": 5})
    world.phase.is_honest(entry("A"))
    await world.start()
    await world.pass_time(1)
    # The spec asked for the label from the beginning; the version before did not write it.
    world.spec = {**world.spec, "managedSecretReferences": [reference]}
    seal_as_before(world)
    before = (world.phase.told, len(world.cluster.applied))
    keys = world.cluster.objects[SHOP].part("metadata", "annotations")[names.ANNOTATION_KEYS]

    await world.start()
    for _ in range(30):
        await world.pass_time(5)

    try:
        assert world.loop is not None
        assert world.reason == Reason.SYNCED
        assert (world.phase.told - before[0], len(world.cluster.applied) - before[1]) == (reads, writes)
        metadata = world.cluster.objects[SHOP]
        assert (SECRET_TYPE in metadata.part("metadata", "labels")) is bool(writes)
        # Pods are restarted for what keys hold, and that is what it was.
        assert metadata.part("metadata", "annotations")[names.ANNOTATION_KEYS] == keys
        assert not world.loop.observer.restarts
    finally:
        await world.stop()
