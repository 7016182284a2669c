"""What is pushed and what never is: many sources, bad ones, and those of tenants who try more than they may."""

import base64
import dataclasses
import sys
import time
from collections.abc import Iterator
from typing import Any

import pytest

from phase_dev.cluster import CommandFailed
from phase_operator.api import names
from support.operator_process import eventually
from support.push_stage import NAME, PushStage, push_secret
from support.world import phase_secret


def calls(world: PushStage) -> str:
    """Return how often Phase was called for what, in words."""
    writes = {method: world.phase.calls(method=method) for method in ("POST", "PUT", "DELETE")}
    told = ", ".join(f"{number} {method}" for method, number in writes.items() if number)
    lists, all_of = world.phase.calls("/v1/secrets/", method="GET"), world.phase.calls()
    return f"{all_of} calls ({told}, {lists} lists, {all_of - lists - sum(writes.values())} probes and apps)"


def test_two_hundred_secrets_by_selector_are_one_push(world: PushStage) -> None:
    labels = {"controller.cert-manager.io/fao": "true"}
    for number in range(200):
        world.source(f"cert-{number:03d}", {"tls.crt": f"crt-{number:03d}", "tls.key": f"key-{number:03d}"}, labels)
    world.phase.reset_calls()
    began = time.monotonic()
    world.push_secret(sources=[{"secretSelector": "controller.cert-manager.io/fao=true"}], pollingInterval=3600)

    world.until_in_step(400, within=60)

    took = time.monotonic() - began
    sys.stdout.write(f"200 Secrets by selector, 400 entries: {calls(world)}, {took:.1f} s\n")
    assert world.values() == {
        f"cert-{number:03d}/TLS_{part}": f"{part.lower()}-{number:03d}"
        for number in range(200)
        for part in ("CRT", "KEY")
    }
    assert world.phase.calls(method="POST") == 7
    assert len(world.resource()["status"]["sources"]) == 100

    # One of them costs as much as if it were alone; one that has the label no more is let go.
    world.phase.reset_calls()
    world.source("cert-007", {"tls.crt": "crt-007", "tls.key": "another"}, labels)
    world.source("cert-008", {"tls.crt": "crt-008", "tls.key": "key-008"})
    world.until_in_step(398)
    assert world.values()["cert-007/TLS_KEY"] == "another"
    assert world.phase.calls(method="PUT") == world.phase.calls(method="DELETE") == 1


@pytest.mark.parametrize(("entries", "most"), [(1, 8), (100, 9), (1000, 25)])
def test_entries_of_one_push_are_few_calls(world: PushStage, entries: int, most: int) -> None:
    world.source("db", {f"KEY_{number:04d}": f"value-{number:04d}" for number in range(entries)})
    world.phase.reset_calls()
    began = time.monotonic()
    world.push_secret(pollingInterval=3600)

    world.until_in_step(entries, within=60)

    sys.stdout.write(f"{entries:,} entries: {calls(world)}, {time.monotonic() - began:.1f} s\n")
    assert world.values() == {f"KEY_{number:04d}": f"value-{number:04d}" for number in range(entries)}
    assert world.phase.calls() <= most

    # They go by as many a call.
    world.phase.reset_calls()
    world.remove()
    world.until_gone(within=60)
    assert world.values() == {}
    assert world.phase.calls(method="DELETE") == -(-entries // 64)


def test_a_config_map_is_pushed_as_config_and_bytes_as_base64(world: PushStage) -> None:
    logo = bytes(range(256))
    config_map = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "settings"}}
    data = {"log-level": "debug"}
    world.api.apply(
        config_map | {"data": data, "binaryData": {"logo.png": base64.b64encode(logo).decode()}},
        world.namespace,
        "tests",
    )
    processors = {"logo.png": {"asName": "LOGO", "type": "base64"}}
    sources = [{"configMapName": "settings", "processors": processors, "path": f"{world.root}/settings"}]
    world.push_secret(sources=sources, tags=["kubernetes"])

    world.until_in_step(2)

    assert world.values() == {"settings/LOG_LEVEL": "debug", "settings/LOGO": base64.b64encode(logo).decode()}
    assert {(each.type, each.tags) for each in world.entries()} == {("config", ("kubernetes",))}


def bad_inputs(world: PushStage) -> Iterator[tuple[str, dict[str, Any], str, list[str]]]:
    """Yield names of resources with what they ask, the reason that they get, and the words in its message."""
    world.source("twice", {"db-host": "first-one", "DB_HOST": "other-one"})
    yield "twice", {}, "KeyCollision", ["/DB_HOST", "Secret/twice[db-host]", "Secret/twice[DB_HOST]"]
    world.source("large", {"ca": "x" * 1_000_001, "small": "small"})
    yield "large", {}, "ValueInvalid", ["Secret/large[ca]", "1,000,003 bytes", "1,000,000"]
    world.source("binary", {"keystore": b"\xfe\xed\xfe\xed", "small": "small"})
    yield "binary", {}, "ValueInvalid", ["Secret/binary[keystore]", "processors.keystore.type: base64"]
    world.source("resolved", {"url": "x-${DATABASE_PASSWORD}", "other": "${shared::development.LICENCE}-y"})
    yield "resolved", {}, "ValueInvalid", ["Secret/resolved[url]", "Secret/resolved[other]", "${...}"]
    world.source("good", {"good": "good"})
    good = {"sources": [{"secretName": "good"}]}
    yield "app", good | {"phaseApp": "shpo"}, "AppNotFound", ["shpo", "shop"]
    yield "env", good | {"phaseAppEnv": "prod"}, "EnvironmentNotFound", ["prod", "Production"]
    yield "encrypted", good | {"phaseApp": "billing"}, "AppEncrypted", ["billing"]
    world.token("developers", "developer")
    token = {"serviceToken": {"serviceTokenSecretReference": {"secretName": "developers"}}}
    yield "unseen", good | {"authentication": token}, "EnvironmentNotFound", ['"shop"', "Development", "Staging"]
    token = {"serviceToken": {"serviceTokenSecretReference": {"secretName": "nope"}}}
    yield "tokenless", good | {"authentication": token}, "TokenSecretNotFound", ["nope"]
    token = {"serviceToken": {"serviceTokenSecretReference": {"secretName": "any", "secretNamespace": "default"}}}
    yield "foreign", good | {"authentication": token}, "CrossNamespaceRefused", ["default"]
    yield "elsewhere", good | {"phaseHost": "https://phase.evil.example"}, "HostRefused", ["spec.phaseHost"]
    yield "excludes", {"sources": [{"secretSelector": "env!=dev"}]}, "InvalidSpec", ["sources[0].secretSelector"]


def test_bad_input_gets_a_reason_that_names_it_and_pushes_nothing_else(world: PushStage) -> None:
    told = {}
    for name, spec, reason, words in bad_inputs(world):
        fields = {"sources": [{"secretName": name}]} | spec
        world.push_secret(
            name, **fields, **{} if "phaseHost" in fields else {"phaseAppEnvPath": f"{world.root}/{name}"}
        )
        told[name] = (reason, words)

    for name, (reason, words) in told.items():
        message = world.until_said(reason, name)["message"]
        assert [each for each in words if each not in message] == [], (name, message)
        world.canary.watch(message)
    assert world.values() == {"large/SMALL": "small", "binary/SMALL": "small"}

    # An edit of the source heals it.
    world.source("twice", {"db-host": "first-one"})
    world.source("resolved", {"url": "plain"})
    for name in ("twice", "resolved"):
        world.until_in_step(1, name)


def test_a_source_that_comes_later_is_pushed_at_once_and_one_that_goes_stays_in_phase(world: PushStage) -> None:
    world.push_secret(pollingInterval=3600)
    world.until_said("SourceNotFound")

    world.source("db", {"password": "first-password"})
    world.until_in_step(1)

    world.api.delete("secret", "db", world.namespace)
    assert "Secret/db" in world.until_said("SourceNotFound")["message"]
    assert world.values() == {"PASSWORD": "first-password"}


@pytest.mark.parametrize(
    ("spec", "words"),
    [
        ({"sources": [{"secretName": "db", "path": "/elsewhere"}]}, "phaseAppEnvPath or a folder below it"),
        ({"sources": [{"secretSelector": " "}]}, "an empty selector would push every Secret of the namespace"),
        ({"sources": [{"secretSelector": ""}]}, "an empty selector would push every Secret of the namespace"),
        ({"sources": [{"secretName": "phase-service-token"}]}, "the Secret that holds the Phase token"),
        ({"sources": [{"secretName": "db", "type": "config"}]}, "a Secret is not pushed as config"),
        ({"sources": [{"secretName": "db", "configMapName": "db"}]}, "exactly one of"),
    ],
)
def test_a_spec_that_reaches_too_far_is_refused_by_the_api_server(
    stage: PushStage, spec: dict[str, Any], words: str
) -> None:
    with pytest.raises(CommandFailed, match=words):
        stage.api.create(push_secret(NAME, stage.phase.url, stage.root, **spec), stage.namespace)


def system_secrets(world: PushStage) -> dict[str, str]:
    """Make Secrets that are never pushed, each with a label; return the words that say why, by name."""
    labels = {"take": "it"}
    # The namespace's own account may not be there yet, and a token of none is deleted.
    world.api.create({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "robot"}}, world.namespace)
    account = {"annotations": {"kubernetes.io/service-account.name": "robot"}}
    metadata = {"name": "account", "labels": labels, **account}
    world.source_of({"type": "kubernetes.io/service-account-token", "metadata": metadata}, {})
    eventually(lambda: "token" in (world.data("account") or {}), what="it has a token")
    world.canary.token((world.data("account") or {})["token"])
    world.token("readers-token")
    token = {"serviceToken": {"serviceTokenSecretReference": {"secretName": "readers-token"}}}
    world.apply(phase_secret("reader", world.phase.url, authentication=token))
    world.until_ready("reader")
    for name in ("readers-token", "reader"):
        label = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": name, "labels": labels}}
        world.api.apply(label, world.namespace, "labels")
    return {
        "account": "Secrets of type kubernetes.io/service-account-token belong to the system",
        "readers-token": "it holds a token of Phase, or the operator's own key",
        "reader": "this operator writes it: what is pushed would come back from Phase",
    }


def test_tokens_and_what_comes_from_phase_are_refused_by_name_and_by_selector(world: PushStage) -> None:
    refused = system_secrets(world)
    world.source("good", {"good": "good"}, {"take": "it"})
    world.push_secret("named", sources=[{"secretName": each} for each in refused])
    world.push_secret("selected", sources=[{"secretSelector": "take=it"}])

    for name in ("named", "selected"):
        message = world.until_said("InvalidSpec", name)["message"]
        for source, why in refused.items():
            assert f"Secret/{source} is not pushed: {why}" in message
    world.until_pushed({"good/GOOD": "good"})
    world.no_phase_secrets()


def test_the_operator_s_own_key_is_not_pushed_from_its_own_namespace(world: PushStage) -> None:
    home = dataclasses.replace(world, namespace="phase-system")
    assert home.get("secret", names.DIGEST_KEY_SECRET)
    home.token()
    home.push_secret(sources=[{"secretName": names.DIGEST_KEY_SECRET}])
    try:
        assert "the operator's own key" in home.until_said("InvalidSpec")["message"]
        assert home.entries() == []
    finally:
        home.none_left()
        home.api.delete("secret", "phase-service-token", home.namespace)
