"""ExternalSecrets of the External Secrets Operator -> PhaseSecrets.

An ExternalSecret names keys of any provider. If its store is a webhook of Phase's REST API, they are Phase's own; else
the values still have to come into Phase, and the PhaseSecret takes them under the names that they have in the Secret.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from phase_operator.cli.migrating import durations
from phase_operator.cli.migrating.draft import Converted, Draft, Named
from phase_operator.cli.migrating.eso_target import config_map_or_secret
from phase_operator.cli.migrating.foreign import Foreign, Path
from phase_operator.cli.migrating.phase_webhook import PhaseWebhook, phase_webhook, provider_of
from phase_operator.cli.migrating.targets import is_plain, upper_snake
from phase_operator.core.json_access import at, mappings, text
from phase_operator.core.source.folders import normal_path
from phase_operator.core.text import clean
from phase_operator.core.values import ObjectKey

GROUP = "external-secrets.io"
KIND = "ExternalSecret"
STORES = ("SecretStore", "ClusterSecretStore")
# By kind, and by namespace and name; that of a cluster-wide store has no namespace.
Stores = Mapping[tuple[str, ObjectKey], Mapping[str, Any]]

_MOST_PATTERNS = 64
_STORE: Path = ("spec", "secretStoreRef")
# A regular expression that is no more than a text with `.*` at its ends.
_SIMPLE = re.compile(r"(?P<start>\^|\.\*)?(?P<text>[-A-Za-z0-9_/]*)(?P<end>\$|\.\*)?", re.ASCII)
_WHOLE = frozenset({"(.*)", "^(.*)$", "(.+)", "^(.+)$", "^(.*)", "(.*)$"})
_PREFIX = re.compile(r"(?P<prefix>[-._a-zA-Z0-9]{1,128})(?:\$1|\$\{1\})", re.ASCII)
_LOWER = re.compile(r"\{\{\s*(?:\.value\s*\|\s*lower|lower\s+\.value)\s*\}\}", re.ASCII)


@dataclass(frozen=True, slots=True)
class Wanted:
    """One thing that an ExternalSecret takes from its provider."""

    source: Path
    environment: str = ""
    path: str = ""
    # The key in Phase; "" stands for every key, or for those of the pattern.
    key: str = ""
    pattern: str = ""
    # Its name in the Secret, if that is said.
    name: str = ""
    decodes: bool = False
    recursive: bool = False


def external_secret(original: Foreign, stores: Stores, options: Named) -> Converted:
    """Convert one; `stores` are those that are known."""
    draft = Draft(original, options)
    store = _store_of(original, stores)
    webhook = None if store is None else phase_webhook(store)
    _say_store(draft, store, webhook)
    _schedule(draft)
    target_fields: dict[str, Any] = {}
    wanted = [*_data(draft, webhook), *_data_from(draft, webhook, target_fields)]
    _source(draft, webhook, wanted)
    _keys(draft, wanted, target_fields)
    field, target = config_map_or_secret(draft)
    draft.spec[field] = [{**target, **target_fields}]
    return draft.finish()


def store_key(body: Mapping[str, Any], namespace: str = "") -> tuple[str, ObjectKey]:
    """Return the key of a store among `Stores`."""
    kind, key = text(body.get("kind")), Foreign(body, namespace).key
    return kind, ObjectKey("", key.name) if kind == STORES[1] else key


def _store_of(original: Foreign, stores: Stores) -> Mapping[str, Any] | None:
    kind, name = original.text(*_STORE, "kind") or STORES[0], original.text(*_STORE, "name")
    namespace = "" if kind == STORES[1] else original.key.namespace
    return stores.get((kind, ObjectKey(namespace, name)))


def _say_store(draft: Draft, store: Mapping[str, Any] | None, webhook: PhaseWebhook | None) -> None:
    name = f'"{clean(draft.original.text(*_STORE, "name"))}"'
    if store is None:
        draft.say(
            _STORE, f"{name} is not among what was read, so the keys are taken to be of another provider than Phase"
        )
    elif webhook is None:
        draft.say(
            _STORE, f'{name} stays behind: bring what is at its provider "{clean(provider_of(store))}" into Phase'
        )
    elif webhook.host:
        draft.spec["phaseHost"] = webhook.host
    token = "" if store is None or webhook is None else _token_of(store)
    if token and not draft.named.token_secret:
        reference = {"secretName": token}
        draft.spec["authentication"] = {"serviceToken": {"serviceTokenSecretReference": reference}}
        draft.say(_STORE, "the token has to be under the key `token` of the Secret", ("spec", "authentication"))
    draft.token()


def _token_of(store: Mapping[str, Any]) -> str:
    """Return the name of the one Secret that a webhook of the namespace uses, "" if there are several or none."""
    if store.get("kind") != STORES[0]:
        return ""
    found = {
        text(at(each, ("secretRef",)).get("name"))
        for each in mappings(at(store, ("spec", "provider", "webhook")).get("secrets"))
    }
    return found.pop() if len(found) == 1 else ""


def _schedule(draft: Draft) -> None:
    path = ("spec", "refreshInterval")
    written = draft.original.text(*path)
    interval = durations.seconds(written)
    if interval == 0:
        draft.open(path, "the Secret is made once there; here it follows Phase, unless `suspend: true` stops that")
    elif written and interval is None:
        draft.open(path, "this is no duration")
    else:
        draft.interval(path, interval)
    draft.original.skip("Periodic", "spec", "refreshPolicy")


def _data(draft: Draft, webhook: PhaseWebhook | None) -> Iterator[Wanted]:
    original = draft.original
    for item in original.items("spec", "data"):
        remote = _remote(original, (*item, "remoteRef"))
        name = original.text(*item, "secretKey")
        decodes = original.text(*item, "remoteRef", "decodingStrategy") == "Base64"
        _usual_strategies(draft, (*item, "remoteRef"), decodes=decodes)
        if webhook is None:
            key = upper_snake(name)
            what = f'"{clean(remote["key"])}"' + (
                f', property "{clean(remote["property"])}"' if remote["property"] else ""
            )
            draft.say((*item, "remoteRef"), f"{what} becomes the entry {key} in Phase")
            yield Wanted(item, key=key, name=name, decodes=decodes)
            continue
        environment, path, key = (webhook.part(part, remote) for part in ("env", "path", "key"))
        if not key:
            draft.say(item, "all entries of the folder are keys of their own, and not one text in JSON")
        yield Wanted(item, environment, path, key, name=name if key else "", decodes=decodes)


def _remote(original: Foreign, path: Path) -> dict[str, str]:
    return {name: original.text(*path, name) for name in ("key", "property", "version")}


def _usual_strategies(draft: Draft, path: Path, *, decodes: bool = False) -> None:
    draft.original.skip("Default", *path, "conversionStrategy")
    draft.original.skip("None", *path, "metadataPolicy")
    draft.original.skip("Fail", *path, "emptyResultPolicy")
    strategy = draft.original.text(*path, "decodingStrategy")
    if strategy not in ("", "None") and not decodes:
        draft.open((*path, "decodingStrategy"), "decoding is said for each key here: processors.<KEY>.type: base64")


def _data_from(draft: Draft, webhook: PhaseWebhook | None, target: dict[str, Any]) -> Iterator[Wanted]:
    original = draft.original
    items = list(original.items("spec", "dataFrom"))
    for item in items:
        _rewrites(draft, item, target, is_only=len(items) == 1)
        if original.has(*item, "extract"):
            path = (*item, "extract")
            remote = _remote(original, path)
            _usual_strategies(draft, path)
            if webhook is None:
                draft.say(path, f'the properties of "{clean(remote["key"])}" become entries of the folder')
                yield Wanted(item)
            else:
                yield Wanted(item, webhook.part("env", remote), webhook.part("path", remote))
        if original.has(*item, "find"):
            path = (*item, "find")
            _usual_strategies(draft, path)
            folder = original.text(*path, "path")
            yield Wanted(item, path=folder, pattern=_pattern(draft, path), recursive=bool(folder))


def _pattern(draft: Draft, path: Path) -> str:
    """Return a regular expression of names as a pattern of ours, "" if it takes all or is an open question."""
    field = (*path, "name", "regexp")
    written = draft.original.text(*field)
    found = _SIMPLE.fullmatch(written)
    if found is None:
        draft.open(field, "write this expression as a pattern of keys.include: * is any text, ? a character")
        return ""
    before = "" if found["start"] == "^" else "*"
    after = "" if found["end"] == "$" else "*"
    return f"{before}{found['text']}{after}" if found["text"] else ""


def _rewrites(draft: Draft, item: Path, target: dict[str, Any], *, is_only: bool) -> None:
    """Set what a target can say about the names of all its keys; other rules are open questions."""
    original = draft.original
    for rule in original.items(*item, "rewrite"):
        found = _renamed(original, rule) if is_only else {}
        if found:
            target.update(found)
        elif original.has(*rule):
            original.done(*rule)
            draft.open(rule, "name the keys by nameTransformer, prefix or processors.<KEY>.asName")


def _renamed(original: Foreign, rule: Path) -> dict[str, str]:
    """Return the fields of a target that name all keys as a rule does; none if there are none."""
    source, wanted = original.text(*rule, "regexp", "source"), original.text(*rule, "regexp", "target")
    if source == "^" and is_plain(wanted):
        return {"prefix": wanted}
    if source in _WHOLE and (prefix := _PREFIX.fullmatch(wanted)):
        return {"prefix": prefix["prefix"]}
    is_lower = _LOWER.fullmatch(original.text(*rule, "transform", "template"))
    return {"nameTransformer": "lower-snake"} if is_lower else {}


def _source(draft: Draft, webhook: PhaseWebhook | None, wanted: Sequence[Wanted]) -> None:
    """Set what is read: one app, one environment and one folder; what is elsewhere is an open question."""
    draft.app(_STORE, "" if webhook is None else webhook.part("app_id", {}))
    first = next((each for each in wanted if each.environment), Wanted(_STORE))
    draft.environment(first.source, first.environment)
    path = normal_path(next((each.path for each in wanted if each.path), "/"))
    draft.folder(path, recursive=any(each.recursive for each in wanted))
    _say_elsewhere(draft, wanted, first.environment, path)


def _say_elsewhere(draft: Draft, wanted: Sequence[Wanted], environment: str, path: str) -> None:
    for each in wanted:
        if elsewhere := _elsewhere(each, environment, path):
            why = f"it reads {elsewhere}; one PhaseSecret reads one: give it another, with creationPolicy: Merge"
            draft.open(each.source, why)


def _elsewhere(wanted: Wanted, environment: str, path: str) -> str:
    """Return what is read that is not in an environment and its folder; "" if it is there."""
    if wanted.environment not in ("", environment):
        return f'environment "{clean(wanted.environment)}"'
    return f'folder "{clean(wanted.path)}"' if wanted.path and normal_path(wanted.path) != path else ""


def _keys(draft: Draft, wanted: Sequence[Wanted], target: dict[str, Any]) -> None:
    """Set which keys are taken, and what they are called in the Secret."""
    processors: dict[str, dict[str, str]] = {}
    for each in wanted:
        processor = _processor(each, is_renamed=bool(target))
        if processor and each.key in processors:
            why = f'"{clean(each.key)}" is taken twice; here an entry is one key'
            draft.open(each.source, why, ("spec", "keys"))
        elif processor:
            processors[each.key] = processor
    if processors:
        target["processors"] = processors
    _include(draft, wanted)


def _processor(wanted: Wanted, *, is_renamed: bool) -> dict[str, str]:
    """Return the processor of a key, empty if it needs none; `is_renamed`: the target says something of all names."""
    processor = {}
    if wanted.key and wanted.name and (wanted.name != wanted.key or is_renamed):
        processor["asName"] = wanted.name
    if wanted.decodes and wanted.key:
        processor["type"] = "base64"
    return processor


def _include(draft: Draft, wanted: Sequence[Wanted]) -> None:
    """Set the keys that are taken, if they are not all, and few enough to name."""
    include = list(dict.fromkeys(each.pattern or each.key for each in wanted))
    if not include or "" in include:
        return
    if len(include) > _MOST_PATTERNS or not all(each.pattern or is_plain(each.key) for each in wanted):
        why = "name the keys by patterns in keys.include, or give them a folder of their own"
        draft.open(("spec", "data"), why, ("spec", "keys"))
        return
    draft.spec["keys"] = {"include": include}
