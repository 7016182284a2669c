"""Which keys both operators would write for resources, by what Phase holds for them.

Rule: whoever wrote a resource chose the host in it. So a token goes to Phase's cloud and to the host that the person
names; or, if the Secret that it is from has a list of hosts, to these alone.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from phase_operator.api.reasons import Reason
from phase_operator.api.v1alpha1 import PhaseSecretSpec
from phase_operator.cli.common.failures import ExitCode, Failure
from phase_operator.cli.common.phase import PhaseReader, of_phase
from phase_operator.cli.common.token_secret import read_token
from phase_operator.cli.migrating import names_check
from phase_operator.cli.migrating.candidates import Candidate
from phase_operator.cli.migrating.entries_check import Compared, compared
from phase_operator.cli.migrating.findings import Finding, Severity
from phase_operator.cli.migrating.official import Version
from phase_operator.cli.migrating.spec_check import unjudged, unjudged_names
from phase_operator.core.access.hosts import CLOUD, Host, leads_to, parse_hosts
from phase_operator.core.errors import ExpectedError
from phase_operator.core.refs import TargetRef
from phase_operator.core.source.apps import App, Environment
from phase_operator.core.source.query import ask_of, origin
from phase_operator.core.targets.desired import Desired
from phase_operator.core.values import ObjectKey, SecretValue, Snapshot
from phase_operator.kube.user_cluster import UserCluster
from phase_operator.kube.user_errors import Trouble, UserError
from phase_operator.reconcile.ports import Token

# These say something about the resource; other errors are about the token, or about the way to Phase.
_OF_THE_RESOURCE = frozenset({Reason.DECRYPTION_FAILED, Reason.ENVIRONMENT_NOT_FOUND, Reason.INVALID_SPEC})


@dataclass(frozen=True, slots=True)
class Judged:
    """What Phase shows about one resource."""

    findings: Sequence[Finding] = ()
    made: Mapping[TargetRef, Desired] = field(default_factory=dict)
    unjudged: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class Rules:
    """What both operators are compared by."""

    version: Version
    impersonation: bool = False

    def compared(self, candidate: Candidate, spec: PhaseSecretSpec, held: Snapshot) -> Compared:
        """Compare what both make of the entries of a folder."""
        return compared(candidate.key, spec, held, self.version, impersonation=self.impersonation)


def by_entries(every: Sequence[Candidate], held: Snapshot, rules: Rules) -> dict[ObjectKey, Judged]:
    """Judge resources by the entries of a file, which are those of the app and the environment of each."""
    found = {}
    for each in every:
        if each.spec is not None:
            both = rules.compared(each, each.spec, held)
            found[each.key] = Judged(both.findings, both.made, unjudged_names(each.spec))
    return found


@dataclass(frozen=True, slots=True)
class Tokens:
    """Where tokens come from: one for all, or the Secret that each resource names; and what hosts the person names."""

    given: SecretValue | None
    cluster: UserCluster | None
    hosts: tuple[Host, ...]


async def by_phase(
    every: Sequence[Candidate], reader: PhaseReader, tokens: Tokens, rules: Rules
) -> dict[ObjectKey, Judged]:
    """Judge resources by what Phase holds. Raise Failure if no token is of use, and UserError without a cluster."""
    judges: dict[ObjectKey | None, _Judge | str] = {}
    found: dict[ObjectKey, Judged] = {}
    for each in every:
        place = _token_of(each, tokens)
        if each.spec is None:
            continue
        if place not in judges:
            judges[place] = await _judge_with(place, reader, tokens, rules)
        judge = judges[place]
        if isinstance(judge, str):
            found[each.key] = Judged(unjudged=[f"what Phase holds: {judge}", *unjudged(each.spec, rules.version)])
        else:
            found[each.key] = await judge.judge(each, each.spec)
    _check_answered([each for each in judges.values() if isinstance(each, _Judge)])
    return found


def _check_answered(asked: Sequence["_Judge"]) -> None:
    """Raise Failure with the first error of a token, or of the way to Phase, if no token got an answer."""
    errors = [each.error for each in asked if each.error is not None]
    if errors and not any(each.is_answered for each in asked):
        raise Failure(f"{errors[0].reason}: {errors[0].message}", ExitCode.NO_PHASE)


def _token_of(candidate: Candidate, tokens: Tokens) -> ObjectKey | None:
    """Return the Secret of a resource's token; None if one token is for all, or the resource cannot be read."""
    if tokens.given is not None or candidate.spec is None:
        return None
    try:
        return ask_of(candidate.spec, candidate.key.namespace).token_key
    except ExpectedError:
        return None


async def _judge_with(place: ObjectKey | None, reader: PhaseReader, tokens: Tokens, rules: Rules) -> "_Judge | str":
    """Return a judge with a token, or why there is none; a token that is given is a Failure if it is none."""
    if tokens.given is not None:
        with of_phase():
            return _Judge(reader, Token(tokens.given), tokens.hosts, rules)
    if place is None or tokens.cluster is None:
        return "its spec names no token"
    try:
        return _Judge(reader, await read_token(tokens.cluster, place), tokens.hosts, rules)
    except UserError as error:
        if error.trouble is Trouble.UNREACHABLE:
            raise
        return error.message
    except (Failure, ExpectedError) as error:
        return error.message


class _Judge:
    """Judges resources with one token; what several of them ask is asked once."""

    def __init__(self, reader: PhaseReader, token: Token, hosts: Sequence[Host], rules: Rules) -> None:
        self._reader = reader
        self._token = token.text
        self._credential = reader.credential(token.text)
        self._hosts = (*CLOUD, *hosts) if token.hosts is None else _listed_hosts(token.hosts)
        self._rules = rules
        self._apps: dict[str, Sequence[App]] = {}
        self._environments: dict[tuple[str, str], Sequence[Environment]] = {}
        self._answers: dict[tuple[str, str, str, str | None], Snapshot] = {}
        # The first error that is about the token or the way, and whether anything was answered.
        self.error: ExpectedError | None = None
        self.is_answered = False

    async def judge(self, candidate: Candidate, spec: PhaseSecretSpec) -> Judged:
        """Return what Phase shows about a resource, or why it was not asked."""
        try:
            url = ask_of(spec, candidate.key.namespace).base_url
            if not leads_to(url, self._hosts):
                left = f"what Phase holds at {origin(url)}: the token is sent there only with --host"
                return Judged(unjudged=[left, *unjudged(spec, self._rules.version)])
            judged = await self._asked(candidate, spec, url)
            self.is_answered = True
        except ExpectedError as error:
            if error.reason in _OF_THE_RESOURCE:
                self.is_answered = True
                return Judged([Finding(Severity.STOPS, "spec", f"{error.reason}: {error.message}")])
            self.error = self.error or error.to_keep()
            return Judged(unjudged=[f"what Phase holds: {error.reason}: {error.message}"])
        return judged

    async def _asked(self, candidate: Candidate, spec: PhaseSecretSpec, url: str) -> Judged:
        app = names_check.app(spec, await self._apps_of(url) if spec.phase_app_id is None else ())
        if app.read is None:
            return Judged(app.findings)
        environment = names_check.environment(spec, await self._environments_of(url, app.read))
        findings = [*app.findings, *environment.findings]
        if environment.read is None:
            return Judged(findings)
        answer = await self._answer(candidate, spec, url, app.read, environment.read)
        found = self._rules.compared(candidate, spec, answer)
        return Judged([*findings, *found.findings], found.made)

    async def _apps_of(self, url: str) -> Sequence[App]:
        if url not in self._apps:
            self._apps[url] = await self._reader.apps(url, self._credential)
        return self._apps[url]

    async def _environments_of(self, url: str, app_id: str) -> Sequence[Environment]:
        if (url, app_id) not in self._environments:
            self._environments[url, app_id] = await self._listed(url, app_id)
        return self._environments[url, app_id]

    async def _listed(self, url: str, app_id: str) -> Sequence[Environment]:
        try:
            return await self._reader.environments(url, self._credential, app_id)
        except ExpectedError:
            if self._credential.keys is None:
                raise
        keyring = await self._reader.keyring(url, self._credential)
        found = keyring.find(app_id)
        return [] if found is None else [Environment(each.name) for each in found.environments]

    async def _answer(
        self, candidate: Candidate, spec: PhaseSecretSpec, url: str, app_id: str, environment: str
    ) -> Snapshot:
        """Return all entries of the folder, whatever their tags."""
        fields = {"phase_app_id": app_id, "phase_app_env": environment}
        whole = spec.model_copy(update={**fields, "phase_app_env_tag": None, "phase_app_env_tags": None})
        key = (url, app_id, environment, ask_of(whole, candidate.key.namespace).path)
        if key not in self._answers:
            self._answers[key] = await self._reader.read(whole, candidate.key.namespace, self._token)
        return self._answers[key]


def _listed_hosts(written: str) -> tuple[Host, ...]:
    """Return the hosts of a Secret's annotation; none if it is not valid, as for the operator."""
    try:
        return parse_hosts(written)
    except ValueError:
        return ()
