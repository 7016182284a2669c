"""What the operator's rights are compared with is what the manifests give, and what lacks is named with its cure."""

from collections.abc import Sequence
from typing import Any

import pytest
import yaml

from phase_operator.cli.doctor.deployed import operator_of
from phase_operator.cli.doctor.findings import Unread, Verdict
from phase_operator.cli.doctor.rights import (
    MOST_NAMESPACES,
    AccountRights,
    check_account,
    check_installer,
    check_person,
    lacked,
    needs_of_installer,
    needs_of_operator,
    needs_of_person,
)
from phase_operator.kube.operator_rights import (
    DIGEST_KEY,
    NAMESPACE_LABELS,
    RESTARTS,
    WATCHED,
    Rule,
    leader_rules,
    requests_of,
)
from phase_operator.kube.user_resources import PODS, Request
from support.doctored import deployment, operator
from support.operator_process import REPOSITORY

CHART = REPOSITORY / "helm/phase-operator/templates/_helpers.tpl"


def rules_in(path: str, kind: str) -> list[dict[str, Any]]:
    """Return the rules of the only Role or ClusterRole in a manifest."""
    documents = yaml.safe_load_all((REPOSITORY / "deploy" / path).read_text())
    [role] = (each for each in documents if each["kind"] == kind)
    found: list[dict[str, Any]] = role["rules"]
    return found


def as_rbac(rules: Sequence[Rule]) -> list[dict[str, Any]]:
    return [
        {"apiGroups": [each.group], "resources": list(each.resources)}
        | ({"resourceNames": list(each.objects)} if each.objects else {})
        | {"verbs": list(each.verbs)}
        for each in rules
    ]


@pytest.mark.parametrize(
    ("path", "kind", "rules"),
    [
        ("overlays/cluster-wide/rbac.yaml", "ClusterRole", WATCHED + RESTARTS),
        ("watched-namespace/rbac.yaml", "Role", WATCHED + RESTARTS),
        ("overlays/namespaced/own-namespace.yaml", "Role", DIGEST_KEY),
        ("base/lease.yaml", "Role", leader_rules("phase-operator")),
        ("namespace-labels/rbac.yaml", "ClusterRole", NAMESPACE_LABELS),
    ],
)
def test_the_rights_that_are_asked_for_are_those_of_the_manifests(path: str, kind: str, rules: Sequence[Rule]) -> None:
    assert rules_in(path, kind) == as_rbac(rules)


def test_the_rights_that_are_asked_for_are_those_of_the_chart() -> None:
    text = CHART.read_text().partition('define "phase-operator.rules" -}}')[2].partition("{{- end -}}")[0]
    written = yaml.safe_load("\n".join(line for line in text.splitlines() if "{{" not in line))

    assert written == as_rbac(WATCHED + RESTARTS)


def test_rules_without_restarts_are_what_the_component_leaves() -> None:
    removed = yaml.safe_load((REPOSITORY / "deploy/no-restarts/rights.yaml").read_text())

    assert sum(each["op"] == "remove" for each in removed) == len(RESTARTS)


def test_an_operator_for_the_cluster_needs_its_rights_in_all_namespaces() -> None:
    needed, left_out = needs_of_operator(operator())

    assert left_out == 0
    assert set(requests_of(WATCHED + RESTARTS, "")) < set(needed)
    assert {each.namespace for each in needed} == {"", "phase-system"}


def test_settings_say_which_rights_are_needed() -> None:
    bare = needs_of_operator(operator(args=["run", "--restarts=false", "--leader-elect=false", "--namespace=shop"]))[0]
    labelled = needs_of_operator(operator(args=["run", "--grant", "fromLabel=team=a,to=shared,what=token"]))[0]

    assert set(bare) == {*requests_of(WATCHED, "shop"), *requests_of(DIGEST_KEY, "phase-system")}
    assert set(requests_of(NAMESPACE_LABELS, "")) < set(labelled)


def test_a_thousand_namespaces_are_not_a_thousand_times_as_many_questions() -> None:
    many = [part for number in range(1000) for part in ("--namespace", f"n-{number}")]

    needed, left_out = needs_of_operator(operator(args=["run", *many]))

    assert left_out == 1000 - MOST_NAMESPACES
    assert len(needed) < 500
    assert (
        "990 namespaces more not looked at"
        in check_account(operator(), AccountRights(dict.fromkeys(needed, True), left_out)).sentence
    )


def test_a_right_that_the_operator_lacks_fails_and_names_what_gives_it() -> None:
    deployed = operator(args=["run", "--namespace=shop"])
    needed, _ = needs_of_operator(deployed)
    lacking = {each: each.namespace != "shop" and each.resource.plural != "leases" for each in needed}

    finding = check_account(deployed, AccountRights(lacking))

    assert finding.verdict is Verdict.BAD
    assert finding.sentence.startswith(
        "ServiceAccount phase-system/phase-operator may not get phasesecrets.secrets.phase.dev in namespace shop, "
    )
    assert finding.cure.splitlines() == [
        "Give namespace shop its Role: deploy/watched-namespace, or watchNamespaces in the chart.",
        "Apply deploy/base/lease.yaml, or the chart, again.",
    ]


def test_settings_that_cannot_be_seen_are_said() -> None:
    body = deployment()
    body["spec"]["template"]["spec"]["containers"][0]["envFrom"] = [{"configMapRef": {"name": "settings"}}]
    deployed = operator_of(body)
    assert deployed is not None

    finding = check_account(deployed, AccountRights(dict.fromkeys(needs_of_operator(deployed)[0], True)))

    assert finding.sentence.endswith("; settings are not seen that come from envFrom")


def test_commands_that_the_person_may_not_use_are_a_note() -> None:
    needs = needs_of_person("shop", "phase-system")
    allowed = {each: each.verb != "patch" for each in needs}

    finding = check_person(allowed, needs)

    assert finding.verdict is Verdict.NOTE
    assert finding.sentence == "you cannot use sync, suspend, resume; auth create, migrate adopt"
    assert finding.cure.startswith(
        "sync, suspend, resume: it takes the right to patch phasesecrets.secrets.phase.dev in namespace shop, patch "
    )
    assert check_person(dict.fromkeys(needs, True), needs).verdict is Verdict.OK


def test_an_installation_without_rights_fails() -> None:
    needed = needs_of_installer("phase-system")

    assert check_installer(dict.fromkeys(needed, True)).verdict is Verdict.OK
    assert check_installer(dict.fromkeys(needed, False)).verdict is Verdict.BAD


def test_only_rights_that_lack_are_collected_of_what_is_unread() -> None:
    request = Request("list", PODS, "phase-system")

    assert lacked([Unread("a", request), Unread("no answer"), "something", None]) == [request]
