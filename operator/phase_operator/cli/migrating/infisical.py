"""InfisicalSecrets (v1alpha1) and InfisicalStaticSecrets (v1beta1) of Infisical's operator -> PhaseSecrets."""

from collections.abc import Iterator
from typing import Any

from phase_operator.cli.migrating import durations
from phase_operator.cli.migrating.draft import OPEN, Converted, Draft, Named
from phase_operator.cli.migrating.foreign import Foreign, Path
from phase_operator.cli.migrating.go_templates import plain, with_value
from phase_operator.cli.migrating.targets import is_plain, secret_type, texts
from phase_operator.core.json_access import filled
from phase_operator.core.text import clean

GROUP = "secrets.infisical.com"
SECRET, STATIC_SECRET = "InfisicalSecret", "InfisicalStaticSecret"

_SECRETS, _CONFIG_MAPS = "managedSecretReferences", "managedConfigMapReferences"
_NAMES = {_SECRETS: ("secretName", "secretNamespace"), _CONFIG_MAPS: ("configMapName", "configMapNamespace")}
_CONFIG_ALONE = "a ConfigMap takes entries of type config alone: set that type in Phase"
_AUTHENTICATION: Path = ("spec", "authentication")


def infisical_secret(original: Foreign, options: Named) -> Converted:
    """Convert an InfisicalSecret."""
    draft = Draft(original, options)
    kinds = [(*_AUTHENTICATION, name) for name in original.names(*_AUTHENTICATION)]
    _scope(draft, kinds[0] if kinds else _AUTHENTICATION)
    draft.token(*kinds, ("spec", "tokenSecretReference"))
    _connection(draft)
    _interval(draft)
    single: Path = ("spec", "managedSecretReference")
    for item in [*([single] if original.has(*single) else []), *original.items("spec", "managedKubeSecretReferences")]:
        _add(draft, item, _SECRETS, _classic(draft, item, _SECRETS))
    for item in original.items("spec", "managedKubeConfigMapReferences"):
        draft.open(item, _CONFIG_ALONE)
        _add(draft, item, _CONFIG_MAPS, _classic(draft, item, _CONFIG_MAPS))
    return draft.finish()


def infisical_static_secret(original: Foreign, options: Named) -> Converted:
    """Convert an InfisicalStaticSecret."""
    draft = Draft(original, options)
    _sources(draft)
    draft.token(("spec", "infisicalAuthRef"))
    path: Path = ("spec", "syncOptions", "refreshInterval")
    draft.interval(path, durations.seconds(original.text(*path)))
    original.flag("spec", "syncOptions", "instantUpdates")
    for item in original.items("spec", "targets"):
        field = _CONFIG_MAPS if original.text(*item, "kind") == "ConfigMap" else _SECRETS
        if field == _CONFIG_MAPS:
            draft.open((*item, "kind"), _CONFIG_ALONE)
        _add(draft, item, field, _modern(draft, item, field))
    return draft.finish()


def _scope(draft: Draft, path: Path) -> None:
    """Set what is read, by the scope of the way to authenticate."""
    original, scope = draft.original, (*path, "secretsScope")
    project = original.text(*scope, "projectSlug") or original.text(*path, "projectId")
    slug = original.text(*scope, "envSlug") or original.text(*path, "environmentName")
    # An id of Infisical names no app of Phase.
    draft.app((*scope, "projectSlug"), project if original.text(*scope, "projectSlug") else "")
    draft.environment((*scope, "envSlug"), slug)
    draft.folder(original.text(*scope, "secretsPath"), recursive=bool(original.flag(*scope, "recursive")))
    key = original.text(*scope, "secretName")
    if key and is_plain(key):
        draft.spec["keys"] = {"include": [key]}
    elif key:
        draft.open((*scope, "secretName"), "name the key in keys.include")


def _sources(draft: Draft) -> None:
    original = draft.original
    items = list(original.items("spec", "sources"))
    first = items[0] if items else ("spec", "sources")
    draft.app((*first, "projectSlug"), original.text(*first, "projectSlug"))
    original.text(*first, "projectId")
    draft.environment((*first, "environmentSlug"), original.text(*first, "environmentSlug"))
    draft.folder(original.text(*first, "secretPath"), recursive=bool(original.flag(*first, "recursive")))
    tags = original.words(*first, "tagSlugs")
    if tags:
        draft.spec["phaseAppEnvTags"] = tags
        draft.say((*first, "tagSlugs"), "tags are compared by their names in Phase", ("spec", "phaseAppEnvTags"))
    for item in items[1:]:
        folder, slug = (clean(original.text(*item, name)) for name in ("secretPath", "environmentSlug"))
        what = f'folder "{folder}" of "{slug}"'
        original.done(*item)
        draft.open(item, f"it reads {what} too; one PhaseSecret reads one: give it another, with creationPolicy: Merge")


def _connection(draft: Draft) -> None:
    original = draft.original
    original.text("spec", "hostAPI")
    original.flag("spec", "instantUpdates")
    original.flag("spec", "syncConfig", "instantUpdates")
    if original.has("spec", "tls"):
        original.done("spec", "tls")
        draft.say(("spec", "tls"), "an authority of one's own is a setting of this operator: --phase-ca-file")


def _interval(draft: Draft) -> None:
    newer: Path = ("spec", "syncConfig", "resyncInterval")
    older: Path = ("spec", "resyncInterval")
    if written := draft.original.text(*newer):
        draft.interval(newer, durations.seconds(written))
        draft.original.number(*older)
    else:
        draft.interval(older, draft.original.number(*older))


def _add(draft: Draft, source: Path, field: str, targets: Iterator[dict[str, Any]]) -> None:
    """Add targets; one in another namespace needs a grant."""
    name, namespace = _NAMES[field]
    for target in targets:
        draft.spec.setdefault(field, []).append(target)
        at = ("spec", field, len(draft.spec[field]) - 1)
        if not target[name]:
            target[name] = OPEN.lower()
            draft.open(source, "name the target", at)
        if target.get(namespace) == draft.original.key.namespace:
            del target[namespace]
        if namespace in target:
            what = "another namespace needs a grant of this operator; a PhaseSecret in that namespace needs none"
            draft.say(source, what, (*at, namespace))


def _classic(draft: Draft, item: Path, field: str) -> Iterator[dict[str, Any]]:
    """Yield the targets of one reference of v1alpha1: it may name several namespaces."""
    original, (name, namespace) = draft.original, _NAMES[field]
    found = original.text(*item, name)
    places = [each.strip() for each in original.text(*item, namespace).split(",")]
    template = draft.metadata(("metadata",), original.labels, original.annotations, ("spec", field))
    data = texts(draft, (*item, "template", "data"), with_value, ("spec", field))
    # Without the flag, the Secret holds the texts alone.
    if original.flag(*item, "template", "includeAllSecrets") and data:
        template["mergePolicy"] = "Merge"
    rest = _rest(draft, item, field, {**template, **filled({"data": data})})
    for place in places:
        yield {name: found, **filled({namespace: place}), **rest}


def _modern(draft: Draft, item: Path, field: str) -> Iterator[dict[str, Any]]:
    """Yield the target of v1beta1."""
    original, (name, namespace) = draft.original, _NAMES[field]
    own = original.has(*item, "metadata")
    labels, annotations = (
        original.pairs(*item, "metadata", kind) if own else inherited
        for kind, inherited in (("labels", original.labels), ("annotations", original.annotations))
    )
    template = draft.metadata((*item, "metadata"), labels, annotations, ("spec", field))
    original.text(*item, "template", "engineVersion")
    if data := texts(draft, (*item, "template", "data"), plain, ("spec", field)):
        template["data"] = data
    found = {name: original.text(*item, "name"), **filled({namespace: original.text(*item, "namespace")})}
    yield {**found, **_rest(draft, item, field, template)}


def _rest(draft: Draft, item: Path, field: str, template: dict[str, Any]) -> dict[str, Any]:
    """Return what targets of both versions have in common."""
    policies: dict[str, dict[str, str]] = {
        "Owner": {"deletionPolicy": "Delete"},
        "Orphan": {"creationPolicy": "Orphan"},
        "": {"creationPolicy": "Orphan"},
    }
    policy = draft.original.text(*item, "creationPolicy")
    if policy not in policies:
        draft.open((*item, "creationPolicy"), "this policy is not known", ("spec", field))
    kind = secret_type(draft, (*item, "secretType")) if field == _SECRETS else {}
    return {**policies.get(policy, {}), **kind, **filled({"template": template})}
