"""A PhaseSecret in the making, with what cannot be said about its original as remarks.

Rule: what is left open makes a document that is not ready to apply. It says so in its first line, and is suspended, so
that it does nothing if it is applied all the same.
"""

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from pydantic import ValidationError

from phase_operator.api import names
from phase_operator.api.v1alpha1 import PhaseSecretSpec
from phase_operator.cli.migrating.commented import commented
from phase_operator.cli.migrating.findings import Finding, Report, Severity
from phase_operator.cli.migrating.foreign import SPEC, Foreign, Path, spelled
from phase_operator.core.errors import shortened
from phase_operator.core.json_access import filled
from phase_operator.core.source.folders import normal_path
from phase_operator.core.targets.reserved import is_reserved
from phase_operator.core.values import ObjectKey

# Stands where something has to be filled in.
OPEN = "TODO"
_LONGEST = 400
# The most remarks on one resource: whoever writes it decides how many there are.
_MOST = 500
_UUID = re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
# What others call the environments that Phase makes by default.
_ENVIRONMENTS = {
    **dict.fromkeys(("dev", "development"), "development"),
    **dict.fromkeys(("stg", "stage", "staging"), "staging"),
    **dict.fromkeys(("prd", "prod", "production"), "production"),
}
_ORDER = (
    *("suspend", "phaseHost", "phaseApp", "phaseAppId", "phaseAppEnv", "phaseAppEnvPath", "recursive"),
    *("phaseAppEnvTags", "pollingInterval", "authentication", "keys", "allowEmpty"),
    *names.TARGET_FIELDS,
)
_SHORTEST, _LONGEST_INTERVAL = 5, 31_536_000


@dataclass(frozen=True, slots=True)
class Named:
    """What the command line says that a resource of another operator cannot."""

    app: str = ""
    environment: str = ""
    token_secret: str = ""


@dataclass(frozen=True, slots=True)
class Remark:
    """What becomes of a field of the original; `at` is the place in the PhaseSecret that it is about."""

    source: str
    text: str
    at: Path = SPEC
    # Somebody has to decide before the PhaseSecret can be applied.
    is_open: bool = False

    def __str__(self) -> str:
        """Return it as one line of a comment."""
        opens = f"{OPEN}(from {self.source})" if self.is_open else f"(from {self.source})"
        return shortened(f"{opens}: {self.text}", _LONGEST)


@dataclass(frozen=True, slots=True)
class Converted:
    """A PhaseSecret, and the remarks about it."""

    kind: str
    key: ObjectKey
    body: Mapping[str, Any]
    remarks: Sequence[Remark] = field(default=())

    @property
    def is_ready(self) -> bool:
        """Whether it can be applied as it is."""
        return not any(each.is_open for each in self.remarks)

    def as_yaml(self) -> str:
        """Return it as a YAML document with its remarks as comments."""
        head = [f"From {shortened(f'{self.kind} {self.key}', _LONGEST)}."]
        if not self.is_ready:
            head.append(f"Not ready to apply: it is suspended until each {OPEN} is done; then take `suspend` out.")
        comments: dict[Path, list[str]] = {}
        for remark in self.remarks:
            comments.setdefault(remark.at, []).append(str(remark))
        return commented(self.body, comments, head)

    def as_json(self) -> dict[str, Any]:
        """Return it as a program reads it."""
        return {
            "ready": self.is_ready,
            "from": {"kind": self.kind, "namespace": self.key.namespace, "name": self.key.name},
            "phaseSecret": dict(self.body),
            "remarks": [{"source": each.source, "text": each.text, "open": each.is_open} for each in self.remarks],
        }

    def report(self) -> Report:
        """Return its remarks as what a check found."""
        findings = [
            Finding(Severity.STOPS if each.is_open else Severity.DIFFERS, each.source, each.text)
            for each in self.remarks
        ]
        return Report(self.key, findings)


class Draft:
    """Collects the fields of a PhaseSecret and the remarks about them."""

    def __init__(self, original: Foreign, named: Named) -> None:
        self.original = original
        self.named = named
        self.spec: dict[str, Any] = {}
        self._remarks: list[Remark] = []

    def open(self, source: Path, text: str, at: Path = SPEC) -> None:
        """Note what somebody has to decide."""
        self._remarks.append(Remark(spelled(source), text, at, is_open=True))

    def say(self, source: Path, text: str, at: Path = SPEC) -> None:
        """Note what becomes of a field."""
        self._remarks.append(Remark(spelled(source), text, at))

    def one_of(self, path: Path, known: Collection[str], why: str, at: Path = SPEC) -> str:
        """Return a text that is one of these, "" if there is none; another one is an open question."""
        found = self.original.text(*path)
        if found and found not in known:
            self.open(path, why, at)
            return ""
        return found

    def app(self, source: Path, found: str = "") -> None:
        """Set the app: that of the command line, else the one that the original names, else an open question."""
        name = self.named.app or found
        if not name:
            self.open(source, "which app of Phase holds the entries; --app NAME fills it in", ("spec", "phaseApp"))
        elif not self.named.app and not _UUID.fullmatch(name):
            self.say(source, "the app of Phase has to have this name, or give --app NAME", ("spec", "phaseApp"))
        self.spec["phaseAppId" if _UUID.fullmatch(name) else "phaseApp"] = name or OPEN

    def environment(self, source: Path, found: str = "") -> None:
        """Set the environment, likewise; what others call Phase's default environments is known."""
        at = ("spec", "phaseAppEnv")
        known = _ENVIRONMENTS.get(found.casefold())
        name = self.named.environment or known
        if not name:
            self.open(source, "which environment of the app it is; --env NAME fills it in", at)
        elif not self.named.environment and name != found:
            self.say(source, "Phase's default environments are called development, staging and production", at)
        self.spec["phaseAppEnv"] = name or found or OPEN

    def folder(self, path: str, *, recursive: bool) -> None:
        """Set the folder, if it is not the root, and whether those below it are read as well."""
        if normal_path(path) != "/":
            self.spec["phaseAppEnvPath"] = normal_path(path)
        if recursive:
            self.spec["recursive"] = True

    def token(self, *sources: Path) -> None:
        """Set the token's Secret if the command line names one; the original's credentials are of no use here."""
        for source in sources:
            if self.original.has(*source):
                self.original.done(*source)
                self.say(source, self._on_token(), ("spec", "authentication") if self.named.token_secret else SPEC)
        if self.named.token_secret:
            reference = {"secretName": self.named.token_secret}
            self.spec["authentication"] = {"serviceToken": {"serviceTokenSecretReference": reference}}

    def _on_token(self) -> str:
        name = self.named.token_secret or names.DEFAULT_TOKEN_SECRET
        return f"a token of Phase comes from Secret {name} of the namespace instead: `auth create` makes it"

    def interval(self, source: Path, seconds: int | None) -> None:
        """Set how often Phase is asked; nothing for None."""
        if seconds is None:
            return
        within = min(max(seconds, _SHORTEST), _LONGEST_INTERVAL)
        self.spec["pollingInterval"] = within
        if within != seconds:
            self.say(source, f"{within} seconds come closest", ("spec", "pollingInterval"))

    def metadata(
        self, source: Path, labels: Mapping[str, str], annotations: Mapping[str, str], at: Path
    ) -> dict[str, Any]:
        """Return a target's template with these labels and annotations, without those by which tools track objects."""
        found = {}
        for name, wanted in (("labels", labels), ("annotations", annotations)):
            kept = {key: value for key, value in wanted.items() if not is_reserved(key)}
            if len(kept) != len(wanted):
                self.say((*source, name), "those by which tools know their own objects are left out", at)
            if kept:
                found[name] = kept
        return filled({"metadata": found})

    def finish(self) -> Converted:
        """Return the PhaseSecret; fields of the original that nobody has read are open questions."""
        for path in self.original.unread():
            self.open(path, "nothing here says the same; decide without it, and delete this line")
        spec = {name: self.spec[name] for name in _ORDER if name in self.spec}
        if problem := _problem(spec):
            self.open(SPEC, problem)
        if any(each.is_open for each in self._remarks):
            spec = {"suspend": True, **spec}
        body = {
            "apiVersion": names.API_VERSION,
            "kind": names.KIND_PHASE_SECRET,
            "metadata": {"name": self.original.key.name, "namespace": self.original.key.namespace},
            "spec": spec,
        }
        return Converted(self.original.kind, self.original.key, body, _bounded(self._remarks))


def _bounded(remarks: Sequence[Remark]) -> tuple[Remark, ...]:
    """Return each remark once; of too many, the open questions come first."""
    every = tuple(dict.fromkeys(remarks))
    return every if len(every) <= _MOST else tuple(sorted(every, key=lambda each: not each.is_open))[:_MOST]


def _problem(spec: Mapping[str, Any]) -> str:
    """Return why the API server would not take the spec, "" if the model takes it; no value is quoted."""
    try:
        PhaseSecretSpec.model_validate(spec)
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
        return f"{spelled(('spec', *first['loc']))} is not valid: {first['msg']}"
    return ""
