"""Findings are printed as lines, with marks on a terminal and words elsewhere, or as JSON."""

import json

import click
import pytest

from phase_operator.cli.doctor.diagnosis import worst
from phase_operator.cli.doctor.findings import Finding, Verdict, shown
from phase_operator.cli.doctor.report import as_json, lines, print_findings
from phase_operator.kube.user_resources import PODS, SECRETS, Request

FINDINGS = [
    Finding("cluster", Verdict.OK, "Kubernetes 1.36.3 answers"),
    Finding("your rights", Verdict.NOTE, "you have no right for sync", "Ask for it."),
    Finding("pods", Verdict.BAD, "the Deployment is scaled to 0", "Scale it.\nOr remove it."),
    Finding("tokens", Verdict.UNKNOWN, "you have no right to get secrets"),
]

PLAIN = """\
ok       cluster      Kubernetes 1.36.3 answers
note     your rights  you have no right for sync
           Ask for it.
FAIL     pods         the Deployment is scaled to 0
           Scale it.
           Or remove it.
unknown  tokens       you have no right to get secrets
4 checks: 1 ok, 1 to note, 1 failed, 1 not known
"""

MARKED = """\
✓  cluster      Kubernetes 1.36.3 answers
!  your rights  you have no right for sync
     Ask for it.
✗  pods         the Deployment is scaled to 0
     Scale it.
     Or remove it.
?  tokens       you have no right to get secrets
4 checks: 1 ok, 1 to note, 1 failed, 1 not known
"""

ROLES = """
To check what is not known you need these rights; an administrator can give them:
apiVersion: rbac.authorization.k8s.io/v1
kind: Role
metadata:
  name: phase-command-line-5b6b1f9e2e
  namespace: shop
rules:
- apiGroups:
  - ''
  resources:
  - secrets
  verbs:
  - get
  resourceNames:
  - a
- apiGroups:
  - ''
  resources:
  - pods/proxy
  verbs:
  - get
---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata:
  name: phase-command-line-5b6b1f9e2e
  namespace: shop
roleRef:
  apiGroup: rbac.authorization.k8s.io
  kind: Role
  name: phase-command-line-5b6b1f9e2e
subjects:
- apiGroup: rbac.authorization.k8s.io
  kind: User
  name: YOUR-NAME
"""


@pytest.mark.parametrize(("marks", "golden"), [(False, PLAIN), (True, MARKED)], ids=["plain", "marks"])
def test_each_finding_is_a_line_with_its_cure_below(marks: bool, golden: str) -> None:
    assert "".join(f"{click.unstyle(line)}\n" for line in lines(FINDINGS, marks=marks)) == golden


def test_without_a_terminal_words_stand_for_marks(capsys: pytest.CaptureFixture[str]) -> None:
    print_findings(FINDINGS, [], "table")

    assert capsys.readouterr().out == PLAIN


def test_the_roles_for_what_is_not_known_come_once_at_the_end(capsys: pytest.CaptureFixture[str]) -> None:
    secret, proxy = Request("get", SECRETS, "shop", "a"), Request("get", PODS, "shop", "p:8081", "proxy")

    print_findings(FINDINGS, [secret, proxy, secret], "table")

    assert capsys.readouterr().out == PLAIN + ROLES


def test_json_has_every_finding_and_the_missing_rights() -> None:
    found = json.loads(as_json(FINDINGS, [Request("get", SECRETS, "shop", "a")]))

    assert found["checks"][2] == {
        "name": "pods",
        "verdict": "bad",
        "sentence": "the Deployment is scaled to 0",
        "cure": "Scale it.\nOr remove it.",
    }
    assert found["missingRights"] == ["get secrets/a in namespace shop"]


def test_only_a_failed_check_makes_the_whole_bad() -> None:
    assert worst(FINDINGS) is Verdict.BAD
    assert worst([each for each in FINDINGS if each.verdict is not Verdict.BAD]) is Verdict.OK


def test_lists_are_short() -> None:
    assert shown(f"n{number}" for number in range(7)) == "n0, n1, n2, n3, n4 and 2 more"
