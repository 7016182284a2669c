"""The attacks of one tenant on others, each a function; each goes on until its block ends.

An attack has the rights of the built-in role `edit` and every right on PhaseSecrets, in a namespace of its own.
"""

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, ExitStack, contextmanager, suppress
from typing import Any

from phase_dev.cluster import CommandFailed
from phase_dev.cluster.client import Client
from phase_operator.api import names
from support.bad_phase import BEHAVIOURS
from support.neighbours import Hostile
from support.operator_process import eventually, meanwhile
from support.resolving import DEAD, HANGS, SLOW
from support.vast_objects import PATHS, body, deep, leave
from support.world import World, deployment, phase_secret, secret

Document = dict[str, Any]
Attack = Callable[[Hostile, World], AbstractContextManager[None]]
# The label by which the operator of these tests lets a namespace write targets anywhere.
TRUSTED = {"tenant": "trusted"}
# So often something is edited without a pause.
_EVERY = 1 / 50
_MANY = 2_000
# As many objects of a megabyte.
_VAST = 40

_GROUP = "/apis/secrets.phase.dev/v1alpha1/namespaces"
ATTACKS: dict[str, Attack] = {}


def attack(does: Callable[[Hostile, World], Iterator[None]]) -> Callable[[Hostile, World], Iterator[None]]:
    """Name an attack by its function."""
    ATTACKS[does.__name__] = contextmanager(does)
    return does


def _hosts(name: str, *behaviours: str) -> None:
    """Let 48 PhaseSecrets ask hosts that behave so, with a token that has keys."""

    def does(hostile: Hostile, _: World) -> Iterator[None]:
        each = 48 // len(behaviours)
        hostile.apply(secret("phase-service-token", {"token": ":".join(["pss_service:v2", *["a1" * 32] * 4])}))
        hostile.apply(*(hostile.asks(f"{one}-{n}", one, n) for one in behaviours for n in range(each)))
        eventually(lambda: any(hostile.phase.asked[one] for one in behaviours), within=60, what=f"{name} is asked")
        yield

    does.__name__ = name
    attack(does)


HOSTS = {
    "hosts_that_do_not_answer": ("hang", "drip", "slow-head"),
    "hosts_that_answer_too_much": ("endless", "bomb", "one-bomb", "many", "large", "deep", "headers", "interim"),
    "hosts_that_answer_odd_things": ("page", "odd-date", "redirects", "resets", "garbage"),
    "hosts_that_refuse": ("refuses", "busy", "broken"),
    "hosts_with_names_that_look_alike": ("names", "keys"),
    "encrypted_apps_that_are_vast_or_none": ("many-apps", "two-faced", "endless-keyring"),
}
for _name, _behaviours in HOSTS.items():
    _hosts(_name, *_behaviours)
assert sorted(sum(HOSTS.values(), ("good",))) == sorted(BEHAVIOURS), "there is an attack with every behaviour"


def _connections(name: str, *manners: str) -> None:
    """Let 48 PhaseSecrets ask hosts whose connections are so."""

    def does(hostile: Hostile, _: World) -> Iterator[None]:
        each = 48 // len(manners)
        urls = [(one, n, hostile.connections.url(one, n)) for one in manners for n in range(each)]
        hostile.apply(*(phase_secret(f"{one}-{n}", url) for one, n, url in urls))
        met = hostile.connections.met
        eventually(lambda: any(met.get(one) for one in manners), within=60, what=f"{name} is asked")
        yield

    does.__name__ = name
    attack(does)


_connections("connections_that_are_not_accepted_or_shake_no_hands", "never-accepts", "silent-tls", "drips-tls")
_connections("certificates_of_a_megabyte_and_resets_at_each_byte", "long-chain", "cut-tls", "resets")


@attack
def floods_after_the_handshake(hostile: Hostile, _: World) -> Iterator[None]:
    """Headers, interim answers and bodies without end, from hosts whose certificate is trusted."""
    behaviours = ("headers", "interim", "endless", "drip")
    asked = [(one, n, hostile.phase.tls_url(one, n)) for one in behaviours for n in range(12)]
    hostile.apply(*(phase_secret(f"{one}-{n}", url) for one, n, url in asked))
    yield


@attack
def names_that_no_server_tells(hostile: Hostile, _: World) -> Iterator[None]:
    """Names whose lookups hang or take 20 s, and names of 64 addresses at which nothing answers."""
    port = hostile.connections.ports["never-accepts"]
    hosts = [f"n{n}.{one}:{port}" for one in (HANGS, SLOW, DEAD) for n in range(16)]
    hostile.apply(*(phase_secret(f"name-{n}", f"http://{host}") for n, host in enumerate(hosts)))
    yield


@attack
def questions_that_a_proxy_refuses(hostile: Hostile, good: World) -> Iterator[None]:
    """Ask the good tenant's own Phase questions that are as long as may be, with an invented token."""
    long: dict[str, Any] = {"phaseHost": good.phase.url, "phaseAppEnvTags": ["é" * 60] * 10}
    asks = (hostile.asks(f"long-{n}", "good", phaseAppEnv=f"env-{n}", **long) for n in range(12))
    hostile.apply(*asks, check=False)
    yield


@attack
def patterns(hostile: Hostile, _: World) -> Iterator[None]:
    """Patterns that match nearly everything, over and over, for as many keys as an answer may have."""
    globs = [f"*{chr(97 + number % 26)}*{number}*" for number in range(64)]
    keys = {"include": globs, "exclude": [f"{each}?" for each in globs]}
    for number in range(20):
        hostile.apply(hostile.asks(f"patterns-{number}", "keys", keys=keys), check=False)
    yield


@attack
def templates(hostile: Hostile, _: World) -> Iterator[None]:
    """Texts that each miss a key whose name nearly all have."""
    texts = {f"text-{number}": "{{ " + "A" * 150 + f"{number} }}}}" for number in range(16)}
    targets = [{"secretName": f"templates-{number}", "template": {"data": texts}} for number in range(64)]
    hostile.apply(hostile.asks("templates", "keys", managedSecretReferences=targets), check=False)
    yield


@attack
def apps_and_tags_that_are_nearly_there(hostile: Hostile, _: World) -> Iterator[None]:
    """Apps and tags whose names are nearly those that there are."""
    for number in range(10):
        asks: dict[str, Any] = {"phaseApp": "a" * 180 + str(number), "phaseAppEnvTags": ["b" * 60]}
        hostile.apply(hostile.asks(f"names-{number}", "names", **asks), check=False)
    yield


@attack
def fights_for_targets(hostile: Hostile, _: World) -> Iterator[None]:
    """PhaseSecrets that fight for the same objects, as wholes, as versions and as keys."""
    fields: list[dict[str, Any]] = [{}, {"adopt": True}, {"versioned": {"keep": 1}}, {"creationPolicy": "Merge"}]
    for number in range(24):
        prizes = [{"secretName": f"prize-{prize}", **fields[number % 4]} for prize in range(16)]
        hostile.apply(hostile.asks(f"fight-{number}", "good", managedSecretReferences=prizes), check=False)
    yield


@attack
def a_storm_of_edits(hostile: Hostile, _: World) -> Iterator[None]:
    """Fifty PhaseSecrets that get another sync annotation again and again."""
    hostile.apply(*(hostile.asks(f"storm-{number}", "good") for number in range(50)))
    turns = 0

    def storm(client: Client) -> None:
        nonlocal turns
        turns += 1
        change = {"metadata": {"annotations": {names.ANNOTATION_SYNC: f"{turns}-" + "x" * 1000}}}
        for number in range(50):
            with suppress(CommandFailed):
                client.patch(f"{_GROUP}/{hostile.namespace}/phasesecrets/storm-{number}", change)

    with hostile.client() as client, meanwhile(lambda: storm(client), every=0.1):
        yield
        eventually(lambda: turns > 5, within=60, what="all are edited again and again")


@attack
def secrets_edited_50_times_a_second(hostile: Hostile, _: World) -> Iterator[None]:
    """Edit the token of ten PhaseSecrets, and their targets."""
    hostile.apply(*(hostile.asks(f"edits-{number}", "good") for number in range(10)))
    secrets = f"/api/v1/namespaces/{hostile.namespace}/secrets"
    eventually(lambda: hostile.api.get("secret", "edits-0", hostile.namespace), what="a target is written")

    def token(client: Client, number: int) -> None:
        client.patch(f"{secrets}/{names.DEFAULT_TOKEN_SECRET}", {"stringData": {"token": f"{number % 7:064x}"}})

    def target(client: Client, number: int) -> None:
        change = {"stringData": {"KEY_1": str(number)}, "metadata": {"annotations": {"x": str(number)}}}
        client.patch(f"{secrets}/edits-{number % 10}", change)

    with _again_and_again(hostile, token), _again_and_again(hostile, target):
        yield


@attack
def phase_secrets_flipped_50_times_a_second(hostile: Hostile, _: World) -> Iterator[None]:
    """One between two questions, one between work and rest, one that comes and goes."""
    hostile.apply(*(hostile.asks(f"flips-{name}", "good") for name in ("spec", "suspend", "life")))
    path = f"{_GROUP}/{hostile.namespace}/phasesecrets"
    life = hostile.asks("flips-life", "good", managedSecretReferences=[{"secretName": "l", "deletionPolicy": "Delete"}])

    def spec(client: Client, number: int) -> None:
        url = hostile.phase.url(("good", "keys")[number % 2], number % 2)
        client.patch(f"{path}/flips-spec", {"spec": {"phaseHost": url}})

    def suspend(client: Client, number: int) -> None:
        client.patch(f"{path}/flips-suspend", {"spec": {"suspend": number % 2 == 0}})

    def come_and_go(client: Client, _: int) -> None:
        client.delete(f"{path}/flips-life")
        client.create(path, life)

    with ExitStack() as stack:
        for each in (spec, suspend, come_and_go):
            stack.enter_context(_again_and_again(hostile, each))
        yield


@attack
def a_grant_that_comes_and_goes_50_times_a_second(hostile: Hostile, good: World) -> Iterator[None]:
    """Flip the label by which his namespace may write to others; `edit` cannot set it, so an admin does."""
    theirs = {"secretNamespace": good.namespace}
    targets = [{"secretName": f"foreign-{number}", **theirs} for number in range(4)]
    asks = [hostile.asks(f"grant-{n}", "good", managedSecretReferences=[target]) for n, target in enumerate(targets)]
    # One wants what is his neighbour's.
    asks.append(hostile.asks("grant-theirs", "good", managedSecretReferences=[{"secretName": "shop", **theirs}]))
    hostile.apply(*asks)
    path = f"/api/v1/namespaces/{hostile.namespace}"

    def label(client: Client, number: int) -> None:
        value = TRUSTED["tenant"] if number % 2 else None
        client.patch(path, {"metadata": {"labels": {"tenant": value, "other": str(number % 9)}}})

    with _again_and_again(hostile, label, is_admin=True):
        yield


@contextmanager
def _again_and_again(
    hostile: Hostile, edit: Callable[[Client, int], None], *, is_admin: bool = False
) -> Iterator[None]:
    """Edit 50 times a second, or as often as the API server lets him; what it refuses is tried again.

    It ends after more than 50 edits, however soon its block does.
    """
    made = 0
    with hostile.plane.client() if is_admin else hostile.client() as client:

        def once() -> None:
            nonlocal made
            made += 1
            with suppress(CommandFailed):
                edit(client, made)

        with meanwhile(once, every=_EVERY):
            yield
            eventually(lambda: made > 50, within=60, what="there are edits")


@attack
def two_thousand_at_once(hostile: Hostile, _: World) -> Iterator[None]:
    """As many apps, environments, hosts and targets, and a hundred tokens."""
    hostile.apply(*(secret(f"token-{number}", {"token": f"{number:064x}"}) for number in range(100)))
    waiting = iter(range(_MANY))
    taken = threading.Lock()

    def asks(number: int) -> Document:
        token = {"serviceToken": {"serviceTokenSecretReference": {"secretName": f"token-{number % 100}"}}}
        where: dict[str, Any] = {"phaseApp": f"shop-{number}", "phaseAppEnv": f"env-{number}", "authentication": token}
        return phase_secret(f"m{number}", hostile.phase.host(("good", "hang")[number % 8 == 0], number), **where)

    def create(_: int) -> None:
        with hostile.client() as client:
            while True:
                with taken:
                    number = next(waiting, None)
                if number is None:
                    return
                client.create(f"{_GROUP}/{hostile.namespace}/phasesecrets", asks(number))

    with ThreadPoolExecutor(8) as creating:
        creation = creating.map(create, range(8))
        yield
        list(creation)


@attack
def statuses_that_he_writes_himself(hostile: Hostile, good: World) -> Iterator[None]:
    """Statuses that no version of the operator would write."""
    hostile.apply(*(hostile.asks(f"status-{number}", "good") for number in range(4)))
    target = {"kind": "Secret", "name": "x", "namespace": good.namespace, "ready": True}
    strange: list[dict[str, Any]] = [
        {"targets": [{**target, "kind": "Nonsense"}]},
        {"targets": [{**target, "name": f"x-{number}"} for number in range(256)]},
        {"source": {"entries": 2**31 - 1, "appId": "x" * 64}, "lastForcedSync": "x" * 256},
        {"conditions": [], "observedGeneration": 2**60},
    ]
    with hostile.client() as client:
        for number, status in enumerate(strange):
            with suppress(CommandFailed):
                path = f"{_GROUP}/{hostile.namespace}/phasesecrets/status-{number}/status"
                client.patch(path, {"status": status})
    yield


@attack
def workloads_that_never_come_up(hostile: Hostile, _: World) -> Iterator[None]:
    """Twelve Deployments without a deadline."""
    hostile.apply(hostile.asks("stuck", "good"))
    for number in range(12):
        stuck = deployment(f"stuck-{number}", "stuck")
        stuck["metadata"]["annotations"] = {names.ANNOTATION_REDEPLOY: "true"}
        stuck["spec"]["progressDeadlineSeconds"] = 2**31 - 1
        stuck["spec"]["template"]["spec"]["nodeSelector"] = {"there-is": "no-such-node"}
        hostile.apply(stuck)
    yield


@attack
def objects_that_he_marks_as_others(hostile: Hostile, good: World) -> Iterator[None]:
    """Secrets with every label and annotation of the operator's, that name the good tenant's PhaseSecret."""
    marks = {
        names.ANNOTATION_OWNER: f"{good.namespace}/shop",
        names.ANNOTATION_DIGEST: "00" * 32,
        names.ANNOTATION_KEYS: "A" * 4000,
        names.ANNOTATION_SEAL: "B" * 4000,
        names.ANNOTATION_ON_REMOVAL: "Delete",
    }
    labels = {names.LABEL_TARGET: names.LABEL_TARGET_VALUE, names.LABEL_VERSION_OF: "shop"}
    named = [(kind, f"marked-{number}") for kind in ("Secret", "ConfigMap") for number in range(50)]
    metadata = {"labels": labels, "annotations": marks}
    hostile.apply(*({"apiVersion": "v1", "kind": kind, "metadata": {"name": name, **metadata}} for kind, name in named))
    yield
    found = hostile.api.items("secrets", hostile.namespace, labelSelector=names.LABEL_VERSION_OF)
    assert sum("marked-" in each["metadata"]["name"] for each in found) == 50


@attack
def objects_of_a_megabyte_and_of_any_depth(hostile: Hostile, _: World) -> Iterator[None]:
    """ConfigMaps with more keys than anybody judges, and objects whose managedFields are nested thousands deep."""
    label = {names.LABEL_TARGET: names.LABEL_TARGET_VALUE}
    config_map: Document = {"apiVersion": "v1", "kind": "ConfigMap"}
    # Made so, not patched to be so: a patch with 5,000 fields in one another takes the API server two seconds.
    leave(hostile.account, _deep(hostile, label))
    data = {f"k{key:05x}": "" for key in range(45_000)}
    made: list[str] = []

    def create(client: Client) -> None:
        if len(made) < _VAST:
            metadata: Document = {"name": f"vast-{len(made)}", "labels": label}
            with suppress(CommandFailed):
                client.create(
                    f"/api/v1/namespaces/{hostile.namespace}/configmaps",
                    config_map | {"metadata": metadata, "data": data},
                )
            made.append(metadata["name"])

    with hostile.client() as client, meanwhile(lambda: create(client), every=_EVERY):
        yield
    assert made


def _deep(hostile: Hostile, label: dict[str, str]) -> Iterator[tuple[str, str]]:
    for depth in (300, 5_000):
        name = f"deep-{depth}"
        yield PATHS["ConfigMap"], body("ConfigMap", name, {"labels": label}, deep(depth))
        asks = hostile.asks(name, "good")
        yield (
            PATHS["PhaseSecret"],
            body("PhaseSecret", name, {}, deep(depth), apiVersion=asks["apiVersion"], spec=asks["spec"]),
        )


@attack
def names_of_his_neighbour_s(hostile: Hostile, good: World) -> Iterator[None]:
    """PhaseSecrets that name the good tenant's token, Secret and namespace in every place that takes a namespace."""
    token = {"serviceToken": {"serviceTokenSecretReference": {"secretNamespace": good.namespace, "secretName": "shop"}}}
    target = {"secretName": "shop", "secretNamespace": good.namespace}
    more: dict[str, dict[str, Any]] = {
        "restart": {"restart": "All"},
        "merge": {"creationPolicy": "Merge"},
        "versions": {"versioned": {"keep": 1}},
        "adopt": {"adopt": True},
    }
    spies = [
        hostile.asks("token", "good", authentication=token),
        hostile.asks("target", "good", managedSecretReferences=[target]),
        hostile.asks("suspended", "good", suspend=True, managedSecretReferences=[target]),
        *(hostile.asks(name, "good", managedSecretReferences=[{**target, **each}]) for name, each in more.items()),
    ]
    hostile.apply(*spies, check=False)
    yield
    refused = hostile.api.items("phasesecrets", hostile.namespace)
    assert refused
    assert {reason for each in refused for reason in _reasons(each)} <= {"CrossNamespaceRefused", "InvalidSpec"}


def _reasons(found: Document) -> Iterator[str]:
    for condition in (found.get("status") or {}).get("conditions") or []:
        if condition["type"] == "Ready":
            yield condition["reason"]
