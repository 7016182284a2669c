"""What Phase says to a token: whether it answers, over which certificate, and how each app can be read.

Phase does not tell what is left of a quota: that it is used up is known when Phase asks for a pause.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from phase_operator.api.reasons import CATALOGUE, Reason
from phase_operator.cli.doctor.findings import Finding, Verdict, shown
from phase_operator.cli.setting_up import token_findings as auth
from phase_operator.core.errors import ExpectedError
from phase_operator.core.source.apps import TO_READ_ENCRYPTED
from phase_operator.core.source.keyring import Identity
from phase_operator.core.text import counted
from phase_operator.core.timestamps import timestamp
from phase_operator.phase.accounts import ServiceAccount

PHASE, TLS, ACCOUNT, EXPIRY, APPS, PROBE = "Phase", "TLS", "account", "expiry", "apps", "probe"
_VERDICTS = {auth.Level.OK: Verdict.OK, auth.Level.NOTE: Verdict.NOTE, auth.Level.MISSING: Verdict.BAD}
MOST_APPS = 20
_DAY = 86400.0
_SOON = 14 * _DAY


@dataclass(frozen=True, slots=True)
class AppSeen:
    """An app, and what the account may do with it."""

    name: str
    # None if Phase does not tell.
    is_encrypted: bool | None
    # How many environments the account sees; None if they were not listed.
    environments: int | None = None
    # Why they cannot be listed.
    refusal: ExpectedError | None = None


@dataclass(frozen=True, slots=True)
class Seen:
    """What Phase answered to a token."""

    host: str
    # Whether the token can decrypt end-to-end encrypted apps.
    has_keys: bool
    # Why the apps cannot be listed.
    refusal: ExpectedError | None = None
    apps: Sequence[AppSeen] = ()
    # How many apps were not looked into.
    left_out: int = 0
    # Whose token it is; None for the account: Phase tells it of no account of this kind.
    identity: Identity = field(default_factory=Identity)
    account: ServiceAccount | ExpectedError | None = None
    # In seconds since 1970; None for plain HTTP, or if nothing answered.
    certificate_ends: float | None = None

    def named(self, *, encrypted: bool) -> list[str]:
        """Return the names of the apps with end-to-end encryption, or of those without."""
        return [each.name for each in self.apps if each.is_encrypted is encrypted]


def check_phase(seen: Seen | None, now: float) -> list[Finding]:
    """Return whether Phase answers the token, and what to know of the account; nothing if it was not asked."""
    if seen is None:
        return []
    if seen.refusal is not None and not _is_about_list(seen.refusal):
        return [_refused(seen.host, seen.refusal), *_certificate(seen, now)]
    findings = [_answers(seen), *_certificate(seen, now), *_account(seen, now)]
    return [*findings, *_apps(seen), *_probe(seen)]


def _answers(seen: Seen) -> Finding:
    if seen.refusal is not None:
        cure = "Name apps by phaseAppId, or give the account's role the permission Apps: read."
        return Finding(PHASE, Verdict.NOTE, f"{seen.host} takes the token, and does not list apps", cure)
    return Finding(PHASE, Verdict.OK, f"{seen.host} takes the token; it tells of a quota only when that is used up")


def _account(seen: Seen, now: float) -> Iterator[Finding]:
    """Yield whose token it is, and when it expires."""
    whose, expiry = auth.account(seen.identity, seen.account), auth.expiry(seen.account, now)
    yield Finding(ACCOUNT, _VERDICTS[whose.level], whose.text)
    cure = ""
    if isinstance(seen.account, ServiceAccount) and expiry.level is not auth.Level.OK:
        cure = "Make a new token in Phase before, and store it in place of this one."
    yield Finding(EXPIRY, _VERDICTS[expiry.level], expiry.text, cure)


def _refused(host: str, error: ExpectedError) -> Finding:
    verdict = Verdict.NOTE if error.reason is Reason.RATE_LIMITED else Verdict.BAD
    return Finding(PHASE, verdict, f"{host}: {error.reason}: {error.message}", CATALOGUE[error.reason].cure)


def _is_about_list(error: ExpectedError) -> bool:
    return error.reason is Reason.ACCESS_DENIED and "phaseAppId" in error.message


def _certificate(seen: Seen, now: float) -> Iterator[Finding]:
    if seen.certificate_ends is None:
        if seen.host.startswith("http:"):
            cure = "Put TLS in front of Phase, and name it by https."
            yield Finding(
                TLS, Verdict.NOTE, f"{seen.host} is plain HTTP: who is on the way reads tokens and values", cure
            )
        return
    left = seen.certificate_ends - now
    ends = timestamp(seen.certificate_ends)
    if left < _SOON:
        cure = "Renew it; the operator refuses an expired certificate."
        yield Finding(TLS, Verdict.NOTE, f"the certificate of {seen.host} ends in {left / _DAY:.0f} days, {ends}", cure)
    else:
        yield Finding(TLS, Verdict.OK, f"the certificate of {seen.host} is trusted, and ends {ends}")


def _apps(seen: Seen) -> Iterator[Finding]:
    if seen.apps:
        yield _readable(seen)
    elif seen.refusal is None:
        cure = "Give the account access to apps and environments in Phase's Console."
        yield Finding(APPS, Verdict.BAD, "the account sees no app", cure)


def _readable(seen: Seen) -> Finding:
    """Return whether the token can read the apps that the account sees."""
    encrypted = seen.named(encrypted=True)
    rest = f"; {counted(seen.left_out, 'app')} more not looked into" if seen.left_out else ""
    kinds = (("server-side encryption", seen.named(encrypted=False)), ("end-to-end encryption", encrypted))
    said = ", ".join(f"{words}: {shown(each)}" for words, each in kinds if each) or counted(len(seen.apps), "app")
    if encrypted and not seen.has_keys:
        cure = f"To read {shown(encrypted)}: {TO_READ_ENCRYPTED}."
        return Finding(APPS, Verdict.NOTE, f"{said}{rest}; the token has no keys to decrypt with", cure)
    return Finding(APPS, Verdict.OK, f"{said}{rest}")


def _probe(seen: Seen) -> Iterator[Finding]:
    listed = [each.environments for each in seen.apps if each.environments is not None]
    refused = [(each.name, each.refusal) for each in seen.apps if each.refusal is not None]
    if refused:
        _, why = refused[0]
        cure = (
            "Give the account's role the permission Environments: read; without it everything is read at every "
            "interval."
        )
        said = f"environments cannot be listed of {shown(name for name, _ in refused)}: {why.message}"
        yield Finding(PROBE, Verdict.NOTE, said, cure)
    elif listed:
        yield Finding(PROBE, Verdict.OK, f"{counted(sum(listed), 'environment')} listed")
