"""Ask Phase what it holds for PhaseSecrets in files."""

from collections.abc import Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path

from phase_operator.cli.common.cluster import connected
from phase_operator.cli.common.desired import Subject
from phase_operator.cli.common.options import ClusterOptions
from phase_operator.cli.common.phase import check_host, of_phase, phase
from phase_operator.cli.common.token_secret import read_token
from phase_operator.core.values import ObjectKey, SecretValue, Snapshot
from phase_operator.reconcile.ports import Token


@dataclass(frozen=True, slots=True)
class PhaseSource:
    """How Phase is asked."""

    # None: the Secret that each resource names, in the cluster.
    token: SecretValue | None
    # The hosts that the person names.
    hosts: Sequence[str | None]
    ca_file: Path | None
    at: ClusterOptions


async def answers(subjects: Sequence[Subject], source: PhaseSource) -> list[Snapshot]:
    """Return Phase's answer for each PhaseSecret; raise Failure, and UserError for what fails at the cluster.

    No token is sent before every host that the files name is found to be allowed for it.
    """
    used: list[tuple[Token, ObjectKey | None]]
    async with AsyncExitStack() as stack:
        if source.token is None:
            cluster = await stack.enter_async_context(connected(source.at))
            places = [subject.ask.token_key for subject in subjects]
            tokens = {key: await read_token(cluster, key) for key in dict.fromkeys(places)}
            used = [(tokens[key], key) for key in places]
        else:
            used = [(Token(source.token), None)] * len(subjects)
        for subject, (token, place) in zip(subjects, used, strict=True):
            check_host(subject.ask.base_url, source.hosts, token, place)
        reader = await stack.enter_async_context(phase(source.ca_file))
        found = []
        for subject, (token, _) in zip(subjects, used, strict=True):
            with of_phase():
                found.append(await reader.read(subject.context.spec, subject.key.namespace, token.text))
        return found
