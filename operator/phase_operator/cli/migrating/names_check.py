"""Which app and which environment both operators read, by the names that an account sees."""

from collections.abc import Sequence
from dataclasses import dataclass

from phase_operator.api.v1alpha1 import PhaseSecretSpec
from phase_operator.cli.migrating.findings import Finding, Severity
from phase_operator.cli.migrating.official import ENVIRONMENT, app_of, environments_of
from phase_operator.core.errors import ExpectedError
from phase_operator.core.source.apps import App, Directory, Environment
from phase_operator.core.source.by_name import ByName
from phase_operator.core.text import clean, clean_listing, hint


@dataclass(frozen=True, slots=True)
class Choice:
    """What is to be read for the rest of the check, None if neither operator finds it; and how the two differ."""

    # The id of the app, or the name of the environment.
    read: str | None
    findings: tuple[Finding, ...] = ()


def app(spec: PhaseSecretSpec, apps: Sequence[App]) -> Choice:
    """Return the app of a resource among those that its account sees."""
    if spec.phase_app_id is not None:
        return Choice(spec.phase_app_id)
    name, where = spec.phase_app or "", "spec.phaseApp"
    theirs = app_of(name, apps)
    try:
        ours = Directory(apps).pick(name)
    except ExpectedError as error:
        cure = f'the official operator reads "{clean(theirs.name)}": write that name' if theirs else ""
        finding = Finding(Severity.STOPS, where, f"{error.reason}: {error.message}", cure)
        return Choice(theirs.id if theirs else None, (finding,))
    if theirs is None or theirs.id == ours:
        return Choice(ours)
    what = f'another app of the same name is read: id "{clean(ours)}", and "{clean(theirs.id)}" there'
    return Choice(ours, (Finding(Severity.BREAKS, where, what, "set spec.phaseAppId"),))


def environment(spec: PhaseSecretSpec, environments: Sequence[Environment]) -> Choice:
    """Return the environment of a resource among those that its account may read."""
    name, where = spec.phase_app_env or ENVIRONMENT, "spec.phaseAppEnv"
    theirs = environments_of(name, environments)
    ours = ByName(environments).matching(name)
    if not ours:
        what = f'EnvironmentNotFound: no environment is called "{clean(name)}"'
        if not theirs:
            near = hint(name, [each.name for each in environments])
            return Choice(None, (Finding(Severity.STOPS, where, f"{what}{near}"),))
        cure = f"the official operator reads {clean_listing(each.name for each in theirs)}: write the whole name"
        return Choice(theirs[0].name, (Finding(Severity.STOPS, where, what, cure),))
    others = [each.name for each in theirs if each.name != ours[0].name]
    if not others:
        return Choice(ours[0].name)
    read, instead = clean(ours[0].name), clean_listing(others)
    what = f'"{read}" is read; the official operator takes it or {instead}, as Phase lists them'
    cure = "compare the Secret with the environment before the move"
    return Choice(ours[0].name, (Finding(Severity.BREAKS, where, what, cure),))
