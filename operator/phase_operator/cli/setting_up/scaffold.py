"""A PhaseSecret with comments, for what a person has chosen.

Rule: a line that begins with `#` and no space is a field: without the `#`, the file is still a valid PhaseSecret. Names
are chosen by others, so they are written as JSON texts where they are not plain.
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from phase_operator.api import names

# What YAML 1.1 takes for a text, whatever reads it: it begins with a letter, and is no word such as yes or null.
_PLAIN = re.compile(r"[A-Za-z][-A-Za-z0-9_.]*|/[-A-Za-z0-9_./]*")
_WORDS = frozenset({"true", "false", "yes", "no", "on", "off", "null", "y", "n"})
_NAME = re.compile(r"[^a-z0-9]+")
_LONGEST_NAME = 63


@dataclass(frozen=True, slots=True)
class Choice:
    """What a PhaseSecret is to read, and what to write."""

    app: str
    # The app's id, if its name does not say which it is.
    app_id: str | None
    environment: str
    path: str
    recursive: bool
    # Whether the folder has entries of type config.
    has_config: bool
    target: str
    host: str | None = None
    namespace: str | None = None
    token_secret: str = names.DEFAULT_TOKEN_SECRET


def object_name(text: str) -> str:
    """Return a name for an object that is like a text, for example the name of an app."""
    return _NAME.sub("-", text.lower())[:_LONGEST_NAME].strip("-") or "phase"


def scalar(text: str) -> str:
    """Return a text as YAML has it."""
    is_plain = _PLAIN.fullmatch(text) is not None and text.lower() not in _WORDS
    return text if is_plain else quoted(text)


def quoted(text: str) -> str:
    """Return a text in quotes, on one line, with what does not print as numbers."""
    return f'"{"".join(map(_escaped, text))}"'


def _escaped(char: str) -> str:
    if char in '"\\':
        return f"\\{char}"
    return char if char.isprintable() else f"\\U{ord(char):08X}"


def manifest(choice: Choice) -> str:
    """Return the file."""
    return "\n".join([*_head(choice), "spec:", *_source(choice), *_token(choice), *_targets(choice), *_rest()]) + "\n"


def folders_of(paths: Iterable[str]) -> Sequence[str]:
    """Return the folders that can be read: those with entries, and those above them."""
    found = {"/"}
    for path in paths:
        parts = [part for part in path.split("/") if part]
        found.update(f"/{'/'.join(parts[: length + 1])}" for length in range(len(parts)))
    return sorted(found)


def _head(choice: Choice) -> Iterator[str]:
    yield "# Keeps a Secret in step with an environment of Phase."
    yield "# Try it with `kubectl phase diff -f FILE`, and apply it with `kubectl apply -f FILE`."
    yield f"apiVersion: {names.API_VERSION}"
    yield f"kind: {names.KIND_PHASE_SECRET}"
    yield "metadata:"
    yield f"  name: {scalar(choice.target)}"
    if choice.namespace is not None:
        yield f"  namespace: {scalar(choice.namespace)}"


def _source(choice: Choice) -> Iterator[str]:
    if choice.host is not None:
        yield f"  phaseHost: {quoted(choice.host)}"
    if choice.app_id is not None:
        yield f"  # Several apps have the name {quoted(choice.app)}."
        yield f"  phaseAppId: {scalar(choice.app_id)}"
    else:
        yield f"  phaseApp: {scalar(choice.app)}"
    yield f"  phaseAppEnv: {scalar(choice.environment)}"
    yield "  # The folder to read. With recursive, those below it are read too."
    yield f"  phaseAppEnvPath: {scalar(choice.path)}"
    yield f"  {'' if choice.recursive else '#'}recursive: true"
    yield "  # Only entries with one of these tags:"
    yield "  #phaseAppEnvTags: [api]"
    yield "  # Only some keys. A pattern may have * and ?"
    yield '  #keys: {include: ["DB_*"], exclude: ["*_TEST"]}'
    yield "  # Seconds between checks for a change in Phase."
    yield "  #pollingInterval: 60"


def _token(choice: Choice) -> Iterator[str]:
    yield f"  # The Secret with the token: `kubectl phase auth create {choice.token_secret}` makes it."
    yield "  authentication:"
    yield "    serviceToken:"
    yield "      serviceTokenSecretReference:"
    yield f"        secretName: {scalar(choice.token_secret)}"


def _targets(choice: Choice) -> Iterator[str]:
    yield "  managedSecretReferences:"
    yield f"    - secretName: {scalar(choice.target)}"
    yield "      # How keys are spelled: upper_snake, camel, upper-camel, lower-snake, lower-kebab, tf-var"
    yield "      #nameTransformer: upper_snake"
    yield "      # One file with all entries instead of a key for each: dotenv, json, yaml, properties, toml"
    yield "      #format: dotenv"
    yield "      # Delete: the Secret goes when this resource does. Retain: it stays."
    yield "      #deletionPolicy: Retain"
    yield "      # Restart the workloads that read it when it changes: Annotated, All or None"
    yield "      #restart: {workloads: All}"
    if choice.has_config:
        yield "  # The entries of type config; the Secret does not take them then."
        yield "  managedConfigMapReferences:"
        yield f"    - configMapName: {scalar(choice.target)}"


def _rest() -> Iterator[str]:
    yield "  # If a reference ${...} cannot be resolved. Fail: targets stay as they are. Warn: it stays as it is."
    yield "  #onSecretReferenceError: Fail"
    yield "  # true: targets stay as they are, and Phase is not called."
    yield "  #suspend: true"
