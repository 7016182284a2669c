"""Ask Phase what it says to a token: apps, how they are encrypted, and whether their environments can be listed."""

import asyncio

from phase_operator.cli.common.phase import PhaseReader
from phase_operator.cli.doctor.of_phase import MOST_APPS, AppSeen, Seen
from phase_operator.core.errors import ExpectedError
from phase_operator.core.source.apps import App
from phase_operator.core.source.keyring import Identity
from phase_operator.core.source.query import base_url, origin
from phase_operator.core.values import SecretValue
from phase_operator.phase.accounts import ServiceAccount
from phase_operator.reconcile.ports import Credential


async def ask_phase(reader: PhaseReader, host: str, token: SecretValue) -> Seen:
    """Return what Phase answers at a host, in at most 23 calls; raise ExpectedError if the host is no URL."""
    url = base_url(host)
    shown = origin(url)
    try:
        credential = reader.credential(token)
    except ExpectedError as error:
        return Seen(shown, has_keys=False, refusal=error)
    has_keys = credential.keys is not None
    try:
        apps = await reader.apps(url, credential)
    except ExpectedError as error:
        return Seen(shown, has_keys, error, certificate_ends=reader.certificate_ends)
    identity, account = await _whose(reader, url, credential)
    looked_at = apps[:MOST_APPS]
    seen = await asyncio.gather(*(_seen(reader, url, credential, each) for each in looked_at))
    left_out, ends = len(apps) - len(looked_at), reader.certificate_ends
    return Seen(shown, has_keys, None, seen, left_out, identity, account, ends)


async def _whose(
    reader: PhaseReader, url: str, credential: Credential
) -> tuple[Identity, ServiceAccount | ExpectedError | None]:
    """Return whose token it is, and the account as it sees itself, or why it may not."""
    try:
        identity = (await reader.keyring(url, credential)).identity
    except ExpectedError:
        return Identity(), None
    return identity, await reader.own_account(url, credential, identity)


async def _seen(reader: PhaseReader, url: str, credential: Credential, app: App) -> AppSeen:
    if app.is_encrypted:
        # Its environments come with the keys, whatever the account's role.
        return AppSeen(app.name, is_encrypted=True)
    try:
        environments = await reader.environments(url, credential, app.id)
    except ExpectedError as error:
        return AppSeen(app.name, app.is_encrypted, refusal=error)
    return AppSeen(app.name, app.is_encrypted, len(environments))
