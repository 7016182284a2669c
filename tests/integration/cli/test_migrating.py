"""`migrate` on a real API server, with the embedded Phase, and an operator that takes over what was handed over."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from phase_dev.cluster import ControlPlane
from phase_dev.server import EmbeddedPhase
from phase_operator.cli.common.manifests import read
from phase_operator.cli.migrating.converters import Other, convert
from phase_operator.cli.migrating.draft import Named
from support.canary import Canary
from support.operator_process import REPOSITORY, OperatorProcess, running_operator
from support.person import Person, administrator, person
from support.world import World, phase_secret, secret

SAMPLES = REPOSITORY / "tests/unit/cli/migrating/samples"
OWNER = "secrets.phase.dev/owner"
FROM = ("--from", "official-v1")
SOURCE = ("--from", "official-v2")
# Nothing is read for its interval while a test runs.
_NEVER = 3600


@pytest.fixture(scope="module")
def operator(
    installed: ControlPlane, phase: EmbeddedPhase, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[OperatorProcess]:
    with running_operator(installed, tmp_path_factory.mktemp("operator")) as operator:
        yield operator


@pytest.fixture
def world(installed: ControlPlane, phase: EmbeddedPhase, namespace: str, canary: Canary) -> World:
    for form in ("hex", "pss"):
        canary.token(phase.token("operator", form=form))
    world = World(installed, namespace, phase, canary)
    world.token()
    phase.reset_calls()
    return world


@pytest.fixture
def admin(world: World) -> Person:
    return administrator(world.plane, world.canary)


@pytest.fixture
def token_file(world: World, tmp_path: Path) -> Path:
    file = tmp_path / "token"
    file.write_text(world.phase.token("operator", form="pss"))
    return file


def folder(world: World) -> str:
    return f"/{world.namespace}"


def make(world: World, name: str = "shop", **spec: Any) -> None:
    """Apply a PhaseSecret of the test's own folder."""
    world.phase_secret(name, **{"phaseAppEnvPath": folder(world), "pollingInterval": _NEVER, **spec})


def entry(world: World, key: str, *tags: str, value: str | None = None) -> None:
    text = world.canary.value(key) if value is None else value
    world.phase.set("shop", "production", key, text, path=folder(world), tags=tags)


def mark(world: World, name: str = "shop") -> str | None:
    found = world.get("secret", name)
    assert found is not None
    return (found["metadata"].get("annotations") or {}).get(OWNER)


@pytest.mark.parametrize("named", [Named(), Named("shop", "production", "phase-token")], ids=["unnamed", "named"])
@pytest.mark.parametrize("other", Other)
def test_the_api_server_takes_every_converted_sample(world: World, other: Other, named: Named) -> None:
    bodies = [each.body for each in read([str(SAMPLES / f"{other}.yaml")])]

    for converted in convert(bodies, other, named).made:
        document = yaml.safe_load(converted.as_yaml())
        del document["metadata"]["namespace"]
        world.api.create(document, world.namespace, dryRun="All", fieldValidation="Strict")


def test_adopt_lists_asks_and_marks_and_the_operator_takes_over(
    world: World, admin: Person, operator: OperatorProcess
) -> None:
    entry(world, "DB_URL")
    world.apply(secret("shop", {"DB_URL": world.canary.value("old"), "OLD": world.canary.value("gone")}))
    make(world)
    world.operator = operator
    world.until_reason("TargetConflict")
    command = ("migrate", "adopt", *FROM, "-n", world.namespace)

    refused = admin.does(*command, code=1)
    tried = admin.does(*command, "--dry-run", code=0)
    untouched = mark(world)
    admin.does(*command, "--yes", code=0)

    lines = refused.stdout.replace(world.namespace, "NAMESPACE").splitlines()
    assert [" ".join(line.split()) for line in lines] == [
        "WHAT SECRET PHASESECRET MADE BY KEYS TAKEN OUT WHY",
        "mark NAMESPACE/shop NAMESPACE/shop kubectl-client-side-apply 2 at least 1 -",
    ]
    assert "nothing was done" in refused.stderr
    assert "would be marked" in tried.stderr
    assert untouched is None
    assert mark(world) == f"{world.namespace}/shop"
    world.until_ready()
    assert set(world.data() or {}) == {"DB_URL"}
    assert "it has the mark" in admin.does(*command, code=0).stdout


def test_adopt_leaves_what_another_tool_keeps_unless_it_is_named_and_forced(world: World, admin: Person) -> None:
    kept = secret("shop", {"A": world.canary.value("a")})
    kept["metadata"]["labels"] = {"app.kubernetes.io/managed-by": "Helm"}
    world.apply(kept)
    make(world)
    command = ("migrate", "adopt", "--from", "eso", "-n", world.namespace, "--yes")

    plain = admin.does(*command, code=1)
    named = admin.does(*command, "shop", code=1)
    before = mark(world)
    admin.does(*command, "shop", "--force", code=0)

    assert "Helm keeps it" in plain.stdout
    assert "Helm keeps it" in named.stdout
    assert before is None
    assert mark(world) == f"{world.namespace}/shop"


def test_adopt_says_if_no_resource_names_a_secret(world: World, admin: Person) -> None:
    make(world)

    result = admin.does("migrate", "adopt", *FROM, "-n", world.namespace, "other", code=1)

    assert f'no PhaseSecret names "{world.namespace}/other"' in result.stderr


def test_adopt_warns_of_an_operator_that_still_runs(world: World, admin: Person) -> None:
    container = {"name": "operator", "image": "phasehq/kubernetes-operator:v1.4.1"}
    deployment: dict[str, Any] = {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "official"},
        "spec": {
            "replicas": 1,
            "selector": {"matchLabels": {"app": "official"}},
            "template": {"metadata": {"labels": {"app": "official"}}, "spec": {"containers": [container]}},
        },
    }
    world.apply(deployment, secret("shop", {"A": world.canary.value("a")}))
    make(world)
    command = ("migrate", "adopt", *FROM, "-n", world.namespace)

    refused = admin.does(*command, code=1)
    before = mark(world)
    forced = admin.does(*command, "--yes", code=0)

    assert f'still runs: Deployment "{world.namespace}/official"' in refused.stderr
    assert before is None
    assert "warning: " in forced.stderr
    assert mark(world) == f"{world.namespace}/shop"
    world.api.delete("deployment", "official", world.namespace)


@pytest.mark.parametrize(("role", "right"), [("view", "secrets"), (None, "phasesecrets")])
def test_adopt_without_a_right_prints_the_role_that_gives_it(world: World, role: str | None, right: str) -> None:
    make(world)
    somebody = person(world.plane, world.namespace, world.canary, role)

    result = somebody.does("migrate", "adopt", *FROM, code=1)

    message, _, role_text = result.stderr.partition("this gives what the command needs:\n")
    assert right in message
    [given, binding] = yaml.safe_load_all(role_text)
    assert (given["kind"], given["rules"][0]["resources"], binding["kind"]) == ("Role", [right], "RoleBinding")


def test_an_editor_adopts_in_the_own_namespace(world: World) -> None:
    world.apply(secret("shop", {"A": world.canary.value("a")}))
    make(world)
    editor = person(world.plane, world.namespace, world.canary, "edit")

    refused = editor.does("migrate", "adopt", *FROM, code=1)
    editor.does("migrate", "adopt", *FROM, "--yes", code=0)

    assert "nobody can tell whether the operator of official-v1 still runs" in refused.stderr
    assert mark(world) == f"{world.namespace}/shop"


def test_check_names_the_keys_that_would_be_lost(world: World, admin: Person, token_file: Path) -> None:
    entry(world, "DB_URL", "db")
    entry(world, "DB_REPLICA", "db-main")
    entry(world, "EMPTY", "db", value="")
    make(world, phaseAppEnvTag="db")
    command = ("migrate", "check", *SOURCE, "-n", world.namespace, "--token-file", str(token_file))

    result = admin.does(*command, "--host", world.phase.url, code=1)

    lines = result.stdout.replace(world.namespace, "NAMESPACE").splitlines()
    assert "\n".join(" ".join(line.split()) for line in lines) == (
        "SEVERITY RESOURCE WHERE WHAT DIFFERS\n"
        "breaks silently NAMESPACE/shop Secret NAMESPACE/shop "
        'loses 1 key: "DB_REPLICA"; tag "db" is the whole tag here: '
        'phaseAppEnvTags takes several, "db-main" among them\n'
        "differs NAMESPACE/shop Secret NAMESPACE/shop "
        'gets 1 key with an empty value, left out there: "EMPTY"\n'
        "note NAMESPACE/shop spec.pollingInterval "
        "every 3600 s Phase is asked once for all resources of an app, and not for each"
    )
    assert "Not judged" not in result.stderr


def test_check_asks_no_host_that_the_person_did_not_name(world: World, admin: Person, token_file: Path) -> None:
    """Nobody is at this host: if it were asked, the command would end in 4."""
    make(world, phaseHost="http://127.0.0.1:9")

    result = admin.does("migrate", "check", *SOURCE, "-n", world.namespace, "--token-file", str(token_file), code=0)

    assert "what Phase holds at http://127.0.0.1:9: the token is sent there only with --host" in result.stderr


def test_check_takes_the_token_of_the_secret_that_a_resource_names(world: World, admin: Person) -> None:
    entry(world, "DB_URL", "db-main")
    make(world, phaseAppEnvTag="db")
    make(world, "tokenless", authentication=token_in("none"))
    command = ("migrate", "check", *SOURCE, "-n", world.namespace, "--token-from-cluster", "-o", "json")

    found = json.loads(admin.does(*command, "--host", world.phase.url, code=1).stdout)["resources"]

    shop, tokenless = sorted(found, key=lambda each: str(each["name"]))
    assert any("DB_URL" in each["what"] for each in shop["findings"])
    assert 'there is no Secret "none"' in tokenless["notJudged"][0]


def test_a_token_goes_to_the_hosts_that_its_secret_lists_and_to_no_other(world: World, admin: Person) -> None:
    """Nobody is at the other host: if it were asked, the command would end in 4."""
    listed = secret("listed", {"token": world.phase.token("operator", form="pss")})
    listed["metadata"]["annotations"] = {"secrets.phase.dev/allowed-hosts": world.phase.url}
    world.apply(listed)
    entry(world, "DB_URL")
    make(world, "asked", authentication=token_in("listed"))
    make(world, "refused", authentication=token_in("listed"), phaseHost="http://127.0.0.1:9")
    command = ("migrate", "check", *SOURCE, "-n", world.namespace, "--token-from-cluster", "-o", "json")

    found = json.loads(admin.does(*command, "--host", "http://127.0.0.1:9", code=0).stdout)["resources"]

    asked, refused = sorted(found, key=lambda each: str(each["name"]))
    assert asked["notJudged"] == []
    assert "http://127.0.0.1:9" in refused["notJudged"][0]


def token_in(name: str) -> dict[str, Any]:
    return {"serviceToken": {"serviceTokenSecretReference": {"secretName": name}}}


def test_check_names_the_app_and_the_environment_that_were_meant(world: World, admin: Person, token_file: Path) -> None:
    entry(world, "DB_URL")
    make(world, phaseApp="sho", phaseAppEnv="produc")
    command = ("migrate", "check", *SOURCE, "-n", world.namespace, "--token-file", str(token_file))

    [found] = json.loads(admin.does(*command, "--host", world.phase.url, "-o", "json", code=1).stdout)["resources"]

    stops = [each for each in found["findings"] if each["severity"] == "stops"]
    assert [each["what"].partition(":")[0] for each in stops] == ["AppNotFound", "EnvironmentNotFound"]
    assert ['"shop"' in stops[0]["cure"].lower(), '"production"' in stops[1]["cure"].lower()] == [True, True]
    assert found["notJudged"] == []


def test_check_reads_an_end_to_end_encrypted_app(world: World, admin: Person, token_file: Path) -> None:
    make(world, phaseApp="billing", phaseAppEnvPath="/")
    command = ("migrate", "check", *SOURCE, "-n", world.namespace, "--token-file", str(token_file))

    [found] = json.loads(admin.does(*command, "--host", world.phase.url, "-o", "json").stdout)["resources"]

    assert (found["notJudged"], {each["severity"] for each in found["findings"]}) == ([], {"note"})


def test_check_looks_at_the_secrets_that_stand_there(world: World, admin: Person, token_file: Path) -> None:
    entry(world, "DB_URL")
    official = secret("official", {"DB_URL": world.canary.value("old")})
    world.api.create(official, world.namespace, fieldManager="OpenAPI-Generator")
    world.apply(secret("others", {"DB_URL": world.canary.value("old"), "OLD": world.canary.value("x")}))
    make(world, managedSecretReferences=[{"secretName": "official"}, {"secretName": "others"}])
    command = ("migrate", "check", *FROM, "-n", world.namespace, "--token-file", str(token_file))

    [found] = json.loads(admin.does(*command, "--host", world.phase.url, "-o", "json", code=1).stdout)["resources"]

    [conflict] = [each for each in found["findings"] if each["severity"] == "stops"]
    assert (conflict["where"], conflict["what"].partition(":")[0]) == (
        f"Secret {world.namespace}/others",
        "TargetConflict",
    )
    assert '"OLD"' in conflict["cure"]


def test_check_says_of_each_resource_what_its_status_says_then(
    world: World, admin: Person, operator: OperatorProcess, token_file: Path
) -> None:
    world.operator = operator
    for place, key, value in (
        ("text", "TEXT", "!no base64!"),
        ("reference", "REFERENCE", "${MISSING}"),
        ("twice", "DB_HOST", "one"),
        ("twice", "db_host", "two"),
    ):
        world.phase.set("shop", "production", key, value, path=f"{folder(world)}/{place}", keep_case=True)
    entry(world, "PLAIN")
    world.apply(secret("of-others", {"PLAIN": world.canary.value("old")}))
    cases: dict[str, dict[str, Any]] = {
        "AppNotFound": {"phaseApp": "sho"},
        "EnvironmentNotFound": {"phaseAppEnv": "produc"},
        "CrossNamespaceRefused": target("cross", secretNamespace="default"),
        "TypeNotSupported": target("account", secretType="kubernetes.io/service-account-token"),
        "TypeMismatch": target("tls", secretType="kubernetes.io/tls"),
        "ValueInvalid": {**below(world, "text"), **target("binary", processors={"TEXT": {"type": "base64"}})},
        "KeyCollision": {**below(world, "twice"), **target("camel", nameTransformer="camel")},
        "UnresolvedReferences": below(world, "reference"),
        "NoEntries": below(world, "empty"),
        "TargetConflict": target("of-others"),
        "Synced": {},
    }
    for reason, spec in cases.items():
        make(world, reason.lower(), **spec)
    for reason in cases:
        world.until_reason(reason, reason.lower())
    command = ("migrate", "check", *FROM, "-n", world.namespace, "--token-file", str(token_file))

    found = json.loads(admin.does(*command, "--host", world.phase.url, "-o", "json", code=1).stdout)["resources"]

    said = {each["name"]: [finding["what"] for finding in each["findings"]] for each in found}
    unsaid = [reason for reason in cases if not any(what.startswith(f"{reason}:") for what in said[reason.lower()])]
    assert unsaid == ["Synced"]
    assert [each["differs"] for each in found if each["name"] == "synced"] == [False]


def target(name: str, **fields: Any) -> dict[str, Any]:
    return {"managedSecretReferences": [{"secretName": name, **fields}]}


def below(world: World, name: str) -> dict[str, str]:
    return {"phaseAppEnvPath": f"{folder(world)}/{name}"}


def test_check_by_a_viewer_says_what_it_could_not_see(world: World) -> None:
    make(world)
    viewer = person(world.plane, world.namespace, world.canary, "view")

    result = viewer.does("migrate", "check", *FROM, code=0)

    assert "Not judged: whether the Secrets that stand there are taken over: you have no right to get" in result.stderr


@pytest.mark.parametrize("token", ["pss_service:v2:broken", "nonsense"])
def test_a_token_that_is_none_ends_in_4(world: World, admin: Person, tmp_path: Path, token: str) -> None:
    make(world)
    file = tmp_path / "token"
    file.write_text(token)
    command = ("migrate", "check", *FROM, "-n", world.namespace, "--host", world.phase.url)

    assert "TokenInvalid" in admin.does(*command, "--token-file", str(file), code=4).stderr


def test_a_phase_that_does_not_answer_ends_in_4(world: World, admin: Person, token_file: Path) -> None:
    make(world, phaseHost="http://127.0.0.1:9")
    command = ("migrate", "check", *FROM, "-n", world.namespace, "--host", "http://127.0.0.1:9")

    admin.does(*command, "--token-file", str(token_file), code=4)


def test_a_hostile_resource_breaks_neither_the_table_nor_the_row_of_another(world: World, admin: Person) -> None:
    evil = "x\x1b[2J\u202e\n\nevil\x07"
    make(world, "good", recursive=True)
    make(world, "hostile", phaseApp=evil, phaseAppEnvTag=evil, phaseAppEnvPath=f"/{evil}")
    annotations = {"example.com/x": "{% " + evil}
    target = {"secretName": "hostile", "template": {"metadata": {"annotations": annotations}}}
    make(world, "worse", managedSecretReferences=[target])
    make(world, "alone", phaseApp=evil)

    result = admin.does("migrate", "check", *SOURCE, "-n", world.namespace, code=1)

    head, *rows = result.stdout.splitlines()
    assert all(line.isprintable() for line in result.output.splitlines())
    assert all(f" {world.namespace}/" in row for row in rows)
    assert any(f"{world.namespace}/good" in row and '"recursive"' in row for row in rows)
    assert head.startswith("SEVERITY")


def test_convert_of_a_cluster_without_the_kind_says_so(world: World, admin: Person) -> None:
    result = admin.does("migrate", "convert", "--from", "eso", "-n", world.namespace, code=1)

    assert result.stderr.endswith(": there is no ExternalSecret to convert\n")


def test_resources_are_chosen_by_label(world: World, admin: Person) -> None:
    labelled = phase_secret("labelled", world.phase.url)
    labelled["metadata"]["labels"] = {"team": "a"}
    world.apply(labelled)
    make(world, "other")
    command = ("migrate", "check", *FROM, "-n", world.namespace, "-l", "team=a", "-o", "json")

    found = json.loads(admin.does(*command, code=0).stdout)["resources"]

    assert [each["name"] for each in found] == ["labelled"]
