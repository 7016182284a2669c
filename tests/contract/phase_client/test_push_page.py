"""The examples of the page *Push*, from their text to what Phase has then, with the page's own tables as the judge.

Invariant: what a person is told to see in the Console is there, and nothing else.
"""

import re
import time
from collections.abc import Iterator, Mapping
from typing import Any

import pytest

from manifests.objects import Object, one
from phase_dev import documents
from phase_dev.server import EmbeddedPhase
from phase_operator.api.v1alpha1.phasepushsecret import PhasePushSecretSpec
from phase_operator.core.push.desired import desired
from phase_operator.core.push.generated import generate
from phase_operator.core.push.ledger import PushPlace
from phase_operator.core.push.marks import installation, mark_of
from phase_operator.core.push.sources import Source
from phase_operator.core.push.spec import PushSpec, push_spec
from phase_operator.core.push.steps import Post
from phase_operator.core.refs import Kind
from phase_operator.core.source.answer_memory import MIB, AnswerMemory
from phase_operator.core.values import ObjectKey, SecretValue
from phase_operator.phase.client import PhaseClient
from phase_operator.phase.pushes import PushClient
from phase_operator.phase.session import Session
from support.pages import fenced, section

PAGE = "docs/push.md"
CERTIFICATES = "Certificates of cert-manager"
DATABASE = "A user of CloudNativePG"
SESSION = "A session key that is made once"
ENVIRONMENT = "Production"
SEED = {
    "apps": [{"name": "shop", "environments": [{"name": ENVIRONMENT}]}],
    "accounts": [{"name": "pusher", "access": {"shop": ["*"]}}],
}
# What an entry is in the Console: folder, key, type, tags, comment.
Row = tuple[str, ...]


@pytest.fixture
def phase() -> Iterator[EmbeddedPhase]:
    with EmbeddedPhase(SEED) as phase:
        yield phase


def shown(example: str) -> list[Object]:
    """Return the objects that an example applies."""
    return [each for block in fenced(PAGE, example, "yaml") for each in documents.load_all(block)]


def told(example: str) -> list[Row]:
    """Return the table of what Phase's Console shows."""
    lines = (line.strip("|").split("|") for line in section(PAGE, example).splitlines() if line.startswith("| `/"))
    return sorted(tuple(cell.strip(" `") for cell in line) for line in lines)


def certificates(objects: list[Object]) -> tuple[str, Mapping[str, str], dict[str, bytes]]:
    """Return the Secret that cert-manager makes: its name, labels and data."""
    spec = one(objects, "Certificate")["spec"]
    data = {"ca.crt": b"issuer", "tls.crt": b"certificate", "tls.key": b"key"}
    return spec["secretName"], spec["secretTemplate"]["labels"], data


def database(objects: list[Object]) -> tuple[str, Mapping[str, str], dict[str, bytes]]:
    """Return the Secret that CloudNativePG makes for the user of an application."""
    name = one(objects, "Cluster")["metadata"]["name"]
    data = {"dbname": b"app", "host": b"postgres-rw", "username": b"app", "user": b"app", "password": b"secret"}
    return f"{name}-app", {"cnpg.io/cluster": name}, data


def session(objects: list[Object]) -> tuple[str, Mapping[str, str], dict[str, bytes]]:
    """Return the Secret of generated values, from which the Deployment of the example reads."""
    [container] = one(objects, "Deployment")["spec"]["template"]["spec"]["containers"]
    made = (
        generate(each.key, each.kind, bytes, length=each.length, has_symbols=each.has_symbols)
        for each in spec_of(objects).generated
    )
    data = {key: value.reveal().encode() for each in made for key, value in each.items()}
    return container["envFrom"][0]["secretRef"]["name"], {}, data


def spec_of(objects: list[Object]) -> PushSpec:
    """Return what the PhasePushSecret of an example says."""
    return push_spec(PhasePushSecretSpec.model_validate(one(objects, "PhasePushSecret")["spec"]))


async def push(phase: EmbeddedPhase, resource: Object, spec: PushSpec, sources: list[Source]) -> None:
    """Push sources as the operator of the cluster does that the page names."""
    [cluster] = set(re.findall(r"--cluster-name=(\S+?)`", section(PAGE, "Before the examples")))
    key = ObjectKey(resource["metadata"]["namespace"], resource["metadata"]["name"], resource["kind"])
    wanted = desired(sources, spec.tags)
    assert not wanted.problems
    client = Session(ca_file=None, user_agent="test", on_call=lambda *_: None, timer=time.monotonic)
    try:
        credential = PhaseClient(client, b"k" * 32).credential(SecretValue(phase.token("pusher")))
        step = Post(
            PushPlace(phase.url, phase.app_id("shop"), resource["spec"]["phaseAppEnv"]),
            "a",
            tuple(wanted.entries.values()),
            0.0,
        )
        mark = mark_of(installation(cluster, b""), key)
        await PushClient(client).post(credential, step, mark, AnswerMemory(MIB).open("shop"), sent_within=30.0)
    finally:
        await client.close()


def there(phase: EmbeddedPhase) -> list[Row]:
    """Return what the Console shows."""
    found = phase.phase.state.secrets.values()
    return sorted((each.path, each.key, each.type, ", ".join(each.tags), each.comment) for each in found)


@pytest.mark.parametrize(
    ("example", "made"), [(CERTIFICATES, certificates), (DATABASE, database), (SESSION, session)], ids=lambda each: each
)
async def test_an_example_has_in_phase_what_its_table_shows(phase: EmbeddedPhase, example: str, made: Any) -> None:
    objects = shown(example)
    resource, spec = one(objects, "PhasePushSecret"), spec_of(objects)
    name, labels, data = made(objects)
    rule = spec.rule_of(Kind.SECRET, name, labels)
    assert rule is not None, f"{name} is no source"

    await push(phase, resource, spec, [Source(Kind.SECRET, name, "1", rule, data)])

    assert there(phase) == told(example)
    assert told(example)


def test_a_secret_of_cert_manager_without_the_label_is_pushed_by_no_example() -> None:
    """While a certificate is issued, its next key is in a Secret with the labels of cert-manager alone."""
    labels = {"controller.cert-manager.io/fao": "true", "cert-manager.io/next-private-key": "true"}

    assert spec_of(shown(CERTIFICATES)).rule_of(Kind.SECRET, "shop-example-com-x7k2p", labels) is None


def test_the_examples_differ_in_names_and_folders_so_that_one_cluster_has_all_of_them() -> None:
    resources = [one(shown(each), "PhasePushSecret") for each in (CERTIFICATES, DATABASE, SESSION)]

    assert len({each["metadata"]["name"] for each in resources}) == len(resources)
    assert len({each["spec"]["phaseAppEnvPath"] for each in resources}) == len(resources)
    assert {each["metadata"]["namespace"] for each in resources} == {"shop"}


@pytest.mark.parametrize(
    ("example", "entries"), [(each, len(told(each))) for each in (CERTIFICATES, DATABASE, SESSION)]
)
def test_the_output_of_kubectl_on_the_page_agrees_with_its_table(example: str, entries: int) -> None:
    name = one(shown(example), "PhasePushSecret")["metadata"]["name"]
    lines = [line.split() for block in fenced(PAGE, example, "console") for line in block.splitlines()]

    headers = [line for line in lines if line[0] == "NAME"]
    last = dict(zip(headers[0], [line for line in lines if line[0] == name][-1], strict=True))
    assert set(map(tuple, headers)) == {("NAME", "APP", "ENV", "READY", "REASON", "ENTRIES", "CHANGED", "AGE")}
    assert (last["READY"], last["REASON"], last["ENTRIES"]) == ("True", "Synced", str(entries))
