"""Facts -> findings: every check once, in the order in which one thing rests on another."""

from collections.abc import Iterator, Sequence

from phase_operator.cli.doctor.definitions import check_definitions, check_nobodys
from phase_operator.cli.doctor.facts import Facts, FactsBefore, Running
from phase_operator.cli.doctor.findings import Finding, Unread, Verdict, known
from phase_operator.cli.doctor.of_phase import check_phase
from phase_operator.cli.doctor.others import check_others
from phase_operator.cli.doctor.rights import check_account, check_installer, check_person, lacked, lacking
from phase_operator.cli.doctor.running import check_leader, check_pods, check_ready
from phase_operator.cli.doctor.surroundings import check_budget, check_cluster, check_network
from phase_operator.cli.doctor.used import Tokens, check_resources, check_tokens
from phase_operator.kube.user_resources import Request

INSTALLED = "operator"


def diagnose(facts: Facts) -> list[Finding]:
    """Return the findings of every check."""
    return [
        check_cluster(facts.version),
        check_definitions(facts.crds),
        check_others(facts.others),
        *(_installed(facts.others.hidden) if facts.running is None else _of_operator(facts.running, facts.now)),
        check_person(facts.person, facts.needs),
        check_resources(facts.tally, facts.where),
        check_tokens(facts.tokens, facts.tally),
        *check_phase(facts.phase, facts.now),
    ]


def diagnose_before(facts: FactsBefore) -> list[Finding]:
    """Return the findings that count before an installation."""
    return [
        check_cluster(facts.version),
        check_nobodys(facts.crds),
        check_others(facts.others, before=True),
        check_installer(facts.installer),
        *check_phase(facts.phase, facts.now),
    ]


def missing_rights(facts: Facts | FactsBefore) -> list[Request]:
    """Return the rights for lack of which the person cannot check something."""
    common: list[object] = [facts.version, *facts.crds.values(), *facts.others.hidden]
    if isinstance(facts, FactsBefore):
        return lacked([*common, facts.installer])
    tokens = known(facts.tokens, Tokens({})).found.values()
    met = lacked([*common, *_facts_of(facts.running), facts.person, facts.tally, facts.tokens, *tokens])
    # One right that lacks hides others that would be needed after it.
    return [*lacking(facts.own), *met] if met else []


def worst(findings: Sequence[Finding]) -> Verdict:
    """Return BAD if a check failed, else OK: notes and what is not known are no failure."""
    return Verdict.BAD if any(each.verdict is Verdict.BAD for each in findings) else Verdict.OK


def _installed(hidden: Sequence[Unread]) -> Iterator[Finding]:
    if hidden:
        said = "no Deployment of it is seen: say where it is with --operator-namespace"
        yield Finding(INSTALLED, Verdict.UNKNOWN, said)
    else:
        cure = "Install it (docs/operating/install.md); `kubectl phase doctor --pre` looks whether all is ready for it."
        yield Finding(INSTALLED, Verdict.BAD, "no Deployment of it is in the cluster", cure)


def _of_operator(found: Running, now: float) -> Iterator[Finding]:
    yield check_account(found.operator, found.account)
    yield check_pods(found.operator, found.pods)
    yield check_leader(found.operator, found.lease, found.pods, now)
    yield check_ready(found.answers)
    yield check_network(found.operator, found.policies)
    yield check_budget(found.operator, found.budgets)


def _facts_of(found: Running | None) -> list[object]:
    if found is None:
        return []
    every = (found.account.allowed, found.lease, found.pods, *found.answers.values(), found.policies, found.budgets)
    return list(every)
