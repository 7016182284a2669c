"""Each recipe of the cookbook, applied as it stands to a real API server, makes what its page says."""

import base64
import json
from collections.abc import Iterator
from typing import Any

import pytest
import trustme

from phase_dev.cluster import CommandFailed, ControlPlane
from support.api import api_of
from support.cookbook import Kitchen
from support.followers import generation, until_noted
from support.namespaces import remove_namespaces
from support.operator_process import eventually
from support.world import phase_secret, secret

pytestmark = pytest.mark.controlplane


def definition(group: str, version: str, kind: str) -> dict[str, Any]:
    """Return the smallest CRD of a kind of others."""
    plural = f"{kind.lower()}s"
    schema = {"openAPIV3Schema": {"type": "object", "x-kubernetes-preserve-unknown-fields": True}}
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{plural}.{group}"},
        "spec": {
            "group": group,
            "names": {"kind": kind, "plural": plural},
            "scope": "Namespaced",
            "versions": [{"name": version, "served": True, "storage": True, "schema": schema}],
        },
    }


@pytest.fixture(scope="module")
def kinds_of_others(installed: ControlPlane) -> Iterator[None]:
    """Have the kinds of cert-manager and Sealed Secrets, as far as recipes need them."""
    made = [
        definition("cert-manager.io", "v1", "Issuer"),
        definition("cert-manager.io", "v1", "Certificate"),
        definition("bitnami.com", "v1alpha1", "SealedSecret"),
    ]
    # A cluster has them from the tests before, if these did.
    for each in made:
        api_of(installed).make(each, "")
    names = [f"crd/{each['metadata']['name']}" for each in made]
    installed.kubectl("wait", "--for=condition=Established", *names, "--timeout=20s")
    yield
    installed.kubectl("delete", *names, "--wait=false")


def decoded(kitchen: Kitchen, name: str) -> dict[str, str]:
    found = kitchen.data(name)
    assert found is not None, f"there is no Secret {name}"
    return found


def test_env_vars_come_from_one_secret(kitchen: Kitchen) -> None:
    kitchen.fill(DATABASE_HOST=kitchen.canary.value("host"), LOG_LEVEL=kitchen.canary.value("level"))

    kitchen.cook("env-vars")
    kitchen.until_ready("shop")

    assert {"DATABASE_HOST", "LOG_LEVEL"} <= kitchen.secret("shop")["keys"]
    [container] = kitchen.pod_of("shop")["containers"]
    assert container["envFrom"] == [{"secretRef": {"name": "shop"}}]
    until_noted(kitchen, ("deployment", "shop"))


def test_a_dotenv_file_is_mounted_where_the_program_looks(kitchen: Kitchen) -> None:
    kitchen.fill("/legacy", API_KEY=(value := kitchen.canary.value("key")), GREETING="two words")

    kitchen.cook("dotenv-file")
    kitchen.until_ready("legacy")

    [(key, text)] = decoded(kitchen, "legacy-env").items()
    pod = kitchen.pod_of("legacy")
    [mount] = pod["containers"][0]["volumeMounts"]
    assert (key, mount["subPath"], mount["mountPath"]) == (".env", ".env", "/app/.env")
    assert pod["volumes"][0]["secret"]["secretName"] == "legacy-env"
    assert f"API_KEY='{value}'" in text.splitlines()
    assert "GREETING='two words'" in text.splitlines()


def test_a_connection_string_is_made_by_a_template(kitchen: Kitchen) -> None:
    kitchen.fill("/db", DB_HOST="db.example", DB_USER="shop", DB_PASSWORD="p@ss/w:rd-of-the-test")

    kitchen.cook("connection-string")
    kitchen.until_ready("database")

    url = "postgres://shop:p%40ss%2Fw%3Ard-of-the-test@db.example:5432/shop"
    assert decoded(kitchen, "database") == {"DATABASE_URL": url}
    [container] = kitchen.pod_of("database-client")["containers"]
    assert container["env"][0]["valueFrom"]["secretKeyRef"] == {"name": "database", "key": "DATABASE_URL"}


def test_blue_and_green_run_with_versions_of_their_own(kitchen: Kitchen) -> None:
    kitchen.fill("/checkout", FEATURES=(old := kitchen.canary.value("old")))
    kitchen.cook("blue-green")
    blue = kitchen.until_ready("checkout")["status"]["targets"][0]["version"]
    roll_out(kitchen, "checkout-blue", blue)

    kitchen.fill("/checkout", FEATURES=(new := kitchen.canary.value("new")))
    kitchen.read_now("checkout")
    green = kitchen.until_ready("checkout")["status"]["targets"][0]["version"]
    roll_out(kitchen, "checkout-green", green)

    assert blue != green
    assert (decoded(kitchen, blue), decoded(kitchen, green)) == ({"FEATURES": old}, {"FEATURES": new})
    assert all((kitchen.get("secret", each) or {})["immutable"] for each in (blue, green))
    for colour, version in (("blue", blue), ("green", green)):
        [container] = kitchen.pod_of(f"checkout-{colour}")["containers"]
        assert container["envFrom"] == [{"secretRef": {"name": version}}]
    assert (kitchen.get("service", "checkout") or {})["spec"]["selector"]["colour"] == "blue"


def roll_out(kitchen: Kitchen, deployment: str, version: str) -> None:
    """Have the pods of a colour read a version, by the command of the page."""
    patch = [
        {"op": "replace", "path": "/spec/template/spec/containers/0/envFrom/0/secretRef/name", "value": version},
        {"op": "replace", "path": "/spec/replicas", "value": 2},
    ]
    where = ("-n", kitchen.namespace, "patch", "deployment", deployment, "--type=json")
    kitchen.plane.kubectl(*where, "-p", json.dumps(patch))


def test_only_selected_workloads_are_restarted(kitchen: Kitchen) -> None:
    kitchen.fill("/orders", QUEUE=kitchen.canary.value("queue"))
    kitchen.cook("restart-selected")
    kitchen.until_ready("orders")
    until_noted(kitchen, ("deployment", "orders-api"), ("deployment", "orders-worker"))

    kitchen.fill("/orders", QUEUE=kitchen.canary.value("another queue"))
    kitchen.read_now("orders")

    def restarted() -> set[str]:
        found = (kitchen.get("phasesecret", "orders") or {})["status"]["targets"][0]
        return set(found.get("restarted", []))

    wanted = {"Deployment/orders-api", "Deployment/orders-worker"}
    eventually(lambda: {each.replace(" ", "/") for each in restarted()} == wanted, what="two are restarted")
    assert [generation(kitchen, f"orders-{each}") for each in ("api", "worker", "batch")] == [2, 2, 1]


@pytest.mark.parametrize("environment", ["staging", "production"])
def test_an_overlay_reads_its_own_environment(environment: str, kitchen: Kitchen) -> None:
    value = kitchen.canary.value(environment)
    kitchen.fill(env=environment.title(), SHOP_URL=value)

    kitchen.cook(f"environments/overlays/{environment}")
    found = kitchen.until_ready("shop")

    assert found["spec"]["phaseAppEnv"] == environment
    assert decoded(kitchen, "shop")["SHOP_URL"] == value


def test_an_ingress_has_its_certificate(kitchen: Kitchen) -> None:
    made = trustme.CA().issue_cert("shop.example.com")
    kitchen.fill(
        "/tls",
        TLS_CERTIFICATE=made.cert_chain_pems[0].bytes().decode(),
        TLS_PRIVATE_KEY=kitchen.canary.token(made.private_key_pem.bytes().decode()),
    )

    kitchen.cook("ingress-tls")
    kitchen.until_ready("shop-tls")

    found = kitchen.secret("shop-tls")
    assert (found["type"], found["keys"]) == ("kubernetes.io/tls", {"tls.crt", "tls.key"})
    assert (kitchen.get("ingress", "shop") or {})["spec"]["tls"][0]["secretName"] == "shop-tls"


def test_pods_of_the_account_pull_with_the_secret(kitchen: Kitchen) -> None:
    password = kitchen.canary.value("password")
    kitchen.fill("/registry", PULL_REGISTRY="registry.example", PULL_USERNAME="robot", PULL_PASSWORD=password)

    kitchen.cook("image-pull-secret")
    kitchen.until_ready("registry")

    assert kitchen.secret("registry")["type"] == "kubernetes.io/dockerconfigjson"
    login = json.loads(decoded(kitchen, "registry")[".dockerconfigjson"])["auths"]["registry.example"]
    assert base64.b64decode(login["auth"]).decode() == f"robot:{password}"
    pods = eventually(lambda: kitchen.api.items("pods", kitchen.namespace), what="a pod is made")
    assert [each["spec"]["imagePullSecrets"] for each in pods] == [[{"name": "registry"}]]


def test_argo_cd_gets_a_cluster_a_repository_and_credentials(kitchen: Kitchen) -> None:
    names = ("CLUSTER_URL", "CLUSTER_TOKEN", "CLUSTER_CA", "REPO_URL", "REPO_SSH_KEY", "CREDS_USER", "CREDS_PASSWORD")
    values = {each: kitchen.canary.value(each) for each in names}
    kitchen.fill("/argocd", app="platform", **values)

    kitchen.cook("argocd-secrets")
    kitchen.until_ready("argocd")

    label = "argocd.argoproj.io/secret-type"
    made = {"cluster-west": "cluster", "repository-shop": "repository", "credentials-git-example": "repo-creds"}
    assert {each: kitchen.secret(each)["labels"].get(label) for each in made} == made
    cluster, repository, credentials = (decoded(kitchen, each) for each in made)
    assert cluster.keys() == {"name", "server", "config"}
    assert json.loads(cluster["config"]) == {
        "bearerToken": values["CLUSTER_TOKEN"],
        "tlsClientConfig": {"caData": base64.b64encode(values["CLUSTER_CA"].encode()).decode()},
    }
    assert repository == {"type": "git", "url": values["REPO_URL"], "sshPrivateKey": values["REPO_SSH_KEY"]}
    assert credentials["password"] == values["CREDS_PASSWORD"]


def test_the_secret_of_a_chart_keeps_what_the_chart_wrote(kitchen: Kitchen) -> None:
    kitchen.fill("/grafana", app="platform", LDAP_PASSWORD=(value := kitchen.canary.value("ldap")))

    kitchen.cook("merge-into-chart-secret")
    kitchen.until_ready("grafana")

    assert decoded(kitchen, "grafana") == {"admin-user": "admin", "ldap-password": value}
    assert kitchen.secret("grafana")["labels"]["app.kubernetes.io/managed-by"] == "Helm"

    kitchen.none_left()
    assert decoded(kitchen, "grafana") == {"admin-user": "admin"}


def test_one_token_serves_a_team_without_one(kitchen: Kitchen) -> None:
    kitchen.fill(ONE_TOKEN=(value := kitchen.canary.value("value")))
    api = kitchen.api
    for name in ("phase-tokens", "team-a"):
        api.make({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}, "")
    token = kitchen.phase.token("operator", form="pss")
    api.apply(secret("phase-service-token", {"token": token}), "phase-tokens", "tests")

    kitchen.cook("one-token-for-all-teams", names_its_namespaces=True)
    team = Kitchen(kitchen.plane, "team-a", kitchen.phase, kitchen.canary)
    team.until_ready("shop")

    assert decoded(team, "shop")["ONE_TOKEN"] == value
    assert team.get("secret", "phase-service-token") is None
    team.none_left()
    remove_namespaces(kitchen.plane, "phase-tokens", "team-a")


def test_a_sealed_token_is_used_when_it_is_unsealed(kitchen: Kitchen, kinds_of_others: None) -> None:
    kitchen.fill(SEALED=(value := kitchen.canary.value("value")))
    kitchen.api.delete("secret", "phase-service-token", kitchen.namespace)

    kitchen.cook("sealed-token")
    kitchen.until_reason("TokenSecretNotFound", "shop")

    # What the controller of Sealed Secrets does.
    sealed = kitchen.get("sealedsecret", "phase-service-token") or {}
    kitchen.token(sealed["metadata"]["name"])
    kitchen.until_ready("shop")
    assert set(sealed["spec"]["encryptedData"]) == {"token"}
    assert decoded(kitchen, "shop")["SEALED"] == value


@pytest.fixture
def policies(installed: ControlPlane) -> Iterator[None]:
    """Take the recipe's policies away after the test: they are of the whole cluster."""
    yield
    names = ("phase-host", "phase-no-adopt", "phase-own-namespace")
    for kind in ("validatingadmissionpolicybinding", "validatingadmissionpolicy"):
        installed.kubectl("delete", kind, *names, "--ignore-not-found")
    # The API server goes by what it has seen: for a moment it still refuses what the next test applies.
    refused = {"secretName": "a", "secretNamespace": "elsewhere", "adopt": True}
    document = json.dumps(phase_secret("judged", "https://elsewhere.example", managedSecretReferences=[refused]))
    create = ("-n", "default", "create", "--dry-run=server", "-f", "-")
    eventually(
        lambda: installed.kubectl(*create, stdin=document, check=False).returncode == 0, what="nothing is refused"
    )


def test_policies_refuse_other_hosts_adoption_and_foreign_namespaces(kitchen: Kitchen, policies: None) -> None:
    host = "https://phase.example.com"
    kitchen.cook("policies")

    refusals: dict[str, dict[str, Any]] = {
        "phase-host": {"phaseHost": "https://elsewhere.example"},
        "phase-no-adopt": {"managedSecretReferences": [{"secretName": "a", "adopt": True}]},
        "phase-own-namespace": {"managedSecretReferences": [{"secretName": "a", "secretNamespace": "default"}]},
    }
    for why, spec in refusals.items():
        document = phase_secret("refused", host, **spec)

        def refused(document: dict[str, Any] = document, why: str = why) -> bool:
            try:
                kitchen.api.create(document, kitchen.namespace, dryRun="All")
            except CommandFailed as error:
                return why in str(error)
            return False

        eventually(refused, what=f"{why} refuses")
    kitchen.api.create(phase_secret("taken", host), kitchen.namespace, dryRun="All")


def test_a_pod_reads_the_credentials_of_a_lease(kitchen: Kitchen) -> None:
    kitchen.phase.add_dynamic("shop", "Production", "uploads", path="/aws", defaultTtl=86400, maxTtl=172800)

    kitchen.cook("lease-for-a-pod")
    kitchen.until_served("phasedynamicsecret", "uploads")

    keys = decoded(kitchen, "uploads-aws")
    assert keys.keys() == {"AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_IAM_USERNAME"}
    assert kitchen.phase.leases.opens(keys["AWS_ACCESS_KEY_ID"], keys["AWS_SECRET_ACCESS_KEY"]) is not None
    pod = kitchen.pod_of("uploader")
    assert pod["containers"][0]["envFrom"] == [{"secretRef": {"name": "uploads-aws"}}]
    spec = (kitchen.get("phasedynamicsecret", "uploads") or {})["spec"]
    assert pod["terminationGracePeriodSeconds"] < spec["overlap"]


def test_a_certificate_is_pushed_when_it_is_issued(kitchen: Kitchen, kinds_of_others: None) -> None:
    made = trustme.CA().issue_cert("shop.example.com")
    pair = {
        "tls.crt": made.cert_chain_pems[0].bytes().decode(),
        "tls.key": kitchen.canary.token(made.private_key_pem.bytes().decode()),
    }
    kitchen.cook("push-certificate")
    wanted = (kitchen.get("certificate", "shop-example-com") or {})["spec"]

    # What cert-manager does.
    metadata = {"name": wanted["secretName"], "labels": wanted["secretTemplate"]["labels"]}
    issued = {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": metadata,
        "type": "kubernetes.io/tls",
        "stringData": pair,
    }
    kitchen.apply(issued)

    folder = f"/certificates/{wanted['secretName']}"
    eventually(lambda: pushed(kitchen, folder).keys() == {"TLS_CRT", "TLS_KEY"}, what="the certificate is pushed")
    assert pushed(kitchen, folder) == {"TLS_CRT": pair["tls.crt"], "TLS_KEY": pair["tls.key"]}
    kitchen.until_served("phasepushsecret", "certificates")


def pushed(kitchen: Kitchen, folder: str) -> dict[str, str]:
    """Return the entries of a folder of Phase, as a person sees them."""
    state = kitchen.phase.phase.state
    with state.lock:
        found = list(state.secrets_of(kitchen.phase.environment_id("shop", "Production")))
    return {each.key: each.value for each in found if each.path == folder}
