"""What a migration reads: the resources in files or in a cluster, the Secrets that they name, and what Phase holds.

Rule: values of Secrets are not read, only their metadata. A token goes to Phase's cloud and to hosts that the person
names: whoever wrote a resource chose the host in it.
"""

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from phase_operator.api.reasons import Reason
from phase_operator.api.v1alpha1 import PhaseSecretSpec
from phase_operator.cli.failures import ExitCode, Failure
from phase_operator.cli.manifests import ManifestError, read
from phase_operator.cli.migrating import names_check
from phase_operator.cli.migrating.candidates import Candidate
from phase_operator.cli.migrating.converters import Kind
from phase_operator.cli.migrating.entries_check import Compared, compared
from phase_operator.cli.migrating.findings import Finding, Severity
from phase_operator.cli.migrating.official import Version
from phase_operator.cli.migrating.spec_check import unjudged
from phase_operator.cli.phase import PhaseReader
from phase_operator.core.access.hosts import CLOUD, Host, leads_to
from phase_operator.core.access.tenancy import Tenancy
from phase_operator.core.errors import ExpectedError
from phase_operator.core.refs import TargetRef
from phase_operator.core.source.apps import App, Environment
from phase_operator.core.source.query import ask_of, origin
from phase_operator.core.targets.desired import Desired
from phase_operator.core.values import ObjectKey, SecretValue, Snapshot
from phase_operator.kube.user_cluster import SECRETS, Resource, Trouble, UserCluster, UserError
from phase_operator.reconcile.ports import Credential

# Requests for metadata at a time.
_AT_ONCE = 8
# These say something about the resource; other errors are about the token, or about the way to Phase.
_OF_THE_RESOURCE = frozenset({Reason.DECRYPTION_FAILED, Reason.ENVIRONMENT_NOT_FOUND, Reason.INVALID_SPEC})


def bodies(files: Sequence[str]) -> list[Mapping[str, Any]]:
    """Return the objects of files; raise Failure if one cannot be used."""
    try:
        return [document.body for document in read(files)]
    except ManifestError as error:
        raise Failure(str(error), ExitCode.USAGE) from None


async def of_kinds(cluster: UserCluster, namespace: str, kinds: Iterable[Kind]) -> list[Mapping[str, Any]]:
    """Return the objects of several kinds; a kind that the cluster does not have has none. Raise UserError."""
    found: list[Mapping[str, Any]] = []
    for kind in kinds:
        for version in kind.versions:
            resource = Resource(kind.group, version, kind.plural, kind.kind)
            try:
                found += await cluster.list(resource, namespace if kind.is_namespaced else "")
            except UserError as error:
                if error.trouble is not Trouble.NOT_FOUND:
                    raise
            else:
                break
    return found


async def metadata_of(cluster: UserCluster, secrets: Sequence[ObjectKey]) -> dict[ObjectKey, Mapping[str, Any] | None]:
    """Return the metadata of Secrets, None for one that does not exist; raise UserError."""
    places = asyncio.Semaphore(_AT_ONCE)

    async def one(key: ObjectKey) -> Mapping[str, Any] | None:
        async with places:
            return await cluster.metadata(SECRETS, key.namespace, key.name)

    return dict(zip(secrets, await asyncio.gather(*map(one, secrets)), strict=True))


@dataclass(frozen=True, slots=True)
class Judged:
    """What Phase shows about one resource."""

    findings: Sequence[Finding] = ()
    made: Mapping[TargetRef, Desired] = field(default_factory=dict)
    unjudged: Sequence[str] = ()


class PhaseJudge:
    """Judges resources by what Phase holds; what several of them ask is asked once."""

    def __init__(
        self, reader: PhaseReader, token: SecretValue, hosts: Sequence[Host], tenancy: Tenancy, version: Version
    ) -> None:
        self._reader = reader
        self._token = token
        self._credential: Credential = reader.credential(token)
        self._hosts = (*CLOUD, *hosts)
        self._tenancy = tenancy
        self._version = version
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
                return Judged(unjudged=[left, *unjudged(spec, self._version)])
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
        found = self._compared(candidate, spec, answer)
        return Judged([*findings, *found.findings], found.made)

    def _compared(self, candidate: Candidate, spec: PhaseSecretSpec, answer: Snapshot) -> Compared:
        impersonation = self._tenancy.impersonation
        return compared(candidate.key, spec, answer, self._version, impersonation=impersonation)

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
