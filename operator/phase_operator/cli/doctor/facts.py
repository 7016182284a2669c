"""All that the checks judge, read once."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from phase_operator.cli.doctor.definitions import Crds
from phase_operator.cli.doctor.deployed import Operator
from phase_operator.cli.doctor.findings import Unread
from phase_operator.cli.doctor.of_phase import Seen
from phase_operator.cli.doctor.others import Lease, Others
from phase_operator.cli.doctor.rights import AccountRights
from phase_operator.cli.doctor.running import Answer, Pod
from phase_operator.cli.doctor.tally import Tally
from phase_operator.cli.doctor.used import Tokens
from phase_operator.kube.user_resources import Request

Objects = Sequence[Mapping[str, Any]]


@dataclass(frozen=True, slots=True)
class Running:
    """What is known of the operator that is looked at."""

    operator: Operator
    account: AccountRights
    lease: Lease | Unread | None
    pods: Sequence[Pod] | Unread
    # By the names of pods.
    answers: Mapping[str, Answer | Unread]
    policies: Objects | Unread
    budgets: Objects | Unread


@dataclass(frozen=True, slots=True)
class Facts:
    """What is known of a cluster, and of Phase if that was asked."""

    # In seconds since 1970, by the API server's clock.
    now: float
    # Which resources were looked at, in words.
    where: str
    version: Mapping[str, Any] | Unread
    crds: Crds
    others: Others
    # None if no operator was found.
    running: Running | None
    person: Mapping[Request, bool] | Unread
    needs: Mapping[Request, str]
    # The rights that this examination takes.
    own: Mapping[Request, bool] | Unread
    tally: Tally | Unread
    tokens: Tokens | Unread
    phase: Seen | None


@dataclass(frozen=True, slots=True)
class FactsBefore:
    """What is known of a cluster before an installation."""

    now: float
    version: Mapping[str, Any] | Unread
    crds: Crds
    others: Others
    installer: Mapping[Request, bool] | Unread
    phase: Seen | None
