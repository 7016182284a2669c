"""From the official operator, first version (Python) and second (Go), to this one: nothing is lost on the way.

What the official operator leaves is written by hand here, from its documentation and from what its clients are known to
write, and not by code of ours: the resources as users have them, the Secrets with the data that its transforms make,
under the field managers that its clients send.
"""

import base64
import json
import re
import shlex
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import trustme

from phase_dev.cluster import CommandFailed
from phase_dev.server import EmbeddedPhase
from phase_operator.api import names
from support.operator_process import REPOSITORY, eventually, running_operator
from support.world import World

PAGE = REPOSITORY / "docs/migration.md"
FINALIZER = "kopf.zalando.org/KopfFinalizerMarker"
HANDLED = "kopf.zalando.org/last-handled-configuration"
# Field managers: the Python client sends no name and is called after its user agent; the Go one after its binary.
PYTHON = "OpenAPI-Generator"
GO = ("manager", "phase-kubernetes-operator")

BY_RULE = pytest.param(False, id="by itself")
BY_HAND = pytest.param(True, id="handed over by annotation")


@dataclass(frozen=True)
class Left:
    """A Secret that the official operator made for one of its resources."""

    name: str
    owner: str
    data: Mapping[str, bytes]
    manager: str
    type: str = "Opaque"
    labels: Mapping[str, str] = field(default_factory=dict)
    annotations: Mapping[str, str] = field(default_factory=dict)

    def manifest(self) -> dict[str, Any]:
        """Return it as its client sent it."""
        metadata: dict[str, Any] = {"name": self.name}
        if self.labels:
            metadata["labels"] = dict(self.labels)
        if self.annotations:
            metadata["annotations"] = dict(self.annotations)
        return {"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "type": self.type, "data": self.encoded}

    @property
    def encoded(self) -> dict[str, str]:
        """Return its data as the API server shows them."""
        return {key: base64.b64encode(value).decode() for key, value in self.data.items()}


@dataclass
class Estate:
    """What the official operator leaves in a namespace."""

    world: World
    resources: list[dict[str, Any]] = field(default_factory=list)
    secrets: list[Left] = field(default_factory=list)

    def fill(self) -> None:
        """Put it into the cluster."""
        self.world.apply(*self.resources)
        for left in self.secrets:
            self.world.api.create(left.manifest(), self.world.namespace, fieldManager=left.manager)

    def hand_over(self) -> None:
        """Say of each Secret whose it is, by the commands that docs/migration.md makes."""
        kubectl, namespace = self.world.plane.kubectl, ("-n", self.world.namespace)
        [template] = re.findall(r"go-template='(.*?)'", PAGE.read_text(), re.DOTALL)
        made = kubectl(*namespace, "get", "phasesecrets", "-o", f"go-template={template}").stdout.splitlines()
        assert len(made) == len(self.secrets)
        for line in made:
            program, *arguments = shlex.split(line)
            assert program == "kubectl"
            kubectl(*arguments)

    def mark(self) -> None:
        """Say it as those commands do, without them."""
        for left in self.secrets:
            self.world.annotate("secret", left.name, names.ANNOTATION_OWNER, f"{self.world.namespace}/{left.owner}")

    def let_go(self) -> None:
        """Take the finalizers away: a failed test leaves some that nobody takes."""
        for body in self.resources:
            # It may be gone, and has none.
            with suppress(CommandFailed):
                self.world.patch("phasesecret", body["metadata"]["name"], {"metadata": {"finalizers": None}})

    def uids(self) -> dict[str, str]:
        """Return which objects its Secrets are."""
        return {name: each["metadata"]["uid"] for name, each in self.found().items()}

    def found(self) -> dict[str, dict[str, Any]]:
        """Return its Secrets as they stand."""
        return {left.name: self.world.get("secret", left.name) or {} for left in self.secrets}


def resource(name: str, phase: EmbeddedPhase, namespace: str, *targets: dict[str, Any], **spec: Any) -> dict[str, Any]:
    """Return a resource as the official documentation has it: everything is said, also what is default."""
    reference = {"secretName": "phase-service-token", "secretNamespace": namespace}
    return {
        "apiVersion": "secrets.phase.dev/v1alpha1",
        "kind": "PhaseSecret",
        "metadata": {"name": name},
        "spec": {
            "phaseApp": "shop",
            "phaseAppEnv": "production",
            "phaseAppEnvPath": "/",
            "phaseHost": phase.url,
            "pollingInterval": 5,
            "authentication": {"serviceToken": {"serviceTokenSecretReference": reference}},
            "managedSecretReferences": [{"secretNamespace": namespace, **target} for target in targets],
            **spec,
        },
    }


def first(body: dict[str, Any]) -> dict[str, Any]:
    """Return a resource as the first version leaves it: kopf's finalizer and its memory are on it."""
    metadata = body["metadata"] | {
        "finalizers": [FINALIZER],
        "annotations": {HANDLED: json.dumps({"spec": body["spec"]}) + "\n"},
    }
    return body | {"metadata": metadata}


# Key in Phase -> value; the root folder of shop's production environment holds these.
HOST, PASSWORD, LEVEL = b"postgres.internal", b"a-long-production-password", b"warning"
STYLES = {
    "camel": ("databaseHost", "databasePassword", "logLevel"),
    "upper-camel": ("DatabaseHost", "DatabasePassword", "LogLevel"),
    "lower-snake": ("database_host", "database_password", "log_level"),
    "tf-var": ("TF_VAR_database_host", "TF_VAR_database_password", "TF_VAR_log_level"),
    "lower-kebab": ("database-host", "database-password", "log-level"),
}
PLAIN = {"DATABASE_HOST": HOST, "DATABASE_PASSWORD": PASSWORD, "LOG_LEVEL": LEVEL}


def styled(style: str) -> dict[str, bytes]:
    return dict(zip(STYLES[style], (HOST, PASSWORD, LEVEL), strict=True))


def base64_of(raw: bytes) -> str:
    return base64.b64encode(raw).decode()


@pytest.fixture
def estate(stage: World) -> Iterator[Estate]:
    """Give what both versions leave: every field, transform and type that their documentation has."""
    phase, namespace = stage.phase, stage.namespace
    authority = trustme.CA()
    pair = authority.issue_cert("shop.example")
    chain, key = b"".join(each.bytes() for each in pair.cert_chain_pems), pair.private_key_pem.bytes()
    docker = json.dumps({"auths": {"registry.example": {"auth": base64_of(b"user:password")}}}).encode()
    keystore = bytes(range(256))
    for folder, name, value in (
        ("/tls", "TLS_CRT", base64_of(chain)),
        ("/tls", "TLS_KEY", key.decode()),
        ("/docker", "REGISTRY", docker.decode()),
        ("/basic", "USER_NAME", "shop"),
        ("/basic", "PASS_WORD", "s3cret"),
        ("/ssh", "DEPLOY_KEY", key.decode()),
        ("/files", "KEYSTORE", base64_of(keystore)),
        ("/files", "KEYSTORE_PASSWORD", "changeit"),
    ):
        phase.set("shop", "Production", name, value, path=folder)

    found = Estate(stage)
    found.resources.append(
        first(
            resource(
                "v1-plain",
                phase,
                namespace,
                {"secretName": "v1-plain", "secretType": "Opaque"},
                *({"secretName": f"v1-{style}", "nameTransformer": style} for style in STYLES),
            )
        )
    )
    found.secrets.append(Left("v1-plain", "v1-plain", PLAIN, PYTHON))
    found.secrets += [Left(f"v1-{style}", "v1-plain", styled(style), PYTHON) for style in STYLES]

    tls = {"TLS_CRT": {"asName": "tls.crt", "type": "base64"}, "TLS_KEY": {"asName": "tls.key", "type": "plain"}}
    found.resources.append(
        first(
            resource(
                "v1-tls",
                phase,
                namespace,
                {"secretName": "v1-tls", "secretType": "kubernetes.io/tls", "processors": tls},
                phaseAppEnvPath="/tls",
            )
        )
    )
    found.secrets.append(Left("v1-tls", "v1-tls", {"tls.crt": chain, "tls.key": key}, PYTHON, type="kubernetes.io/tls"))

    labels, annotations = {"app.kubernetes.io/part-of": "shop"}, {"example.com/owner": "platform"}
    processors = {
        "DATABASE_PASSWORD": {"asName": "password", "nameTransformer": "camel"},
        "LOG_LEVEL": {"nameTransformer": "lower-kebab"},
    }
    body = resource(
        "v2-full",
        phase,
        namespace,
        {
            "secretName": "v2-full",
            "secretType": "Opaque",
            "nameTransformer": "upper_snake",
            "processors": processors,
            "template": {"metadata": {"labels": labels, "annotations": annotations}},
        },
        redeployLabelSelector="tier=api",
        onSecretReferenceError="Fail",
        phaseAppId=phase.app_id("shop"),
    )
    data = {"DATABASE_HOST": HOST, "password": PASSWORD, "log-level": LEVEL}
    found.resources.append(body)
    found.secrets.append(Left("v2-full", "v2-full", data, GO[0], labels=labels, annotations=annotations))

    # The defaults left to the operator: token, path, environment, namespace, type, transformer.
    least = resource("v2-least", phase, namespace, phaseAppEnvTag="db")
    for name in ("authentication", "phaseAppEnvPath", "phaseAppEnv"):
        del least["spec"][name]
    least["spec"]["managedSecretReferences"] = [{"secretName": "v2-least"}]
    found.resources.append(least)
    tagged = {"DATABASE_HOST": HOST, "DATABASE_PASSWORD": PASSWORD}
    found.secrets.append(Left("v2-least", "v2-least", tagged, GO[1]))

    for name, kind, entries, values in (
        ("docker", "kubernetes.io/dockerconfigjson", {"REGISTRY": ".dockerconfigjson"}, [docker]),
        (
            "basic",
            "kubernetes.io/basic-auth",
            {"USER_NAME": "username", "PASS_WORD": "password"},
            [b"shop", b"s3cret"],
        ),
        ("ssh", "kubernetes.io/ssh-auth", {"DEPLOY_KEY": "ssh-privatekey"}, [key]),
    ):
        found.resources.append(
            resource(
                f"v2-{name}",
                phase,
                namespace,
                {
                    "secretName": f"v2-{name}",
                    "secretType": kind,
                    "processors": {key: {"asName": to} for key, to in entries.items()},
                },
                phaseAppEnvPath=f"/{name}",
            )
        )
        typed = dict(zip(entries.values(), values, strict=True))
        found.secrets.append(Left(f"v2-{name}", f"v2-{name}", typed, GO[1], type=kind))

    found.resources.append(
        resource(
            "v2-files",
            phase,
            namespace,
            {"secretName": "v2-files", "processors": {"KEYSTORE": {"asName": "store.p12", "type": "base64"}}},
            phaseAppEnvPath="/files",
        )
    )
    files = {"store.p12": keystore, "KEYSTORE_PASSWORD": b"changeit"}
    found.secrets.append(Left("v2-files", "v2-files", files, GO[0]))
    found.fill()
    yield found
    found.let_go()


def deployment(name: str, secret: str) -> dict[str, Any]:
    """Return a Deployment that the official operator restarts when this Secret changes."""
    container = {"name": "app", "image": "app", "envFrom": [{"secretRef": {"name": secret}}]}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": name, "labels": {"tier": "api"}, "annotations": {"secrets.phase.dev/redeploy": "true"}},
        "spec": {
            "replicas": 1,
            "selector": {"matchLabels": {"app": name}},
            "template": {
                "metadata": {
                    "labels": {"app": name},
                    "annotations": {"phase.autoredeploy.timestamp": "2026-06-01T00:00:00Z"},
                },
                "spec": {"containers": [container]},
            },
        },
    }


@pytest.fixture
def encrypted(stage: World) -> Iterator[Estate]:
    """Give what both versions leave of an end-to-end encrypted app, which they decrypt and resolve themselves."""
    target = {"secretName": "v1-encrypted"}
    styled_target = {
        "secretName": "v2-encrypted",
        "nameTransformer": "camel",
        "processors": {"CURRENCY": {"asName": "currency.code"}},
    }
    values = [b"a-long-live-key", b"EUR", b"smtp://billing:a-mail-password@mail.internal:587"]
    named = {
        "v1-encrypted": ["STRIPE_API_KEY", "CURRENCY", "SMTP_URL"],
        "v2-encrypted": ["stripeApiKey", "currency.code", "smtpUrl"],
    }
    one = resource("v1-encrypted", stage.phase, stage.namespace, target, phaseApp="billing")
    two = resource("v2-encrypted", stage.phase, stage.namespace, styled_target, phaseApp="billing")
    found = Estate(stage, [first(one), two])
    found.secrets = [
        Left(name, name, dict(zip(keys, values, strict=True)), manager)
        for (name, keys), manager in zip(named.items(), (PYTHON, GO[1]), strict=True)
    ]
    found.fill()
    yield found
    found.let_go()


@pytest.mark.parametrize("handed_over", [BY_HAND, BY_RULE])
def test_secrets_of_encrypted_apps_stay_too_and_a_restart_reads_nothing(
    encrypted: Estate, tmp_path: Path, handed_over: bool
) -> None:
    world = encrypted.world
    stays_while_taken_over(encrypted, tmp_path, handed_over=handed_over)
    assert world.phase.calls(route="/secrets/") == 1
    before = encrypted.found()
    world.phase.reset_calls()

    with running_operator(world.plane, tmp_path):
        eventually(lambda: world.phase.calls(route="/secrets/tokens/") >= 2, within=40, what="two keyrings")

    assert world.phase.calls(route="/secrets/") + world.phase.calls(route="/v1/secrets/") == 0
    assert encrypted.found() == before


@pytest.mark.parametrize("handed_over", [BY_HAND, BY_RULE])
def test_secrets_stay_as_they_are_while_they_are_taken_over(estate: Estate, tmp_path: Path, handed_over: bool) -> None:
    stays_while_taken_over(estate, tmp_path, handed_over=handed_over)


def stays_while_taken_over(estate: Estate, tmp_path: Path, *, handed_over: bool) -> None:
    """Start the operator, and check that no Secret changes but for our marks, and that nothing restarts."""
    world = estate.world
    world.apply(*(deployment(f"app-{left.name.lower()}", left.name) for left in estate.secrets))
    if handed_over:
        estate.hand_over()
    before, began = estate.found(), version(world)
    deployments = generations(world)

    with running_operator(world.plane, tmp_path):
        for body in estate.resources:
            world.until_ready(body["metadata"]["name"])
    after, events = estate.found(), events_since(world, began)

    for left in estate.secrets:
        found = after[left.name]
        assert found["metadata"]["uid"] == before[left.name]["metadata"]["uid"]
        assert (found["type"], found["data"]) == (left.type, left.encoded)
        assert left.labels.items() <= found["metadata"]["labels"].items()
        assert left.annotations.items() <= found["metadata"]["annotations"].items()
        # One write, which brings our marks: a watcher sees the same data, and no moment without them.
        [event] = [each for each in events if each["object"]["metadata"]["name"] == left.name]
        assert (event["type"], event["object"]["data"]) == ("MODIFIED", left.encoded)
    assert generations(world) == deployments


@pytest.mark.parametrize("handed_over", [BY_HAND, BY_RULE])
def test_secrets_that_were_taken_over_follow_phase_in_place(estate: Estate, tmp_path: Path, handed_over: bool) -> None:
    world = estate.world
    if handed_over:
        estate.mark()
    before = estate.uids()

    with running_operator(world.plane, tmp_path):
        world.until_ready("v1-plain")
        world.phase.set("shop", "Production", "LOG_LEVEL", "debug")
        wanted = {key: value.decode() for key, value in PLAIN.items()} | {"LOG_LEVEL": "debug"}
        eventually(lambda: world.data("v1-plain") == wanted, what="the change arrives")
        eventually(lambda: (world.data("v1-camel") or {}).get("logLevel") == "debug", what="it does in another style")

    assert estate.uids() == before


def test_an_entry_that_is_removed_in_phase_leaves_a_secret_that_was_taken_over(estate: Estate, tmp_path: Path) -> None:
    """The official operator's field manager still holds every key that it wrote, and the API server heeds that."""
    world = estate.world
    estate.mark()
    before = estate.uids()

    with running_operator(world.plane, tmp_path):
        world.until_ready("v1-plain")
        world.phase.delete("shop", "Production", "DATABASE_HOST")
        eventually(lambda: set(world.data("v1-camel") or {}) == {"databasePassword", "logLevel"}, what="the key goes")

    assert estate.uids() == before


def test_the_first_version_left_its_finalizer_alone_and_that_goes(estate: Estate, tmp_path: Path) -> None:
    world = estate.world
    before = world.get("phasesecret", "v1-plain")
    assert before is not None

    with running_operator(world.plane, tmp_path):
        eventually(lambda: finalizers(world, "v1-plain") == [], what="the finalizer goes")
        eventually(lambda: finalizers(world, "v1-tls") == [], what="the other one's finalizer goes")
        eventually(lambda: world.condition("v1-plain"), what="the first run")
        after = world.get("phasesecret", "v1-plain")

    assert after is not None
    assert after["spec"] == before["spec"]
    assert lasting(after["metadata"]) == lasting(before["metadata"])
    assert after["metadata"]["annotations"] == before["metadata"]["annotations"]


def test_a_finalizer_of_somebody_else_stays(estate: Estate, tmp_path: Path) -> None:
    world = estate.world
    world.patch(
        "phasesecret", "v1-tls", {"metadata": {"finalizers": ["example.com/keep", FINALIZER, "example.com/too"]}}
    )

    with running_operator(world.plane, tmp_path):
        eventually(lambda: FINALIZER not in (finalizers(world, "v1-tls") or [FINALIZER]), what="the old one goes")

        assert finalizers(world, "v1-tls") == ["example.com/keep", "example.com/too"]


def test_a_resource_with_the_old_finalizer_can_be_deleted(estate: Estate, tmp_path: Path) -> None:
    """One was deleted before this operator came, and hangs; one is deleted while it starts; the Secrets stay."""
    world = estate.world
    before = estate.found()
    world.api.delete("phasesecret", "v1-tls", world.namespace)
    assert finalizers(world, "v1-tls") == [FINALIZER]

    with running_operator(world.plane, tmp_path):
        eventually(lambda: world.get("phasesecret", "v1-tls") is None, what="what hung is gone")
        world.patch("phasesecret", "v1-plain", {"metadata": {"finalizers": [FINALIZER]}})
        world.api.delete("phasesecret", "v1-plain", world.namespace)
        eventually(lambda: world.get("phasesecret", "v1-plain") is None, what="the other one is gone")

    after = estate.found()
    assert {name: each.get("data") for name, each in after.items()} == {
        name: each["data"] for name, each in before.items()
    }


def finalizers(world: World, name: str) -> list[str] | None:
    """Return the finalizers of a PhaseSecret, or None if there is no such PhaseSecret."""
    found = world.get("phasesecret", name)
    return None if found is None else list(found["metadata"].get("finalizers") or [])


def lasting(metadata: Mapping[str, Any]) -> dict[str, Any]:
    """Return metadata without what every write moves, and without finalizers."""
    return {
        key: each for key, each in metadata.items() if key not in {"resourceVersion", "managedFields", "finalizers"}
    }


def version(world: World) -> str:
    """Return the version at which the namespace's Secrets stand."""
    raw = world.plane.kubectl("get", "--raw", f"/api/v1/namespaces/{world.namespace}/secrets").stdout
    return str(json.loads(raw)["metadata"]["resourceVersion"])


def events_since(world: World, began: str) -> list[dict[str, Any]]:
    """Return all that a watch of the namespace's Secrets shows since a version, in order."""
    query = f"watch=1&resourceVersion={began}&timeoutSeconds=2"
    raw = world.plane.kubectl("get", "--raw", f"/api/v1/namespaces/{world.namespace}/secrets?{query}").stdout
    return [json.loads(line) for line in raw.splitlines()]


def generations(world: World) -> dict[str, tuple[int, Any]]:
    """Return of each Deployment what a roll-out changes."""
    found = world.api.items("deployments", world.namespace)
    return {each["metadata"]["name"]: (each["metadata"]["generation"], each["spec"]["template"]) for each in found}
