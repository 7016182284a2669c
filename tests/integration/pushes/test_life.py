"""The life of a push on a real API server: sources reach Phase within a second, nothing is read back, and it ends."""

import sys

import trustme

from support.operator_process import eventually
from support.push_stage import NAME, PushStage


def test_a_secret_reaches_phase_with_the_mark_of_its_resource(world: PushStage) -> None:
    world.source("db", {"username": "shop", "password": "first-password"})
    world.push_secret()

    found = world.until_in_step(2)

    assert world.values() == {"USERNAME": "shop", "PASSWORD": "first-password"}
    assert all(f"{world.namespace}/{NAME}" in each.comment for each in world.entries())
    status = found["status"]
    assert [(each["kind"], each["name"], each["entries"]) for each in status["sources"]] == [("Secret", "db", 2)]
    assert status["source"]["path"] == world.root
    assert "secrets.phase.dev/outside" in found["metadata"]["finalizers"]

    def are_told() -> bool:
        # Events are posted beside the work, after the status.
        return {"Synced", "EntriesPushed"} <= {each["reason"] for each in world.events_of()}

    eventually(are_told, what="both Events")
    assert world.phase.calls(method="POST") == 1
    sys.stdout.write(f"1 push of 2 entries: {world.phase.calls()} calls; {world.entry('PASSWORD').comment!r}\n")


def rotate(world: PushStage, authority: trustme.CA, name: str = "shop-tls") -> dict[str, str]:
    """Write a Secret as cert-manager does, with a new certificate, and return what Phase is to have of it."""
    made = authority.issue_cert("shop.example")
    key, chain = made.private_key_pem.bytes(), b"".join(each.bytes() for each in made.cert_chain_pems)
    world.canary.token(key.decode().splitlines()[1])
    issuer = {"name": "letsencrypt", "kind": "ClusterIssuer", "group": "cert-manager.io"}
    annotations = {
        "cert-manager.io/alt-names": "shop.example",
        "cert-manager.io/certificate-name": name,
        "cert-manager.io/common-name": "shop.example",
        "cert-manager.io/ip-sans": "",
        "cert-manager.io/uri-sans": "",
        **{f"cert-manager.io/issuer-{field}": each for field, each in issuer.items()},
    }
    labels = {"controller.cert-manager.io/fao": "true"}
    metadata = {"name": name, "labels": labels, "annotations": annotations}
    data = {"tls.crt": chain, "tls.key": key, "ca.crt": authority.cert_pem.bytes()}
    world.source_of({"type": "kubernetes.io/tls", "metadata": metadata}, data)
    return {f"{name}/TLS_CRT": chain.decode(), f"{name}/TLS_KEY": key.decode()}


def test_a_certificate_that_rotates_is_in_phase_at_once_and_nothing_is_polled(world: PushStage) -> None:
    authority = trustme.CA()
    wanted = rotate(world, authority)
    taken = {"secretSelector": "controller.cert-manager.io/fao=true", "keys": {"include": ["tls.crt", "tls.key"]}}
    world.push_secret(sources=[taken], pollingInterval=3600)
    world.until_in_step(2)
    assert world.values() == wanted
    world.phase.reset_calls()

    for _ in range(2):
        # If anything were polled, it would be now.
        world.later(120)
        before = world.phase.now()
        wanted = rotate(world, authority)
        world.until_pushed(wanted)
        world.until_taken("shop-tls")
        took = max(each.updated_at - before for each in world.entries()).total_seconds()
        sys.stdout.write(f"a rotated certificate was in Phase after {took:.2f} s\n")
        assert took < 5

    # For each: a look at what is there, the change, and a look that confirms it; a look is two calls.
    assert world.phase.calls(method="PUT") == 2
    assert world.phase.calls(method="GET") == 8
    assert world.phase.calls() == 10


def test_a_resource_that_is_deleted_takes_its_entries_with_it_or_leaves_them_unmarked(world: PushStage) -> None:
    world.source("db", {"password": "first-password"})
    world.person_sets("THEIRS", "a person's")
    world.push_secret("goes", sources=[{"secretName": "db", "prefix": "GOES_"}])
    world.push_secret("stays", sources=[{"secretName": "db", "prefix": "STAYS_"}], deletionPolicy=None)
    world.until_in_step(1, "goes")
    world.until_in_step(1, "stays")

    for name in ("goes", "stays"):
        world.remove(name)
        world.until_gone(name)

    assert world.values() == {"THEIRS": "a person's", "STAYS_PASSWORD": "first-password"}
    assert [each.comment for each in world.entries()] == ["", ""]


def test_a_namespace_that_is_deleted_lets_its_entries_go_though_its_token_goes_first(world: PushStage) -> None:
    world.source("db", {"password": "first-password"})
    world.push_secret()
    world.until_in_step(1)

    world.api.delete("secret", "phase-service-token", world.namespace)
    world.until_said("TokenSecretNotFound")
    world.api.delete("namespace", world.namespace)

    world.until_gone()
    assert world.entries() == []


def test_a_suspended_push_does_nothing_and_what_people_do_meanwhile_counts(world: PushStage) -> None:
    world.source("db", {"kept": "first-kept", "edited": "first-edited"})
    world.push_secret()
    world.until_in_step(2)
    world.push_secret(suspend=True)
    world.until_said("Suspended")
    world.phase.reset_calls()

    world.source("db", {"kept": "second-kept"})
    world.later(60)
    world.person_sets("EDITED", "a person's")
    world.push_secret(suspend=True, tags=["another-spec"])
    eventually(lambda: world.resource()["status"]["observedGeneration"] == 3, what="it has run again")
    assert world.phase.calls() == 0
    world.push_secret()

    world.until_pushed({"KEPT": "second-kept", "EDITED": "a person's"})
    assert "/EDITED" in world.until_said("EntryConflict")["message"]
    world.until_event("EntryLeft", "/EDITED")


def test_the_sync_annotation_has_a_push_look_at_once(world: PushStage) -> None:
    world.source("db", {"password": "first-password"})
    world.push_secret(pollingInterval=3600)
    world.until_in_step(1)
    world.person_sets("PASSWORD", "a person's")

    annotation = {"secrets.phase.dev/sync": "now"}
    found = {key: world.resource()[key] for key in ("apiVersion", "kind")}
    world.api.apply(found | {"metadata": {"name": NAME, "annotations": annotation}}, world.namespace, "person")

    world.until_pushed({"PASSWORD": "first-password"})
    eventually(lambda: world.resource()["status"].get("lastForcedSync") == "now", what="it is answered")
